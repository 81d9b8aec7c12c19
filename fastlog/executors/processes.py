"""The hub: it owns the reader and the workers, hands chunks out, and commits partials in order.

It alone knows which chunks are outstanding. Any child may die at any moment: a
worker's chunk goes to another (``isolate`` says what becomes of one that kills), a
reader's place is taken by one that goes on where it was. A chunk commits once, in
the reader's order, whoever folded it.

Over 300 lines: what is outstanding, and what becomes of it when a child dies, is one state.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Coroutine, Iterable, Iterator

from fastlog.errors import FastlogError, FormatError, SourceError, UsageError, WireError, WorkerError
from fastlog.executors.children import Child, start_child
from fastlog.executors.committer import Committer
from fastlog.executors.isolate import Isolation
from fastlog.executors.job import Job
from fastlog.executors.launch import end_spare
from fastlog.executors.reorder import ReorderBuffer, Slot
from fastlog.executors.wire import Header, pack_item, unpack_item, unpack_partial
from fastlog.model.chunk import Block, ByteRange, Notice, Relayed, Tick
from fastlog.model.events import Event, StatsColumns
from fastlog.model.position import FilePosition
from fastlog.reader.reached import Followed, Trail
from fastlog.sources import clock

_ERRORS: dict[str, type[FastlogError]] = {
    kind.__name__: kind for kind in (FastlogError, FormatError, SourceError, UsageError, WireError)
}
_AHEAD = 3
"""Chunks that a worker has: one that it folds, and two that wait: a fold may take less time than a commit."""
_UNCOMMITTED = 6
"""Chunks under way for each worker: those that are folded wait for their turn, and the reader for their
commit, without keeping the workers waiting."""
_LIGHT = 16
"""A partial is light that has less than one in so many of its chunk's bytes."""
_BATCH = 64
_BATCH_SECONDS = 0.1
"""Events that are handed on in one go, at most, and how long they may take to come about."""
_GRACE_SECONDS = 0.5
"""How long an interrupted replay goes on with what follows from the lines that it has counted."""
_STARTS = 3
"""Children in a row, for each place, that may die before they begin, or, of readers, hand nothing out."""
_DEATHS = 64
"""Workers in a row that may die with no chunk done between them: more are no line's fault."""
_SICK = "check its memory limit (ulimit -v, the cgroup) and this installation (fastlog --version)"


