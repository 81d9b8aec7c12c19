"""Windows against a recount of every second, by the words of their description."""

import sys
from array import array
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from math import gcd
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlog.merger import Merger
from fastlog.model.events import Alert, Stats, StatsColumns, TableColumns, singly
from fastlog.model.partial import Partial
from fastlog.model.plan import Plan
from fastlog.model.sketch import CELLS
from fastlog.parsers.segments import cut_segments
from fastlog.parsers.timestamps import Seconds
from fastlog.sinks.ndjson import NdjsonRenderer
from fastlog.windows import sliding, traffic
from fastlog.windows.traffic import Transition

try:
    from fastlog.windows import native
except ImportError:
    native = None  # type: ignore[assignment]

YEAR = 31_536_000
TRAFFIC: list[Any] = [traffic.TrafficWindow]
STATS: list[Any] = [sliding.StatsWindows]
if native is not None:
    TRAFFIC.append(native.TrafficWindow)
    STATS.append(native.StatsWindows)
traffic_windows = pytest.mark.parametrize("window_of", TRAFFIC, ids=["python", "native"][: len(TRAFFIC)])
stats_windows = pytest.mark.parametrize("windows_of", STATS, ids=["python", "native"][: len(STATS)])

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


@traffic_windows
@settings(max_examples=200, deadline=None)
@given(
    moves=moves,
    window=st.integers(1, 20),
    threshold=st.sampled_from((0.0, 0.1, 0.29, 0.5, 1.0, 2.5)),
)
def test_the_traffic_window_is_a_recount(
    window_of: Any, moves: list[Any], window: int, threshold: float
) -> None:
    real, recount = window_of(window, threshold), Recount(window, threshold)
    latest = None
    for kind, at, hits in moves:
        if kind == "add":
            late = real.take(array("q", [at]), array("q", [hits]), range(1))
            assert late == (hits if recount.closed is not None and at < recount.closed else 0)
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


def a_pane(start: int, sections: dict[bytes, int]) -> Partial:
    """A partial of one pane with these hits, all with GET and 200, of 7 bytes each; as many have a duration
    as there are sections, in the cells of the same numbers."""
    hits = sum(sections.values())
    partial = Partial(sections=list(sections), methods=[b"GET"])
    partial.pane_starts, partial.pane_hits = array("q", [start]), array("q", [hits])
    partial.pane_bytes, partial.pane_bytes_high = array("q", [7 * hits]), array("q", [0])
    partial.pane_sections = array("q", [len(sections)])
    partial.section_cells = array("q", range(len(sections)))
    partial.section_cell_hits = array("q", sections.values())
    partial.pane_methods = partial.pane_statuses = array("q", [1])
    partial.method_cells, partial.status_cells = array("q", [0]), array("q", [200])
    partial.method_cell_hits = partial.status_cell_hits = array("q", [hits])
    partial.pane_durations = partial.pane_sections
    partial.duration_cells = array("q", [(7 * start + cell) % CELLS for cell in range(len(sections))])
    partial.duration_cell_hits = partial.section_cell_hits
    return partial


def put(windows: Any, start: int, sections: dict[bytes, int]) -> None:
    windows.take(a_pane(start, sections), range(1), (0, 0, 0, 0))


@stats_windows
@settings(max_examples=200, deadline=None)
@given(moves=moves, window=st.integers(1, 20), step=st.integers(1, 20), empty=st.booleans())
def test_statistics_windows_are_a_recount(
    windows_of: Any, moves: list[Any], window: int, step: int, *, empty: bool
) -> None:
    step = min(step, window)
    real, recount = windows_of(window, step, empty=empty), Windows(window, step, empty=empty)
    latest = None
    last = -(10**9)
    for kind, at, hits in moves:
        if kind == "add":
            put(real, at - at % gcd(window, step), {b"/%d" % (at % 3): hits})
            recount.add(at, hits)
            last = max(last, at)
        elif latest is None or at > latest:
            latest = at
            got = list(singly(real.close(at)))
            assert [(stats.start, stats.hits) for stats in got] == recount.close(at)
            assert not any(stats.partial for stats in got)
            check(got, window)
    rest = list(singly(real.rest(last)))
    assert [(stats.start, stats.hits) for stats in rest] == recount.rest()
    assert [stats.partial for stats in rest] == [stats.end - 1 > last for stats in rest]
    check(rest, window)


def check(windows: list[Stats], window: int) -> None:
    for stats in windows:
        assert stats.end - stats.start == window
        assert sum(stats.sections.values()) == stats.hits
        assert stats.rate == round(stats.hits / window, 3)


KEYS = [b"/%d" % number for number in range(4000)]


