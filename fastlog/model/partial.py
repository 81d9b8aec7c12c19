"""What a chunk of log comes down to: a Partial, and the sum of two.

Columns are packed arrays. Nothing in a partial is an object per line.

Decision: rows stand in *segments*, in the order of the log, instead of being
sorted by second over the whole chunk. Whether a hit is late, and whether a jump
of the clock is believed, depends on the order of the lines, and where a chunk was
cut must not change it. Within a segment order has no effect on any result:

1. no line lies behind the running maximum of the segment by more than the
   lateness, so a line can be late only against what came before the segment;
2. no line leaps more than JUMP_SECONDS ahead of that maximum;
3. the second line does not lie behind the first, so whether the first one's leap
   is confirmed can be read off the segment's length.

A log in order is one segment a chunk, whatever its length.
"""

from array import array
from dataclasses import dataclass, field
from typing import Literal, TypeVar

REASONS = ("blank", "format", "time", "oversize")
"""Why a line is rejected, in the order of the summary."""

Reason = Literal["blank", "format", "time", "oversize"]

Key = TypeVar("Key", bytes, int)


def _longs() -> "array[int]":
    return array("q")


@dataclass(slots=True)
class Partial:
    """The aggregates of a run of whole lines.

    ``sections`` and ``methods`` number the keys by first appearance; the ``*_hits``
    lists follow them, ``statuses`` are numbers from 0 to 999. ``future`` counts
    the parsed lines beyond the horizon, which are in no row.

    A row is one second of one segment: ``seconds``, ``hits``, ``row_bytes``, in order of
    first appearance. ``segment_rows`` and ``segment_first`` give each segment's
    number of rows and the second of its first line. A cell is (row, section,
    method, status) and its hits, in order of first appearance. ``row_bytes``
    and the cells are filled only where the plan asks for cells.

    ``rejects`` are (offset in bytes, reason, line), where the plan asks for them.
    """

    lines: int = 0
    rejected: list[int] = field(default_factory=lambda: [0] * len(REASONS))
    future: int = 0
    total_bytes: int = 0
    sections: list[bytes] = field(default_factory=list)
    section_hits: "array[int]" = field(default_factory=_longs)
    methods: list[bytes] = field(default_factory=list)
    method_hits: "array[int]" = field(default_factory=_longs)
    statuses: "array[int]" = field(default_factory=_longs)
    status_hits: "array[int]" = field(default_factory=_longs)
    segment_rows: "array[int]" = field(default_factory=_longs)
    segment_first: "array[int]" = field(default_factory=_longs)
    seconds: "array[int]" = field(default_factory=_longs)
    hits: "array[int]" = field(default_factory=_longs)
    row_bytes: list[int] = field(default_factory=list)
    cell_rows: "array[int]" = field(default_factory=_longs)
    cell_sections: "array[int]" = field(default_factory=_longs)
    cell_methods: "array[int]" = field(default_factory=_longs)
    cell_statuses: "array[int]" = field(default_factory=_longs)
    cell_hits: "array[int]" = field(default_factory=_longs)
    rejects: list[tuple[int, str, bytes]] = field(default_factory=list)

    @property
    def parsed(self) -> int:
        """Lines that were hits."""
        return self.lines - sum(self.rejected)

    def __add__(self, other: "Partial") -> "Partial":
        """The partial of the lines of ``self`` followed by those of ``other``. Associative."""
        total = Partial(
            lines=self.lines + other.lines,
            rejected=[mine + theirs for mine, theirs in zip(self.rejected, other.rejected, strict=True)],
            future=self.future + other.future,
            total_bytes=self.total_bytes + other.total_bytes,
            segment_rows=self.segment_rows + other.segment_rows,
            segment_first=self.segment_first + other.segment_first,
            seconds=self.seconds + other.seconds,
            hits=self.hits + other.hits,
            row_bytes=self.row_bytes + other.row_bytes,
            cell_hits=self.cell_hits + other.cell_hits,
            rejects=self.rejects + other.rejects,
        )
        total.sections, total.section_hits, section = _united(
            self.sections, self.section_hits, other.sections, other.section_hits
        )
        total.methods, total.method_hits, method = _united(
            self.methods, self.method_hits, other.methods, other.method_hits
        )
        statuses, total.status_hits, _ = _united(
            list(self.statuses), self.status_hits, list(other.statuses), other.status_hits
        )
        total.statuses = array("q", statuses)
        rows = len(self.seconds)
        total.cell_rows = self.cell_rows + array("q", [row + rows for row in other.cell_rows])
        total.cell_sections = self.cell_sections + array("q", map(section.__getitem__, other.cell_sections))
        total.cell_methods = self.cell_methods + array("q", map(method.__getitem__, other.cell_methods))
        total.cell_statuses = self.cell_statuses + other.cell_statuses
        return total


def _united(
    keys: list[Key], hits: "array[int]", more: list[Key], more_hits: "array[int]"
) -> tuple[list[Key], "array[int]", list[int]]:
    """Both dictionaries as one, their hits, and the new number of each of ``more``."""
    numbers = {key: number for number, key in enumerate(keys)}
    total = array("q", hits)
    renumbered = []
    for key, count in zip(more, more_hits, strict=True):
        number = numbers.setdefault(key, len(numbers))
        if number == len(total):
            total.append(0)
        total[number] += count
        renumbered.append(number)
    return list(numbers), total, renumbered
