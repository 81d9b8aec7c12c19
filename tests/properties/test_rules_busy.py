"""Rules by few keys, of which most have hits in most seconds: compiled, these stand in a grid."""

import sys
from itertools import cycle
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlog.model.measured import NO_CELLS, Entry, Measured
from fastlog.model.rules import Rule
from fastlog.windows.rules import window
from fastlog.windows.rules.engine import Windows
from tests.properties.twins import TWINS

pytest.importorskip("fastlog.windows.rules.native")

Second = tuple[int, list[Entry]]


def above(measure: str, window: int) -> float:
    """A threshold that no key comes to by itself."""
    return {"hits": 1.6 * window + 4, "rate": 1.6, "bytes": 80.0 * window + 300, "share": 0.4}[measure]


def entries(random: Random, rule: Rule, second: int, key: int, odd: float) -> list[Entry]:
    """Hits of a key, once or twice; so many of them, ``odd``, too great to be quiet, or for a grid."""
    made, great = [], random.random() < odd
    for _ in range(1 if random.randrange(4 if great else 20) else 2):
        hits, size = random.choice((0, 1, 1, 2)), random.randrange(100)
        base = hits + random.randrange(3, 9) if rule.measure == "share" else max(hits, 1)
        if great:
            most = random.choice((3 * rule.window, 3 * rule.window, 2**31 - 1, 2**31 - 1, 2**31, 2**40))
            hits, base = random.choice(((most, most), (most - 1, most), (hits, most), (0, 0)))
            size = random.choice((size, 300 * rule.window, most << 19, most << 20, 10**25))
        made.append(Entry(0, 0, second, b"/%d" % key, hits, base, size, NO_CELLS, NO_CELLS))
    return made


