"""Runs: neighbours that are equal, as keys and how often each stood in a row."""

from io import BytesIO
from itertools import accumulate, chain, compress, islice
from operator import eq, ne, sub
from typing import TypeVar

_AS_LINES = b"." + b"\n" * 255
_STRIDE = 32
_STEPS = (16, 8, 4, 2, 1)

Key = TypeVar("Key")


def runs_of(stamps: list[bytes]) -> tuple[list[bytes], list[int]]:
    """The stamps without their repetitions, and how often each stood in a row."""
    if not stamps:
        return [], []
    ends = _ends_of_long(stamps) if mostly_long(stamps) else []
    if ends:
        return [stamps[end - 1] for end in ends], list(map(sub, ends, chain((0,), ends)))
    is_last = bytes(map(ne, stamps, islice(stamps, 1, None))) + b"\1"
    return list(compress(stamps, is_last)), lengths_of(is_last)


def lengths_of(is_last: bytes) -> list[int]:
    """The lengths of runs, of which the last byte of each, and only that, is not 0."""
    return list(map(len, BytesIO(is_last.translate(_AS_LINES))))


def mostly_long(stamps: list[bytes]) -> bool:
    """Whether most runs of equal stamps are long enough to be found by comparing many at once."""
    sample = stamps[::_STRIDE]
    equal: int = sum(map(eq, sample, islice(sample, 1, None)))
    return 2 * equal >= len(sample)


def merged_runs(keys: list[Key], lengths: list[int]) -> tuple[list[Key], list[int]]:
    """Runs of equal keys, of runs: the stamps of one second differ by their fractions."""
    is_last = bytes(map(ne, keys, islice(keys, 1, None))) + b"\1" * bool(keys)
    if 0 not in is_last:
        return keys, lengths
    stops = list(compress(accumulate(lengths), is_last))
    return list(compress(keys, is_last)), list(map(sub, stops, chain((0,), stops)))


def _ends_of_long(stamps: list[bytes]) -> list[int]:
    """Where the runs of equal stamps end; none where stamps differ in length."""
    width = len(stamps[0]) + 1
    text = b"\n".join(stamps) + b"\n"
    if len(text) != width * len(stamps) or text[width - 1 :: width] != b"\n" * len(stamps):
        return []
    ends: list[int] = []
    at = 0
    while at < len(stamps):
        many = (stamps[at] + b"\n") * _STRIDE
        while text.startswith(many, at * width):
            at += _STRIDE
        for step in _STEPS:
            if text.startswith(many[: step * width], at * width):
                at += step
        ends.append(at)
    return ends
