"""Hits by (section, status) for a metrics page, where every pair is a time series that somebody stores."""

from fastlog.model.events import OTHER
from fastlog.model.printable import printable

SECTIONS = 100
PAIRS = 1500
LONGEST_SECTION = 256
"""Bytes of a section that has a series of its own."""


class PairTally:
    """Hits by section and status; the names are given to the first that appear.

    Hits of further sections, and of longer ones than LONGEST_SECTION, are in ``(other)``
    under their status; past PAIRS pairs, those of a new one are in ``(other)`` twice. A
    pair never moves, so each count only grows.
    """

    def __init__(self) -> None:
        self._sections: set[bytes] = set()
        self._counts: dict[tuple[bytes | None, int | None], int] = {}

    def add(self, section: bytes, status: int, hits: int) -> None:
        """Count hits of a pair."""
        key: tuple[bytes | None, int | None] = (section, status)
        if key in self._counts:
            self._counts[key] += hits
            return
        if section not in self._sections:
            if len(self._sections) < SECTIONS and len(section) <= LONGEST_SECTION:
                self._sections.add(section)
            else:
                key = (None, status)
        if key not in self._counts and len(self._counts) >= PAIRS:
            key = (None, None)
        self._counts[key] = self._counts.get(key, 0) + hits

    def table(self) -> dict[tuple[str, str], int]:
        """Hits by printable names. Pairs that print alike are one."""
        table: dict[tuple[str, str], int] = {}
        for (section, status), hits in self._counts.items():
            name = OTHER if section is None else printable(section)
            names = name, OTHER if status is None else f"{status:03d}"
            table[names] = table.get(names, 0) + hits
        return table
