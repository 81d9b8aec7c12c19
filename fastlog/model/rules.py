"""Rules as plain data: what a rules file says, checked, before anything is evaluated."""

from typing import Literal, NamedTuple, get_args

Measure = Literal["hits", "rate", "bytes", "share", "p50", "p90", "p95", "p99"]
Per = Literal["section", "status", "method", "host"]

MEASURES: tuple[Measure, ...] = get_args(Measure)
PERS: tuple[Per, ...] = get_args(Per)
PERCENTILES: dict[str, int] = {"p50": 50, "p90": 90, "p95": 95, "p99": 99}

TRAFFIC = "traffic"
"""The name of the alert that is always there; no rule may take it."""

LIVE_KEYS = 2000
"""Keys that a rule remembers at a time, and that it takes of one second."""


class Rule(NamedTuple):
    """One rule. Exactly one of ``above`` and ``below`` is a number.

    ``where`` and ``of`` are expressions (``rulebook.expression``), empty for all
    hits; ``window`` and ``hold`` (the file's ``for``) are seconds. ``above``,
    ``below`` and ``recover`` are in the unit of the measure: hits, hits a second,
    bytes, a part of 1, or seconds of duration.

    It survives ``_asdict`` and JSON: workers get it with the plan.
    """

    name: str
    measure: Measure
    window: int
    where: str = ""
    of: str = ""
    per: Per | None = None
    above: float | None = None
    below: float | None = None
    recover: float | None = None
    hold: int = 0
    min_hits: int = 0

    @property
    def threshold(self) -> float:
        """The number beyond which the rule fires."""
        threshold = self.below if self.above is None else self.above
        assert threshold is not None
        return threshold

    @property
    def quiet(self) -> float:
        """The number at which a firing rule recovers."""
        return self.threshold if self.recover is None else self.recover
