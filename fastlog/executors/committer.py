"""Items in the reader's order, committed to the merger as they become ready."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from fastlog.errors import RecordError
from fastlog.formats.compile import compile_format
from fastlog.merger import Merger
from fastlog.model.chunk import ByteRange, Chunk, Closed, Item, Notice, Opened, Relayed, Switched, Tick
from fastlog.model.events import Event
from fastlog.model.partial import Partial
from fastlog.sources.files import cut_short

if TYPE_CHECKING:
    from fastlog.executors.checkpoint import Checkpoint

Notify = Callable[[Notice], None]
Progress = Callable[[int, int], None]
"""Told after each chunk: bytes and lines committed so far."""


class Committer:
    """What both executors do with an item once its turn has come."""

    def __init__(
        self, merger: Merger, notify: Notify, progress: Progress, checkpoint: "Checkpoint | None" = None
    ) -> None:
        self.merger = merger
        self.checkpoint = checkpoint
        self.degraded = False
        self.unrecorded = False
        """Whether the last record of ``--state`` could not be written."""
        self._notify = notify
        self._progress = progress
        self._bytes_done = 0
        self._names: dict[int, str] = {}
        self._formats: dict[int, str] = {}
        self._short: set[int] = set()

    def resume(self) -> None:
        """Go on where the run before was, if there is one; once the files of a replay are open."""
        if self.checkpoint is not None and self.checkpoint.resumes:
            for item in self.checkpoint.restore(self.merger):
                self.announce(item)
            self.degraded = self.degraded or self.checkpoint.degraded
            self._bytes_done = self.checkpoint.bytes_done

    async def at_rest(self, *, last: bool = False) -> None:
        """The events of all that is counted were taken: a record can be made of it.

        One that cannot be written is said, once, and tried again when the next is due: the count goes on.
        Raises FastlogError where the output fails.
        """
        if self.checkpoint is None or not (last or self.checkpoint.due()):
            return
        try:
            written = await self.checkpoint.write(self.merger, degraded=self.degraded)
        except RecordError as error:
            until = "until then a next run would count again what came since"
            self._not_on_record(f"{error}: tried again every second, {until}")
        else:
            if written and self.unrecorded:
                self._notify(Notice("--state: the record could be written again"))
                self.unrecorded = False

    async def amend(self, notified: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Have the last record say what has become of its notifications. Failing, it is said."""
        if self.checkpoint is None:
            return
        try:
            await self.checkpoint.amend(notified)
        except RecordError as error:
            self._not_on_record(f"{error}: a next run would send again what waited for it to be delivered")

    def _not_on_record(self, text: str) -> None:
        if not self.unrecorded:  # nothing of the result is missing: it is no less complete
            self._notify(Notice(text, degraded=True))
        self.unrecorded = True

    @property
    def wants_first_record(self) -> bool:
        """Whether to come to rest before the first line of a follow, to have on record where it starts."""
        return self.checkpoint is not None and self.checkpoint.first_due()

    @property
    def wants_rest(self) -> bool:
        """Whether to come to rest after this item."""
        return self.checkpoint is not None and self.checkpoint.due()

    def announce(self, item: Item) -> None:
        """Take note of an item as it arrives, before its turn."""
        if isinstance(item, Opened):
            self._names[item.source] = item.name
            self._formats[item.source] = item.format
        elif isinstance(item, Switched):
            self._formats[item.source] = item.format

    def format_of(self, source: int) -> str:
        """The format that a source was opened with."""
        return self._formats[source]

    def tell(self, notice: Notice) -> None:
        """A message for the user."""
        self.degraded = self.degraded or notice.degraded
        self._notify(notice)

    def tell_of_rules(self) -> None:
        """What users should know of the rules, if there is something."""
        for text in self.merger.notices():
            self.tell(Notice(text))

    def name_of(self, source: int) -> str:
        return self._names[source]

    def control(self, item: Item) -> Iterator[Event]:
        """An item that is no chunk. Done once all its events were taken."""
        told = False
        if isinstance(item, Opened):
            timed = compile_format(item.format).gives("duration")
            self.merger.open(item.source, item.name, timed=timed, low=item.low)
        elif isinstance(item, Closed):
            yield from self.merger.close(item.source)
        elif isinstance(item, Tick):
            for event in self.merger.tick(item.now):
                told = True
                yield event
        elif isinstance(item, Relayed):
            self.merger.reopen()
        elif isinstance(item, Notice):
            self.tell(item)
        if self.checkpoint is not None:
            self.checkpoint.note(item, told=told)

    def chunk(self, chunk: Chunk, partial: Partial, *, whole: bool) -> Iterator[Event]:
        """A folded chunk. Done once all its events were taken."""
        source = chunk.source
        if not whole and source not in self._short:
            self._short.add(source)
            self.tell(Notice(cut_short(self._names[source]), degraded=True))
        if isinstance(chunk, ByteRange):
            self._bytes_done += chunk.stop - chunk.start
            yield from self.merger.commit(source, partial, low=chunk.low)
        else:
            self._bytes_done += len(chunk.data) if chunk.taken is None else chunk.taken
            yield from self.merger.commit(source, partial, low=chunk.low, at=chunk.at)
        if self.checkpoint is not None:
            self.checkpoint.note(chunk)
        self.tell_of_rules()
        self._progress(self._bytes_done, self.merger.lines)
