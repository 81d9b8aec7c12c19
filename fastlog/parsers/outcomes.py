"""What rules make of hits, remembered.

All that a rule does with a field is to compare it with constants. Values that compare
alike with all of them are of one *class*, of which the first one seen stands for the
others: so rules are evaluated once for each combination of classes, and what else a line
costs is to look up the classes of its fields.
"""

from collections.abc import Sequence
from typing import Any

from fastlog.model.rules import PERCENTILES
from fastlog.parsers.hits import LONGEST_COMPARED
from fastlog.rulebook.watch import PLACES, Hit, Test, Watch, value_test

Step = tuple[int, bool]
"""A rule that looks at a hit, by its number, and whether the hit counts there."""

_NOT_LOOKED_AT = Hit(b"", b"", 0)


class Classes(dict[Any, int]):
    """The class of each value of a field, as long as they are few.

    A class is known by what the tests say of it. Without tests all values are class 0.
    """

    def __init__(self, tests: Sequence[Test], bound: int) -> None:
        super().__init__()
        self._tests = tuple(tests)
        self._bound = bound
        self._numbers: dict[tuple[bool, ...], int] = {}
        self.examples: list[Any] = []
        """A value of each class."""

    def __missing__(self, value: Any) -> int:
        if len(self) >= self._bound:
            super().clear()
        number = self[value] = self.of(value)
        return number

    def of(self, value: Any) -> int:
        """The class of a value that need not be remembered."""
        said = tuple(test(value) for test in self._tests)
        number = self._numbers.setdefault(said, len(self.examples))
        if number == len(self.examples):
            self.examples.append(value)
        return number

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._numbers.clear()
        self.examples.clear()


class Outcomes:
    """The outcomes of hits by the classes of their fields.

    Memory: what is ``full`` has over ``bound`` classes or outcomes, and is to be cleared when
    no number of a class is in use; besides, ``bound`` values of each field.
    """

    def __init__(self, watches: Sequence[Watch], bound: int = 1 << 12) -> None:
        self._watches = tuple(watches)
        self._bound = bound
        tests = [_tests(field, watches) for field in PLACES]
        self.looked_at = tuple(map(bool, tests))
        """Whether the rules compare the field, for each place of a Hit."""
        self.edges = {field: _edges(field, watches) for field in ("bytes", "duration")}
        """Numbers, ascending, before and from which on the class of a number may differ."""
        self.classes = tuple(Classes(each, bound) for each in tests)
        self._known: dict[tuple[int, ...], tuple[Step, ...]] = {}

    @property
    def full(self) -> bool:
        """Whether more is remembered than is to be kept."""
        return max(len(self._known), *(len(each.examples) for each in self.classes)) > self._bound

    def clear(self) -> None:
        """Forget everything; classes get other numbers."""
        self._known.clear()
        for each in self.classes:
            each.clear()

    def of(self, classes: tuple[int, ...]) -> tuple[Step, ...]:
        """What the rules make of a hit whose fields are of these classes, in the order of the rules."""
        found = self._known.get(classes)
        if found is None:
            hit = tuple(
                each.examples[number] if looked_at else nothing
                for each, number, looked_at, nothing in zip(
                    self.classes, classes, self.looked_at, _NOT_LOOKED_AT, strict=True
                )
            )
            verdicts = ((number, watch.verdict(hit)) for number, watch in enumerate(self._watches))
            found = tuple((number, counts) for number, counts in verdicts if counts is not None)
            self._known[classes] = found
        return found


def _tests(field: str, watches: Sequence[Watch]) -> list[Test]:
    """What the rules ask of values of a field."""
    comparisons = [each for watch in watches for each in watch.comparisons if each.field == field]
    tests: list[Test] = list(map(value_test, dict.fromkeys(comparisons)))
    if field != "duration":
        return tests
    if any(watch.rule.measure in PERCENTILES for watch in watches):
        tests.append(_is_there)
    return list(map(_bounded, tests))


def _bounded(test: Test) -> Test:
    return lambda duration: test(duration if duration is None else min(duration, LONGEST_COMPARED))


def _is_there(value: object) -> bool:
    return value is not None


def _edges(field: str, watches: Sequence[Watch]) -> list[int]:
    constants = {
        value
        for watch in watches
        for comparison in watch.comparisons
        if comparison.field == field
        for value in comparison.values
        if isinstance(value, int)
    }
    return sorted({edge for value in constants for edge in (value, value + 1)})
