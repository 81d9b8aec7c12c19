"""Which windows: the compiled ones where they are built and wanted, else those in Python."""

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from fastlog.model.events import Stats, StatsColumns
from fastlog.model.partial import Partial
from fastlog.model.plan import Plan
from fastlog.windows.saved import State
from fastlog.windows.traffic import TrafficWindow, Transition

if TYPE_CHECKING:
    from fastlog.windows.rules.engine import Rules


class Traffic(Protocol):
    """The seam of the traffic window: see ``traffic.TrafficWindow``."""

    @property
    def firing(self) -> bool: ...
    def state(self) -> State: ...
    def restore(self, state: State) -> None: ...
    def take(self, seconds: Sequence[int], hits: Sequence[int], rows: range) -> int: ...
    def close(self, end: int) -> list[Transition]: ...


class Windows(Protocol):
    """The seam of the statistics windows: see ``sliding.StatsWindows``."""

    timed: bool

    def state(self) -> State: ...
    def restore(self, state: State) -> None: ...
    def take(self, partial: Partial, panes: range, at: tuple[int, int, int, int]) -> None: ...
    def close(self, end: int) -> Iterable[Stats | StatsColumns]: ...
    def rest(self, last: int) -> Iterable[Stats | StatsColumns]: ...


def make_windows(plan: Plan) -> tuple[Traffic, Windows | None]:
    """The traffic window of a run, and its statistics windows where the plan asks for them."""
    window: tuple[int, float] = plan.alert_window, plan.threshold
    panes = plan.stats_window, plan.stats_every
    if plan.compiled and find_spec("fastlog.windows.native") is not None:
        from fastlog.windows import native

        stats = native.StatsWindows(*panes, empty=plan.follow) if plan.cells else None
        return native.TrafficWindow(*window), stats
    from fastlog.windows.sliding import StatsWindows

    return TrafficWindow(*window), StatsWindows(*panes, empty=plan.follow) if plan.cells else None


def make_rules(plan: Plan) -> "Rules | None":
    """The rules of a run; None where there is none, and nothing of them is loaded."""
    if not plan.rules:
        return None
    from fastlog.windows.rules.engine import Rules

    if plan.compiled and find_spec("fastlog.windows.rules.native") is not None:
        from fastlog.windows.rules import native

        if native.fits(plan.rules):
            return Rules(plan.rules, native.RuleWindows(plan.rules))
    from fastlog.windows.rules.together import RuleWindows

    return Rules(plan.rules, RuleWindows(plan.rules))
