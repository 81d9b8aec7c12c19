"""Counting by key within a stated bound."""

from collections.abc import Iterable, Sequence
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

    def add_all(self, more: "Tally") -> None:
        for key, hits in more.counts.items():
            self.add(key, hits)
        self.other += more.other

    def subtract_all(self, less: "Tally") -> None:
        """Undo ``add_all`` where everything was named."""
        counts = self.counts
        for key, hits in less.counts.items():
            counts[key] -= hits
            if not counts[key]:
                del counts[key]
        self.other -= less.other

    def is_exact(self, bound: int) -> bool:
        """Whether a sum of tallies names every key, and no more than ``bound``."""
        return not self.other and len(self.counts) <= bound

    def table(self) -> Table:
        """Printable names and hits, most hits first, then by name."""
        return ranked(((_printable(key), hits) for key, hits in self.counts.items()), self.other)


def united(tallies: Sequence[Tally], bound: int) -> Tally:
    """The sum of bounded tallies in which every named key has all of its hits.

    A tally that had to leave keys unnamed may hold hits of any key in its ``other``
    but of those that it names. So where there are such, the keys that all of them
    name are named; else the first ``bound`` that appear.
    """
    total = Tally(bound)
    full = [tally.counts.keys() for tally in tallies if tally.other]
    named = set(full[0]).intersection(*full[1:]) if full else None
    for tally in tallies:
        total.other += tally.other
        for key, hits in tally.counts.items():
            if named is None or key in named:
                total.add(key, hits)
            else:
                total.other += hits
    return total


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
