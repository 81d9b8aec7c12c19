"""The rules' windows compiled are those in Python: what they say, keep, drop and write down.

Over 300 lines, since all of it is one promise.
"""

import sys
from array import array
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlog.model.measured import NO_CELLS, Entry, Measured
from fastlog.model.rules import PERCENTILES, Rule
from fastlog.model.sketch import CELLS, Sketch
from fastlog.windows.rules import window
from fastlog.windows.rules.engine import Windows
from tests.properties.test_rules import rules
from tests.properties.twins import TWINS

Made = Callable[[list[Rule]], Windows]
native = pytest.importorskip("fastlog.windows.rules.native")

KEYS = [
    b"",
    b"/a",
    b"/b",
    b"/a\0",
    b"\xff",
    b"192.0.2.10",
    b"192.0.2.101",
    b"192.0.2.10" * 3,
    b"192.0.2.10" * 2,
]
sizes = st.one_of(st.integers(0, 300), st.integers(0, 10**18), st.just(10**30))
cells = st.dictionaries(
    st.one_of(st.integers(0, 200), st.integers(0, CELLS - 1)), st.integers(1, 5), max_size=6
)


@st.composite
def entries(draw: st.DrawFn, several: list[Rule]) -> Measured:
    """What a chunk may come to: of one segment or two, also with an entry that stands twice."""
    made = []
    for segment in range(draw(st.integers(1, 2))):
        for _ in range(draw(st.integers(0, 12))):
            number = draw(st.integers(0, len(several) - 1))
            rule = several[number]
            key = draw(st.sampled_from(KEYS)) if rule.per else b""
            hits = draw(st.integers(0, 3))
            base = hits + (draw(st.integers(0, 3)) if rule.measure == "share" else 0)
            sketch = Sketch()
            if rule.measure in PERCENTILES:
                sketch.counts = draw(cells)
            second = draw(st.integers(-10, 40))
            made.append(Entry(number, segment, second, key, hits, base, draw(sizes), *sketch.columns()))
    return Measured.of(made)


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[Rule], list[Measured | int]]:
    several = draw(st.lists(rules(), min_size=1, max_size=3))
    moves = st.one_of(entries(several), st.integers(-10, 70))
    return several, [*draw(st.lists(moves, max_size=25)), 200]


def seen(windows: Windows) -> tuple[Any, ...]:
    return windows.firing(), windows.states(), windows.dropped, windows.state()


@settings(max_examples=80, deadline=None)
@given(run=runs(), bound=st.sampled_from((1, 2, 3, 2000)), kept=st.sampled_from((1, 5, 12, 500_000)))
def test_the_twins_agree_on_all(run: tuple[list[Rule], list[Measured | int]], bound: int, kept: int) -> None:
    several, moves = run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "LIVE_KEYS", bound)
        patch.setattr(window, "MOST_KEPT", kept)
        ours, theirs = (made(several) for made in TWINS)
        first: int | None = None
        for move in moves:
            if isinstance(move, Measured):
                first = min([*move.seconds, 100 if first is None else first])
                for segment in sorted(set(move.segments)):
                    ours.take(move, segment)
                    theirs.take(move, segment)
            elif first is not None:
                assert ours.close(move, first) == theirs.close(move, first)
            assert seen(ours) == seen(theirs)


@settings(max_examples=60, deadline=None)
@given(
    run=runs(),
    cuts=st.sets(st.integers(0, 25)),
    bound=st.sampled_from((2, 2000)),
    turns=st.permutations(TWINS),
)
def test_a_run_that_is_cut_anywhere_goes_on(
    run: tuple[list[Rule], list[Measured | int]], cuts: set[int], bound: int, turns: list[Made]
) -> None:
    """Each part by the other twin; the state has been through JSON."""
    several, moves = run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "LIVE_KEYS", bound)
        turn = cycle(turns)
        whole, parts = turns[0](several), next(turn)(several)
        first: int | None = None
        for number, move in enumerate(moves):
            if number in cuts:
                state = orjson.loads(orjson.dumps(parts.state()))
                parts = next(turn)(several)
                parts.restore(state)
            if isinstance(move, Measured):
                first = min([*move.seconds, 100 if first is None else first])
                for segment in sorted(set(move.segments)):
                    whole.take(move, segment)
                    parts.take(move, segment)
            elif first is not None:
                assert parts.close(move, first) == whole.close(move, first)
            assert seen(parts) == seen(whole)


