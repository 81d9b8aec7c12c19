"""How the reader speaks with the hub."""

from collections.abc import Callable, Sequence
from typing import Protocol

from fastlog.model.chunk import Item

AUTO = "auto"
FALLBACK = "combined"
"""The format of a source without a line: any will do."""


class Link(Protocol):
    """The reader's end of the line to the hub. Both raise Stopped when the reader is to end."""

    meanwhile: Callable[[], object]
    """Called about twice a second while ``emit`` waits."""

    light: bool
    """Whether chunks come down to few bytes: then longer ones cost no memory to speak of."""

    def emit(self, item: Item) -> None:
        """Hand an item over; waits while too many chunks are under way."""

    def wait(self, descriptors: Sequence[int], seconds: float | None) -> Sequence[int]:
        """Wait until one of ``descriptors`` is readable (returned) or the time is over."""

    def fileno(self) -> int:
        """A descriptor that is readable when the hub has something to say."""


class Stopped(Exception):
    """The hub wants no more chunks. Not an error."""
