"""The merger's role: partials in order become events. Pure: no I/O, and no clock but what it is told.

Every hit joins its second; then the clock moves; then what has closed is said. A
segment of a partial (see ``model.partial``) is taken as a whole, which is exact
since order within it has no effect.

Several files of a replay are merged by time. The key of a segment is what the
running maximum of its file becomes with its first line. Segments are taken by
key, and before one is taken every second closes that lies behind its key by the
lateness: what a line-by-line merge of the files would do, at any chunk size.

Over 300 lines, since whom to believe, in what order to take and when to close
share one state, and apart would have to pass it to and fro.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from math import floor
from typing import TYPE_CHECKING, Any

from fastlog.model.events import PERCENTILES, Alert, Event, Reject, Stats, Summary, latency, singly
from fastlog.model.partial import REASONS, Partial
from fastlog.model.plan import JUMP_SECONDS, Plan
from fastlog.model.rules import TRAFFIC
from fastlog.model.segment import Held, Segment, placed, segments_of
from fastlog.model.sketch import Sketch
from fastlog.windows.pairs import PairTally
from fastlog.windows.saved import State, restore_sketch, restore_tally, sketch_state, tally_state
from fastlog.windows.select import make_rules, make_windows
from fastlog.windows.tables import METHODS_NAMED, SECTIONS_NAMED, Tally, ranked
from fastlog.windows.traffic import Transition, traffic_alert
from fastlog.windows.watermark import SourceClock

if TYPE_CHECKING:
    from fastlog.model.snapshot import Snapshot
    from fastlog.windows.rules.engine import Rules

_BEFORE_ALL = -(1 << 62)


@dataclass(slots=True)
class _Source:
    name: str
    clock: SourceClock[Segment] = field(default_factory=SourceClock)
    low: int = _BEFORE_ALL
    """No key of it is less."""
    open: bool = True

    def state(self, ahead: float, held: Held) -> list[Any]:
        """Its name, greatest second, time of its last lines, low, and suspect: the second and its place."""
        clock = self.clock
        seen_at = None if clock.seen_at is None else clock.seen_at + ahead
        suspect = clock.suspect and (clock.suspect[0], held.place(clock.suspect[1]))
        return [self.name, clock.greatest, seen_at, self.low, suspect]


class Merger:
    """Folds partials, in the order of the reader, into windows; gives out the events.

    Every method gives the events that it causes one by one, and has done its work once
    they were taken: a stretch of log without a hit can close a million windows. Memory:
    the bounded tables, the open seconds, the panes of open windows, and, where several
    files overlap, the segments that wait for a slower file.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._sources: dict[int, _Source] = {}
        self._waiting: list[tuple[int, int, int, Segment]] = []
        self._order = count()
        self._unconfirmed: list[int] = []  # sources that ended with a leap that nothing has confirmed
        self._closed: int | None = None
        self._low = _BEFORE_ALL
        self._traffic, self._windows = make_windows(plan)
        self._pairs = PairTally() if plan.pairs else None
        self._lines = 0
        self._rejected = [0] * len(REASONS)
        self._late = 0
        self._future = 0
        self._bytes = 0
        self._first: int | None = None
        self._last: int | None = None
        self._sections = Tally(SECTIONS_NAMED)
        self._methods = Tally(METHODS_NAMED)
        self._statuses: dict[int, int] = {}
        self._durations = Sketch()
        self._timed = False
        self._alerts = 0

    @cached_property
    def _rules(self) -> "Rules | None":
        # Not before the first partial is there: the workers go on with their next chunks while this loads.
        return make_rules(self.plan)

    @property
    def lines(self) -> int:
        """Lines committed so far."""
        return self._lines

    @property
    def alerts(self) -> int:
        """Alerts that have fired so far."""
        return self._alerts

    def notices(self) -> Iterator[str]:
        """What users should know of the rules since this was last asked."""
        return iter(()) if self._rules is None else self._rules.notices()

    def snapshot(self) -> "Snapshot":
        """The totals as they are now; the hits by (section, status) where the plan asks for pairs."""
        from fastlog.model.snapshot import Snapshot, histogram

        return Snapshot(
            lines=self._lines,
            rejected=dict(zip(REASONS, self._rejected, strict=True)),
            hits=self._pairs.table() if self._pairs is not None else {},
            bytes=self._bytes,
            late=self._late,
            future=self._future,
            alerts={(TRAFFIC, ""): self._traffic.firing, **(self._rules.states() if self._rules else {})},
            watermark=self._closed,
            durations=histogram(self._durations) if self._timed else None,
        )

    def open(self, source: int, name: str, *, timed: bool = False, low: int | None = None) -> None:
        """A source begins. In a follow that was taken up again, its clock goes on.

        ``timed`` says that its format has a duration: from now on the statistics tell the latency.
        ``low`` is the second of its first hit, where that is known: what lies before it need not wait.
        """
        self._tell_latency(timed or self._timed)
        before = next((key for key, entry in self._sources.items() if key < 0 and entry.name == name), None)
        begun = _Source(name, low=_BEFORE_ALL if low is None else low)
        self._sources[source] = begun if before is None else self._sources.pop(before)

    def reopen(self) -> None:
        """The sources of a follow will be opened anew, perhaps under other numbers, by their names."""
        self._sources = {-1 - place: entry for place, entry in enumerate(self._sources.values())}

    def _tell_latency(self, timed: bool) -> None:
        self._timed = timed
        if self._windows is not None:
            self._windows.timed = timed

    def commit(
        self, source: int, partial: Partial, *, low: int | None = None, at: float | None = None
    ) -> Iterator[Event]:
        """Add the next partial of a source; ``low`` and ``at`` are those of its chunk.

        Chunks come in the order of ``low``: no later one, of any source, has a lesser.
        """
        self._add_totals(partial)
        entry = self._sources[source]
        for offset, reason, line in partial.rejects:
            yield Reject(entry.name, offset, reason, line)
        if low is not None:
            self._low = low
        if self._closed is None or any(second >= self._closed for second in partial.segment_greatest):
            entry.clock.seen_at = at  # a trickle of late lines alone does not hold the clock
        for segment, first in segments_of(partial):
            self._believe(source, entry, segment, first)
            if self.plan.follow:  # a later line of the block may be late by an earlier one
                yield from self._merge(at)
        yield from self._merge(at)

    def close(self, source: int) -> Iterator[Event]:
        """A source has ended: the others need not wait for it."""
        self._end(source)
        yield from self._merge(None)

    def tick(self, now: float) -> Iterator[Event]:
        """Nothing more was there to read at ``now``: the clocks of idle sources go on."""
        return self._merge(now)

    def finish(self) -> Iterator[Event]:
        """The end of input: what is open closes up to the last second seen."""
        for source in self._sources:
            self._end(source)
        yield from self._merge(None)
        # The log may have come near them within its last segments.
        while self._last is not None and self._confirm_leaps(self._last):
            yield from self._merge(None)
        last = self._last
        for source in self._unconfirmed:
            clock = self._sources[source].clock
            if clock.suspect is not None and clock.greatest == last:
                self._push(source, *clock.suspect)
            else:  # other files went on, at their old pace, after it
                self._future += 1
        self._unconfirmed = []
        yield from self._merge(None)
        if self._last is not None:
            yield from self._close(self._last + 1)
            if self._windows is not None:
                yield from self._windows.rest(self._last)

    def state(self, ahead: float = 0.0) -> State:
        """All that it knows: as ``windows.saved.State``, but for its ``partials``, which are Partials.

        These are the ones with segments that wait for a slower file or for a hit that confirms them.
        ``ahead`` is how far the wall clock, by which a later run begins, has got ahead of the times that
        this one is told.
        """
        held = Held()
        return {
            "sources": [[source, *entry.state(ahead, held)] for source, entry in self._sources.items()],
            "waiting": [
                [key, source, held.place(segment)] for key, source, _, segment in sorted(self._waiting)
            ],
            "partials": held.partials,
            "closed": self._closed,
            "low": self._low,
            "lines": self._lines,
            "rejected": self._rejected,
            "late": self._late,
            "future": self._future,
            "bytes": str(self._bytes),
            "first": self._first,
            "last": self._last,
            "sections": tally_state(self._sections.counts.items(), self._sections.other),
            "methods": tally_state(self._methods.counts.items(), self._methods.other),
            "statuses": list(self._statuses.items()),
            "durations": sketch_state(self._durations),
            "timed": self._timed,
            "alerts": self._alerts,
            "traffic": self._traffic.state(),
            "windows": None if self._windows is None else self._windows.state(),
            "pairs": None if self._pairs is None else self._pairs.state(),
            "rules": None if self._rules is None else self._rules.state(),
        }

    def restore(self, state: State) -> None:
        """Go on from the ``state`` of a merger of the same plan; for a new one.

        The sources of a replay are open again, under their numbers: one that had ended
        ends once more. Those of a follow, which may come under other numbers, are
        known by their names; until then they hold the clock under negative ones.
        """
        places = [suspect[1] for *_, suspect in state["sources"] if suspect]
        places += [place for _, _, place in state["waiting"]]
        held = iter(placed(state["partials"], places))
        for source, name, greatest, seen_at, low, suspect in state["sources"]:
            number = -1 - len(self._sources) if self.plan.follow else source
            clock = SourceClock(greatest, (suspect[0], next(held)) if suspect else None, seen_at)
            self._sources[number] = _Source(name, clock, low)
        for (key, source, _), segment in zip(state["waiting"], held, strict=True):
            self._waiting.append((key, source, next(self._order), segment))  # ascending: a heap
        self._closed, self._low = state["closed"], state["low"]
        self._lines, self._rejected = state["lines"], list(state["rejected"])
        self._late, self._future, self._bytes = state["late"], state["future"], int(state["bytes"])
        self._first, self._last = state["first"], state["last"]
        restore_tally(self._sections, state["sections"])
        restore_tally(self._methods, state["methods"])
        self._statuses = dict(map(tuple, state["statuses"]))
        restore_sketch(self._durations, state["durations"])
        self._tell_latency(state["timed"])
        self._alerts = state["alerts"]
        self._traffic.restore(state["traffic"])
        if self._windows is not None:
            self._windows.restore(state["windows"])
        if self._pairs is not None:
            self._pairs.restore(state["pairs"])
        if self._rules is not None:
            self._rules.restore(state["rules"])

    def _add_totals(self, partial: Partial) -> None:
        self._lines += partial.lines
        self._rejected = [mine + more for mine, more in zip(self._rejected, partial.rejected, strict=True)]
        self._future += partial.future
        self._bytes += partial.total_bytes
        for section, hits in zip(partial.sections, partial.section_hits, strict=True):
            self._sections.add(section, hits)
        for method, hits in zip(partial.methods, partial.method_hits, strict=True):
            self._methods.add(method, hits)
        for status, hits in zip(partial.statuses, partial.status_hits, strict=True):
            self._statuses[status] = self._statuses.get(status, 0) + hits
        self._durations.add_cells(partial.durations, partial.duration_hits)
        if self._pairs is not None:
            pairs = zip(partial.pair_sections, partial.pair_statuses, partial.pair_hits, strict=True)
            for number, status, hits in pairs:
                self._pairs.add(partial.sections[number], status, hits)

    def _believe(self, source: int, entry: _Source, segment: Segment, first: int) -> None:
        """Queue a segment, its first second ``first``, once it is known to be credible."""
        clock = entry.clock
        leaps = not self.plan.follow and clock.leaps(first)
        if clock.suspect is not None:
            second, held = clock.suspect
            clock.suspect = None
            if leaps:
                self._push(source, second, held)
                leaps = False
            else:
                self._future += 1
        if leaps and segment.hits == 1:
            clock.suspect = (first, segment)
        else:
            self._push(source, first, segment)

    def _end(self, source: int) -> None:
        entry = self._sources[source]
        if entry.open:
            entry.open = False
            if entry.clock.suspect is not None:
                self._unconfirmed.append(source)

    def _confirm_leaps(self, key: int) -> bool:
        """Believe the leaps with which files ended once the others, now at ``key``, have come near; whether
        there was one."""
        before = len(self._unconfirmed)
        for source in list(self._unconfirmed):
            suspect = self._sources[source].clock.suspect
            if suspect is not None and suspect[0] <= key + JUMP_SECONDS:
                self._unconfirmed.remove(source)
                self._push(source, *suspect)
        return len(self._unconfirmed) < before

    def _push(self, source: int, first: int, segment: Segment) -> None:
        clock = self._sources[source].clock
        clock.advance(first)
        key = clock.greatest
        assert key is not None
        heapq.heappush(self._waiting, (key, source, next(self._order), segment))
        clock.advance(segment.greatest)

    def _merge(self, now: float | None) -> Iterator[Event]:
        """Take the segments whose turn it is, then move the clock as far as every source allows."""
        if self.plan.follow:
            while self._waiting:
                self._take(heapq.heappop(self._waiting)[3])
            # A source that has shown nothing but late lines does not hold the others.
            clocks = [e.clock.now(now) for e in self._sources.values() if e.clock.seen_at is not None]
            shown = [clock for clock in clocks if clock is not None]
            if shown:
                yield from self._close(floor(min(shown)) - self.plan.lateness)
            return
        bound = self._bound()
        while self._waiting and (bound is None or self._waiting[0][0] <= bound):
            if self._unconfirmed and self._confirm_leaps(self._waiting[0][3].greatest):
                continue  # it may come before
            key, _, _, segment = heapq.heappop(self._waiting)
            yield from self._close(key - self.plan.lateness)
            self._take(segment)
        if bound is not None and bound != _BEFORE_ALL:
            # What is still to come may confirm a leap that lies before it.
            suspects = [self._sources[source].clock.suspect for source in self._unconfirmed]
            bound = min([bound, *(suspect[0] for suspect in suspects if suspect is not None)])
            yield from self._close(bound - self.plan.lateness)

    def _bound(self) -> int | None:
        """The least key that a segment still to come can have; None when no file is open."""
        bounds = []
        for entry in [entry for entry in self._sources.values() if entry.open]:
            clock = entry.clock
            bound = max(self._low, entry.low if clock.greatest is None else clock.greatest)
            bounds.append(bound if clock.suspect is None else min(bound, clock.suspect[0]))
        return min(bounds, default=None)

    def _take(self, segment: Segment) -> None:
        """Count the hits of a segment in their seconds and windows."""
        partial = segment.partial
        self._late += self._traffic.take(partial.seconds, partial.hits, segment.rows)
        least = partial.segment_least[segment.number]
        self._first = least if self._first is None else min(self._first, least)
        self._last = segment.greatest if self._last is None else max(self._last, segment.greatest)
        if self._windows is not None:
            self._windows.take(partial, segment.panes, segment.cells)
        if self._rules is not None:
            self._rules.take(partial.measured, segment.number)

    def _close(self, end: int) -> Iterator[Event]:
        """Close every second before ``end``: windows and alerts, by the second that caused them."""
        if self._first is None or (self._closed is not None and end <= self._closed):
            return
        self._closed = end
        windows: Iterable[Event] = self._windows.close(end) if self._windows is not None else ()
        transitions = self._traffic.close(end)
        alerts: list[Event] = [self._alert(transition) for transition in transitions]
        if self._rules is not None:
            of_rules = self._rules.close(end, self._first)
            self._alerts += sum(alert.state == "firing" for alert in of_rules)
            alerts = sorted([*alerts, *of_rules], key=_caused_at)
        if not alerts:
            yield from windows
            return
        yield from heapq.merge(
            singly(windows), alerts, key=_caused_at
        )  # at one second the window comes first

    def _alert(self, transition: Transition) -> Alert:
        self._alerts += transition.firing
        return traffic_alert(transition, self.plan.alert_window, self.plan.threshold)

    def _open_alerts(self) -> list[str]:
        traffic = [TRAFFIC] if self._traffic.firing else []
        return traffic if self._rules is None else traffic + self._rules.open_alerts

    def summary(self, *, complete: bool) -> Summary:
        """The totals of what was committed."""
        parsed = self._lines - sum(self._rejected)
        return Summary(
            complete=complete,
            lines=self._lines,
            parsed=parsed,
            rejected=dict(zip(REASONS, self._rejected, strict=True)),
            late=self._late,
            future=self._future,
            first=self._first,
            last=self._last,
            hits=parsed,
            bytes=self._bytes,
            sections=self._sections.table(),
            statuses=ranked((f"{status:03d}", hits) for status, hits in self._statuses.items()),
            methods=self._methods.table(),
            alerts=self._alerts,
            open_alerts=self._open_alerts(),
            latency_us=latency(map(self._durations.quantile, PERCENTILES)) if self._timed else None,
        )


def _caused_at(event: Event) -> int:
    """The second whose end caused a window or an alert."""
    if isinstance(event, Stats):
        return event.end - 1
    assert isinstance(event, Alert)
    return event.at
