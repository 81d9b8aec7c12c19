"""What a worker measures of a chunk for rules that cells do not tell all about.

Columns, as in ``model.partial``: an entry is (rule, row, key), where the row is one of
the partial's. Entries stand in order of first appearance, so that which keys are within a
bound does not depend on where the log was cut.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple


def _longs() -> "array[int]":
    return array("q")


class Entry(NamedTuple):
    """One entry. ``hits``, ``base``, ``size``: see ``windows.rules.sums.Sums``.

    ``cells`` and ``counts`` are the sketch of the durations, ascending; empty where the rule
    measures none.
    """

    rule: int
    row: int
    key: bytes
    hits: int
    base: int
    size: int
    cells: "array[int]"
    counts: "array[int]"


@dataclass(slots=True)
class Measured:
    """Entries as columns of one length, but for these two.

    ``key_names`` are what ``keys`` number. ``sketched`` gives each entry's number of
    ``cells`` and ``counts``. ``sizes`` may be beyond 64 bits.
    """

    rules: "array[int]" = field(default_factory=_longs)
    rows: "array[int]" = field(default_factory=_longs)
    keys: "array[int]" = field(default_factory=_longs)
    hits: "array[int]" = field(default_factory=_longs)
    base: "array[int]" = field(default_factory=_longs)
    sizes: list[int] = field(default_factory=list)
    sketched: "array[int]" = field(default_factory=_longs)
    cells: "array[int]" = field(default_factory=_longs)
    counts: "array[int]" = field(default_factory=_longs)
    key_names: list[bytes] = field(default_factory=list)

    def append(self, entry: Entry, key: int) -> None:
        """Add an entry whose key is number ``key`` of ``key_names``."""
        self.rules.append(entry.rule)
        self.rows.append(entry.row)
        self.keys.append(key)
        self.hits.append(entry.hits)
        self.base.append(entry.base)
        self.sizes.append(entry.size)
        self.sketched.append(len(entry.cells))
        self.cells += entry.cells
        self.counts += entry.counts

    def entries(self) -> Iterator[Entry]:
        """The entries in order."""
        names, cells, counts = self.key_names, self.cells, self.counts
        columns = (self.rules, self.rows, self.keys, self.hits, self.base, self.sizes, self.sketched)
        ends = accumulate(self.sketched)
        for (rule, row, key, hits, base, size, length), end in zip(
            zip(*columns, strict=True), ends, strict=True
        ):
            part = slice(end - length, end)
            yield Entry(rule, row, names[key], hits, base, size, cells[part], counts[part])
