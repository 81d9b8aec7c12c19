"""The hub: it owns the reader and the workers, hands chunks out, and commits partials in order.

It alone knows which chunks are outstanding. A chunk whose worker dies goes to
another; it commits once, in the reader's order, whoever folded it.
"""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Coroutine

from fastlog.errors import FastlogError, FormatError, SourceError, UsageError, WireError, WorkerError
from fastlog.executors.children import Child, start_child
from fastlog.executors.committer import Committer, Slot
from fastlog.executors.job import Job
from fastlog.executors.wire import Header, pack_item, unpack_item, unpack_partial
from fastlog.model.chunk import Block, ByteRange, Item, Notice
from fastlog.model.events import Event
from fastlog.model.partial import Partial
from fastlog.sources.files import unreadable

_ERRORS: dict[str, type[FastlogError]] = {
    kind.__name__: kind for kind in (FastlogError, FormatError, SourceError, UsageError, WireError)
}
_AHEAD = 2
"""Chunks under way for each worker: one that it folds, one that waits for it."""
_TRIES = 2
"""Workers that may die over a chunk before it is given up."""


class Hub:
    """One run in processes. ``events`` drives it; ``stop`` ends a follow, ``interrupt`` a replay."""

    def __init__(self, job: Job, workers: int, committer: Committer) -> None:
        self._job = job
        self._count = workers
        self.committer = committer
        self._line: deque[Slot | Item] = deque()  # in the reader's order
        self._ready: deque[Slot] = deque()  # to be handed out
        self._holding: dict[Child, dict[int, Slot]] = {}
        self._reader: Child | None = None
        self._children: list[Child] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = 0
        self._ended = False
        self._failure: FastlogError | None = None
        self._interrupted = False
        self._stopping = False
        self._moved = asyncio.Event()

    def stop(self) -> None:
        """Read what is there, and no further."""
        self._stopping = True  # a reader that is still starting is told once it listens
        if self._reader is not None:
            self._reader.send({"kind": "Stop"})

    def interrupt(self) -> None:
        """Commit nothing further; the summary says that it is incomplete."""
        self._interrupted = True
        self._moved.set()

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """The events of the run as they come, the summary last. Raises FastlogError."""
        try:
            await self._start()
            while not self._interrupted and self._failure is None:
                events = self._commit()
                if events:
                    yield events
                    continue
                if self._ended and not self._line:
                    break
                await self._moved.wait()
                self._moved.clear()
            if self._failure is not None and self._failure.exit_status == 2:
                raise self._failure
            if self._failure is not None:
                self.committer.tell(Notice(str(self._failure), degraded=True))
            complete = not (self._interrupted or self.committer.degraded)
            yield self.committer.merger.finish(complete=complete)
        finally:
            self.kill()

    def kill(self) -> None:
        """End all children now."""
        for task in self._tasks:
            task.cancel()
        for child in self._children:
            child.kill()
        self._children.clear()
        self._reader = None
        self._holding.clear()

    async def _start(self) -> None:
        self._reader = self._new_child("reader")
        workers = [self._new_child("worker") for _ in range(self._count)]
        await self._reader.connect()
        self._reader.send(self._job.header())
        self._reader.send({"kind": "Credit", "chunks": _AHEAD * self._count})
        if self._stopping:
            self._reader.send({"kind": "Stop"})
        self._watch(self._serve_reader(self._reader))
        for worker in workers:
            await self._welcome(worker)

    def _new_child(self, role: str) -> Child:
        child = start_child(role, [source.fd for source in self._job.sources])
        self._children.append(child)
        return child

    async def _welcome(self, worker: Child) -> None:
        """Give a started worker the job, then chunks: none before it can be sent any."""
        await worker.connect()
        worker.send(self._job.header())
        self._holding[worker] = {}
        self._watch(self._serve_worker(worker))
        self._hand_out()

    def _watch(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(
                error if isinstance(error, FastlogError) else WorkerError(f"{type(error).__name__}: {error}")
            )

    def _fail(self, error: FastlogError) -> None:
        self._failure = self._failure or error
        self._moved.set()

    async def _serve_reader(self, reader: Child) -> None:
        while (received := await reader.receive()) is not None:
            header, payload = received
            if header["kind"] == "End":
                self._ended = True
                self._moved.set()
                return
            if header["kind"] == "Failed":
                self._fail(_failure(header))
                return
            item = unpack_item(header, payload)
            self.committer.announce(item)
            if isinstance(item, ByteRange | Block):
                self._numbers += 1
                slot = Slot(self._numbers, item, self.committer.format_of(item.source))
                self._line.append(slot)
                self._ready.append(slot)
                self._hand_out()
            else:
                self._line.append(item)
                self._moved.set()
        self._fail(
            WorkerError(f"the reader died ({reader.fate()}): the rest of the log was not read; run again")
        )

    async def _serve_worker(self, worker: Child) -> None:
        while (received := await worker.receive()) is not None:
            header, payload = received
            if header["kind"] == "Failed":
                self._fail(_failure(header))
                return
            slot = self._holding[worker].pop(header["number"])
            if header["kind"] == "Unread":
                error = OSError(header["errno"], os.strerror(header["errno"]))
                name = self.committer.name_of(slot.chunk.source)
                self.committer.tell(Notice(unreadable(name, error), degraded=True))
                slot.partial = Partial()
            else:
                slot.partial, slot.whole = unpack_partial(header, payload), header["whole"]
            self._hand_out()
            self._moved.set()
        await self._bury(worker)

    async def _bury(self, worker: Child) -> None:
        """A worker died: what it held is done again by others, once; another takes its place."""
        held = self._holding.pop(worker)
        fate = worker.fate()
        self._children.remove(worker)
        worker.kill()
        for slot in reversed(held.values()):
            where = f"{self.committer.name_of(slot.chunk.source)} at byte {slot.chunk.start}"
            slot.deaths += 1
            if slot.deaths < _TRIES:
                self.committer.tell(Notice(f"a worker died ({fate}) over {where}: another does it again"))
                self._ready.appendleft(slot)
            else:
                self.committer.tell(
                    Notice(f"{where}: given up, {_TRIES} workers died over it ({fate})", degraded=True)
                )
                slot.partial = Partial()
        if not held:
            self.committer.tell(Notice(f"a worker died ({fate}) and was replaced"))
        self._moved.set()
        await self._welcome(self._new_child("worker"))

    def _hand_out(self) -> None:
        """Give waiting chunks to the workers that hold fewest."""
        while self._ready and self._holding:
            worker = min(self._holding, key=lambda child: len(self._holding[child]))
            held = self._holding[worker]
            if len(held) >= _AHEAD:
                return
            slot = self._ready.popleft()
            held[slot.number] = slot
            header, payload = pack_item(slot.chunk)
            worker.send({**header, "format": slot.format, "number": slot.number}, payload)

    def _commit(self) -> list[Event]:
        """Commit what is ready at the head of the line, until it gives an event."""
        events: list[Event] = []
        committed = 0
        while self._line and not events:
            head = self._line[0]
            if isinstance(head, Slot):
                if head.partial is None:
                    break
                events = self.committer.chunk(head.chunk, head.partial, whole=head.whole)
                committed += 1
            else:
                events = self.committer.control(head)
            self._line.popleft()
        if committed and self._reader is not None:
            self._reader.send({"kind": "Credit", "chunks": committed})
        return events


def _failure(header: Header) -> FastlogError:
    """The error that a child met, of the kind that it had there."""
    return _ERRORS.get(header["error"], WorkerError)(header["message"])
