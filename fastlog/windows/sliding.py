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

_BEFORE_ALL = -(1 << 62)
_UNBOUNDED = 1 << 62


class Pane:
    """The sums of one pane. At most SECTIONS_NAMED sections are named in it."""

    __slots__ = ("bytes", "hits", "methods", "sections", "statuses")

    def __init__(self, *, bounded: bool = True) -> None:
        self.hits = 0
        self.bytes = 0
        self.sections = Tally(SECTIONS_NAMED if bounded else _UNBOUNDED)
        self.methods = Tally(METHODS_NAMED if bounded else _UNBOUNDED)
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
        self._sum: Pane | None = None  # of the panes held before _summed_to, where windows slide
        self._summed_to = _BEFORE_ALL
        self._closed: int | None = None
        self._began: int | None = None

    def pane(self, second: int) -> Pane | None:
        """Where the hits of a second go; None when every window that holds it is over."""
        start = second - second % self._size
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
                _subtract(self._sum, pane)
        del self._order[:count]

    def _total(self, end: int) -> Pane:
        """The sum of the panes held before ``end``: that of the last window, moved on by a step."""
        if self._sum is None:
            self._sum, self._summed_to = Pane(bounded=False), _BEFORE_ALL
        total = self._sum
        fresh = slice(bisect_left(self._order, self._summed_to), bisect_left(self._order, end))
        for start in self._order[fresh]:
            _add(total, self._panes[start])
        self._summed_to = end
        if len(total.sections.counts) <= SECTIONS_NAMED and len(total.methods.counts) <= METHODS_NAMED:
            return total
        # Which are named depends on the order in which they appear in this window.
        bounded = Pane()
        for start in self._order[: fresh.stop]:
            _add(bounded, self._panes[start])
        return bounded

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
            ranked((f"{status:03d}", hits) for status, hits in total.statuses.items()),
            total.methods.table(),
        )


def _subtract(total: Pane, pane: Pane) -> None:
    """Undo ``_add`` on a total that names everything."""
    total.hits -= pane.hits
    total.bytes -= pane.bytes
    tables = ((total.sections, pane.sections), (total.methods, pane.methods))
    for counts, part in [(tally.counts, other.counts) for tally, other in tables]:
        for key, hits in part.items():
            counts[key] -= hits
            if not counts[key]:
                del counts[key]
    for tally, other in tables:
        tally.other -= other.other
    for status, hits in pane.statuses.items():
        total.statuses[status] -= hits
        if not total.statuses[status]:
            del total.statuses[status]


def _add(total: Pane, pane: Pane) -> None:
    total.hits += pane.hits
    total.bytes += pane.bytes
    for tally, part in ((total.sections, pane.sections), (total.methods, pane.methods)):
        for key, hits in part.counts.items():
            tally.add(key, hits)
        tally.other += part.other
    for status, hits in pane.statuses.items():
        total.statuses[status] = total.statuses.get(status, 0) + hits
