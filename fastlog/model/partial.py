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
from collections.abc import Iterable
from functools import reduce
from operator import add
from typing import Literal, TypeVar

from fastlog.model.measured import Measured, columns_of

REASONS = ("blank", "format", "time", "oversize")
"""Why a line is rejected, in the order of the summary."""

LOW_BITS = 62
"""Bits of a sum of bytes that stand in its lower column."""

Reason = Literal["blank", "format", "time", "oversize"]

Key = TypeVar("Key", bytes, int)


class Partial:
    """The aggregates of a run of whole lines.

    ``sections`` and ``methods`` number the keys by first appearance; the ``*_hits``
    lists follow them, ``statuses`` are numbers from 0 to 999. ``future`` counts
    the parsed lines beyond the horizon, which are in no row.

    A segment has ``segment_rows`` rows, ``segment_panes`` panes and ``segment_hits``
    hits; the second of its first line, the least and the greatest of all are
    ``segment_first``, ``segment_least`` and ``segment_greatest``. A row is one second
    of one segment: ``seconds`` and ``hits``, in order of first appearance.

    Where the plan asks for cells, a segment falls into panes: runs of lines whose
    seconds lie in one stretch of ``Plan.pane`` seconds, beginning at ``pane_starts``,
    with ``pane_hits`` and their sum of bytes, of any size: the low LOW_BITS in
    ``pane_bytes``, the others in ``pane_bytes_high``. Their tables stand one after the other:
    ``pane_sections`` says how many of the pairs ``section_cells`` (number of the key)
    and ``section_cell_hits`` are the pane's; methods and statuses alike, a status being
    its own number, and ``durations``, the cells of ``model.sketch`` that they fell into. Pairs stand in
    order of first appearance. ``durations`` and ``duration_hits`` are the sketch of the whole chunk.

    ``pair_hits`` are the hits of the chunk by section (``pair_sections``, its number) and status
    (``pair_statuses``), where the plan asks for pairs, in order of first appearance. In a sum of
    partials a pair may stand more than once.

    ``rejects`` are (offset in bytes, reason, line), where the plan asks for them; ``measured``
    is what its rules saw.
    """

    lines: int
    rejected: list[int]
    future: int
    total_bytes: int
    sections: list[bytes]
    section_hits: "array[int]"
    methods: list[bytes]
    method_hits: "array[int]"
    statuses: "array[int]"
    status_hits: "array[int]"
    durations: "array[int]"
    duration_hits: "array[int]"
    segment_rows: "array[int]"
    segment_panes: "array[int]"
    segment_hits: "array[int]"
    segment_first: "array[int]"
    segment_least: "array[int]"
    segment_greatest: "array[int]"
    seconds: "array[int]"
    hits: "array[int]"
    pane_starts: "array[int]"
    pane_hits: "array[int]"
    pane_bytes: "array[int]"
    pane_bytes_high: "array[int]"
    pane_sections: "array[int]"
    pane_methods: "array[int]"
    pane_statuses: "array[int]"
    pane_durations: "array[int]"
    section_cells: "array[int]"
    section_cell_hits: "array[int]"
    method_cells: "array[int]"
    method_cell_hits: "array[int]"
    status_cells: "array[int]"
    status_cell_hits: "array[int]"
    duration_cells: "array[int]"
    duration_cell_hits: "array[int]"
    pair_sections: "array[int]"
    pair_statuses: "array[int]"
    pair_hits: "array[int]"
    rejects: list[tuple[int, str, bytes]]
    measured: Measured

    def __init__(
        self,
        *,
        lines: int = 0,
        rejected: list[int] | None = None,
        future: int = 0,
        total_bytes: int = 0,
        sections: list[bytes] | None = None,
        methods: list[bytes] | None = None,
        rejects: list[tuple[int, str, bytes]] | None = None,
        measured: Measured | None = None,
        **columns: "array[int]",
    ) -> None:
        """Lists and columns are kept as they are given; the other columns are empty."""
        self.lines, self.future, self.total_bytes = lines, future, total_bytes
        self.rejected = [0] * len(REASONS) if rejected is None else rejected
        self.sections = [] if sections is None else sections
        self.methods = [] if methods is None else methods
        self.rejects = [] if rejects is None else rejects
        self.measured = Measured() if measured is None else measured
        for name in COLUMNS:
            setattr(self, name, columns.pop(name) if name in columns else array("q"))
        if columns:
            raise TypeError(f"a partial has no columns {', '.join(columns)}")

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if isinstance(other, Partial) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Partial({vars(self)})"

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
            rejects=self.rejects + other.rejects,
            measured=self.measured.followed_by(other.measured, len(self.segment_rows)),
        )
        for name in _CONCATENATED:
            setattr(total, name, getattr(self, name) + getattr(other, name))
        total.sections, total.section_hits, section = _united(
            self.sections, self.section_hits, other.sections, other.section_hits
        )
        total.methods, total.method_hits, method = _united(
            self.methods, self.method_hits, other.methods, other.method_hits
        )
        for numbers, of_them in (("statuses", "status_hits"), ("durations", "duration_hits")):
            both, hits, _ = _united(
                list(getattr(self, numbers)),
                getattr(self, of_them),
                list(getattr(other, numbers)),
                getattr(other, of_them),
            )
            setattr(total, numbers, array("q", both))
            setattr(total, of_them, hits)
        total.section_cells = self.section_cells + array("q", map(section.__getitem__, other.section_cells))
        total.pair_sections = self.pair_sections + array("q", map(section.__getitem__, other.pair_sections))
        total.method_cells = self.method_cells + array("q", map(method.__getitem__, other.method_cells))
        return total


def sum_of(partials: Iterable[Partial]) -> Partial:
    """All partials added up in their order. A single one costs nothing."""
    found = iter(partials)
    first = next(found, None)
    return Partial() if first is None else reduce(add, found, first)


COLUMNS = columns_of(Partial)
"""The names of the packed columns, in the order of their definition."""

_UNITED = ("section_hits", "method_hits", "statuses", "status_hits", "durations", "duration_hits")
_RENUMBERED = ("section_cells", "method_cells", "pair_sections")
_CONCATENATED = tuple(name for name in COLUMNS if name not in _UNITED + _RENUMBERED)


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