def a_log(random: Random) -> tuple[Rule, list[Second]]:
    """A rule, and what came in each second: of most keys something, with gaps, lulls, and late ones."""
    measure = random.choice(("hits", "rate", "bytes", "share"))
    window = random.choice((1, 2, 5, 5, 13, 13, 30, 30, 300, 301))
    rule = Rule(
        name="x",
        measure=measure,  # type: ignore[arg-type]
        per="section",
        window=window,
        above=random.choice(
            [above(measure, window)] * 6
            + ([0.0, 0.999999999, 0.412345678901] if measure == "share" else [0.0, 1e300])
        ),
        recover=random.choice((None, None, 0.0)),
        hold=random.choice((0, 0, 0, 3)),
        min_hits=random.choice((0, 0, 4, 60)),
    )
    keys, missing = random.choice((9, 15, 40, 40, 63, 64, 65, 90)), random.choice((0.0, 0.1, 0.1, 0.5))
    odd = random.choice((0.0, 0.0003, 0.0003, 0.001, 0.2))
    at, seconds = 0, []
    for number in range(120):
        at += 1 if random.randrange(20) else random.choice((2, 5, 9, 10, 11, 70, 700))
        some = random.randrange(1, 9) if not random.randrange(20) else keys if number > 30 else min(keys, 40)
        seen = [(at, key) for key in range(some) if random.random() >= missing]
        if not random.randrange(40):
            seen.append((at - random.randrange(9), random.randrange(100)))
        seconds.append((at, [entry for place in seen for entry in entries(random, rule, *place, odd)]))
    return rule, seconds


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_few_busy_keys_say_and_leave_the_same(seed: int) -> None:
    """What is kept is asked for now and then: asking has the keys put into a row. Or another goes on.

    All follows from the seed: an example that is drawn is too short to keep a grid for long.
    """
    random = Random(seed)
    rule, seconds = a_log(random)
    behind, asked, handed = random.randrange(4), random.choice((0, 0, 1, 7, 20)), random.choice((0, 0, 9, 40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "LIVE_KEYS", random.choice((2000, 2000, 2000, 30, 62)))
        patch.setattr(window, "MOST_KEPT", random.choice((500_000, 500_000, 500_000, 1000, 1700)))
        turn = cycle(random.sample(TWINS, 2) if handed else TWINS[1:])
        python, other = TWINS[0]([rule]), next(turn)([rule])

        def same(what: Any) -> None:
            assert what(other) == what(python)

        for number, (at, came) in enumerate(seconds, 1):
            measured = Measured.of(came)
            for windows in (python, other):
                windows.take(measured, 0)
            same(lambda windows, end=at + 1 - behind: windows.close(end, seconds[0][0]))
            same(lambda windows: (windows.firing(), windows.dropped))
            if asked and not number % asked:
                same(lambda windows: (windows.states(), windows.state()))
            if handed and not number % handed:
                state, other = orjson.loads(orjson.dumps(other.state())), next(turn)([rule])
                other.restore(state)
        for end in (seconds[-1][0] + 1, seconds[-1][0] + 5, sys.maxsize >> 20):
            same(lambda windows, end=end: windows.close(end, seconds[0][0]))
        same(lambda windows: (windows.states(), windows.state(), windows.dropped))


def told(windows: Windows, came: list[Entry]) -> list[Any]:
    """What is said where these come second by second, what is kept, and what is said in the hour after."""
    said: list[Any] = []
    for second in sorted({entry.second for entry in came}):
        windows.take(Measured.of([entry for entry in came if entry.second == second]), 0)
        said += windows.close(second + 1, 0)
    kept = windows.state()
    return [*said, *windows.close(3600, 0), kept]


@pytest.mark.parametrize("gone", [1, 8, 9, 30])
def test_a_share_that_rises_as_hits_leave_the_window(gone: int) -> None:
    """Nothing comes then: the second is looked at all the same, whether hits of others come in it or not."""
    rule = Rule(name="x", measure="share", per="section", window=10, above=0.4)
    keys = [b"/%d" % key for key in range(9)]
    came = [Entry(0, 0, 0, key, 0, 9, 0, NO_CELLS, NO_CELLS) for key in keys]
    came += [Entry(0, 0, 5, keys[0], 5, 9, 0, NO_CELLS, NO_CELLS)]
    came += [
        Entry(0, 0, at, key, 0, 1, 0, NO_CELLS, NO_CELLS) for at in range(10, 10 + gone) for key in keys[1:]
    ]
    said, expected = (told(made([rule]), came) for made in TWINS)
    assert said == expected
    assert [(transition.at, transition.firing) for _, transition in said[:-1]] == [(10, True), (15, False)]


GREAT = {
    "hits, twice in a second": ("hits", 1e300, [(3, 2**31 - 1, 2**31 - 1, 0), (3, 2**31 - 1, 2**31 - 1, 0)]),
    "bytes before there is a grid": ("bytes", 1e300, [(0, 1, 1, 2**64 + 5)]),
    "bytes": ("bytes", 1e300, [(3, 1, 1, 2**64 + 5)]),
    "a share of a denominator": ("share", 0.41234567890123456, [(3, 5000, 5000, 0)]),
}


@pytest.mark.parametrize(("measure", "above", "great"), GREAT.values(), ids=GREAT)
def test_numbers_that_a_grid_has_no_room_for(
    measure: Any, above: float, great: list[tuple[int, ...]]
) -> None:
    rule = Rule(name="x", measure=measure, per="section", window=10, above=above)
    keys = [b"/%d" % key for key in range(9)]
    came = [Entry(0, 0, at, b"/0", *sums, NO_CELLS, NO_CELLS) for at, *sums in great]  # type: ignore[arg-type]
    came += [Entry(0, 0, at, key, 1, 3, 1, NO_CELLS, NO_CELLS) for at in range(1, 8) for key in keys]
    said, expected = (told(made([rule]), came) for made in TWINS)
    assert said == expected


@pytest.mark.parametrize("made", TWINS)
@pytest.mark.parametrize("cut", [False, True])
def test_a_late_key_has_one_go_that_no_window_has_hits_of(made: Any, cut: bool) -> None:
    """It is not said to be dropped: a record has it without its hits."""
    rule = Rule(name="x", measure="hits", per="section", window=10, above=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "LIVE_KEYS", 20)
        windows = made([rule])
        windows.take(
            Measured.of([Entry(0, 0, 0, b"/%d" % key, 1, 1, 0, NO_CELLS, NO_CELLS) for key in range(20)]), 0
        )
        windows.close(12, 0)
        if cut:
            state, windows = orjson.loads(orjson.dumps(windows.state())), made([rule])
            windows.restore(state)
        windows.take(Measured.of([Entry(0, 0, 5, b"/late", 1, 1, 0, NO_CELLS, NO_CELLS)]), 0)
        assert windows.dropped == [0]


@pytest.mark.parametrize("made", TWINS)
@pytest.mark.parametrize("second", [100, 101, 150, 10**11])
def test_a_record_with_hits_of_seconds_to_come(made: Any, second: int) -> None:
    """None is ever written, but it is a file: its hits stay, and nothing else is touched."""
    rule = Rule(name="x", measure="hits", per="section", window=10, above=100)
    key = ["/0", 50, None, False, None, [second], [1], [1]]
    windows = made([rule])
    windows.restore([{"dropped": 0, "closed": 100, "begun": True, "open": [], "keys": [key]}])
    came = [Entry(0, 0, 100, b"/%d" % number, 1, 1, 0, NO_CELLS, NO_CELLS) for number in range(9)]
    *_, [kept] = told(windows, came)
    assert {name: sum(hits) for name, *_, hits, _ in kept["keys"]} == {
        f"/{n}": 1 + (n == 0) for n in range(9)
    }
