"""What the rules see of a chunk.

A rule that section, method and status tell all about is evaluated once a distinct cell
of them, any other on each line. What comes out is as small as the keys are few.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import attrgetter

from fastlog.errors import UsageError
from fastlog.formats.compile import Format
from fastlog.model.measured import NO_CELLS, Entry, Measured
from fastlog.model.rules import PERCENTILES, Rule
from fastlog.model.sketch import Sketch
from fastlog.rulebook.watch import Hit, Watch

Place = tuple[int, int]
"""Where a hit belongs: the number of its segment, and its second."""

Cell = tuple[bytes, bytes, int]
"""Section, method, status."""

_CELLS_REMEMBERED = 1 << 14


_DETAILS = frozenset({"host", "duration", "target"})
_MAY_LACK = ("host", "duration")
"""What a format may lack altogether, and is asked for by name."""


def rule_fold(rules: Sequence[Rule], log_format: Format) -> "RuleFold":
    """The rules, ready for lines of a format. Raises UsageError as ``check_rules``."""
    check_rules(rules, log_format)
    return RuleFold(rules)


def check_rules(rules: Sequence[Rule], log_format: Format) -> None:
    """Whether the format has what the rules ask for: one that can never fire looks like a quiet one.

    Raises UsageError.
    """
    for rule in rules:
        for field in _MAY_LACK:
            if field in Watch(rule).needs and not log_format.gives(field):
                raise UsageError(
                    f"rule {rule.name!r} asks for the {field}, which format {log_format.name!r} does not "
                    f"have: log the {field}, or take the rule out"
                )


class RuleFold:
    """The rules of a plan, ready to look at hits. Holds no state that a result depends on."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        watches = list(enumerate(map(Watch, rules)))
        self._by_cell = [(number, watch) for number, watch in watches if watch.by_cell]
        self._by_line = [(number, watch) for number, watch in watches if not watch.by_cell]
        self._placed = lru_cache(_CELLS_REMEMBERED)(self._place)

    @property
    def wants_cells(self) -> bool:
        """Whether some rule is content with cells."""
        return bool(self._by_cell)

    @property
    def needs(self) -> frozenset[str]:
        """The fields of lines that rules look at; empty where none is evaluated by line."""
        return frozenset().union(*(watch.needs for _, watch in self._by_line))

    @property
    def wants_details(self) -> bool:
        """Whether some rule looks at more of a line than the parsers' columns have of themselves."""
        return not self.needs.isdisjoint(_DETAILS)

    def measure(
        self, cells: Iterable[tuple[Place, Cell, int]], lines: Iterable[tuple[Place, Hit]]
    ) -> Measured:
        """The entries of a chunk.

        ``cells`` are distinct, with their hits, and ``lines`` all, both in order of first appearance;
        each is looked at only by the rules that want it so.
        """
        entries = [*self._of_cells(cells), *self._of_lines(lines)]
        entries.sort(key=attrgetter("segment"))  # stable
        return Measured.of(entries)

    def _place(self, cell: Cell) -> tuple[tuple[int, bytes, bool], ...]:
        """The rules that look at a cell: its key there, and whether its hits count."""
        placed = ((number, watch.place(cell)) for number, watch in self._by_cell)
        return tuple((number, *place) for number, place in placed if place is not None)

    def _of_cells(self, cells: Iterable[tuple[Place, Cell, int]]) -> Iterable[Entry]:
        sums: dict[tuple[int, int, int, bytes], list[int]] = {}
        for (segment, second), cell, hits in cells:
            for number, key, counts in self._placed(cell):
                entry = sums.setdefault((number, segment, second, key), [0, 0])
                entry[0] += hits * counts
                entry[1] += hits
        for place, (hits, base) in sums.items():
            yield Entry(*place, hits, base, 0, NO_CELLS, NO_CELLS)

    def _of_lines(self, lines: Iterable[tuple[Place, Hit]]) -> Iterable[Entry]:
        sums: dict[tuple[int, int, int, bytes], tuple[list[int], Sketch]] = {}
        for (segment, second), hit in lines:
            for number, watch in self._by_line:
                place = watch.place(hit)
                if place is None:
                    continue
                key, counts = place
                where = number, segment, second, key
                entry = sums.get(where)
                if entry is None:  # a setdefault would make a sketch for each line
                    entry = sums[where] = [0, 0, 0], Sketch()
                total, sketch = entry
                total[0] += counts
                total[1] += 1
                total[2] += hit.size
                if watch.rule.measure in PERCENTILES and hit.duration is not None:
                    sketch.add(hit.duration)
        for where, ((hits, base, size), sketch) in sums.items():
            yield Entry(*where, hits, base, size, *sketch.columns())
