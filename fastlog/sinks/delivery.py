"""One try at handing a notification over: what each way of delivery must do."""

from typing import Protocol


class DeliveryError(Exception):
    """A try that failed. The message says why in a few words, without anything that may be secret."""


class Delivery(Protocol):
    """A webhook, or a program."""

    async def deliver(self, data: bytes) -> None:
        """Hand ``data`` over, however long it takes: the caller cancels. Raises DeliveryError."""

    def kill(self) -> None:
        """End what a try has begun outside this process, now."""
