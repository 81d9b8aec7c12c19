"""The columns of a buffer that holds nothing but lines of the usual kind, see ``formats.plain``."""

from typing import NamedTuple

from fastlog.formats.plain import LINES, Plain
from fastlog.parsers.columns import responses

_WIDTH = 3
"""Columns: stamp, request, response."""


class PlainLines(NamedTuple):
    """The columns of the lines, but for the last few, which are ``rest``, without their newlines.

    The stamps are yet to be held to the definition.
    """

    stamps: list[bytes]
    requests: list[bytes]
    statuses: list[int]
    sizes: list[int]
    rest: list[bytes]


def plain_lines(plain: Plain, data: bytes, lines: int) -> PlainLines | None:
    """The lines of ``data``, which has so many, and no ``\\r`` and no escaped quote; None where one may
    be of another kind."""
    matches = (lines - 1) // LINES
    if not matches:
        return None
    fields = plain.rows.split(data, matches)
    rest = lines - matches * LINES
    if len(fields) != _WIDTH * LINES * matches + 1 or fields[-2] is None or fields[-1].count(b"\n") != rest:
        return None
    head = plain.head.match(fields[0])
    numbers = None if head is None else responses(fields[2::_WIDTH], plain.end)
    if head is None or numbers is None:
        return None
    stamps = fields[:-1:_WIDTH]
    stamps[0] = stamps[0][head.end() :]
    return PlainLines(stamps, fields[1::_WIDTH], *numbers, _last_lines(data, rest))


def _last_lines(data: bytes, count: int) -> list[bytes]:
    at = len(data) - 1
    for _ in range(count):
        at = data.rfind(b"\n", 0, at)
    return data[at + 1 : -1].split(b"\n")
