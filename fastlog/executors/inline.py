"""Everything in the caller's own thread: for tests, and for programs that want no children."""

import select
from collections.abc import Callable, Sequence

from fastlog.errors import UsageError
from fastlog.executors.committer import Committer
from fastlog.executors.job import Job
from fastlog.model.chunk import Block, ByteRange, Item, Notice
from fastlog.model.events import Event
from fastlog.model.partial import Partial
from fastlog.reader.replay import replay_sources
from fastlog.sources.files import unreadable
from fastlog.worker import Worker


class _InlineLink:
    """Folds and commits each chunk as it is handed over."""

    def __init__(self, job: Job, committer: Committer) -> None:
        self._worker = Worker(job.plan, job.parser, list(job.sources))
        self._committer = committer
        self.events: list[Event] = []
        self.light = False  # nothing is saved where all is one process
        self.meanwhile: Callable[[], object] = self._never

    def _never(self) -> None:
        """An inline reader never waits for credit."""

    def fileno(self) -> int:
        return -1  # nobody speaks to an inline reader

    def emit(self, item: Item) -> None:
        self._committer.announce(item)
        if not isinstance(item, ByteRange | Block):
            self.events += self._committer.control(item)
            return
        try:
            partial, whole = self._worker.fold(item, self._committer.format_of(item.source))
        except OSError as error:
            name = self._committer.name_of(item.source)
            self._committer.tell(Notice(unreadable(name, error), degraded=True))
            partial, whole = Partial(), True
        self.events += self._committer.chunk(item, partial, whole=whole)

    def wait(self, descriptors: Sequence[int], seconds: float | None) -> Sequence[int]:
        poll = select.poll()
        for descriptor in descriptors:
            poll.register(descriptor, select.POLLIN)
        return [descriptor for descriptor, _ in poll.poll(None if seconds is None else seconds * 1000)]


def run_inline(job: Job, committer: Committer) -> list[Event]:
    """Replay in this thread. Raises UsageError for a follow, which needs processes."""
    if job.paths:
        raise UsageError("executor is 'inline': following needs processes, since it waits for its files")
    link = _InlineLink(job, committer)
    replay_sources(job.sources, job.format, job.plan, link)
    merger = committer.merger
    return [*link.events, *merger.finish(), merger.summary(complete=not committer.degraded)]
