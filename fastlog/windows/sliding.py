"""Statistics windows: tumbling or sliding sums over seconds, printed once, when they close.

A window is ``[start, start + window)`` with ``start`` a multiple of the step since
the epoch. Seconds are summed in *panes*, the greatest stretches that every window
holds whole or not at all::

    step 10, window 20     |----pane----|----pane----|----pane----|
                           [======= window =========)
                                        [======= window =========)
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from math import gcd

from fastlog.model.events import PERCENTILES, Stats, latency
from fastlog.model.partial import LOW_BITS, Partial
from fastlog.model.sketch import Sketch
from fastlog.windows.saved import State, restore_sketch, restore_tally, sketch_state, tally_state
from fastlog.windows.tables import METHODS_NAMED, SECTIONS_NAMED, Tally, united

LONGEST_SILENCE = 3600
"""In follow, empty windows within a leap of the clock longer than this are left out."""

_BEFORE_ALL = -(1 << 62)
_UNBOUNDED = 1 << 62
_BOUNDS = (SECTIONS_NAMED, METHODS_NAMED, _UNBOUNDED)


class Pane:
    """The sums of one pane, or of several. At most SECTIONS_NAMED sections are named in one."""

    __slots__ = ("bytes", "durations", "hits", "methods", "sections", "statuses")

    def __init__(self, *, bounded: bool = True) -> None:
        self.hits = 0
        self.bytes = 0
        self.sections = Tally(SECTIONS_NAMED if bounded else _UNBOUNDED)
        self.methods = Tally(METHODS_NAMED if bounded else _UNBOUNDED)
        self.statuses = Tally(_UNBOUNDED)
        self.durations = Sketch()

    def tallies(self) -> tuple[Tally, Tally, Tally]:
        return self.sections, self.methods, self.statuses

    def add(self, other: "Pane") -> None:
        """Add the sums of another pane."""
        self.hits += other.hits
        self.bytes += other.bytes
        for mine, more in zip(self.tallies(), other.tallies(), strict=True):
            mine.add_all(more)
        self.durations.add_cells(*other.durations.columns())

    def subtract(self, other: "Pane") -> None:
        """Undo ``add`` on a sum that names everything."""
        self.hits -= other.hits
        self.bytes -= other.bytes
        for mine, more in zip(self.tallies(), other.tallies(), strict=True):
            mine.subtract_all(more)
        self.durations.subtract_cells(*other.durations.columns())


class StatsWindows:
    """All statistics windows of a run.

    ``empty`` prints windows without hits too, from the first hit on; ``timed`` prints the latency.
    Memory: one pane for each stretch with hits that a window still to be printed may hold.
    """

    def __init__(self, window: int, step: int, *, empty: bool) -> None:
        self.timed = False
        self._window = window
        self._step = step
        self._empty = empty
        self._size = gcd(window, step)
        self._panes: dict[int, Pane] = {}
        self._order: list[int] = []  # starts of the panes, sorted
        self._sum: Pane | None = None  # of the panes held before _summed_to, where windows slide
        self._summed_to = _BEFORE_ALL
        self._closed: int | None = None
        self._began: int | None = None

    def state(self) -> State:
        """All that it knows between two windows; the compiled twin has the same."""
        panes = [
            {
                "start": start,
                "hits": pane.hits,
                "bytes": str(pane.bytes),
                "tables": [tally_state(tally.counts.items(), tally.other) for tally in pane.tallies()],
                "durations": sketch_state(pane.durations),
            }
            for start, pane in sorted(self._panes.items())
        ]
        return {"closed": self._closed, "began": self._began, "panes": panes}

    def restore(self, state: State) -> None:
        """Go on from ``state``; for new windows."""
        self._closed, self._began = state["closed"], state["began"]
        for plain in state["panes"]:
            pane = self._panes[plain["start"]] = Pane()
            pane.hits, pane.bytes = plain["hits"], int(plain["bytes"])
            for tally, table in zip(pane.tallies(), plain["tables"], strict=True):
                restore_tally(tally, table)
            restore_sketch(pane.durations, plain["durations"])
        self._order = sorted(self._panes)

    def take(self, partial: Partial, panes: range, at: tuple[int, int, int, int]) -> None:
        """Count the hits of some panes of a partial; ``at`` are the places of their first section,
        method, status and duration cell."""
        section, method, status, duration = at
        for number in panes:
            sections = slice(section, section := section + partial.pane_sections[number])
            methods = slice(method, method := method + partial.pane_methods[number])
            statuses = slice(status, status := status + partial.pane_statuses[number])
            durations = slice(duration, duration := duration + partial.pane_durations[number])
            pane = self._pane(partial.pane_starts[number])
            if pane is None:
                continue
            pane.hits += partial.pane_hits[number]
            pane.bytes += partial.pane_bytes[number] + (partial.pane_bytes_high[number] << LOW_BITS)
            for key, hits in zip(
                partial.section_cells[sections], partial.section_cell_hits[sections], strict=True
            ):
                pane.sections.add(partial.sections[key], hits)
            for key, hits in zip(
                partial.method_cells[methods], partial.method_cell_hits[methods], strict=True
            ):
                pane.methods.add(partial.methods[key], hits)
            for code, hits in zip(
                partial.status_cells[statuses], partial.status_cell_hits[statuses], strict=True
            ):
                pane.statuses.add(b"%03d" % code, hits)
            pane.durations.add_cells(partial.duration_cells[durations], partial.duration_cell_hits[durations])

    def _pane(self, start: int) -> Pane | None:
        """The pane that begins at ``start``; None when every window that holds it is over."""
        if start < self._summed_to:
            self._sum = None  # late hits are about to change a pane that is in it
        pane = self._panes.get(start)
        if pane is None:
            if self._closed is not None and start < self._starts_after(self._closed - self._window):
                return None
            pane = self._panes[start] = Pane()
            insort(self._order, start)
            if self._began is None:
                self._began = self._first_holding(start)
        return pane

    def close(self, end: int) -> Iterator[Stats]:
        """The windows that end at or before ``end`` and are not over yet, in order."""
        before = self._began if self._closed is None else self._closed
        leap = before is not None and end - before > LONGEST_SILENCE
        for start in self._due(end, empty=self._empty and not leap):
            yield self._stats(start, partial=False)
        self._closed = end
        self._forget(self._starts_after(end - self._window))

    def rest(self, last: int) -> Iterator[Stats]:
        """At the end of the log, whose last second is ``last``: the windows that still hold hits."""
        for start in self._due(None, empty=False):
            yield self._stats(start, partial=start + self._window - 1 > last)

    def _starts_after(self, second: int) -> int:
        """The least start of a window that is greater than ``second``."""
        return (second // self._step + 1) * self._step

    def _first_holding(self, pane: int) -> int:
        """The start of the earliest window that holds the pane."""
        return self._starts_after(pane + self._size - 1 - self._window)

    def _due(self, end: int | None, *, empty: bool) -> Iterator[int]:
        """Starts of the windows to print, up to those that end at ``end``. Forgets as it goes."""
        if self._began is None:
            return
        start = None if self._closed is None else self._starts_after(self._closed - self._window)
        while True:
            pane = self._order[0] if self._order else None
            if pane is None and not empty:
                return
            if start is None:
                start = self._began if pane is None else min(self._began, self._first_holding(pane))
            if (pane is None or pane >= start + self._window) and not (empty and start >= self._began):
                start = max(self._began, start) if pane is None else self._first_holding(pane)
            if end is not None and start + self._window > end:
                return
            yield start
            start += self._step
            self._forget(start)

    def _forget(self, before: int) -> None:
        count = bisect_left(self._order, before)
        for start in self._order[:count]:
            pane = self._panes.pop(start)
            if self._sum is not None and start < self._summed_to:
                self._sum.subtract(pane)
        del self._order[:count]

    def _total(self, end: int) -> Pane:
        """The sum of the panes held before ``end``: that of the last window, moved on by a step."""
        if self._sum is None:
            self._sum, self._summed_to = Pane(bounded=False), _BEFORE_ALL
        total = self._sum
        last = bisect_left(self._order, end)
        for start in self._order[bisect_left(self._order, self._summed_to) : last]:
            total.add(self._panes[start])
        self._summed_to = end
        if all(tally.is_exact(bound) for tally, bound in zip(total.tallies(), _BOUNDS, strict=True)):
            return total
        shown = Pane()
        shown.hits, shown.bytes, shown.statuses = total.hits, total.bytes, total.statuses
        shown.durations = total.durations
        panes = [self._panes[start] for start in self._order[:last]]
        shown.sections = united([pane.sections for pane in panes], SECTIONS_NAMED)
        shown.methods = united([pane.methods for pane in panes], METHODS_NAMED)
        return shown

    def _stats(self, start: int, *, partial: bool) -> Stats:
        end = start + self._window
        tumbling = self._size == self._window
        total = (self._panes.get(start) or Pane()) if tumbling else self._total(end)
        return Stats(
            start,
            end,
            total.hits,
            total.bytes,
            round(total.hits / self._window, 3),
            partial,
            total.sections.table(),
            total.statuses.table(),
            total.methods.table(),
            latency(map(total.durations.quantile, PERCENTILES)) if self.timed else None,
        )
