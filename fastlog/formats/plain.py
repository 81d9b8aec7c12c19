"""The quickest pattern: for buffers that hold nothing but whole lines of the usual kind.

It is the quick pattern with each piece put looser, as far as what is lost can be
told afterwards by the whole buffer or by the columns. A class of one byte is scanned
many times as fast as one of two, and a capture costs more than the text in it.
"""

import re

WORD = rb"[^ \n]++"
USER = rb"[^ \[\n]++"
QUOTED = rb'[^"\\\n]*+'
STAMP = rb"([^\[\n].{24}[^\]\n])"
REQUEST = rb'([A-Z]{1,32}+ /[^/?#" \\\n]*+)' + QUOTED
RESPONSE = rb"([0-9]{3})\ ([0-9]{1,18}+|-)"
LINE_END = rb"(?:\n|\r\n|\ .*+\n)"
"""Pieces of the quick pattern, see ``layout``. LINE_END lets any fields follow."""

_START = b"(?m)^"
_LOOSER = (
    (STAMP, rb"([^\[](?s:.{24})[^\]])"),
    (REQUEST, rb'([A-Z]{1,32}+ /[^/?#" ]*+)[^"]*+'),
    (QUOTED, rb'[^"]*+'),
    (WORD, rb"[^ ]++"),
    (USER, rb"[^ ]++"),
)
_REST = rb"\n|(?s:.)++"
"""A line's end; or else all that is left, so that the first other line ends the search."""


def plain_rows(strict: bytes) -> bytes | None:
    """The pattern from the quick one; None where the format has other pieces or another order.

    Its groups are stamp, request, and status and size as one text. Behind its last match
    nothing is left; the groups of a match that is no line are None. It is right where

    - there are as many matches as newlines, and each is a line: then each holds one newline,
      at its end;
    - no backslash stands before a quote, and no ``\\r`` in the buffer;
    - what it took for status and size is three digits, a space, and 1 to 18 digits or ``-``.
    """
    head, response, tail = strict.partition(RESPONSE)
    if not (response and head.startswith(_START) and head.count(STAMP) == head.count(REQUEST) == 1):
        return None
    size = rb"[^\n]++" if tail == LINE_END else rb"[^ ]++"
    if not tail.endswith(LINE_END) or (tail != LINE_END and not tail.startswith(rb'\ "')):
        return None
    pattern = head.removeprefix(_START) + rb"((?s:.{3})\ " + size + b")" + tail.removesuffix(LINE_END)
    for piece, looser in _LOOSER:
        pattern = pattern.replace(piece, looser)
    return pattern + _REST if re.compile(pattern).groups == 3 else None