@stats_windows
@settings(max_examples=8, deadline=None)
@given(
    panes=st.lists(st.tuples(st.integers(0, 3000), st.sampled_from((5, 1500, 1990, 2400))), max_size=5),
    window=st.integers(1, 4),
)
def test_a_section_that_is_named_has_all_of_its_hits(
    windows_of: Any, panes: list[tuple[int, int]], window: int
) -> None:
    """However many sections there are: what is named is exact, and the rest of the hits is in (other)."""
    real = windows_of(window, 1, empty=False)
    contents = []
    for start, (first, count) in enumerate(panes):
        sections = {KEYS[(first + number) % 4000]: 1 + number % 3 for number in range(count)}
        contents.append(sections)
        put(real, start, sections)
    printed = list(singly([*real.close(len(panes)), *real.rest(len(panes) - 1)]))
    for stats in printed:
        hits: Counter[str] = Counter()
        for sections in contents[max(stats.start, 0) : stats.end]:
            hits.update({key.decode(): count for key, count in sections.items()})
        named = {key: count for key, count in stats.sections.items() if key != "(other)"}
        assert named == {key: hits[key] for key in named}
        assert sum(stats.sections.values()) == stats.hits == hits.total()
        assert len(named) == len(hits) if len(hits) <= 2000 else len(named) <= 2000
        assert list(stats.sections.items()) == sorted(
            stats.sections.items(), key=lambda row: (-row[1], row[0])
        )


@pytest.mark.skipif(native is None, reason="not built")
@settings(max_examples=80, deadline=None)
@given(data=st.data(), window=st.integers(1, 12), step=st.integers(1, 12), empty=st.booleans())
def test_native_windows_print_what_those_in_python_print(
    data: st.DataObject, window: int, step: int, *, empty: bool
) -> None:
    step = min(step, window)
    twins = sliding.StatsWindows(window, step, empty=empty), native.StatsWindows(window, step, empty=empty)
    twins[0].timed = twins[1].timed = data.draw(st.booleans())
    keys = st.sampled_from([b"/a", b"/b", b"/\xff", b"/\\xff", b"/\x1b", b"-", "/é".encode()])
    end = 0
    for _ in range(data.draw(st.integers(0, 12))):
        start = data.draw(st.integers(end - 30, end + 30))
        pane = a_pane(
            start - start % gcd(window, step),
            data.draw(st.dictionaries(keys, st.integers(1, 2**40), min_size=1, max_size=4)),
        )
        pane.pane_bytes_high = array("q", [data.draw(st.integers(0, 2**40))])
        for windows in twins:
            windows.take(pane, range(1), (0, 0, 0, 0))
        if data.draw(st.booleans()):
            end += data.draw(st.integers(1, 30))
            said, columns = list(twins[0].close(end)), list(twins[1].close(end))
            said_natively = list(singly(columns))
            assert said == said_natively
            assert all((stats.latency_us is not None) == twins[0].timed for stats in said)
            render = NdjsonRenderer().render
            assert b"".join(map(render, columns)) == b"".join(map(render, said))
            assert [list(stats.sections) for stats in said] == [
                list(stats.sections) for stats in said_natively
            ]
    said, said_natively = (list(singly(windows.rest(end))) for windows in twins)
    assert said == said_natively


def assert_closed_alike(twins: tuple[Any, Any], end: int) -> None:
    """Close both, of which the second is compiled: they say the same, in the same bytes."""
    said, columns = list(twins[0].close(end)), list(twins[1].close(end))
    assert list(singly(columns)) == said
    render = NdjsonRenderer().render
    assert b"".join(map(render, columns)) == b"".join(map(render, said))


@pytest.mark.skipif(native is None, reason="not built")
def test_names_that_no_window_holds_are_forgotten_and_the_others_keep_their_hits() -> None:
    """The names of a run pass what the compiled windows remember: those of open windows are as they were."""
    twins = sliding.StatsWindows(8, 4, empty=False), native.StatsWindows(8, 4, empty=False)
    for start in range(0, 4 * 80, 4):
        of_its_own = {b"/%d/%d" % (start, number): 1 + number % 3 for number in range(1000)}
        pane = a_pane(start, {b"/": 5, b"/\xff": 4, b"/\\xff": 2, **of_its_own})
        for windows in twins:
            windows.take(pane, range(1), (0, 0, 0, 0))
        assert_closed_alike(twins, start)


@pytest.mark.skipif(native is None, reason="not built")
def test_long_names_are_bounded_by_their_bytes() -> None:
    """Those that are remembered, and those of the windows that one event holds."""
    windows = native.StatsWindows(8, 4, empty=False)
    for start in range(0, 4 * 300, 4):
        put(windows, start, {b"/%d/%s" % (start + number, b"x" * 60_000): 1 for number in range(10)})
        for columns in windows.close(start):
            assert sum(map(len, columns.tables[0].names)) < 3 << 24
    for start in range(4 * 300, 4 * 600, 4):
        put(windows, start, {b"/%d/%s" % (number, b"x" * 60_000): 1 for number in range(10)})
    events = [columns.tables[0] for columns in windows.close(4 * 600)]
    assert len(events) > 5
    assert all(sum(len(table.names[key]) for key in table.keys) < 2 << 24 for table in events)


