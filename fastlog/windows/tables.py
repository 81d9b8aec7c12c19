"""Counting by key within a stated bound."""

from collections.abc import Iterable
from functools import lru_cache
from operator import itemgetter

from fastlog.model.events import OTHER, Table
from fastlog.model.printable import printable

SECTIONS_NAMED = 2000
METHODS_NAMED = 64

_SHORT = 256
_remembered = lru_cache(maxsize=8192)(printable)


def _printable(key: bytes) -> str:
    return _remembered(key) if len(key) <= _SHORT else printable(key)


class Tally:
    """Hits by key for the first ``bound`` keys that appear; the hits of the others in one sum."""

    __slots__ = ("bound", "counts", "other")

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.counts: dict[bytes, int] = {}
        self.other = 0

    def add(self, key: bytes, hits: int) -> None:
        counts = self.counts
        if key in counts:
            counts[key] += hits
        elif len(counts) < self.bound:
            counts[key] = hits
        else:
            self.other += hits

    def table(self) -> Table:
        """Printable names and hits, most hits first, then by name."""
        return ranked(((_printable(key), hits) for key, hits in self.counts.items()), self.other)


def ranked(pairs: Iterable[tuple[str, int]], other: int = 0) -> Table:
    """A table in its order. Keys that print alike are one row."""
    table: Table = {}
    for name, hits in pairs:
        table[name] = table.get(name, 0) + hits
    if other:
        table[OTHER] = table.get(OTHER, 0) + other
    rows = sorted(table.items())
    rows.sort(key=itemgetter(1), reverse=True)  # stable: names stay in order
    return dict(rows)
