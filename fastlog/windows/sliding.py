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

from fastlog.model.events import Stats
from fastlog.windows.tables import METHODS_NAMED, SECTIONS_NAMED, Tally, ranked

LONGEST_SILENCE = 3600
"""In follow, empty windows within a leap of the clock longer than this are left out."""


class Pane:
    """The sums of one pane. At most SECTIONS_NAMED sections are named in it."""

    __slots__ = ("bytes", "hits", "methods", "sections", "statuses")

    def __init__(self) -> None:
        self.hits = 0
        self.bytes = 0
        self.sections = Tally(SECTIONS_NAMED)
        self.methods = Tally(METHODS_NAMED)
        self.statuses: dict[int, int] = {}

    def add(self, section: bytes, method: bytes, status: int, hits: int) -> None:
        """Count the hits of a cell in the three tables. Runs once a cell: hence no calls for known keys."""
        counts = self.sections.counts
        if section in counts:
            counts[section] += hits
        else:
            self.sections.add(section, hits)
        counts = self.methods.counts
        if method in counts:
            counts[method] += hits
        else:
            self.methods.add(method, hits)
        if status in self.statuses:
            self.statuses[status] += hits
        else:
            self.statuses[status] = hits


class StatsWindows:
    """All statistics windows of a run.

    ``empty`` prints windows without hits too, from the first hit on. Memory: one
    pane for each stretch with hits that a window still to be printed may hold.
    """

    def __init__(self, window: int, step: int, *, empty: bool) -> None:
        self._window = window
        self._step = step
        self._empty = empty
        self._size = gcd(window, step)
        self._panes: dict[int, Pane] = {}
        self._order: list[int] = []  # starts of the panes, sorted
        self._closed: int | None = None
        self._began: int | None = None

    def pane(self, second: int) -> Pane | None:
        """Where the hits of a second go; None when every window that holds it is over."""
        start = second - second % self._size
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
            del self._panes[start]
        del self._order[:count]

    def _stats(self, start: int, *, partial: bool) -> Stats:
        end = start + self._window
        if self._size == self._window:
            total = self._panes.get(start) or Pane()
        else:
            total = Pane()
            for at in self._order[bisect_left(self._order, start) : bisect_left(self._order, end)]:
                _add(total, self._panes[at])
        return Stats(
            start,
            end,
            total.hits,
            total.bytes,
            round(total.hits / self._window, 3),
            partial,
            total.sections.table(),
            ranked((f"{status:03d}", hits) for status, hits in total.statuses.items()),
            total.methods.table(),
        )


def _add(total: Pane, pane: Pane) -> None:
    total.hits += pane.hits
    total.bytes += pane.bytes
    for tally, part in ((total.sections, pane.sections), (total.methods, pane.methods)):
        for key, hits in part.counts.items():
            tally.add(key, hits)
        tally.other += part.other
    for status, hits in pane.statuses.items():
        total.statuses[status] = total.statuses.get(status, 0) + hits
