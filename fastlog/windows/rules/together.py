"""The windows of all rules of a run: what the workers measured goes in, changes of state come out."""

from collections.abc import Sequence

from fastlog.model.measured import Measured
from fastlog.model.rules import Rule
from fastlog.windows.rules.sums import Sums
from fastlog.windows.rules.window import RuleWindow, Transition
from fastlog.windows.saved import State


class RuleWindows:
    """A window a rule, in the order of the plan: rules are known by their numbers in it."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._windows = [RuleWindow(rule) for rule in rules]

    def state(self) -> list[State]:
        """All that they know; the compiled twin has the same."""
        return [window.state() for window in self._windows]

    def restore(self, state: list[State]) -> None:
        """Go on from ``state``; for new windows of the same rules."""
        for window, one in zip(self._windows, state, strict=True):
            window.restore(one)

    def take(self, measured: Measured, segment: int) -> None:
        """Count what was measured in a segment of a partial."""
        for entry in measured.entries(segment):
            sums = Sums(entry.hits, entry.base, entry.size, entry.cells, entry.counts)
            self._windows[entry.rule].add(entry.second, entry.key, sums)

    def close(self, end: int, first: int) -> list[tuple[int, Transition]]:
        """Close every second before ``end``: what changed of which rule, by second, then rule, then key.

        ``first`` is the first second of the log, as far as is known.
        """
        found = [
            (number, transition)
            for number, window in enumerate(self._windows)
            for transition in window.close(end, first)
        ]
        found.sort(key=lambda row: (row[1].at, row[0]))
        return found

    @property
    def dropped(self) -> list[int]:
        """Keys that each rule has dropped, for want of room, so far."""
        return [window.dropped for window in self._windows]

    def states(self) -> list[dict[bytes, bool]]:
        """Whether each key that a rule remembers is firing, by key."""
        return [window.states() for window in self._windows]

    def firing(self) -> list[list[bytes]]:
        """The keys of each rule that are firing, ascending."""
        return [[key for key, firing in states.items() if firing] for states in self.states()]