def test_a_threshold_that_128_bits_cannot_hold_is_for_python() -> None:
    def of(measure: Any, threshold: float) -> bool:
        return native.fits([Rule(name="x", measure=measure, window=1, above=threshold)])

    assert of("share", 0.29)
    assert of("share", 0.012345678901234567)
    assert not of("share", 1e-30)
    assert of("bytes", 1e300)  # a whole number of them is compared


@pytest.mark.parametrize("threshold", [0.0, 1e-300, 1e300, 1e18, 9223372036854775807.0, 0.5])
@pytest.mark.parametrize("measure", ["hits", "rate", "bytes", "p50"])
@pytest.mark.parametrize("side", ["above", "below"])
def test_thresholds_of_any_size(side: str, measure: Any, threshold: float) -> None:
    rule = Rule(name="x", measure=measure, window=3, **{side: threshold})
    cells, counts = Sketch([5, 1000], [1, 1]).columns() if measure == "p50" else Sketch().columns()
    found = []
    for made in TWINS:
        windows = made([rule])
        windows.take(Measured.of([Entry(0, 0, n, b"", 2, 2, 10**30, cells, counts) for n in range(5)]), 0)
        found.append((windows.close(20, 0), windows.state()))
    assert found[0] == found[1]


NAMES = {
    "that differ at once": [b"%d.%d" % (number % 256, number) for number in range(500)],
    "that begin alike": [b"2001:db8:0:1::%x" % number for number in range(500)],
    "of which some begin alike": [b"%x:db8::%d" % (number % 3, number) for number in range(500)],
    "that end where others go on": [b"10" + b"\0" * (number % 25) for number in range(500)],
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_a_crowd_of_keys_comes_in_the_order_of_their_names(names: list[bytes]) -> None:
    """More of them in a second than are kept: which stay depends on the order.

    So many of them, again and again, that they are ranked; then names come that are not.
    """
    rule = Rule(name="x", measure="hits", per="host", window=5, above=3)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "LIVE_KEYS", 200)
        for made in TWINS:
            windows = made([rule])
            for second in range(20):
                known = 300 if second < 12 else len(names)
                came = [names[(7 * at + 100 * second) % known] for at in range(150 + 200 * (second % 4))]
                rows = [Entry(0, 0, second, name, 2, 2, 0, NO_CELLS, NO_CELLS) for name in came]
                windows.take(Measured.of(rows), 0)
                found.append((windows.close(second + 1, 0), windows.dropped, windows.state()))
    assert found[:20] == found[20:]


@st.composite
def crowds(draw: st.DrawFn) -> tuple[Rule, list[list[tuple[bytes, int]]]]:
    """A rule for many keys, and who comes in each second: of few hosts or many, some new each time."""
    hold, recover = draw(st.sampled_from((0, 3))), draw(st.sampled_from((None, 4.0)))
    above = draw(st.sampled_from((20.0, 1000.0)))
    rule = Rule(name="x", measure="hits", per="host", window=draw(st.integers(1, 30)), above=above, hold=hold)
    rule = rule._replace(recover=recover, min_hits=draw(st.sampled_from((0, 8))))
    random, hosts = draw(st.randoms(use_true_random=False)), draw(st.integers(2, 150))
    long, most = draw(st.sampled_from((b"", b"2001:db8:0:1::"))), draw(st.integers(1, 50))
    seconds: list[list[tuple[bytes, int]]] = []
    for second in range(draw(st.integers(1, 60))):
        names = [long + b"%d" % random.randrange(hosts) for _ in range(random.randrange(most))]
        names += [long + b"new%d.%d" % (second, random.randrange(9)) for _ in range(random.randrange(3))]
        seconds.append([(name, random.choice((0, 1, 1, 1, 2))) for name in names])
    return rule, seconds


