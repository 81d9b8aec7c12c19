"""The windows of the rules in Python, and compiled where that is built, one rule at a time."""

from importlib.util import find_spec

from fastlog.model.measured import Entry, Measured
from fastlog.model.rules import Rule
from fastlog.windows.rules.engine import Windows
from fastlog.windows.rules.sums import Sums
from fastlog.windows.rules.together import RuleWindows
from fastlog.windows.rules.window import Transition

TWINS: list[type[Windows]] = [RuleWindows]
if find_spec("fastlog.windows.rules.native") is not None:
    from fastlog.windows.rules import native

    TWINS.append(native.RuleWindows)


class OneRule:
    """A rule of either twin, fed with sums as ``window.RuleWindow`` is."""

    def __init__(self, made: type[Windows], rule: Rule) -> None:
        self.rule = rule
        self._windows = made([rule])  # type: ignore[call-arg]

    def add(self, second: int, key: bytes, sums: Sums) -> None:
        entry = Entry(0, 0, second, key, sums.hits, sums.base, sums.size, sums.cells, sums.counts)  # type: ignore[arg-type]
        self._windows.take(Measured.of([entry]), 0)

    def close(self, end: int, first: int) -> list[Transition]:
        return [transition for _, transition in self._windows.close(end, first)]

    def states(self) -> dict[bytes, bool]:
        return self._windows.states()[0]

    @property
    def dropped(self) -> int:
        return self._windows.dropped[0]
