"""Windows against a recount of every second, by the words of their description."""

import sys
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fastlog.merger import Merger
from fastlog.model.events import Alert, Stats
from fastlog.model.partial import Partial
from fastlog.model.plan import Plan
from fastlog.parsers.segments import cut_segments
from fastlog.parsers.timestamps import Seconds
from fastlog.windows.sliding import StatsWindows
from fastlog.windows.traffic import TrafficWindow, Transition

YEAR = 31_536_000
# ("add", second, hits) and ("close", end): late and early, backwards and forwards.
moves = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(-30, 90), st.integers(1, 5)),
        st.tuples(st.just("add"), st.integers(-30, 90), st.integers(1, 5)),
        st.tuples(st.just("close"), st.integers(-30, 100), st.just(0)),
    ),
    max_size=25,
)


class Recount:
    """The traffic window as described: every second is evaluated once, in order, by summing."""

    def __init__(self, window: int, threshold: float) -> None:
        self.window = window
        self.limit = Fraction(str(threshold)) * window
        self.hits: Counter[int] = Counter()
        self.closed: int | None = None
        self.firing = False

    def close(self, end: int) -> Iterator[Transition]:
        if self.closed is None:
            self.closed = min([second for second in self.hits if second < end], default=end)
        for at in range(self.closed, end):
            total = sum(self.hits[second] for second in range(at - self.window + 1, at + 1))
            if (total > self.limit) != self.firing:
                self.firing = not self.firing
                yield Transition(at, total, self.firing)
        self.closed = max(self.closed, end)


@settings(max_examples=400, deadline=None)
@given(
    moves=moves,
    window=st.integers(1, 20),
    threshold=st.sampled_from((0.0, 0.1, 0.29, 0.5, 1.0, 2.5)),
)
def test_the_traffic_window_is_a_recount(moves: list[Any], window: int, threshold: float) -> None:
    real, recount = TrafficWindow(window, threshold), Recount(window, threshold)
    latest = None
    for kind, at, hits in moves:
        if kind == "add":
            real.add(at, hits)
            recount.hits[at] += hits
        elif latest is None or at > latest:  # the merger never goes back
            latest = at
            assert real.close(at) == list(recount.close(at))
        assert real.firing == recount.firing


def starts_of(second: int, window: int, step: int) -> list[int]:
    return [start for start in range(second - window + 1, second + 1) if start % step == 0]


class Windows:
    """Statistics windows as described: each keeps its own hits until it is printed."""

    def __init__(self, window: int, step: int, *, empty: bool) -> None:
        self.window, self.step, self.empty = window, step, empty
        self.open: dict[int, int] = {}
        self.closed: int | None = None
        self.began: int | None = None

    def add(self, second: int, hits: int) -> None:
        for start in starts_of(second, self.window, self.step):
            if self.closed is None or start + self.window > self.closed:
                self.open[start] = self.open.get(start, 0) + hits
                if self.began is None:
                    self.began = start

    def close(self, end: int) -> list[tuple[int, int]]:
        due = [start for start in self.open if start + self.window <= end]
        if self.empty and self.began is not None:
            first = self.began if self.closed is None else self.closed - self.window + 1
            every = range(max(self.began, first), end - self.window + 1)
            due += [start for start in every if start % self.step == 0 and start not in self.open]
        self.closed = end
        return [(start, self.open.pop(start, 0)) for start in sorted(due)]

    def rest(self) -> list[tuple[int, int]]:
        return sorted(self.open.items())


@settings(max_examples=400, deadline=None)
@given(moves=moves, window=st.integers(1, 20), step=st.integers(1, 20), empty=st.booleans())
def test_statistics_windows_are_a_recount(moves: list[Any], window: int, step: int, *, empty: bool) -> None:
    step = min(step, window)
    real, recount = StatsWindows(window, step, empty=empty), Windows(window, step, empty=empty)
    latest = None
    last = -(10**9)
    for kind, at, hits in moves:
        if kind == "add":
            pane = real.pane(at)
            if pane is not None:
                pane.hits += hits
                pane.bytes += at * 7
                pane.sections.add(b"/%d" % (at % 3), hits)
            recount.add(at, hits)
            last = max(last, at)
        elif latest is None or at > latest:
            latest = at
            got = list(real.close(at))
            assert [(stats.start, stats.hits) for stats in got] == recount.close(at)
            assert not any(stats.partial for stats in got)
            check(got, window)
    rest = list(real.rest(last))
    assert [(stats.start, stats.hits) for stats in rest] == recount.rest()
    assert [stats.partial for stats in rest] == [stats.end - 1 > last for stats in rest]
    check(rest, window)


