"""Columns in as few bytes as their values need.

A partial as it lies in memory may have as many bytes as the log: what the rules saw is an entry a line,
eleven columns wide, and a sparse log has a pane for a few lines. Most columns hold one value throughout, the
others small ones: each travels as its least value, and how far each value is from that in 0, 1, 2, 4 or 8
bytes. Both ends are one machine's, so numbers stand in its own order of bytes.
"""

from array import array
from importlib.util import find_spec
from typing import NamedTuple

_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
WIDTHS = (0, *_CODES)
"""In how many bytes a value of a narrow column may stand."""


class Narrow(NamedTuple):
    """``length`` values of a column: what each has more than the ``least``, in ``width`` bytes."""

    length: int
    width: int
    least: int
    data: bytes | memoryview


def narrowed(column: "array[int]") -> tuple[int, int, bytes]:
    """Bytes a value, the least value, and the bytes of all."""
    least, most = min(column, default=0), max(column, default=0)
    width = next(width for width in WIDTHS if most - least < 1 << 8 * width)
    if not width:
        return 0, least, b""
    return width, least, array(_CODES[width], [value - least for value in column]).tobytes()


def widened(width: int, least: int, count: int, data: bytes | memoryview) -> "array[int]":
    """The ``count`` values of a column that was ``narrowed``. Raises ValueError."""
    if width not in WIDTHS or len(data) != width * count:
        raise ValueError("a column that does not fill its bytes")
    if not width:
        return array("q", [least]) * count
    distances = array(_CODES[width])
    distances.frombytes(data)
    return array("q", [least + distance for distance in distances])


if find_spec("fastlog.model.native") is not None:
    from fastlog.model.native import narrowed, widened  # noqa: F401 (they take the places of their twins)
