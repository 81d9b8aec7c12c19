"""The quickest pattern: for buffers that hold nothing but whole lines of the usual kind.

It is the quick pattern with each piece put looser, as far as what is lost can be
told afterwards by the whole buffer or by the columns. A class of one byte is scanned
many times as fast as one of two, and a capture costs more than the text in it. So it
begins behind the stamp of a line and ends before that of another, a few lines further:
what stands between two matches is a stamp, which costs no capture.
"""

import re
from typing import NamedTuple

WORD = rb"[^ \n]++"
USER = rb"[^ \[\n]++"
QUOTED = rb'[^"\\\n]*+'
STAMP = rb"([^\[\n].{24}[^\]\n])"
REQUEST = rb'([A-Z]{1,32}+ /[^/?#" \\\n]*+)' + QUOTED
RESPONSE = rb"([0-9]{3})\ ([0-9]{1,18}+|-)"
LINE_END = rb"(?:\n|\r\n|\ .*+\n)"
"""Pieces of the quick pattern, see ``layout``. LINE_END lets any fields follow."""

LINES = 4
"""So many lines are a match: with more of them it gets no faster."""

_START = b"(?m)^"
_LOOSER = (
    (REQUEST, rb'((?:GET|[A-Z]{1,32}+) /[^/?#" ]*+)[^"]*+'),
    (QUOTED, rb'[^"]*+'),
    (WORD, rb"[^ ]++"),
    (USER, rb"[^ ]++"),
)
_STAMP = rb"((?s:.{26}))"
_NO_IDENT = rb"\-\ "
_REST = rb"(?s:.)++"
"""Of what is no such line all is taken: the first ends the search."""


class Plain(NamedTuple):
    """``head`` is a line up to its stamp, ``rows`` go on from there to the stamp of the line that is LINES
    further, with three columns: request, response, and stamp of the next line, but for the last.

    The response is status, a space, the size, and ``end``. All groups of a match that is no such
    lines are None. It is right where

    - each match holds LINES newlines, at the ends of its lines, and what is between two holds none;
    - no backslash stands before a quote, and no ``\\r`` in the buffer;
    - stamps are as the definition has them, without brackets;
    - a response is three digits, a space, 1 to 18 digits or ``-``, and its end.
    """

    head: re.Pattern[bytes]
    rows: re.Pattern[bytes]
    end: bytes


def plain_rows(strict: bytes, *, ident: bool) -> Plain | None:
    """The patterns from the quick one; None where the format has other pieces or another order.

    ``ident`` says that the word before the user is one that servers have ceased to ask for.
    """
    head, stamp, line = strict.removeprefix(_START).partition(STAMP)
    if ident:
        head = (_NO_IDENT + USER).join(head.rsplit(WORD + rb"\ " + USER, 1))
    request, response, tail = line.partition(RESPONSE)
    if not (stamp and response and head.endswith(rb"\[") and request.startswith(rb"\]")):
        return None
    if tail == LINE_END:
        end, response = b"\n", rb"((?s:...)\ [^\n]++\n)"
    elif tail.startswith(rb'\ "') and tail.endswith(LINE_END):
        end, response = b' "', rb'((?s:...)\ [^"]++")' + tail[3:].removesuffix(LINE_END) + rb"\n"
    else:
        return None
    for piece, looser in _LOOSER:
        head, request, response = (part.replace(piece, looser) for part in (head, request, response))
    row = request + response + head
    if re.compile(row).groups != 2:
        return None
    opening = rb"\]"
    rows = row.removeprefix(opening) + (_STAMP + row) * (LINES - 1)
    return Plain(re.compile(head), re.compile(opening + b"(?:" + rows + b"|" + _REST + b")"), end)
