"""What a rule measures of a second, and of a window: sums that add up and come off again."""

from array import array
from collections.abc import Sequence
from typing import Any

from fastlog.config import as_written
from fastlog.model.rules import PERCENTILES, Rule
from fastlog.model.sketch import Sketch

Columns = list[list[Any]]

MICRO = 1_000_000
"""A percentile's threshold is in seconds, a sketch in microseconds."""


class Sums:
    """Sums over one key's hits.

    ``hits`` are those that the rule counts, ``base`` those that it looks at: more than
    ``hits`` only where a share is measured. ``size`` is their bytes; ``cells`` and
    ``counts`` the sketch of their durations, where one is measured.
    """

    __slots__ = ("base", "cells", "counts", "hits", "size")

    def __init__(
        self, hits: int, base: int, size: int = 0, cells: Sequence[int] = (), counts: Sequence[int] = ()
    ) -> None:
        self.hits = hits
        self.base = base
        self.size = size
        self.cells = cells
        self.counts = counts

    @property
    def weight(self) -> int:
        """What it costs to keep, in numbers."""
        return 1 + len(self.cells)

    def add(self, other: "Sums") -> None:
        self.hits += other.hits
        self.base += other.base
        self.size += other.size
        if other.cells:
            sketch = Sketch(self.cells, self.counts)
            sketch.add_cells(other.cells, other.counts)
            self.cells, self.counts = sketch.columns()


def columns_of(rule: Rule, sums: Sequence[Sums]) -> Columns:
    """Sums as plain columns that JSON can hold: hits, base, and what the measure asks for beside them."""
    columns: Columns = [[one.hits for one in sums], [one.base for one in sums]]
    if rule.measure == "bytes":
        columns.append([str(one.size) for one in sums])  # may pass 64 bits
    elif rule.measure in PERCENTILES:
        columns += [list(one.cells) for one in sums], [list(one.counts) for one in sums]
    return columns


def sums_of(rule: Rule, columns: Columns) -> list[Sums]:
    """The sums that ``columns_of`` wrote down."""
    if rule.measure == "bytes":
        return [Sums(hits, base, int(size)) for hits, base, size in zip(*columns, strict=True)]
    if rule.measure in PERCENTILES:
        return [
            Sums(hits, base, 0, array("q", cells), array("q", counts))
            for hits, base, cells, counts in zip(*columns, strict=True)
        ]
    return [Sums(hits, base) for hits, base in zip(*columns, strict=True)]


class Total:
    """The sums over a window."""

    __slots__ = ("base", "hits", "size", "sketch")

    def __init__(self) -> None:
        self.hits = 0
        self.base = 0
        self.size = 0
        self.sketch = Sketch()

    def add(self, sums: Sums) -> None:
        self.hits += sums.hits
        self.base += sums.base
        self.size += sums.size
        if sums.cells:
            self.sketch.add_cells(sums.cells, sums.counts)

    def subtract(self, sums: Sums) -> None:
        self.hits -= sums.hits
        self.base -= sums.base
        self.size -= sums.size
        if sums.cells:
            self.sketch.subtract_cells(sums.cells, sums.counts)

    def value(self, rule: Rule) -> tuple[int, int]:
        """The measure as numerator and denominator, exact. Decision: of no hits every measure is 0."""
        if rule.measure == "hits":
            return self.hits, 1
        if rule.measure == "rate":
            return self.hits, rule.window
        if rule.measure == "bytes":
            return self.size, 1
        if rule.measure == "share":
            return self.hits, self.base or 1
        return self.sketch.quantile(PERCENTILES[rule.measure]) or 0, MICRO


class Thresholds:
    """When a rule fires and when it recovers, in exact arithmetic: 0.29 is the decimal that was written."""

    __slots__ = ("_fires", "_quiet", "_sign")

    def __init__(self, rule: Rule) -> None:
        self._sign = 1 if rule.above is not None else -1
        self._fires = as_written(rule.threshold)
        self._quiet = as_written(rule.quiet)

    def broken(self, value: tuple[int, int]) -> bool:
        """Whether the value is beyond the threshold: what a rule waits for."""
        limit, parts = self._fires
        return self._sign * (value[0] * parts - limit * value[1]) > 0

    def calm(self, value: tuple[int, int]) -> bool:
        """Whether the value is back on the quiet side: what a firing rule waits for."""
        limit, parts = self._quiet
        return self._sign * (value[0] * parts - limit * value[1]) <= 0
