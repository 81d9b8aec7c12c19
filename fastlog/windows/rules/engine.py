"""All the rules of a run: hits go in by cell or as the workers measured them, alerts come out."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal

from fastlog.model.events import Alert
from fastlog.model.printable import printable
from fastlog.model.rules import LIVE_KEYS, Rule
from fastlog.rulebook.sentence import amount
from fastlog.rulebook.watch import Watch
from fastlog.windows.rules.sums import Sums
from fastlog.windows.rules.window import RuleWindow, Transition
from fastlog.windows.traffic import iso_utc

_CELLS_REMEMBERED = 1 << 16


class Rules:
    """The windows of every rule, fed by second.

    Rules that a cell tells all about are evaluated here, once a distinct cell; the
    others by the workers, whose sums come in as they are.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._windows = [RuleWindow(rule) for rule in rules]
        self._by_cell = [
            (watch, window)
            for watch, window in zip(map(Watch, rules), self._windows, strict=True)
            if watch.by_cell
        ]
        self._placed = lru_cache(_CELLS_REMEMBERED)(self._place)
        self._told: set[str] = set()

    def _place(
        self, section: bytes, method: bytes, status: int
    ) -> tuple[tuple[RuleWindow, bytes, bool], ...]:
        """The rules that look at a cell: its key there, and whether its hits count."""
        cell = (section, method, status)
        placed = ((window, watch.place(cell)) for watch, window in self._by_cell)
        return tuple((window, *place) for window, place in placed if place is not None)

    def add_cell(self, second: int, section: bytes, method: bytes, status: int, hits: int) -> None:
        """Count the hits of a cell (second, section, method, status) for the rules that cells feed."""
        for window, key, counts in self._placed(section, method, status):
            window.add(second, key, Sums(hits if counts else 0, hits))

    def add_sums(self, rule: int, second: int, key: bytes, sums: Sums) -> None:
        """Count what a worker measured for rule number ``rule`` of the plan."""
        self._windows[rule].add(second, key, sums)

    def close(self, end: int, first: int) -> list[Alert]:
        """Close every second before ``end``: what changed, by second, then rule, then key.

        ``first`` is the first second of the log, as far as is known.
        """
        found = [
            (transition.at, number, transition)
            for number, window in enumerate(self._windows)
            for transition in window.close(end, first)
        ]
        found.sort(key=lambda row: row[:2])
        return [rule_alert(transition, self._windows[number].rule) for _, number, transition in found]

    def states(self) -> dict[tuple[str, str], bool]:
        """Whether each (rule, printable key) is firing; key ``""`` where the rule has none.

        A rule without keys is always there, a key as long as it is remembered.
        """
        states = {}
        for window in self._windows:
            if window.rule.per is None:
                states[window.rule.name, ""] = window.states().get(b"", False)
            else:
                states |= {(window.rule.name, printable(key)): on for key, on in window.states().items()}
        return states

    @property
    def open_alerts(self) -> list[str]:
        """What is firing: the name of the rule, and the key where it has some."""
        return [f"{name}: {key}" if key else name for (name, key), firing in self.states().items() if firing]

    def notices(self) -> Iterable[str]:
        """A message for each rule that has dropped a key since it was last asked and had not before."""
        for window in self._windows:
            rule = window.rule
            if window.dropped and rule.name not in self._told:
                self._told.add(rule.name)
                yield (
                    f"rule {rule.name!r} meets more {rule.per}s than the {LIVE_KEYS:,} that are watched at a "
                    f"time: some are dropped; narrow its `where`"
                )


def rule_alert(transition: Transition, rule: Rule) -> Alert:
    """The event of a transition, in words that say what was seen and what was wanted."""
    key = None if rule.per is None else printable(transition.key)
    of = "" if key is None else f" for {rule.per} {key}"
    seen = f"{rule.measure} = {amount(transition.value, rule)} over {rule.window} s"
    at = iso_utc(transition.at)
    state: Literal["firing", "resolved"]
    if transition.firing:
        side = "above" if rule.above is not None else "below"
        state = "firing"
        message = f"{rule.name} fired{of} - {seen}, {side} {amount(rule.threshold, rule)}, triggered at {at}"
    else:
        state = "resolved"
        message = f"{rule.name} recovered{of} - {seen}, recovered at {at}"
    return Alert(
        rule=rule.name,
        state=state,
        at=transition.at,
        hits=transition.hits,
        rate=round(transition.hits / rule.window, 3),
        threshold=rule.threshold,
        window=rule.window,
        message=message,
        key=key,
        value=transition.value,
    )
