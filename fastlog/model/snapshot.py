"""A run as it stands between two events: what a metrics page shows."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from fastlog.model.sketch import Sketch, cell_of, cell_value


@dataclass(frozen=True, slots=True)
class DurationHistogram:
    """Request durations. ``buckets`` are (upper bound in seconds, hits up to it), both rising.

    The bounds are finite: ``hits`` is the count up to infinity. ``seconds`` is the sum of all durations.
    Both are as near to the truth as ``model.sketch`` is: a duration counts as the middle of its cell.
    """

    buckets: tuple[tuple[float, int], ...]
    hits: int
    seconds: float


BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Of the buckets, in seconds: those that dashboards expect, and some more at both ends."""
_CELLS = [cell_of(round(bound * 1_000_000)) for bound in BOUNDS]


def histogram(sketch: Sketch) -> DurationHistogram:
    """The durations of a sketch; one that is a bound counts under it, as do those of its cell above it."""
    hits = [0] * (len(BOUNDS) + 1)
    micros = 0
    for cell, count in sketch.counts.items():
        middle = cell_value(cell)
        hits[bisect_left(_CELLS, cell)] += count
        micros += middle * count
    *up_to, total = accumulate(hits)
    return DurationHistogram(tuple(zip(BOUNDS, up_to, strict=True)), total, micros / 1_000_000)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The totals of a run so far, in the units and names of ``events.Summary``.

    ``hits`` are by (section, status), both printable, within the bounds of ``windows.pairs``;
    their sum is the lines parsed. ``alerts`` tells of each (rule, key), key ``""`` where the
    rule has none, whether it is firing; a rule without keys is always there. ``watermark`` is
    the epoch second before which every second is closed, None before the first is.
    ``given_up`` are the notifications that did not arrive, by the label of their target.
    """

    lines: int
    rejected: Mapping[str, int]
    hits: Mapping[tuple[str, str], int]
    bytes: int
    late: int
    future: int
    alerts: Mapping[tuple[str, str], bool]
    watermark: int | None = None
    durations: DurationHistogram | None = None
    given_up: Mapping[str, int] = field(default_factory=dict)
