"""Rules against a count of every hit of every second, by the words of their description."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlog.model.rules import LIVE_KEYS, MEASURES, PERCENTILES, Rule
from fastlog.model.sketch import Sketch, cell_of
from fastlog.windows.rules.engine import Windows
from fastlog.windows.rules.sums import Sums
from fastlog.windows.rules.window import RuleWindow, Transition
from fastlog.windows.traffic import TrafficWindow
from tests.properties.recount import Recount, Taken
from tests.properties.twins import TWINS, OneRule

YEAR = 31_536_000

twins = pytest.mark.parametrize("twin", TWINS, ids=["python", "native"][: len(TWINS)])


def feed(window: OneRule, hit: Taken) -> None:
    cells: Any = ((cell_of(hit.duration),), (1,)) if window.rule.measure in PERCENTILES else ((), ())
    window.add(hit.second, hit.key, Sums(int(hit.counts), 1, hit.size, *cells))


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    measure = draw(st.sampled_from(MEASURES))
    limits = {
        "hits": (1.0, 2.0, 3.5, 5.0),
        "rate": (0.1, 0.29, 0.5, 1.0),
        "bytes": (1.0, 100.0, 250.5),
        "share": (0.05, 0.3, 0.5, 1.0),
    }.get(measure, (0.00001, 0.00005, 0.5))
    threshold = draw(st.sampled_from(limits))
    high = draw(st.booleans())
    quiet = [limit for limit in limits if (limit <= threshold if high else limit >= threshold)]
    return Rule(
        name="rule",
        measure=measure,
        window=draw(st.integers(1, 20)),
        per=draw(st.sampled_from((None, "section"))),
        above=threshold if high else None,
        below=None if high else threshold,
        recover=draw(st.sampled_from((None, *quiet))),
        hold=draw(st.sampled_from((0, 0, 1, 3, 12))),
        min_hits=draw(st.sampled_from((0, 0, 1, 3))),
    )


taken = st.builds(
    Taken,
    st.integers(-10, 40),
    st.sampled_from((b"/a", b"/b", b"/c")),
    st.booleans(),
    st.integers(0, 200),
    st.one_of(st.integers(0, 127), st.integers(0, 2_000_000)),
)
moves = st.lists(st.one_of(taken, taken, taken, st.integers(-10, 60)), max_size=40)


@twins
@settings(max_examples=120, deadline=None)
@given(rule=rules(), moves=moves)
def test_a_rule_is_a_recount(twin: type[Windows], rule: Rule, moves: list[Taken | int]) -> None:
    real, recount = OneRule(twin, rule), Recount(rule)
    first = latest = None
    for move in [*moves, 120]:
        if isinstance(move, Taken):
            hit = move if rule.measure == "share" else move._replace(counts=True)
            hit = hit if rule.per else hit._replace(key=b"")
            first = hit.second if first is None else min(first, hit.second)
            feed(real, hit)
            recount.add(hit)
        elif first is not None and (latest is None or move > latest):  # the merger never goes back
            latest = move
            assert real.close(move, first) == list(recount.close(move, first))
            assert {key for key, firing in real.states().items() if firing} == recount.firing


@twins
@settings(max_examples=120, deadline=None)
@given(rule=rules(), hits=st.lists(taken, min_size=1, max_size=60), cuts=st.sets(st.integers(-30, 90)))
def test_where_seconds_are_closed_does_not_show(
    twin: type[Windows], rule: Rule, hits: list[Taken], cuts: set[int]
) -> None:
    """All at once, or as soon as may be: and in any order within a second."""
    hits = [hit._replace(key=hit.key if rule.per else b"") for hit in hits]
    first = min(hit.second for hit in hits)
    at_once = OneRule(twin, rule)
    for hit in reversed(hits):
        feed(at_once, hit)
    step_by_step, found = OneRule(twin, rule), []
    for end in sorted({*cuts, 150}):
        for hit in [hit for hit in hits if hit.second < end]:
            feed(step_by_step, hit)
        hits = [hit for hit in hits if hit.second >= end]
        if first < end:
            found += step_by_step.close(end, first)
    assert found == at_once.close(150, first)


@twins
@settings(max_examples=120, deadline=None)
@given(
    hits=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 5)), min_size=1),
    ends=st.sets(st.integers(0, 90)),
    window=st.integers(1, 20),
    threshold=st.sampled_from((0.0, 0.1, 0.29, 0.5, 1.0, 2.5)),
)
def test_the_traffic_alert_is_a_rule_like_any_other(
    twin: type[Windows], hits: list[tuple[int, int]], ends: set[int], window: int, threshold: float
) -> None:
    rule = OneRule(twin, Rule(name="traffic", measure="rate", window=window, above=threshold))
    traffic = TrafficWindow(window, threshold)
    for second, count in hits:
        rule.add(second, b"", Sums(count, count))
        traffic.add(second, count)
    for end in sorted(ends):
        ours = [(it.at, it.hits, it.firing) for it in rule.close(end, min(hits)[0])]
        assert ours == [(it.at, it.hits, it.firing) for it in traffic.close(end)]


@twins
def test_traffic_that_dies_is_an_alert_too(twin: type[Windows]) -> None:
    window = OneRule(twin, Rule(name="dead", measure="hits", window=60, below=1))
    for second in range(100):
        window.add(second, b"", Sums(1, 1))
    assert window.close(100, 0) == []
    assert window.close(159, 0) == []
    assert window.close(160, 0) == [Transition(159, b"", True, 0, 0)]
    window.add(YEAR, b"", Sums(1, 1))
    assert window.close(100 * YEAR, 0) == [
        Transition(YEAR, b"", False, 1, 1),
        Transition(YEAR + 60, b"", True, 0, 0),
    ]


@twins
def test_a_late_hit_is_in_the_windows_to_come(twin: type[Windows]) -> None:
    window = OneRule(twin, Rule(name="x", measure="hits", window=10, above=1))
    window.add(0, b"", Sums(1, 1))
    assert window.close(5, 0) == []
    window.add(2, b"", Sums(1, 1))
    assert window.close(20, 0) == [Transition(5, b"", True, 2, 2), Transition(10, b"", False, 1, 1)]
    window.add(10, b"", Sums(9, 9))  # in no window to come
    assert window.close(40, 0) == []


@twins
def test_a_second_without_a_verdict_begins_the_count_anew(twin: type[Windows]) -> None:
    window = OneRule(twin, Rule(name="x", measure="share", window=2, above=0.5, hold=3, min_hits=2))
    for second, hits in enumerate((2, 2, 1, 0, 2, 2, 2, 2, 2, 0, 1)):
        window.add(second, b"", Sums(hits, hits))
    # Broken from 0 on. One hit is in the window at 3: the count begins anew. And at 10: it goes on firing.
    assert window.close(50, 0) == [Transition(7, b"", True, 4, 1.0)]


@twins
def test_a_rule_that_late_hits_woke_has_the_clock_of_the_log(twin: type[Windows]) -> None:
    window = OneRule(twin, Rule(name="x", measure="hits", window=3, below=2))
    window.add(5, b"", Sums(1, 1))
    assert window.close(4, 5) == []
    window.add(3, b"", Sums(1, 1))
    assert window.close(6, 0) == [Transition(4, b"", True, 1, 1), Transition(5, b"", False, 2, 2)]


@twins
def test_a_log_of_other_hits_starts_the_clock_of_a_rule(twin: type[Windows]) -> None:
    """No hit ever fits `where`: a window after the first second of the log it is said."""
    window = OneRule(
        twin, Rule(name="health", measure="hits", where="section == '/health'", window=30, below=1)
    )
    assert window.close(1_000, 1_000) == []
    assert window.close(2_000, 1_000) == [Transition(1_029, b"", True, 0, 0)]


@twins
def test_a_rule_keeps_so_many_keys_and_the_busy_ones(twin: type[Windows]) -> None:
    window = OneRule(twin, Rule(name="host", measure="hits", per="host", window=30, above=50))
    fired = []
    for second in range(40):
        for number in range(500):
            window.add(second, b"%d" % (second * 500 + number), Sums(1, 1))
        window.add(second, b"hot", Sums(2, 2))
        fired += window.close(second + 1, 0)
        assert len(window.states()) <= LIVE_KEYS
    assert [(event.at, event.key, event.hits) for event in fired] == [(25, b"hot", 52)]
    assert window.dropped > 10_000
    assert window.states()[b"hot"]


@twins
def test_a_firing_key_is_never_dropped(twin: type[Windows]) -> None:
    window = OneRule(twin, Rule(name="host", measure="hits", per="host", window=1000, above=1))
    for number in range(LIVE_KEYS // 2):
        window.add(0, b"old %d" % number, Sums(2, 2))
    for number in range(LIVE_KEYS):
        window.add(1, b"new %d" % number, Sums(2, 2))
    fired = window.close(2, 0)
    assert [event.at for event in fired] == [0] * (LIVE_KEYS // 2) + [1] * (LIVE_KEYS // 2)
    assert window.dropped == LIVE_KEYS // 2
    assert all(window.states().values())
    assert len(window.close(5_000, 0)) == LIVE_KEYS  # all recover
    assert window.states() == {}


@twins
def test_the_keys_of_a_second_are_bounded_before_it_closes(twin: type[Windows]) -> None:
    window = OneRule(twin, Rule(name="host", measure="hits", per="host", window=5, above=0))
    for number in range(3 * LIVE_KEYS):
        window.add(0, b"%d" % number, Sums(1, 1))
    assert window.dropped == 2 * LIVE_KEYS
    assert len(window.close(1, 0)) == LIVE_KEYS


@twins
def test_a_rule_that_waits_for_silence_keeps_the_keys_that_it_knows(twin: type[Windows]) -> None:
    window = OneRule(twin, Rule(name="dead", measure="hits", per="host", window=10, below=1))
    for second in range(3):
        for number in range(LIVE_KEYS):
            window.add(second, b"%d %d" % (second, number), Sums(1, 1))
    gone = window.close(100, 0)
    assert {event.key.split()[0] for event in gone} == {b"0"}
    assert {event.at for event in gone} == {10}
    assert window.dropped == 2 * LIVE_KEYS


@twins
@pytest.mark.parametrize("side", ["above", "below"])
def test_what_is_kept_of_long_windows_is_bounded(
    twin: type[Windows], side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastlog.windows.rules.window.MOST_KEPT", 100)
    rule = Rule(name="x", measure="hits", per="host", window=10_000, **{side: 1e6})
    window = OneRule(twin, rule)
    for second in range(1_000):
        window.add(second, b"%d" % (second % 7), Sums(1, 1))
        window.close(second + 1, 0)
    assert window.dropped >= 9
    assert window.states()


@settings(max_examples=150)
@given(st.lists(st.lists(st.integers(-5, 1 << 42), max_size=20), min_size=3, max_size=3))
def test_sketches_add_up_in_any_order_and_come_off_again(parts: list[list[int]]) -> None:
    def sketch(durations: list[int]) -> Sketch:
        made = Sketch()
        for duration in durations:
            made.add(duration)
        return made

    def joined(*sketches: Sketch) -> Sketch:
        total = Sketch()
        for one in sketches:
            total.add_cells(*one.columns())
        return total

    a, b, c = map(sketch, parts)
    assert (
        joined(joined(a, b), c).counts
        == joined(a, joined(c, b)).counts
        == sketch([*parts[0], *parts[1], *parts[2]]).counts
    )
    total = joined(a, b)
    total.subtract_cells(*b.columns())
    assert total.counts == a.counts


@settings(max_examples=250)
@given(
    durations=st.lists(st.one_of(st.integers(0, 300), st.integers(0, 1 << 39)), min_size=1, max_size=60),
    percent=st.sampled_from((50, 90, 95, 99)),
)
def test_a_quantile_is_within_one_percent_of_the_exact_one(durations: list[int], percent: int) -> None:
    sketch = Sketch()
    for duration in durations:
        sketch.add(duration)
    exact = sorted(durations)[-(-percent * len(durations) // 100) - 1]
    got = sketch.quantile(percent)
    assert got is not None
    assert abs(got - exact) <= exact / 128  # less than RELATIVE_ERROR
    assert exact >= 128 or got == exact


def test_a_sketch_of_nothing_has_no_quantile() -> None:
    assert Sketch().quantile(50) is None


@given(rules())
def test_a_rule_survives_the_way_to_the_workers(rule: Rule) -> None:
    assert Rule(**orjson.loads(orjson.dumps(rule._asdict()))) == rule


def test_where_every_key_fires_a_new_one_costs_no_search_for_one_to_drop() -> None:
    """Counted in looks at keys: each of a flood of keys costs one, not one for each that is kept."""

    class Counted(dict[bytes, object]):
        pops = 0

        def pop(self, *key: Any) -> Any:
            self.pops += 1
            return super().pop(*key)

    window = RuleWindow(Rule(name="r", measure="hits", per="host", window=60, above=0))
    keys: Any = Counted()
    window._keys = keys
    for second in range(3):
        for number in range(LIVE_KEYS):
            window.add(second, b"%d/%d" % (second, number), Sums(1, 1))
        window.close(second + 1, 0)
    assert all(window.states().values())
    assert window.dropped == 2 * LIVE_KEYS
    assert keys.pops == 3 * LIVE_KEYS
