"""One segment of a partial (see ``model.partial``), and where those stand that are kept for later."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, repeat
from typing import NamedTuple

from fastlog.model.partial import Partial


class Segment(NamedTuple):
    """A segment of a partial: its number, its rows, and its panes with the places of their cells."""

    partial: Partial
    number: int
    rows: range
    panes: range
    cells: tuple[int, int, int, int]

    @property
    def hits(self) -> int:
        return self.partial.segment_hits[self.number]

    @property
    def greatest(self) -> int:
        return self.partial.segment_greatest[self.number]


def segments_of(partial: Partial) -> Iterator[tuple[Segment, int]]:
    """The segments of a partial in order, each with the second of its first line."""
    row = pane = section = method = status = duration = 0
    panes_of = partial.segment_panes or repeat(0)
    segments = zip(count(), partial.segment_rows, panes_of, partial.segment_first)
    for number, rows, panes, first in segments:
        cells = section, method, status, duration
        stop = pane + panes
        yield Segment(partial, number, range(row, row + rows), range(pane, stop), cells), first
        row += rows
        if stop < len(partial.pane_starts):
            section += sum(partial.pane_sections[pane:stop])
            method += sum(partial.pane_methods[pane:stop])
            status += sum(partial.pane_statuses[pane:stop])
            duration += sum(partial.pane_durations[pane:stop])
        pane = stop


class Held:
    """The ``partials`` of some segments; a place is the number of one there, and the segment's own in it."""

    def __init__(self) -> None:
        self.partials: list[Partial] = []
        self._numbers: dict[int, int] = {}

    def place(self, segment: Segment) -> tuple[int, int]:
        """Where a segment stands from now on."""
        number = self._numbers.setdefault(id(segment.partial), len(self.partials))
        if number == len(self.partials):
            self.partials.append(segment.partial)
        return number, segment.number


def placed(partials: Iterable[Partial], places: Sequence[tuple[int, int]]) -> list[Segment]:
    """The segments that stand at ``places``, as ``Held`` gave them."""
    segments = [[segment for segment, _ in segments_of(partial)] for partial in partials]
    return [segments[number][own] for number, own in places]