@pytest.mark.skipif(native is None, reason="not built")
@settings(max_examples=60, deadline=None)
@given(
    tables=st.lists(
        st.dictionaries(
            st.integers(0, 120).map(lambda number: b"/%d" % (number * number)),
            st.sampled_from((1, 1, 2, 3, 1 << 30, (1 << 47) - 1, 1 << 47, 1 << 50)),
            min_size=1,
            max_size=80,
        ),
        min_size=1,
        max_size=6,
    ),
    step=st.sampled_from((2, 4)),
)
def test_rows_stand_in_the_same_order_however_many_there_are(
    tables: list[dict[bytes, int]], step: int
) -> None:
    """Short tables, long ones, equal hits, more hits than share a number with a rank."""
    twins = sliding.StatsWindows(4, step, empty=False), native.StatsWindows(4, step, empty=False)
    for start, table in enumerate(tables):
        for windows in twins:
            windows.take(a_pane(2 * start - 2 * start % step, table), range(1), (0, 0, 0, 0))
            windows.take(a_pane(2 * start - 2 * start % step, {b"/1": 1}), range(1), (0, 0, 0, 0))
        assert_closed_alike(twins, 2 * start)


@pytest.mark.skipif(native is None, reason="not built")
@settings(max_examples=300, deadline=None)
@given(
    hits=st.one_of(st.integers(0, 10_000), st.integers(0, 1 << 62)),
    window=st.one_of(st.integers(1, 5000), st.integers(1, 1 << 20).map(lambda half: 2 * half)),
)
def test_the_rate_is_rounded_as_python_rounds(hits: int, window: int) -> None:
    """Also in the middle of two thousandths, and where a thousand times the hits are past 64 bits."""
    longs = {name: array("q", [value]) for name, value in (("zero", 0), ("hits", hits))}
    table = TableColumns([], longs["zero"], array("q"), array("q"))
    zero = longs["zero"]
    columns = StatsColumns(window, zero, longs["hits"], zero, zero, zero, (table, table, table))
    render = NdjsonRenderer().render
    assert render(columns) == b"".join(map(render, columns))


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


def crossing(window_of: Any, windows_of: Any, gap: int) -> tuple[int, list[tuple[int, bool]], int]:
    """Steps taken, transitions (since the burst before them) and windows printed over a gap, twice."""
    alerts, windows = window_of(120, 0.01), windows_of(10, 3, empty=False)
    transitions: list[tuple[int, bool]] = []
    printed = 0
    with Steps() as steps:
        for start in (0, gap):
            for second in (start, start + 1):
                alerts.add(second, 100)
                put(windows, second, {b"/": 1})
            for end in (start + 2, start + gap):
                transitions += [(change.at - start, change.firing) for change in alerts.close(end)]
                printed += len(list(singly(windows.close(end))))
    return steps.count, transitions, printed


@pytest.mark.parametrize(("window_of", "windows_of"), list(zip(TRAFFIC, STATS, strict=True)))
def test_the_empty_years_of_a_gap_cost_nothing(window_of: Any, windows_of: Any) -> None:
    """Counted in steps, not in seconds: as many for thousands of years as for an hour."""
    least, transitions, printed = crossing(window_of, windows_of, 3_600)
    assert transitions == [(0, True), (121, False)] * 2
    assert printed in (6, 7, 8)
    for years in (1, 1_000, 8_000):
        steps, same, _ = crossing(window_of, windows_of, years * YEAR)
        assert same == transitions
        assert steps <= least + 100


@stats_windows
def test_a_leap_while_following_leaves_empty_windows_out(windows_of: Any) -> None:
    windows = windows_of(10, 10, empty=True)
    put(windows, 0, {b"/": 1})
    assert [stats.start for stats in singly(windows.close(35))] == [0, 10, 20]
    assert list(windows.close(1_000 * YEAR)) == []
    assert [stats.start for stats in singly(windows.close(1_000 * YEAR + 20))] == [
        1_000 * YEAR,
        1_000 * YEAR + 10,
    ]


@stats_windows
def test_a_leap_before_anything_has_closed_leaves_empty_windows_out_too(windows_of: Any) -> None:
    windows = windows_of(10, 10, empty=True)
    for second in (5, YEAR // 100 + 5):
        put(windows, second - second % 10, {b"/": 1})
    assert len(list(singly(windows.close(YEAR // 100 + 10)))) < 400


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
