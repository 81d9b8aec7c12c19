"""The runs of many stamps of the Common Log Format, which are read as columns.

The clocks of all stamps are one long number with a byte for each stamp: there a step
for all of them is one addition or comparison. What is left of the stamps is their days, and most
chunks of a log have only one.
"""

from collections.abc import Mapping
from itertools import compress, islice, repeat
from operator import add, ne
from struct import unpack

from fastlog.parsers.runs import lengths_of, merged_runs

_WIDTH = 26
_DIGITS = b"0123456789"
_VALUES = bytes.maketrans(_DIGITS, bytes(range(10)))
_CLOCK = ((12, bytes(range(24)), 3600), (15, bytes(range(60)), 60), (18, bytes(range(60)), 1))
"""Where two digits of the clock stand in a stamp, what they may be, and how many seconds one of it is."""
_NONE = b"\xff"
_HIDDEN = _NONE + bytes(255)


def clock_runs(
    stamps: list[bytes], midnights: Mapping[bytes, int | None]
) -> tuple[list[int], list[int]] | None:
    """The seconds of the runs of stamps of one second, and how many stamps each run has; None where
    some stamp is not in the usual spelling.

    ``midnights`` are the first seconds of days by their stamp, ``dd/Mon/yyyy:00:00:00 +hhmm``; None of what
    is no such stamp.
    """
    step, many = _WIDTH + 1, len(stamps)
    text = bytearray(b"\n".join(stamps) + b"\n")
    if len(text) != step * many or text[_WIDTH::step] != b"\n" * many:
        return None
    columns, changes = [], 1 << 8 * (many - 1)  # the last stamp ends a run
    for at, values, _ in _CLOCK:
        tens, ones = text[at::step], text[at + 1 :: step]
        if (tens + ones).translate(None, _DIGITS):
            return None
        column = 10 * _number(tens.translate(_VALUES)) + _number(ones.translate(_VALUES))
        if column.to_bytes(many, "little").translate(None, values):
            return None
        columns.append(column)
        changes |= column ^ column >> 8
        text[at::step] = text[at + 1 :: step] = b"0" * many
    one_day = text == text[:step] * many
    stems = [bytes(text[:_WIDTH])] if one_day else bytes(text[:-1]).split(b"\n")
    days = list(map(midnights.__getitem__, stems))
    if None in days:
        return None
    changes |= _number(bytes(map(ne, stems, islice(stems, 1, None))))
    is_last = changes.to_bytes(many, "little")
    clocks = _clocks(columns, is_last)
    day_of_run = repeat(days[0]) if one_day else compress(days, is_last)
    seconds, lengths = list(map(add, day_of_run, clocks)), lengths_of(is_last)
    return (seconds, lengths) if one_day else merged_runs(seconds, lengths)


def _clocks(columns: list[int], is_last: bytes) -> tuple[int, ...]:
    """The second of the day of each run, of columns of hours, minutes and seconds."""
    many, runs = len(is_last), len(is_last) - is_last.count(0)
    hidden = _number(is_last.translate(_HIDDEN))
    words, clocks = bytearray(4 * runs), 0
    for column, (_, _, weight) in zip(columns, _CLOCK, strict=True):
        words[::4] = (column | hidden).to_bytes(many, "little").translate(None, _NONE)
        clocks += weight * _number(words)
    return unpack(f"<{runs}I", clocks.to_bytes(4 * runs, "little"))


def _number(column: bytes | bytearray) -> int:
    return int.from_bytes(column, "little")
