"""Where a lone file is cut, and the limit of the traffic alert."""

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import floor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlog.config import as_written, hits_limit
from fastlog.model.chunk import RANGE_BYTES, RANGE_GROWTH, ByteRange, Item
from fastlog.model.plan import Plan
from fastlog.reader.replay import replay_sources
from fastlog.sources.files import Pace, open_source, plan_ranges


@settings(deadline=None)
@given(st.integers(0, 1 << 20), st.integers(0, 1 << 31), st.integers(0, 200))
def test_ranges_have_no_gap_and_grow_with_what_lies_before_them(
    origin: int, size: int, resumed_at: int
) -> None:
    ranges = list(plan_ranges(origin, origin + size, Pace(1, growing=True)))
    assert [start for start, _ in ranges] == [origin, *(stop for _, stop in ranges)][: len(ranges)]
    assert (ranges[-1][1] if ranges else origin) == origin + size
    for start, stop in ranges:
        longest = max(RANGE_BYTES, (start - origin) // 16)
        assert stop - start <= min(longest, RANGE_GROWTH * RANGE_BYTES)
    if size > 1 << 30:
        assert ranges[-2][1] - ranges[-2][0] == RANGE_GROWTH * RANGE_BYTES
    begun = ranges[resumed_at % len(ranges)][1] if ranges else origin
    behind = [place for place in ranges if place[0] >= begun]
    assert list(plan_ranges(origin, origin + size, Pace(1, growing=True), begun)) == behind
    steady = plan_ranges(origin, origin + size, Pace(1))
    assert all(stop - start <= RANGE_BYTES for start, stop in steady)


class Hub:
    """What the reader is told, and the lengths of the ranges that it hands out."""

    def __init__(self, *, light: bool) -> None:
        self.light = light
        self.meanwhile: Callable[[], object] = lambda: None
        self.lengths: list[int] = []

    def fileno(self) -> int:
        raise AssertionError("a regular file is not waited for")

    def emit(self, item: Item) -> None:
        if isinstance(item, ByteRange):
            self.lengths.append(item.stop - item.start)

    def wait(self, descriptors: Sequence[int], seconds: float | None) -> Sequence[int]:
        raise AssertionError("a regular file is not waited for")


@pytest.mark.parametrize("light", [False, True])
def test_ranges_grow_while_what_they_come_down_to_is_little(light: bool, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b'- - - [01/Mar/2025:00:00:00 +0000] "GET / HTTP/1.1" 200 1\n')
    os.truncate(path, 1 << 30)  # holes: nobody reads them
    source = open_source(path)
    hub = Hub(light=light)
    try:
        replay_sources([source], "common", Plan(False, 60, None, False, False, 10, 10, 120, 10.0), hub)
    finally:
        os.close(source.fd)
    assert sum(hub.lengths) == 1 << 30
    assert max(hub.lengths) == (RANGE_GROWTH if light else 1) * RANGE_BYTES


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers()))
def test_a_number_is_the_decimal_that_was_written(number: float) -> None:
    assert as_written(number) == Fraction(repr(number)).as_integer_ratio()


@given(st.floats(0, allow_nan=False, allow_infinity=False), st.integers(1, 1 << 40))
def test_the_limit_is_that_of_the_decimal(threshold: float, window: int) -> None:
    assert hits_limit(threshold, window) == floor(Fraction(repr(threshold)) * window)