@settings(max_examples=150, deadline=None)
@given(
    crowd=crowds(),
    bound=st.sampled_from((1, 2, 7, 30, 60)),
    kept=st.sampled_from((20, 500_000)),
    every=st.sampled_from((1, 4, 60)),
    late=st.sampled_from((0, 0, 3, 9)),
)
def test_a_crowd_of_keys_leaves_the_same_behind(
    crowd: tuple[Rule, list[list[tuple[bytes, int]]]], bound: int, kept: int, every: int, late: int
) -> None:
    """What is kept is not asked for each second, since asking has the keys put into a row."""
    rule, seconds = crowd
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "LIVE_KEYS", bound)
        patch.setattr(window, "MOST_KEPT", kept)
        for made in TWINS:
            windows = made([rule])
            said: list[Any] = []
            for number, came in enumerate(seconds):
                # Every so often some come as of seconds that are closed.
                second = number - late if late and number % 11 == 10 else number
                rows = [Entry(0, 0, second, name, hits, hits, 0, NO_CELLS, NO_CELLS) for name, hits in came]
                windows.take(Measured.of(rows), 0)
                said += windows.close(number, 0)
                said.append(windows.dropped)
                if number % every == every - 1:
                    said.append(windows.state())
            found.append((said, windows.close(1000, 0), *seen(windows)))
    assert found[0] == found[1]


