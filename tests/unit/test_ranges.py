"""Where a lone file is cut, and the limit of the traffic alert: arithmetic that has no file."""

from fractions import Fraction
from math import floor

from hypothesis import given, settings
from hypothesis import strategies as st

from fastlog.config import as_written, hits_limit
from fastlog.model.chunk import RANGE_BYTES, RANGE_GROWTH
from fastlog.sources.files import Pace, plan_ranges


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


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers()))
def test_a_number_is_the_decimal_that_was_written(number: float) -> None:
    assert as_written(number) == Fraction(repr(number)).as_integer_ratio()


@given(st.floats(0, allow_nan=False, allow_infinity=False), st.integers(1, 1 << 40))
def test_the_limit_is_that_of_the_decimal(threshold: float, window: int) -> None:
    assert hits_limit(threshold, window) == floor(Fraction(repr(threshold)) * window)
