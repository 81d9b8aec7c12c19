"""The search for the line that workers die over: a chunk in halves, and those again.

A chunk that took two workers with it is halved at a line's end, a half that takes
one is halved again, down to a line that has to kill twice by itself. The halves
stand where the whole stood, so that the order of the log is kept. Some 20 deaths
find one line among the 50,000 of a range of 4 MiB.

Decision: such a line counts as rejected for ``format``, is reported, and makes the
result incomplete: whatever is in it, nobody could read it.
"""

from collections.abc import Iterator

from fastlog.executors.committer import Committer
from fastlog.executors.job import Job
from fastlog.executors.reorder import ReorderBuffer, Slot
from fastlog.model.chunk import Block, ByteRange, Notice
from fastlog.model.partial import REASONS, Partial
from fastlog.sources.files import unreadable
from fastlog.sources.ranges import RangeReader

TRIES = 2
"""Workers that may die over a whole chunk, or over a lone line."""


class Isolation:
    """What becomes of chunks that could not be done."""

    def __init__(self, job: Job, pending: ReorderBuffer, committer: Committer) -> None:
        self._job = job
        self._pending = pending
        self._committer = committer

    def unread(self, slot: Slot, error: OSError) -> None:
        """The bytes of a chunk cannot be read: the log goes on after them."""
        name = self._committer.name_of(slot.chunk.source)
        self._committer.tell(Notice(unreadable(name, error), degraded=True))
        slot.partial = Partial()

    def suspect(self, slot: Slot, fate: str) -> None:
        """A worker died over a chunk: it is done again, then in halves, and a lone line is given up."""
        slot.deaths += 1
        where = f"{self._committer.name_of(slot.chunk.source)} at byte {slot.chunk.start}"
        if slot.deaths < TRIES:
            if not slot.part:
                self._committer.tell(Notice(f"a worker died ({fate}) over {where}: another does it again"))
            self._pending.give_back([slot])
            return
        try:
            parts = self._parts(slot)
        except OSError as error:
            self.unread(slot, error)
            return
        if not parts:
            self._give_up(slot, fate)
            return
        if not slot.part:
            text = f"a second worker died ({fate}) over {where}: looking for the line that does it"
            self._committer.tell(Notice(text))
        self._pending.replace(slot, parts)

    def _parts(self, slot: Slot) -> list[Slot]:
        """What a chunk can be cut into, in order; none of a lone line. Raises OSError."""
        chunk = slot.chunk
        if isinstance(chunk, Block):
            blocks = list(_halves(chunk))
        else:
            source = self._job.sources[chunk.source]
            assert source.end is not None
            reader = RangeReader()
            lines = reader.lines(source.fd, chunk.start, chunk.stop, source.origin, source.end)
            blocks = [
                Block(chunk.source, start, bytes(data), low=chunk.low, stop=chunk.stop)
                for start, data in lines
            ]
            slot.whole = reader.whole
        parts = [_part(slot, block) for block in blocks]
        if parts:
            parts[-1].credit = slot.credit
        return parts

    def _give_up(self, slot: Slot, fate: str) -> None:
        """Count a lone line as rejected; a range in which no line starts has nothing to count."""
        slot.partial = Partial()
        block = slot.chunk
        if isinstance(block, ByteRange):
            return
        line = block.data.removesuffix(b"\n").removesuffix(b"\r")
        slot.partial.lines = 1
        slot.partial.rejected[REASONS.index("format")] = 1
        if self._job.plan.rejects:
            from fastlog.parsers.rejects import REJECT_BYTES  # here, since the hub parses nothing else

            slot.partial.rejects.append((block.start, "format", line[:REJECT_BYTES]))
        where = f"{self._committer.name_of(block.source)}: the line at byte {block.start}"
        text = f"{where} counts as rejected, since workers die over it ({fate}): please report it"
        self._committer.tell(Notice(text, degraded=True))


def _halves(block: Block) -> Iterator[Block]:
    """The two halves of a block, cut at the end of a line; nothing of a lone line."""
    data = block.data
    middle = len(data) // 2
    cut = data.rfind(b"\n", 0, middle) + 1 or data.find(b"\n", middle) + 1
    if 0 < cut < len(data):
        yield block._replace(data=data[:cut], taken=None if block.taken is None else 0)
        yield block._replace(data=data[cut:], start=block.start + cut)


def _part(slot: Slot, block: Block) -> Slot:
    """A part is suspect from the start, unless it is a line, which must show it twice."""
    lone = block.data.find(b"\n") in (-1, len(block.data) - 1)
    return Slot(block, slot.format, whole=slot.whole, deaths=0 if lone else TRIES - 1, credit=0, part=True)