class Hub:
    """One run in processes. ``events`` drives it; ``stop`` ends a follow, ``interrupt`` a replay."""

    def __init__(self, job: Job, workers: int, committer: Committer) -> None:
        self._job = job
        self._count = workers
        self.committer = committer
        self._pending = ReorderBuffer()
        self._isolation = Isolation(job, self._pending, committer)
        self._trail = Trail(job.reached)
        self._followed = self._followed_before()
        self._holding: dict[Child, dict[int, Slot]] = {}
        self._reader: Child | None = None
        self._children: list[Child] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = 0
        self._failed_starts = 0  # workers in a row that never began
        self._deaths_since_done = 0  # deaths of workers since the last chunk that was done
        self._silent_readers = 0  # readers in a row that handed nothing out
        self._ended = False
        self._failure: FastlogError | None = None
        self._interrupted_at: float | None = None
        self._within_chunk = False  # parts of one are committed, and parts are not
        self._stopping = False
        self._wake = asyncio.Event()

    def stop(self) -> None:
        """Read what is there, and no further."""
        self._stopping = True  # a reader that is still starting is told once it listens
        if self._reader is not None:
            self._reader.send({"kind": "Stop"})

    def interrupt(self) -> None:
        """Commit nothing further; the summary says that it is incomplete."""
        self._interrupted_at = clock.monotonic()
        self._wake.set()

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """The events of the run as they come, the summary last. Raises FastlogError."""
        try:
            await self._start()
            while self._interrupted_at is None and self._failure is None:
                for batch in self._batches(self._commit()):
                    yield batch
                if self._out_of_time():
                    break
                if not self._within_chunk:
                    await self.committer.at_rest()
                if self._ended and not self._pending:
                    break
                await self._wake.wait()
                self._wake.clear()
            if not self._out_of_time() and not self._within_chunk:
                await self.committer.at_rest(last=True)
            if self._failure is not None and self._failure.exit_status == 2:
                raise self._failure
            if self._failure is not None:
                self.committer.tell(Notice(str(self._failure), degraded=True))
            complete = self._interrupted_at is None and not self.committer.degraded
            if not self._out_of_time():
                for batch in self._batches(self.committer.merger.finish()):
                    yield batch
            if self._out_of_time():
                self.committer.tell(Notice("interrupted: statistics may be missing before the summary"))
            yield [self.committer.merger.summary(complete=complete)]
        finally:
            self.kill()

    def _batches(self, events: Iterable[Event]) -> Iterator[list[Event]]:
        """Events some at a time, so that neither signals nor memory wait for the last of them."""
        batch: list[Event] = []
        begun = clock.monotonic()
        for event in events:
            batch.append(event)
            full = len(batch) >= _BATCH or isinstance(event, StatsColumns)  # which may be a thousand windows
            if full or clock.monotonic() - begun > _BATCH_SECONDS:
                yield batch
                if self._out_of_time():
                    return
                batch, begun = [], clock.monotonic()
        if batch:
            yield batch

    def _out_of_time(self) -> bool:
        return self._interrupted_at is not None and clock.monotonic() - self._interrupted_at > _GRACE_SECONDS

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
        reader = self._new_child("reader")
        workers = [self._new_child("worker") for _ in range(self._count)]
        end_spare()
        await self._begin_reader(reader, self._job)
        for worker in workers:
            await self._begin_worker(worker)

    def _new_child(self, role: str) -> Child:
        child = start_child(role, [source.fd for source in self._job.sources])
        self._children.append(child)
        return child

    async def _begin_reader(self, reader: Child, job: Job) -> None:
        """Give a started reader its job, and leave to send what may still be under way."""
        await reader.connect()
        self._reader = reader
        reader.send(job.header())
        reader.send(
            {"kind": "Credit", "chunks": _UNCOMMITTED * self._count - self._pending.credit, "light": False}
        )
        if self._stopping:
            reader.send({"kind": "Stop"})
        self._watch(self._serve_reader(reader))

    async def _begin_worker(self, worker: Child) -> None:
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
        self._wake.set()

    async def _serve_reader(self, reader: Child) -> None:
        while (received := await reader.receive()) is not None:
            header, payload = received
            if header["kind"] == "End":
                self._ended = True
                self._wake.set()
                return
            if header["kind"] == "Failed":
                self._fail(_failure(header))
                return
            if not self._take_status(reader, header):
                item = unpack_item(header, payload)
                if isinstance(item, ByteRange | Block | Tick):
                    self._silent_readers = 0
                if self._job.paths:
                    self._followed.passes(item)
                elif not self._trail.passes(item):
                    continue
                self.committer.announce(item)
                self._pending.add(item, self.committer.format_of)
                self._hand_out()
                self._wake.set()
        await self._replace_reader(reader)

    async def _replace_reader(self, reader: Child) -> None:
        """The reader died: another goes on where it was, if what it had read can be read again."""
        self._reader = None
        fate = self._collect(reader)
        sources = self._job.sources
        lost = self._trail.lost(sources) if reader.ready else None
        if lost:
            raise WorkerError(f"the reader died ({fate}): what it had read of {lost} is gone; run again")
        self._silent_readers += 1
        if self._silent_readers > _STARTS:
            raise WorkerError(f"{self._silent_readers} readers died one after another ({fate}): {_SICK}")
        self.committer.tell(Notice(f"the reader died ({fate}): another goes on where it was"))
        await self._begin_reader(self._new_child("reader"), self._further())

    def _further(self) -> Job:
        """What is left for another reader, from where the one before had handed out all."""
        if not self._job.paths:
            return self._job._replace(reached=self._trail.reached(self._job.sources))
        relayed = Relayed()
        self._pending.add(relayed, self.committer.format_of)
        self._wake.set()
        if not self._followed.begun:  # it had not even got hold of all files: begin again
            self._followed = self._followed_before()
            return self._job
        self._followed.passes(relayed)
        positions = [position.to_dict() for position in self._followed.positions]
        return self._job._replace(from_start=True, positions=positions, formats=self._followed.formats)

    def _followed_before(self) -> Followed:
        return Followed(map(FilePosition.from_dict, self._job.positions), self._job.formats)

    def _take_status(self, child: Child, header: Header) -> bool:
        """Take note of what a child says about itself."""
        if header["kind"] == "Ready":
            child.ready = True
        elif header["kind"] == "LastWords":
            child.last_words = header["text"]
        else:
            return False
        return True

    def _collect(self, child: Child) -> str:
        """Let go of a dead child; how it died."""
        fate = child.fate()
        self._children.remove(child)
        child.kill()
        return fate

    async def _serve_worker(self, worker: Child) -> None:
        while (received := await worker.receive()) is not None:
            header, payload = received
            if header["kind"] == "Failed":
                self._fail(_failure(header))
                return
            if self._take_status(worker, header):
                self._failed_starts = 0
                continue
            slot = self._holding[worker].pop(header["number"])
            self._deaths_since_done = 0
            if header["kind"] == "Unread":
                self._isolation.unread(slot, OSError(header["errno"], os.strerror(header["errno"])))
            else:
                slot.partial, slot.whole = unpack_partial(header, payload), header["whole"] and slot.whole
                if isinstance(slot.chunk, ByteRange):
                    slot.light = len(payload) * _LIGHT < slot.chunk.stop - slot.chunk.start
            self._hand_out()
            self._wake.set()
        await self._replace_worker(worker)

    async def _replace_worker(self, worker: Child) -> None:
        """A worker died: what it held is done by others, and another takes its place."""
        held = list(self._holding.pop(worker).values())
        fate = self._collect(worker)
        self._deaths_since_done += 1
        self._failed_starts += not worker.ready
        if self._deaths_since_done > _DEATHS or self._failed_starts > _STARTS * self._count:
            raise WorkerError(f"{self._deaths_since_done} workers died one after another ({fate}): {_SICK}")
        # It does them in order: only the first can have been its death, and only once it had begun.
        blameless = held[1:] if worker.ready else held
        self._pending.give_back(blameless)
        if held and worker.ready:
            self._isolation.suspect(held[0], fate)
        else:
            self.committer.tell(Notice(f"a worker died ({fate}) and was replaced"))
        self._wake.set()
        await self._begin_worker(self._new_child("worker"))

    def _hand_out(self) -> None:
        """Give waiting chunks to the workers that hold fewest."""
        while self._holding:
            worker = min(self._holding, key=lambda child: len(self._holding[child]))
            held = self._holding[worker]
            slot = self._pending.next_waiting() if len(held) < _AHEAD else None
            if slot is None:
                return
            self._numbers += 1
            held[self._numbers] = slot
            header, payload = pack_item(slot.chunk)
            worker.send({**header, "format": slot.format, "number": self._numbers}, payload)

    def _commit(self) -> Iterator[Event]:
        """Commit what is ready, in the order of the log."""
        while self._interrupted_at is None:
            if self._pending.begins_with_chunk and self.committer.wants_first_record:
                self._wake.set()
                return
            if (head := self._pending.pop_ready()) is None:
                return
            if not isinstance(head, Slot):
                yield from self.committer.control(head)
                continue
            assert head.partial is not None
            yield from self.committer.chunk(head.chunk, head.partial, whole=head.whole)
            self._within_chunk = not head.credit  # the last part of a chunk has it
            if head.credit and self._reader is not None:
                self._reader.send({"kind": "Credit", "chunks": head.credit, "light": head.light})
            if self.committer.wants_rest:
                self._wake.set()  # there may be more
                return


def _failure(header: Header) -> FastlogError:
    """The error that a child met, of the kind that it had there."""
    return _ERRORS.get(header["error"], WorkerError)(header["message"])
