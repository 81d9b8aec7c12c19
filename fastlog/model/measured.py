"""What a worker measured of a chunk for the rules.

Columns, as in ``model.partial``: an entry is (rule, segment, second, key). Within a
segment the entries of a rule stand in order of first appearance, so that which keys are
within a bound does not depend on where the log was cut.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from fastlog.model.narrow import Narrow, narrowed, widened

_LOW_BITS = 62
_LOW = (1 << _LOW_BITS) - 1

NO_CELLS: "array[int]" = array("q")
"""The sketch of no durations. Nobody adds to it."""


class Entry(NamedTuple):
    """One entry: what a rule saw of a key in a second.

    ``hits`` are those that the rule counts, ``base`` those that it looks at: more than
    ``hits`` only where a share is measured. ``size`` is their bytes; 0 where the rule does not
    measure them. ``cells`` and ``counts`` are the sketch of their durations, ascending; empty where
    the rule measures none.
    """

    rule: int
    segment: int
    second: int
    key: bytes
    hits: int
    base: int
    size: int
    cells: "array[int]"
    counts: "array[int]"


class Measured:
    """Entries, ascending by segment, as columns of one length; but for these.

    ``rules`` are numbers of the plan's rules, ``keys`` numbers of keys. The names of these stand one
    behind the other in ``key_text``, each up to where ``key_ends`` says. A sum of bytes may be beyond
    64 bits: its low 62 are in ``sizes``, the others in ``sizes_high``.
    ``sketched`` gives each entry's number of ``cells`` and ``counts``.
    """

    rules: "array[int]"
    segments: "array[int]"
    seconds: "array[int]"
    keys: "array[int]"
    hits: "array[int]"
    base: "array[int]"
    sizes: "array[int]"
    sizes_high: "array[int]"
    sketched: "array[int]"
    cells: "array[int]"
    counts: "array[int]"
    key_ends: "array[int]"
    key_text: bytes | memoryview

    def __init__(self, **columns: "array[int]") -> None:
        """Columns are kept as they are given; the others are empty."""
        self.key_text = b""
        for name in COLUMNS:
            setattr(self, name, columns.get(name, array("q")))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Measured):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in ("key_text", *COLUMNS))

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self.rules)

    def name_keys(self, names: Iterable[bytes]) -> None:
        """Set the names of all keys, in the order of their numbers."""
        names = list(names)
        self.key_text = b"".join(names)
        self.key_ends = array("q", accumulate(map(len, names)))

    def key_name(self, number: int) -> bytes:
        """The name of a key."""
        return bytes(self.key_text[self.key_ends[number - 1] if number else 0 : self.key_ends[number]])

    def __repr__(self) -> str:
        return f"Measured({vars(self)})"

    def narrow(self) -> Sequence[Narrow]:
        """All columns, in as few bytes as their values need."""
        columns = [getattr(self, name) for name in COLUMNS]
        return [Narrow(len(column), *narrowed(column)) for column in columns]

    def as_it_lies(self) -> Sequence[Narrow]:
        """All columns as they lie in memory."""
        columns = [getattr(self, name) for name in COLUMNS]
        return [Narrow(len(column), 8, 0, memoryview(column)) for column in columns]

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "Measured":
        """The columns of entries, which come ascending by segment."""
        made = cls()
        numbers: dict[bytes, int] = {}
        for entry in entries:
            made.rules.append(entry.rule)
            made.segments.append(entry.segment)
            made.seconds.append(entry.second)
            made.keys.append(numbers.setdefault(entry.key, len(numbers)))
            made.hits.append(entry.hits)
            made.base.append(entry.base)
            made.sizes.append(entry.size & _LOW)
            made.sizes_high.append(entry.size >> _LOW_BITS)
            made.sketched.append(len(entry.cells))
            made.cells.extend(entry.cells)
            made.counts.extend(entry.counts)
        made.name_keys(numbers)
        return made

    def entries(self, segment: int | None = None) -> Iterator[Entry]:
        """The entries in order; only those of a segment where one is given."""
        first, stop = 0, len(self.segments)
        if segment is not None:
            first = bisect_left(self.segments, segment)
            stop = bisect_right(self.segments, segment, first)
        rows = slice(first, stop)
        at = sum(self.sketched[:first])
        for rule, number, second, key, hits, base, low, high, sketched in zip(
            self.rules[rows],
            self.segments[rows],
            self.seconds[rows],
            self.keys[rows],
            self.hits[rows],
            self.base[rows],
            self.sizes[rows],
            self.sizes_high[rows],
            self.sketched[rows],
            strict=True,
        ):
            cells = counts = NO_CELLS
            if sketched:
                cells, counts = self.cells[at : at + sketched], self.counts[at : at + sketched]
                at += sketched
            size = low + (high << _LOW_BITS)
            yield Entry(rule, number, second, self.key_name(key), hits, base, size, cells, counts)

    def followed_by(self, other: "Measured", segments: int) -> "Measured":
        """These entries, of a partial with so many segments, and then those of the next partial.

        A name may stand more than once among the keys of a part; of the whole it has one number.
        """
        numbers: dict[bytes, int] = {}
        mine, others = (
            [numbers.setdefault(part.key_name(key), len(numbers)) for key in range(len(part.key_ends))]
            for part in (self, other)
        )
        both = Measured(**{name: getattr(self, name) + getattr(other, name) for name in COLUMNS})
        both.segments = self.segments + array("q", [segment + segments for segment in other.segments])
        both.keys = array("q", [*map(mine.__getitem__, self.keys), *map(others.__getitem__, other.keys)])
        both.name_keys(numbers)
        return both


class Packed(Measured):
    """What was measured as it travels: its columns are narrow, and widened where somebody looks at one.

    Nobody changes it.
    """

    def __init__(self, columns: Sequence[Narrow], key_text: bytes | memoryview) -> None:
        self._narrow = columns
        self.key_text = key_text

    def __getattr__(self, name: str) -> "array[int]":
        if name not in COLUMNS:
            raise AttributeError(name)
        length, width, least, data = self._narrow[COLUMNS.index(name)]
        column = widened(width, least, length, data)
        setattr(self, name, column)
        return column

    def __len__(self) -> int:
        return self._narrow[0].length

    def narrow(self) -> Sequence[Narrow]:
        return self._narrow

    as_it_lies = narrow


def columns_of(kind: type) -> tuple[str, ...]:
    """The names of the packed columns of a class, in the order of their declaration."""
    return tuple(name for name, declared in kind.__annotations__.items() if declared == "array[int]")


COLUMNS = columns_of(Measured)
"""The names of the packed columns, in the order of their definition."""