def twins_of(rule: Rule, bound: int) -> Iterator[Windows]:
    """One after the other, where so many keys may stay."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "LIVE_KEYS", bound)
        for made in TWINS:
            yield made([rule])


def told_of(chunks: list[list[bytes]], rule: Rule, bound: int) -> list[list[Any]]:
    """What the twins say, drop and keep where these come second by second, and so many may stay."""
    found = []
    for windows in twins_of(rule, bound):
        said: list[Any] = []
        for second, came in enumerate(chunks):
            rows = [Entry(0, 0, second, name, 1, 1, 0, NO_CELLS, NO_CELLS) for name in came]
            windows.take(Measured.of(rows), 0)
            said += [windows.close(second, 0), windows.dropped]
            if second % 150 == 149:
                said.append(windows.state())
        found.append(said)
    return found


@pytest.mark.parametrize("hosts", [45, 60, 90, 200, 1000])
@pytest.mark.parametrize("skew", [1, 4, 12])
@pytest.mark.parametrize("bound", [40, 50])
def test_a_long_crowd_leaves_the_same_behind(bound: int, skew: int, hosts: int) -> None:
    """Hundreds of times some come again that have just gone, or that go before it is their turn.

    With a skew most are the same ones, and between them some others stay for long.
    """
    random = Random(hosts)
    rule = Rule(name="x", measure="hits", per="host", window=9, above=15.0 if skew == 1 else 1e6)
    # Those of a second stand in no order; from 300 on there are new ones, which have no rank.
    chunks = []
    for second in range(600):
        some = hosts + max(0, second - 300)
        chunks.append([b"%d" % (some * random.random() ** skew) for _ in range(random.randrange(2 * bound))])
    ours, theirs = told_of(chunks, rule, bound)
    assert ours == theirs


@pytest.mark.parametrize("others", [10, 25, 100])
@pytest.mark.parametrize("busy", [14, 35, 42])
def test_those_who_come_each_second_leave_the_others_in_their_order(busy: int, others: int) -> None:
    """They leave so many gaps that what is kept of the others is moved together while it still counts."""
    random = Random(busy + others)
    rule = Rule(name="x", measure="hits", per="host", window=9, above=1e6)
    chunks = []
    for _ in range(300):
        came = [b"busy%d" % number for number in range(busy) if random.random() < 0.95]
        came += [b"%d" % random.randrange(others) for _ in range(random.randrange(10))]
        random.shuffle(came)
        chunks.append(came)
    ours, theirs = told_of(chunks, rule, 50 if busy > 14 else 20)
    assert ours == theirs


@settings(max_examples=60, deadline=None)
@given(
    measure=st.sampled_from(("hits", "share", "bytes", "p50")),
    bound=st.sampled_from((2, 9, 2000)),
    spread=st.sampled_from((1, 3, 40)),
    chunk=st.integers(1, 400),
    random=st.randoms(use_true_random=False),
)
def test_hits_of_open_seconds_come_in_any_order(
    measure: Any, bound: int, spread: int, chunk: int, random: Random
) -> None:
    """What is kept is asked for at the end alone, since asking has each second put in order."""
    rule = Rule(name="x", measure=measure, per="host", window=random.choice((2, 30)), above=3.0)
    rule = rule._replace(above=0.5) if measure == "share" else rule
    chunks = []
    for second in range(0, 4 * spread, 2):
        rows = []
        for _ in range(random.randrange(chunk)):
            at, key = second + random.randrange(spread), b"%d" % random.randrange(random.choice((3, 20)))
            sketch = Sketch([random.randrange(9)], [1]) if measure == "p50" else Sketch()
            rows.append(Entry(0, 0, at, key, 1, 2 if measure == "share" else 1, 1, *sketch.columns()))
        chunks.append((Measured.of(rows), random.choice((0, second))))
    found = []
    for windows in twins_of(rule, bound):
        said: list[Any] = []
        for one, end in chunks:
            windows.take(one, 0)
            said += windows.close(end, 0)
        found.append((said, *seen(windows), windows.close(1000, 0), *seen(windows)))
    assert found[0] == found[1]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_keys_that_come_again_in_an_open_second_take_no_more_memory() -> None:
    """A second of nearly a million hits, of no more keys than stay: as of a log whose clock stands still."""
    rows = [Entry(0, 0, 5, b"%d" % number, 1, 1, 0, NO_CELLS, NO_CELLS) for number in range(3000)]
    one, other = Measured.of(rows), Measured.of(rows)
    windows = native.RuleWindows([Rule(name="x", measure="hits", per="host", window=10, above=1e9)])
    windows.take(one, 0)
    before = taken_memory()
    for _ in range(150):
        windows.take(other, 0)
        windows.take(one, 0)
    assert taken_memory() - before < 4096
    assert windows.dropped == [301 * 1000]


def taken_memory() -> int:
    """KiB of memory that this process has taken, in use or not."""
    rows = Path("/proc/self/status").read_text(encoding="utf-8").split("\n")
    return next(int(row.split()[1]) for row in rows if row.startswith("VmData"))


def test_names_that_nobody_holds_are_forgotten_and_the_others_kept() -> None:
    """Three hundred thousand keys: more than are remembered by name."""
    rule = Rule(name="x", measure="hits", per="host", window=5, above=3)
    chunks = []
    for second in range(150):
        hosts = [b"%d" % (second * 2000 + number) for number in range(1999)]
        rows = [Entry(0, 0, second, host, 1, 1, 0, NO_CELLS, NO_CELLS) for host in [*hosts, b"stays"]]
        chunks.append(Measured.of(rows))
    found = []
    for made in TWINS:
        windows = made([rule])
        said: list[Any] = []
        for second, chunk in enumerate(chunks):
            windows.take(chunk, 0)
            said += windows.close(second + 1, 0)
        found.append((said, windows.dropped, windows.state()))
    assert found[0] == found[1]
    assert [transition.key for _, transition in found[0][0]] == [b"stays"]


@pytest.mark.parametrize("column", [array("q"), array("q", [1, 1])])
def test_columns_are_of_one_length(column: "array[int]") -> None:
    chunk = Measured.of([Entry(0, 0, 0, b"", 1, 1, 0, NO_CELLS, NO_CELLS)])
    chunk.hits = column
    with pytest.raises(ValueError, match="length"):
        native.RuleWindows([Rule(name="a", measure="hits", window=5, above=1.0)]).take(chunk, 0)


@pytest.mark.parametrize("ends", [[-1], [3], [2, 1]])
def test_keys_stand_in_their_text(ends: list[int]) -> None:
    several = [Rule(name="a", measure="hits", window=5, above=1.0, per="host")]
    chunk = Measured.of([Entry(0, 0, 0, b"ab", 1, 1, 0, NO_CELLS, NO_CELLS)])
    chunk.key_ends = array("q", ends)
    with pytest.raises(ValueError, match="text"):
        native.RuleWindows(several).take(chunk, 0)


@pytest.mark.parametrize("sketched", [[0, 2], [0, -1], [-1, 1], [1, 1]])
def test_cells_stand_among_those_that_there_are(sketched: list[int]) -> None:
    several = [
        Rule(name="a", measure="hits", window=5, above=1.0),
        Rule(name="b", measure="p50", window=5, above=1.0),
    ]
    both = [Entry(number, 0, 0, b"", 1, 1, 0, NO_CELLS, NO_CELLS) for number in range(2)]
    chunk = Measured.of(both)
    chunk.cells, chunk.counts = array("q", [5]), array("q", [1])
    chunk.sketched = array("q", sketched)
    with pytest.raises(ValueError, match="without its cells"):
        native.RuleWindows(several).take(chunk, 0)
