"""What the merger says, and all that a sink ever sees.

Times are epoch seconds (UTC), sizes bytes. Tables map a printable name to hits,
ordered by hits, most first, then by name; ``(other)`` holds the hits of what the
bounds left unnamed.
"""

from dataclasses import dataclass
from typing import Literal

OTHER = "(other)"

Table = dict[str, int]


@dataclass(frozen=True, slots=True)
class Stats:
    """One statistics window ``[start, end)``; ``partial`` when the log ended inside it."""

    start: int
    end: int
    hits: int
    bytes: int
    rate: float
    partial: bool
    sections: Table
    statuses: Table
    methods: Table


@dataclass(frozen=True, slots=True)
class Alert:
    """A transition of a rule: ``hits`` and ``rate`` over ``window`` seconds ending with ``at``.

    ``value`` is what the rule measured, in the unit of its threshold, and ``key`` the section,
    status, method or host that it is about, None for one in all. The traffic alert has no
    ``value``: its hits say it.
    """

    rule: str
    state: Literal["firing", "resolved"]
    at: int
    hits: int
    rate: float
    threshold: float
    window: int
    message: str
    key: str | None = None
    value: int | float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """The totals of a run. ``lines`` = ``parsed`` + the sum of ``rejected``, always."""

    complete: bool
    lines: int
    parsed: int
    rejected: Table
    late: int
    future: int
    first: int | None
    last: int | None
    hits: int
    bytes: int
    sections: Table
    statuses: Table
    methods: Table
    alerts: int
    open_alerts: list[str]


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that was not parsed: its file, the offset of its first byte, why, and its text.

    ``line`` is the raw line without its end, at most the first 4096 bytes.
    """

    file: str
    offset: int
    reason: str
    line: bytes


Event = Stats | Alert | Summary | Reject
