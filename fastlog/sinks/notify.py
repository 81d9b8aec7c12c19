"""``[[notify]]``: each alert and recovery to those who asked for it, in order, beside the run.

Every target has a queue and a task of its own, which exists while something is queued, so a target
that is slow or dead delays neither a window nor another target. What does not arrive is given up
after some tries, counted, and said.
"""

import asyncio
import os
import shutil
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from fastlog.errors import UsageError
from fastlog.model.chunk import Notice
from fastlog.model.events import Alert, Event
from fastlog.model.notify import NotifyTarget, check_url
from fastlog.model.printable import printable
from fastlog.sinks.delivery import Delivery, DeliveryError
from fastlog.sinks.ndjson import NdjsonRenderer
from fastlog.sinks.program import Program

QUEUED = 1000
"""Notifications that wait for a target at most."""
QUEUED_BYTES = 1 << 20
_LONGEST_URL = 8192


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: ``limit`` for one try, ``pauses`` between the tries (so one more than there are), and
    ``farewell`` for all that is queued when the run ends."""

    limit: float = 5.0
    pauses: tuple[float, ...] = (0.5, 2.0)
    farewell: float = 10.0


class Notifier:
    """Sends alerts and recoveries to the targets.

    ``say`` gets a message for what is given up: the first of several in a row, and all of them at the end.
    Raises UsageError for a target that cannot be reached by anyone: a variable
    that is not set, a program that is not there, a webhook without aiohttp.
    """

    def __init__(
        self,
        targets: Sequence[NotifyTarget],
        say: Callable[[Notice], None],
        *,
        environment: Mapping[str, str] = os.environ,
        patience: Patience = Patience(),
    ) -> None:
        self._patience = patience
        self._queues = [_Queue(target, _delivery(target, environment), say, patience) for target in targets]
        self._renderer = NdjsonRenderer()
        self._say = say

    @property
    def given_up(self) -> dict[str, int]:
        """What did not arrive, by the label of each target."""
        return {queue.target.label: queue.given_up for queue in self._queues}

    @property
    def counts(self) -> dict[str, int] | None:
        """For the summary: ``delivered`` and ``given_up``, of all targets; None when there are none."""
        if not self._queues:
            return None
        return {
            "delivered": sum(queue.delivered for queue in self._queues),
            "given_up": sum(queue.given_up for queue in self._queues),
        }

    def state(self) -> dict[str, Any]:
        """What has become of the notifications so far, for JSON: by the label of each target."""
        return {queue.target.label: queue.state() for queue in self._queues}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state``, in a running loop: what waited then is queued again.

        A target that is no longer there has what waited for it given up, and that is said.
        """
        queues = {queue.target.label: queue for queue in self._queues}
        for label, plain in state.items():
            if label in queues:
                queues[label].restore(plain)
            elif plain["waiting"]:
                left = len(plain["waiting"])
                text = f"{label}: is no longer among the targets: notifications given up: {left}"
                self._say(Notice(text, degraded=True))

    def finished(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """An earlier ``state`` with nothing waiting any more: what was queued then has been tried.

        What was queued since is not counted in it: a run that goes on from there queues it again.
        """
        after = {}
        for queue in self._queues:
            plain = state[queue.target.label]
            waited, lost = len(plain["waiting"]), queue.given_up - plain["given_up"]
            given_up = min(waited, lost)  # the oldest, as far as is known
            after[queue.target.label] = {
                "delivered": plain["delivered"] + waited - given_up,
                "given_up": plain["given_up"] + given_up,
                "waiting": [],
            }
        return after

    def offer(self, event: Event) -> None:
        """Queue an alert or a recovery for whom it concerns; returns at once."""
        if not isinstance(event, Alert):
            return
        for queue in self._queues:
            if queue.target.wants(event.rule):
                text = queue.target.body == "text"
                queue.put(
                    orjson.dumps({"text": printable(event.message)}) if text else self._renderer.render(event)
                )

    async def finish(self) -> None:
        """Deliver what is queued, as far as that goes in the time that there is, and give up the rest."""
        tasks = [queue.task for queue in self._queues if queue.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=self._patience.farewell)
        for queue in self._queues:
            queue.abandon()
        # A task that was cancelled may be burying its program.
        await asyncio.gather(*tasks, return_exceptions=True)

    def kill(self) -> None:
        """End all tries at once, and without a word."""
        for queue in self._queues:
            queue.kill()


class _Queue:
    """What waits for one target."""

    def __init__(
        self, target: NotifyTarget, delivery: Delivery, say: Callable[[Notice], None], patience: Patience
    ) -> None:
        self.target = target
        self.task: asyncio.Task[None] | None = None
        self.delivered = 0
        self.given_up = 0
        self._delivery = delivery
        self._say = say
        self._patience = patience
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._said = 0  # of those given up
        self._full = False

    def state(self) -> dict[str, Any]:
        waiting = [data.decode() for data in self._waiting]
        return {"delivered": self.delivered, "given_up": self.given_up, "waiting": waiting}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.delivered, self.given_up = state["delivered"], state["given_up"]
        self._said = self.given_up
        for text in state["waiting"]:
            self.put(text.encode())

    def put(self, data: bytes) -> None:
        """Queue ``data``; give it up where the queue is full."""
        if len(self._waiting) >= QUEUED or self._size + len(data) > QUEUED_BYTES:
            self._give_up(1, f"its queue of {len(self._waiting)} is full", aloud=not self._full)
            self._full = True
            return
        self._full = False
        self._waiting.append(data)
        self._size += len(data)
        if self.task is None:
            self.task = asyncio.get_running_loop().create_task(self._work())

    def abandon(self) -> None:
        """Give up what is still queued, and say what was not said before."""
        self.kill()
        left, self._size = len(self._waiting), 0
        self._waiting.clear()
        if left or self.given_up > self._said:
            self._give_up(left, "the run has ended", aloud=True)

    def kill(self) -> None:
        if self.task is not None:
            self.task.cancel()
        self._delivery.kill()

    async def _work(self) -> None:
        try:
            while self._waiting:
                # It stays in the queue while it is tried: what is cut off is still there to be counted.
                reason = await self._try(self._waiting[0])
                self._size -= len(self._waiting.popleft())
                if reason is None:
                    self.delivered += 1
                else:
                    self._give_up(1, reason, aloud=True)
        finally:
            self.task = None

    async def _try(self, data: bytes) -> str | None:
        """Deliver ``data``, in several tries; why not, if it cannot be done."""
        reason = ""
        for pause in (*self._patience.pauses, None):
            try:
                async with asyncio.timeout(self._patience.limit):
                    await self._delivery.deliver(data)
            except TimeoutError:
                reason = f"not done within {self._patience.limit:g} s"
            except DeliveryError as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001 - a fault of ours: the queue goes on, and it is said
                reason = f"internal error, please report it: {type(error).__name__}"
            else:
                return None
            if pause is not None:
                await asyncio.sleep(pause)
        return f"{reason}, {len(self._patience.pauses) + 1} times"

    def _give_up(self, count: int, reason: str, *, aloud: bool) -> None:
        self.given_up += count
        if aloud:
            more = self.given_up - self._said
            what = "a notification is" if more == 1 else f"{more} notifications are"
            self._say(Notice(f"{self.target.label}: {reason}: {what} given up", degraded=True))
            self._said = self.given_up


def _delivery(target: NotifyTarget, environment: Mapping[str, str]) -> Delivery:
    """The way to a target. Raises UsageError."""
    if target.exec:
        if shutil.which(target.exec[0]) is None:
            raise UsageError(f"{target.label}: there is no such program: name one that can be run")
        return Program(target.exec)
    try:
        from fastlog.sinks.webhook import Webhook
    except ImportError as error:
        raise UsageError(
            f"{target.label}: a webhook needs {error.name}: pip install 'fastlog[serve]'"
        ) from error
    return Webhook(_url(target, environment))


def _url(target: NotifyTarget, environment: Mapping[str, str]) -> str:
    if target.url is not None:
        return target.url
    if target.url_env is not None:
        if target.url_env not in environment:
            raise UsageError(f"{target.label}: the variable is not set: set it to the URL")
        return check_url(environment[target.url_env].strip(), f"{target.label}: what the variable holds")
    assert target.url_file is not None
    try:
        with open(target.url_file, encoding="utf-8") as file:
            url = file.read(_LONGEST_URL)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"{target.label}: {why}: name a file that holds the URL") from error
    return check_url(url.strip(), f"{target.label}: what the file holds")
