"""The search for the line that workers die over: a chunk in halves, and those again.

A chunk that took two workers with it is halved at a line's end, a half that takes
one is halved again, down to a line that has to kill twice by itself. The halves
stand where the whole stood, so that the order of the log is kept. Some 20 deaths
find one line among the 10,000 of a chunk.

Decision: such a line counts as rejected for ``format``, is reported, and makes the
result incomplete: whatever is in it, nobody could read it.
"""

from fastlog.executors.committer import Committer
from fastlog.executors.job import Job
from fastlog.executors.line import Line, Slot
from fastlog.model.chunk import Block, ByteRange, Chunk, Notice
from fastlog.model.partial import REASONS, Partial
from fastlog.sources.files import read_range, unreadable

TRIES = 2
"""Workers that may die over a whole chunk, or over a lone line."""
_SHOWN = 4096  # bytes of a rejected line, as in model.events.Reject


class Isolation:
    """What becomes of chunks that could not be done."""

    def __init__(self, job: Job, line: Line, committer: Committer) -> None:
        self._job = job
        self._line = line
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
            self._line.give_back([slot])
            return
        try:
            block, whole = self._as_block(slot.chunk)
        except OSError as error:
            self.unread(slot, error)
            return
        slot.whole = slot.whole and whole
        parts = _halves(slot, block)
        if not parts:
            self._give_up(slot, block, fate)
            return
        if not slot.part:
            text = f"a second worker died ({fate}) over {where}: looking for the line that does it"
            self._committer.tell(Notice(text))
        self._line.replace(slot, parts)

    def _as_block(self, chunk: Chunk) -> tuple[Block, bool]:
        """The lines of a chunk, and whether all its bytes were there. Raises OSError."""
        if not isinstance(chunk, ByteRange):
            return chunk, True
        source = self._job.sources[chunk.source]
        assert source.end is not None
        start, data, whole = read_range(source.fd, chunk.start, chunk.stop, source.origin, source.end)
        return Block(chunk.source, start, data, low=chunk.low), whole

    def _give_up(self, slot: Slot, block: Block, fate: str) -> None:
        """Count a lone line as rejected; a range without the start of a line has nothing to count."""
        slot.partial = Partial()
        if not block.data:
            return
        line = block.data.removesuffix(b"\n").removesuffix(b"\r")
        slot.partial.lines = 1
        slot.partial.rejected[REASONS.index("format")] = 1
        if self._job.plan.rejects:
            slot.partial.rejects.append((block.start, "format", line[:_SHOWN]))
        where = f"{self._committer.name_of(block.source)}: the line at byte {block.start}"
        text = f"{where} counts as rejected, since workers die over it ({fate}): please report it"
        self._committer.tell(Notice(text, degraded=True))


def _halves(slot: Slot, block: Block) -> list[Slot]:
    """The two halves of a block, in order; none of a block that is one line, or empty."""
    data = block.data
    middle = len(data) // 2
    cut = data.rfind(b"\n", 0, middle) + 1 or data.find(b"\n", middle) + 1
    if not 0 < cut < len(data):
        return []
    return [
        _part(slot, block, block.start, data[:cut], credit=0),
        _part(slot, block, block.start + cut, data[cut:], credit=slot.credit),
    ]


def _part(slot: Slot, block: Block, start: int, data: bytes, *, credit: int) -> Slot:
    """A half is suspect from the start, unless it is a line, which must show it twice."""
    lone = data.find(b"\n") in (-1, len(data) - 1)
    part = Block(block.source, start, data, block.at, block.low)
    return Slot(
        part, slot.format, whole=slot.whole, deaths=0 if lone else TRIES - 1, credit=credit, part=True
    )
