"""What must be aggregated, derived from the Config once."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastlog.model.rules import Rule

FUTURE_SECONDS = 600
"""A second further ahead of the wall clock than this is not believed."""

JUMP_SECONDS = 3600
"""In replay, a second further ahead of the log than this needs a second witness."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The part of the configuration that decides what a partial holds and how it is merged.

    ``horizon`` is the last second believed in replay (wall clock at start +
    FUTURE_SECONDS); in follow it is None and each block's own ``at`` counts.
    ``cells`` asks for hits by (second, section, method, status) and for bytes by
    second: only statistics windows and rules do. ``rejects`` asks for the
    rejected lines themselves. ``rules`` are evaluated beside the traffic alert.
    """

    follow: bool
    lateness: int
    horizon: int | None
    cells: bool
    rejects: bool
    stats_window: int
    stats_every: int
    alert_window: int
    threshold: float
    rules: Sequence[Rule] = ()
