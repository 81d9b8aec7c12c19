"""What a field of a log format can be, and the steps by which a format is read.

A format is a tuple of pairs (literal, Field): the exact text that stands before a
field, and what the field holds. Whatever a format was written in (an Apache or
nginx string, a row of the catalogue, a ``#Fields`` line), this is what it becomes.
"""

from typing import NamedTuple


class Field(NamedTuple):
    """One field: its name in messages, what it is used for, and the form of its text.

    ``role`` is one of ``time``, ``host``, ``user``, ``request``, ``method``, ``target``,
    ``query``, ``protocol``, ``status``, ``size``, ``duration``, ``vhost``, ``referrer``,
    ``agent`` or ``skip``; ``part`` is a duration that adds to others. ``form`` is one of

    - ``word``: no space in it; ``list``: words with ``, `` or `` : `` between them;
    - ``text``: anything, up to where the rest of the format can follow;
    - ``status``: three digits; ``code``: that, or ``-``, ``0`` or ``-1`` where there was no answer;
    - ``size``: 1 to 18 digits, or ``-``; ``decimal``: that, with a sign and a fraction;
      ``padded``: digits behind spaces;
    - ``query``: empty, or from its ``?`` on; ``mark``: empty or ``?``;
    - ``time``: by ``pattern``, see ``formats.stamps``; ``tail``: by ``pattern``, a regular expression.

    ``pattern`` of a duration is its unit in microseconds, of a host WITH_PORT where
    ``:port`` belongs to the same field. Of two fields with one
    role that with the higher ``rank`` counts, of equals the first.
    """

    name: str
    role: str = "skip"
    form: str = "word"
    pattern: str = ""
    rank: int = 1


class Step(NamedTuple):
    """One step of the field program: the text before a field, and how far the field goes.

    ``literal`` is the exact text before the field, an opening quote or bracket
    included. ``kind`` says where the field ends:

    - ``word``: before the first of the bytes ``stops``; not empty; ``name``: a word that
      `` - `` does not follow; ``list``: a word, behind which no `` : `` and no comma and space go on;
    - ``until``: as a word, but it may be empty; ``text``: before the first of ``stops`` at which the
      next steps can follow; empty only where ``stops`` are no space or tab;
    - ``quoted``: before the first quote that an even number of backslashes precedes,
      with which the next literal begins; ``bracketed``: before the next ``]``, no ``[`` in it;
    - ``digits``: 1 to 18 digits, or a ``-``; ``status``: three digits; ``code``: that, or ``-``, ``0``
      or ``-1``;
    - ``decimal``: digits with a sign and a fraction, or a ``-``; ``padded``: spaces, then digits;
    - ``query``: empty, or from a ``?`` to before the first of ``stops``; ``mark``: empty or a ``?``;
    - ``stamp``: as far as the pattern of its role goes;
    - ``end``, the last step: after its literal the line ends, or a space (or tab,
      see ``Format.tail``) follows.

    Where a backslash is among ``stops``, it stands before an escaped byte that does not end the field.

    ``role`` is what the field is for: ``time:apache``, ``time:iso8601``, ``time:epoch``,
    ``time:epoch_ms``, ``time:date``, ``time:clock``, ``time:`` and any other pattern, ``host``, ``user``,
    ``request``, ``method``, ``target``, ``protocol``, ``status``, ``size``, ``duration_us``,
    ``duration_ms``, ``duration_s``, ``vhost``, ``referrer``, ``agent``, ``skip``. A line that follows all
    steps is a line of the format, with these fields, where no field but a ``padded`` one begins with a
    space or tab; one that does not is for the regex.
    """

    literal: bytes
    kind: str
    role: str
    stops: bytes = b""


Layout = tuple[tuple[str, Field], ...]
"""Pairs of literal and field; the last may be (literal, END)."""

END = Field("end of line", form="end")

US, MS, S = "1", "1000", "1000000"
"""Units of duration, in microseconds."""

WITH_PORT = "with port"

DURATION_ROLES = {US: "duration_us", MS: "duration_ms", S: "duration_s"}
