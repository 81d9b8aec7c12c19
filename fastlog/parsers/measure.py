"""What the rules see of a chunk.

Lines that the rules cannot tell apart are counted together first; rules are
evaluated for what is left, by the classes of its fields (see ``outcomes``). What comes out
is as small as the keys are few. The twin of rules.h.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial as with_first
from itertools import repeat
from typing import Any

from fastlog.errors import UsageError
from fastlog.formats.compile import Format
from fastlog.model.measured import NO_CELLS, Entry, Measured
from fastlog.model.rules import PERCENTILES, PERS, Rule
from fastlog.model.sketch import Sketch
from fastlog.parsers.cells import NO_CELL
from fastlog.parsers.hits import Details
from fastlog.parsers.outcomes import Outcomes, Step
from fastlog.rulebook.watch import PLACES, Hit, Watch

Place = tuple[int, int]
"""Where a hit belongs: the number of its segment, and its second."""

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


Lines = tuple[
    Sequence[Place], Sequence[bytes], Sequence[int], Sequence[int], Sequence[Details], Sequence[int]
]
"""Lines that are hits, column by column: place, request (``METHOD section``), status, size; the details,
which are none where no rule asks for them; the cells of their durations, where lines have some."""


class _Sum:
    """What a rule saw of a key in a second."""

    __slots__ = ("base", "hits", "size", "sketch")

    def __init__(self, *, sketched: bool) -> None:
        self.hits = self.base = self.size = 0
        self.sketch = Sketch() if sketched else None

    def add(self, hits: int, size: int, cell: int, *, counts: bool) -> None:
        """Count hits of one cell."""
        self.hits += hits * counts
        self.base += hits
        self.size += size
        if self.sketch is not None and cell != NO_CELL:
            self.sketch.add_cells((cell,), (hits,))

    def columns(self) -> tuple["array[int]", "array[int]"]:
        """Those of the sketch."""
        return (NO_CELLS, NO_CELLS) if self.sketch is None else self.sketch.columns()


class RuleFold:
    """The rules of a plan, ready to look at hits. Holds no state that a result depends on."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        watches = tuple(map(Watch, rules))
        self.outcomes = Outcomes(watches)
        self.needs: frozenset[str] = frozenset().union(*(watch.needs for watch in watches))
        """The fields of lines that rules look at."""
        self.kinds = tuple(0 if rule.per is None else 1 + PERS.index(rule.per) for rule in rules)
        """What the keys of each rule are: 0 for one in all, else 1 + the place of its ``per`` in PERS."""
        self.sketched = tuple(rule.measure in PERCENTILES for rule in rules)
        self.sized = tuple(rule.measure == "bytes" for rule in rules)

    @property
    def wants_details(self) -> bool:
        """Whether some rule looks at more of a line than the parsers' columns have of themselves."""
        return not self.needs.isdisjoint(_DETAILS)

    def outcome(self, hit: Hit) -> tuple[Step, ...]:
        """What the rules make of one hit."""
        classes = self.outcomes.classes
        return self.outcomes.of(tuple(each[value] for each, value in zip(classes, hit, strict=True)))

    def measure(self, lines: Lines) -> Measured:
        """The entries of a chunk, whose lines come in their order."""
        if self.outcomes.full:
            self.outcomes.clear()
        sums: dict[tuple[int, int, int, bytes], _Sum] = {}
        by_section, by_method, by_status, by_host, *_ = self.outcomes.classes
        for row, (hits, size) in self._alike(lines):
            (segment, second), request, status, of_size, of_duration, cell, host, of_target = row
            method, section = request.split(b" ", 1)
            cells = by_section[section], by_method[method], by_status[status], by_host[host]
            keys = b"", section, b"%03d" % status, method, host
            for number, counts in self.outcomes.of((*cells, of_size, of_duration, of_target)):
                where = number, segment, second, keys[self.kinds[number]]
                entry = sums.get(where)
                if entry is None:  # a setdefault would make a sketch each time
                    entry = sums[where] = _Sum(sketched=self.sketched[number])
                entry.add(hits, size if self.sized[number] else 0, cell, counts=counts)
        return Measured.of(
            Entry(*where, it.hits, it.base, it.size, *it.columns()) for where, it in sums.items()
        )

    def _alike(self, lines: Lines) -> Iterable[tuple[Any, tuple[int, int]]]:
        """What rules can tell apart, in order of first appearance: its hits, and their bytes where asked for.

        Place, request, status, class of size, class of duration, its cell, host, class of target.
        """
        looked_at, classes = self.outcomes.looked_at, self.outcomes.classes
        places, requests, statuses, sizes, details, cells = lines
        columns: list[Iterable[Any]] = [places, requests, statuses]
        columns += [repeat(0), repeat(0), repeat(NO_CELL), repeat(b""), repeat(0)]
        if looked_at[PLACES["bytes"]]:
            columns[3] = map(self._classes_of_sizes().__getitem__, map(self._interval, sizes))
        if details:
            durations, hosts, targets = zip(*details, strict=True)
            if looked_at[PLACES["duration"]]:
                columns[4] = map(classes[PLACES["duration"]].__getitem__, durations)
            if any(self.sketched):
                columns[5] = cells
            if "host" in self.needs:
                columns[6] = hosts
            if looked_at[PLACES["target"]]:
                columns[7] = map(classes[PLACES["target"]].__getitem__, targets)
        rows = zip(*columns, strict=False)
        if any(self.sized):
            return _summed(rows, sizes)
        return ((row, (hits, 0)) for row, hits in Counter(rows).items())

    @property
    def _interval(self) -> Any:
        """Which interval of sizes, that rules cannot tell apart, a size is in."""
        return with_first(bisect_right, self.outcomes.edges["bytes"])

    def _classes_of_sizes(self) -> list[int]:
        """By interval."""
        edges = self.outcomes.edges["bytes"]
        of = self.outcomes.classes[PLACES["bytes"]].of
        return [of(edges[0] - 1), *map(of, edges)]


def _summed(rows: Iterable[Any], sizes: Sequence[int]) -> Iterable[tuple[Any, tuple[int, int]]]:
    """The distinct rows in order of first appearance, their hits, and the sum of their sizes."""
    hits: dict[Any, int] = {}
    totals: dict[Any, int] = {}
    for row, size in zip(rows, sizes, strict=True):
        hits[row] = hits.get(row, 0) + 1
        totals[row] = totals.get(row, 0) + size
    return ((row, (count, totals[row])) for row, count in hits.items())