def check(windows: list[Stats], window: int) -> None:
    for stats in windows:
        assert stats.end - stats.start == window
        assert sum(stats.sections.values()) == stats.hits
        assert stats.rate == round(stats.hits / window, 3)


class Steps:
    """Counts the lines of Python that run, in whatever function, while it is entered."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> "Steps":
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, _frame: Any, event: str, _argument: Any) -> Any:
        self.count += event == "line"
        return self._trace


def crossing(gap: int) -> tuple[int, list[tuple[int, bool]], int]:
    """Steps taken, transitions (since the burst before them) and windows printed over a gap, twice."""
    traffic, windows = TrafficWindow(120, 0.01), StatsWindows(10, 3, empty=False)
    transitions: list[tuple[int, bool]] = []
    printed = 0
    with Steps() as steps:
        for start in (0, gap):
            for second in (start, start + 1):
                traffic.add(second, 100)
                pane = windows.pane(second)
                assert pane is not None
                pane.hits += 1
            for end in (start + 2, start + gap):
                transitions += [(change.at - start, change.firing) for change in traffic.close(end)]
                printed += len(list(windows.close(end)))
    return steps.count, transitions, printed


def test_the_empty_years_of_a_gap_cost_nothing() -> None:
    """Counted in steps, not in seconds: as many for thousands of years as for an hour."""
    least, transitions, printed = crossing(3_600)
    assert transitions == [(0, True), (121, False)] * 2
    assert printed in (6, 7, 8)
    for years in (1, 1_000, 8_000):
        steps, same, _ = crossing(years * YEAR)
        assert same == transitions
        assert steps <= least + 100


def test_a_leap_while_following_leaves_empty_windows_out() -> None:
    windows = StatsWindows(10, 10, empty=True)
    pane = windows.pane(5)
    assert pane is not None
    pane.hits = 1
    assert [stats.start for stats in windows.close(35)] == [0, 10, 20]
    assert list(windows.close(1_000 * YEAR)) == []
    assert [stats.start for stats in windows.close(1_000 * YEAR + 20)] == [1_000 * YEAR, 1_000 * YEAR + 10]


def test_a_leap_before_anything_has_closed_leaves_empty_windows_out_too() -> None:
    windows = StatsWindows(10, 10, empty=True)
    for second in (5, YEAR // 100 + 5):
        pane = windows.pane(second)
        assert pane is not None
        pane.hits = 1
    assert len(list(windows.close(YEAR // 100 + 10))) < 400


def follower() -> Merger:
    plan = Plan(
        follow=True, lateness=0, horizon=None, cells=False, rejects=False, stats_window=1, stats_every=1,
        alert_window=1, threshold=0,
    )  # fmt: skip
    merger = Merger(plan)
    merger.open(0, "one")
    merger.open(1, "two")
    return merger


def one_hit(second: int) -> Partial:
    partial = Partial(lines=1)
    cut_segments(partial, [(second, 1)], 0)
    return partial


def alerts(merger: Merger, source: int, second: int, at: float) -> list[tuple[str, int]]:
    events = merger.commit(source, one_hit(second), at=at)
    return [(event.state, event.at) for event in events if isinstance(event, Alert)]


def test_an_idle_file_does_not_hold_the_clock_of_the_others() -> None:
    merger = follower()
    assert alerts(merger, 0, 100, at=1_000.0) == []
    assert alerts(merger, 1, 100, at=1_000.0) == []
    assert [event.at for event in merger.tick(1_001.0) if isinstance(event, Alert)] == [100]
    assert [event.at for event in merger.tick(1_002.0) if isinstance(event, Alert)] == [101]


def test_a_file_that_has_shown_nothing_but_late_lines_does_not_hold_the_clock_for_ever() -> None:
    merger = follower()
    assert alerts(merger, 0, 100, at=1_000.0) == []
    assert [event.at for event in merger.tick(1_001.0) if isinstance(event, Alert)] == [100]
    assert alerts(merger, 1, 50, at=1_001.0) == []  # late, and its file is silent from here on
    assert [event.at for event in merger.tick(1_100.0) if isinstance(event, Alert)] == [101]


def test_a_line_can_be_late_by_another_of_its_own_block() -> None:
    """100 and 200, then 100 again: with the second at 200 all before it is closed."""
    merger = follower()
    block = Partial(lines=3)
    cut_segments(block, [(100, 1), (200, 1), (100, 1)], 0)
    assert [*merger.commit(0, block, at=1_000.0), *merger.finish()]
    assert merger.summary(complete=True).late == 1


def test_what_is_no_stamp_is_not_remembered() -> None:
    seconds = Seconds()
    assert seconds[b"x" * 60_000] is None
    assert len(seconds) == 0
