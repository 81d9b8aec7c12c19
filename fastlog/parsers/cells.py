"""The cells of a sketch for the durations of a chunk, with as little Python a line as can be."""

import re
from collections.abc import Callable, Iterable, Sequence
from operator import add, rshift
from typing import Any

from fastlog.model.sketch import LONGEST, cell_of
from fastlog.parsers.integers import integers_between_commas

NO_CELL = -1
"""Of a hit without a duration."""

_KEPT = 1 << 14
_BITS = range(LONGEST.bit_length() + 1)
_SHIFTS = [max(bits - 7, 0) for bits in _BITS]
_BASES = [
    cell_of(1 << bits - 1) - (1 << bits - 1 - shift) if bits else 0 for bits, shift in enumerate(_SHIFTS)
]
_WHOLE = re.compile(rb"[0-9,-]*+")
_MOST = 10**18


class Cells(dict[Any, int]):
    """The cell of each text (or tuple of texts, or number) that a log has for a duration, or NO_CELL.

    ``read`` gives the microseconds of one. At most _KEPT are remembered.
    """

    def __init__(self, read: Callable[[Any], int | None]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, value: Any) -> int:
        if len(self) >= _KEPT:
            self.clear()
        duration = self._read(value)
        cell = self[value] = NO_CELL if duration is None else cell_of(duration)
        return cell

    def of(self, columns: Sequence[Sequence[Any]]) -> list[int]:
        """The cells of lines whose durations stand in one column, or in several that are summed."""
        return list(map(self.__getitem__, columns[0] if len(columns) == 1 else zip(*columns, strict=True)))


def whole_numbers(texts: Sequence[bytes]) -> list[int] | None:
    """The texts as integers, ``-`` as -1; None where one is something else, or is not sure to be."""
    joined = b",".join(texts)
    if not _WHOLE.fullmatch(joined):
        return None
    try:
        numbers = integers_between_commas(joined.replace(b"-", b"-1"))
    except ValueError:  # a leading zero, or a sign
        return None
    if len(numbers) != len(texts) or min(numbers, default=0) < -1 or max(numbers, default=0) >= _MOST:
        return None
    return numbers


def cells_of(durations: Iterable[int]) -> list[int]:
    """``cell_of`` of each; of -1, NO_CELL."""
    capped = [min(LONGEST, duration) for duration in durations]
    bits = list(map(int.bit_length, capped))
    # -1 has one bit: it is not shifted, and its base is that of 1, which is 0.
    return list(map(add, map(rshift, capped, map(_SHIFTS.__getitem__, bits)), map(_BASES.__getitem__, bits)))
