"""Lines that were not read: where, why, and at which field."""

from typing import Protocol

from fastlog.model.partial import Partial, Reason
from fastlog.model.plan import Plan
from fastlog.parsers.hits import Hit

REJECT_BYTES = 4096
"""Of a rejected line, so many bytes are kept to be shown."""

SHOWN_REJECTS = 3
"""So many rejected lines of a chunk are kept where nobody asked for all: the summary shows the first."""
SHOWN_BYTES = 200


class LineParser(Protocol):
    """What ``reject`` asks of a parser."""

    def parse(self, line: bytes) -> Hit | Reason: ...

    def field_at(self, line: bytes) -> str: ...


Reject = tuple[int, str, bytes]
"""Offset of a rejected line, why, and its first bytes: as a Partial holds it."""


def reject(parser: LineParser, offset: int, reason: Reason, line: bytes, plan: Plan) -> Reject:
    """A rejected line as a Partial holds it.

    Of a line that is not of the format the reason is ``format: FIELD``, with the
    field at which it stopped fitting.
    """
    why = f"format: {parser.field_at(line)}" if reason == "format" else reason
    return offset, why, line[: REJECT_BYTES if plan.rejects else SHOWN_BYTES].removesuffix(b"\r")


def rejects_of(parser: LineParser, data: bytes, start: int, plan: Plan) -> list[Reject]:
    """The rejected lines of ``data``: all where the plan asks for them, else the first few."""
    rejects: list[Reject] = []
    for line in data.removesuffix(b"\n").split(b"\n"):
        reason = parser.parse(line)
        if not isinstance(reason, Hit) and is_kept(reason, len(rejects), plan):
            rejects.append(reject(parser, start, reason, line, plan))
        start += len(line) + 1
    return rejects


def is_kept(reason: Reason, kept: int, plan: Plan) -> bool:
    """Whether a rejected line is kept when ``kept`` of its chunk are: all of them where the plan asks
    for all, else the first few on which there was something to read."""
    return plan.rejects or (reason != "blank" and kept < SHOWN_REJECTS)


def first_rejects(partial: Partial, plan: Plan) -> Partial:
    """A chunk's partial, with its first rejected lines alone unless the plan asks for all."""
    if not plan.rejects:
        del partial.rejects[SHOWN_REJECTS:]
    return partial
