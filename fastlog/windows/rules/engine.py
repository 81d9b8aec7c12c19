"""All the rules of a run: what the workers measured goes in, alerts come out."""

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from fastlog.model.events import Alert
from fastlog.model.measured import Measured
from fastlog.model.printable import printable
from fastlog.model.rules import LIVE_KEYS, Rule
from fastlog.rulebook.sentence import amount
from fastlog.windows.rules.window import Transition
from fastlog.windows.saved import State
from fastlog.windows.traffic import iso_utc


class Windows(Protocol):
    """The seam of the rules' windows: see ``together.RuleWindows``."""

    def state(self) -> list[State]: ...
    def restore(self, state: list[State]) -> None: ...
    def take(self, measured: Measured, segment: int) -> None: ...
    def close(self, end: int, first: int) -> list[tuple[int, Transition]]: ...
    @property
    def dropped(self) -> list[int]: ...
    def states(self) -> list[dict[bytes, bool]]: ...
    def firing(self) -> list[list[bytes]]: ...


class Rules:
    """What the windows of the rules say, in the words of events and messages."""

    def __init__(self, rules: Sequence[Rule], windows: Windows) -> None:
        self._rules = rules
        self._windows = windows
        self._told: set[str] = set()

    def state(self) -> State:
        """All that they know, and what users were told."""
        return {"windows": self._windows.state(), "told": sorted(self._told)}

    def restore(self, state: State) -> None:
        """Go on from ``state``; for new ones of the same rules."""
        self._windows.restore(state["windows"])
        self._told = set(state["told"])

    def take(self, measured: Measured, segment: int) -> None:
        """Count what was measured in a segment of a partial."""
        self._windows.take(measured, segment)

    def close(self, end: int, first: int) -> list[Alert]:
        """Close every second before ``end``: what changed, by second, then rule, then key.

        ``first`` is the first second of the log, as far as is known.
        """
        found = self._windows.close(end, first)
        return [rule_alert(transition, self._rules[number]) for number, transition in found]

    def states(self) -> dict[tuple[str, str], bool]:
        """Whether each (rule, printable key) is firing; key ``""`` where the rule has none.

        A rule without keys is always there, a key as long as it is remembered.
        """
        states = {}
        for rule, keys in zip(self._rules, self._windows.states(), strict=True):
            if rule.per is None:
                states[rule.name, ""] = keys.get(b"", False)
            else:
                states |= {(rule.name, printable(key)): on for key, on in keys.items()}
        return states

    @property
    def open_alerts(self) -> list[str]:
        """What is firing: the name of the rule, and the key where it has some."""
        alerts = [
            f"{rule.name}: {printable(key)}" if key else rule.name
            for rule, keys in zip(self._rules, self._windows.firing(), strict=True)
            for key in keys
        ]
        return list(dict.fromkeys(alerts))  # two keys may look the same

    def notices(self) -> Iterator[str]:
        """A message for each rule that has dropped a key since it was last asked and had not before."""
        for rule, dropped in zip(self._rules, self._windows.dropped, strict=True):
            if dropped and rule.name not in self._told:
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
