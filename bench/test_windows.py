"""The windows alone, a second at a time: a day of seconds. In Python, and compiled where that is built."""

from array import array
from typing import TYPE_CHECKING

import pytest

from bench.conftest import plan
from bench.corpus import START
from fastlog.model.events import Event, Stats, singly
from fastlog.model.partial import Partial
from fastlog.parsers.columns import Columns, count_hits
from fastlog.windows.select import make_windows

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

DAY = 86_400
twins = pytest.mark.parametrize("compiled", [False, True], ids=["python", "native"])


def traffic(every: int, *, compiled: bool) -> int:
    """Hits in every ``every``-th second of a day, closed one at a time; counts the transitions."""
    window, _ = make_windows(plan(cells=False)._replace(compiled=compiled))
    seconds = array("q", range(START, START + DAY, every))
    # Fires in the middle third of each hour.
    hits = array("q", [every * (30 if 1200 <= second % 3600 < 2400 else 5) for second in seconds])
    transitions = 0
    for row, second in enumerate(seconds):
        window.take(seconds, hits, range(row, row + 1))
        transitions += len(window.close(second + 1))
    return transitions


def a_day() -> Partial:
    """A hit in each second of a day, of 50 sections, in panes of ten seconds."""
    partial = Partial()
    seconds = list(range(START, START + DAY))
    requests = [b"GET /%d" % (second % 50) for second in seconds]
    columns = Columns([], requests, [200] * DAY, [100] * DAY, [], [])
    count_hits(columns, seconds, [1] * DAY, partial, plan(cells=True), None)
    return partial


def stats(partial: Partial, length: int, *, compiled: bool) -> tuple[int, int]:
    """A window every ten seconds; counts the windows and the hits in them."""
    chosen = plan(cells=True)._replace(stats_window=length, stats_every=10, compiled=compiled)
    _, windows = make_windows(chosen)
    assert windows is not None
    found: list[Event] = []
    windows.take(partial, range(len(partial.pane_starts)), (0, 0, 0, 0))
    for end in range(START + 10, START + DAY + 10, 10):
        found += windows.close(end)
    found += windows.rest(START + DAY - 1)
    printed = [window for window in singly(found) if isinstance(window, Stats)]
    return len(printed), sum(window.hits for window in printed)


@twins
@pytest.mark.parametrize("every", [1, 60])
def test_traffic(benchmark: "BenchmarkFixture", every: int, compiled: bool) -> None:
    assert traffic(every, compiled=compiled) == 48
    benchmark.group = "windows, a day"
    benchmark(traffic, every, compiled=compiled)


@twins
@pytest.mark.parametrize("length", [10, 60], ids=["tumbling", "sliding"])
def test_stats(benchmark: "BenchmarkFixture", length: int, compiled: bool) -> None:
    partial = a_day()
    count, hits = stats(partial, length, compiled=compiled)
    assert count == DAY // 10 + length // 10 - 1
    assert hits == DAY * length // 10
    benchmark.group = "windows, a day"
    benchmark(stats, partial, length, compiled=compiled)
