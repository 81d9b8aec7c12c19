"""A line that was read: what counts of it, whatever format it was of."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from fastlog.formats.possessive import possessive

_REQUEST = re.compile(rb"([A-Za-z_-]{1,32}+) ++([^ ]++)")
_PATH = re.compile(possessive(rb"(?:[A-Za-z][A-Za-z0-9+.-]*+://[^/?#]*+)", b"?") + rb"(/[^/?#]*+)")
_DURATION = re.compile(rb" *[0-9]{1,18}(?:\.[0-9]{1,18})?\Z")
_NO_REQUEST = b"- -"

LONGEST_COMPARED = 1 << 56
"""Rules compare longer durations, in microseconds, as this one (2,283 years)."""

Details = tuple[int | None, bytes, bytes]
"""Duration, host and target of a line: the end of a Hit, which only some rules ask for."""

NO_DETAILS: Details = (None, b"-", b"-")


class Hit(NamedTuple):
    """The fields of one line that count: bytes as they stand, ``request`` as ``METHOD section``.

    ``stamp`` is as ``Seconds`` reads it, ``duration`` in microseconds, None where
    the format or the line has none. ``host`` and ``target`` are ``-`` where there is none.
    """

    stamp: bytes
    request: bytes
    status: bytes
    size: bytes
    duration: int | None = None
    host: bytes = b"-"
    target: bytes = b"-"


def request_key(request: bytes | None) -> bytes:
    """``METHOD section`` of a request line; ``- -`` where it is none (RFC 9112, 3)."""
    match = _REQUEST.match(request or b"")
    if match is None:
        return _NO_REQUEST
    path = _PATH.match(match[2])
    return match[1] + b" " + (path[1] if path else b"-")


def host_of(text: bytes | None, *, with_port: bool) -> bytes:
    """The client's address, less the port behind it and what syslog wrote in front of it; ``-`` where
    there is none."""
    host = (text or b"-").rpartition(b" ")[2]
    return host.rpartition(b":")[0] or host if with_port else host


def target_of(request: bytes | None) -> bytes:
    """The target of a request line as it stands; ``-`` where it is none."""
    match = _REQUEST.match(request or b"")
    return match[2] if match else b"-"


def request_of(found: dict[str, bytes | None]) -> bytes | None:
    """The request line of the groups of a match; of method and target where they stand apart."""
    if "target" in found and found["target"] is not None:
        return (found.get("method") or b"-") + b" " + found["target"]
    return found.get("request")


def is_duration(group: str) -> bool:
    """Whether a group of a format is a duration, or a part of one."""
    return group.startswith("duration")


def status_of(status: bytes | None) -> bytes:
    """Three digits; ``000`` where the server had no status to log."""
    return status if status is not None and len(status) == 3 else b"000"


def is_blank(line: bytes, comment: bytes | None) -> bool:
    """Whether nothing is on a line, or a comment."""
    return not line.strip(b" \t") or (comment is not None and line.startswith(comment))


def microseconds(values: Iterable[bytes | None], units: Iterable[int]) -> int | None:
    """The sum of the parts of a duration, each in its unit; None where a part is absent or negative."""
    total = 0
    for value, unit in zip(values, units, strict=True):
        if value is None or not _DURATION.match(value):
            return None
        whole, _, fraction = value.strip().partition(b".")
        total += int(whole) * unit + int(fraction[:9].ljust(9, b"0")) * unit // 1_000_000_000
    return total
