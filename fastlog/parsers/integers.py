"""Many integers in one call, without a step of Python for each."""

from array import array
from collections.abc import Sequence
from struct import pack


def integers_between_commas(text: bytes) -> list[int]:
    """The integers of a text, by the grammar of JSON. Raises ValueError for anything else in it."""
    import orjson  # here, since beside the compiled parser this is seldom asked

    numbers: list[int] = orjson.loads(b"[%b]" % text)
    return numbers


def column(numbers: Sequence[int]) -> "array[int]":
    """``array("q", numbers)``, in less time."""
    return array("q", pack(f"{len(numbers)}q", *numbers))
