"""A mergeable sketch of durations: counts in fixed log-linear cells.

A duration is a whole number of microseconds. Below 128 it has a cell of its own;
above, each octave [2^k, 2^(k+1)) is cut into 64 cells of equal width, so that a cell's
middle is within 1/128 (0.8 %) of whatever fell into it. Any quantile is therefore
within RELATIVE_ERROR of the exact one (of nearest rank). A cell is found with a shift and
a mask, never a logarithm, so every machine and every parser finds the same one.

Source: the log-linear cells of HdrHistogram; Masson, Rim, Lee, "DDSketch", VLDB 2019,
for what the error means.
"""

from array import array
from collections.abc import Iterable

RELATIVE_ERROR = 0.01

LONGEST = (1 << 40) - 1
"""Durations beyond this (12.7 days, in microseconds) count as this."""

_BITS = 6  # 64 cells an octave
CELLS = ((40 - _BITS) << _BITS) + (1 << _BITS)
"""Cells are numbered from 0 to CELLS - 1: the bound on the size of a sketch."""


def cell_of(duration: int) -> int:
    """The cell of a duration in microseconds; negative ones count as 0."""
    duration = min(max(duration, 0), LONGEST)
    shift = max(duration.bit_length() - _BITS - 1, 0)
    return (shift << _BITS) + (duration >> shift)


def cell_value(cell: int) -> int:
    """The middle of a cell in microseconds."""
    shift = max((cell >> _BITS) - 1, 0)
    return ((cell - (shift << _BITS)) << shift) + ((1 << shift) >> 1)


class Sketch:
    """Counts by cell. Adding is associative and commutative; subtracting undoes it."""

    __slots__ = ("counts",)

    def __init__(self, cells: Iterable[int] = (), counts: Iterable[int] = ()) -> None:
        self.counts: dict[int, int] = {}
        self.add_cells(cells, counts)

    def add(self, duration: int, hits: int = 1) -> None:
        """Count a duration in microseconds."""
        cell = cell_of(duration)
        self.counts[cell] = self.counts.get(cell, 0) + hits

    def add_cells(self, cells: Iterable[int], counts: Iterable[int]) -> None:
        """Add what ``columns`` gave."""
        mine = self.counts
        for cell, count in zip(cells, counts, strict=True):
            mine[cell] = mine.get(cell, 0) + count

    def subtract_cells(self, cells: Iterable[int], counts: Iterable[int]) -> None:
        """Undo ``add_cells``."""
        mine = self.counts
        for cell, count in zip(cells, counts, strict=True):
            left = mine[cell] - count
            if left:
                mine[cell] = left
            else:
                del mine[cell]

    def columns(self) -> tuple["array[int]", "array[int]"]:
        """Cells, ascending, and their counts."""
        cells = sorted(self.counts)
        return array("q", cells), array("q", map(self.counts.__getitem__, cells))

    def quantile(self, percent: int) -> int | None:
        """The duration, in microseconds, that ``percent`` of 100 do not exceed; None of no hits.

        It stands for the hit of rank ceil(percent x hits / 100), counted from the shortest.
        """
        total = sum(self.counts.values())
        if not total:
            return None
        above = total - -(-percent * total // 100)  # hits of a higher rank; most percentiles are near the top
        for cell in sorted(self.counts, reverse=True):
            above -= self.counts[cell]
            if above < 0:
                return cell_value(cell)
        raise AssertionError("a rank lies within the hits")
