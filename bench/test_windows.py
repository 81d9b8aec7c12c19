"""The windows alone, a second at a time: a day of seconds."""

from typing import TYPE_CHECKING

import pytest

from bench.corpus import START
from fastlog.model.events import Stats
from fastlog.windows.sliding import StatsWindows
from fastlog.windows.traffic import TrafficWindow

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

DAY = 86_400
SECTIONS = [b"/%d" % number for number in range(50)]


def traffic(every: int) -> int:
    """Hits in every ``every``-th second of a day, closed one at a time; counts the transitions."""
    window = TrafficWindow(120, 10.0)
    transitions = 0
    for second in range(START, START + DAY, every):
        # Fires in the middle third of each hour.
        window.add(second, every * (30 if 1200 <= second % 3600 < 2400 else 5))
        transitions += len(window.close(second + 1))
    return transitions


def stats(length: int, step: int) -> tuple[int, int]:
    """A day of a hit in each second; counts the windows and the hits in them."""
    windows = StatsWindows(length, step, empty=False)
    found: list[Stats] = []
    for second in range(START, START + DAY):
        pane = windows.pane(second)
        assert pane is not None
        pane.hits += 1
        pane.sections.add(SECTIONS[second % 50], 1)
        pane.methods.add(b"GET", 1)
        pane.statuses[200] = pane.statuses.get(200, 0) + 1
        if second % 10 == 9:
            found += windows.close(second + 1)
    found += windows.rest(START + DAY - 1)
    return len(found), sum(window.hits for window in found)


@pytest.mark.parametrize("every", [1, 60])
def test_traffic(benchmark: "BenchmarkFixture", every: int) -> None:
    assert traffic(every) == 48
    benchmark.group = "windows, a day"
    benchmark(traffic, every)


@pytest.mark.parametrize(("length", "step"), [(10, 10), (60, 10)], ids=["tumbling", "sliding"])
def test_stats(benchmark: "BenchmarkFixture", length: int, step: int) -> None:
    count, hits = stats(length, step)
    assert count == DAY // step + length // step - 1
    assert hits == DAY * length // step
    benchmark.group = "windows, a day"
    benchmark(stats, length, step)
