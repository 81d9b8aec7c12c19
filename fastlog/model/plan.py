"""What must be aggregated, derived from the Config once."""

from collections.abc import Sequence
from math import gcd
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # a run without rules loads nothing of them
    from fastlog.model.rules import Rule

FUTURE_SECONDS = 600
"""A second further ahead of the wall clock than this is not believed."""

JUMP_SECONDS = 3600
"""In replay, a second further ahead of the log than this is believed once a second hit confirms it."""


class Plan(NamedTuple):
    """The part of the configuration that decides what a partial holds and how it is merged.

    ``horizon`` is the last second believed in replay (wall clock at start +
    FUTURE_SECONDS); in follow it is None and each block's own counts.
    ``cells`` asks for the tables of each pane, which only statistics windows need:
    hits by section, by method, by status, and bytes. ``rejects`` asks for the
    rejected lines themselves, all of them instead of a chunk's first few. ``compiled``
    lets the windows, too, be the compiled ones. ``log_tz`` is the zone of stamps that
    name none. ``rules`` are what is watched beside the traffic. ``pairs`` asks for hits
    by (section, status), which only metrics show.
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
    compiled: bool = False
    log_tz: str = "UTC"
    rules: "Sequence[Rule]" = ()
    pairs: bool = False

    @property
    def pane(self) -> int:
        """Seconds in the longest stretch that every statistics window holds whole or not at all."""
        return gcd(self.stats_window, self.stats_every)
