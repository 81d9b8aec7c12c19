"""A run as it stands between two events: what a metrics page shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DurationHistogram:
    """Request durations. ``buckets`` are (upper bound in seconds, hits up to it), both rising.

    The bounds are finite: ``hits`` is the count up to infinity. ``seconds`` is the sum of all durations.
    """

    buckets: tuple[tuple[float, int], ...]
    hits: int
    seconds: float


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
