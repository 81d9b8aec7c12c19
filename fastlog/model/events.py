"""What the merger says, and all that a sink ever sees.

Times are epoch seconds (UTC), sizes bytes. Tables map a printable name to hits,
ordered by hits, most first, then by name; ``(other)`` holds the hits of what the
bounds left unnamed.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from fastlog.model.partial import LOW_BITS

OTHER = "(other)"

Table = dict[str, int]

Latency = dict[str, int | None]
"""``p50``, ``p95`` and ``p99`` of durations in microseconds, see ``model.sketch``; None of no durations."""


PERCENTILES = (50, 95, 99)
"""Of the durations, in the order of a Latency."""


def latency(values: Iterable[int | None]) -> Latency:
    """The durations at each of PERCENTILES under their names."""
    return {f"p{percent}": value for percent, value in zip(PERCENTILES, values, strict=True)}


@dataclass(frozen=True, slots=True)
class Stats:
    """One statistics window ``[start, end)``; ``partial`` when the log ended inside it.

    ``latency_us`` is None where no format of the log has a duration.
    """

    start: int
    end: int
    hits: int
    bytes: int
    rate: float
    partial: bool
    sections: Table
    statuses: Table
    methods: Table
    latency_us: Latency | None = None


class StatsColumns:
    """Statistics windows that closed together, as columns: what the compiled windows give.

    Iterating makes a ``Stats`` of each. The sums of bytes are split as in a partial.
    ``tables`` are those of the sections, statuses and methods. ``latencies`` are PERCENTILES
    columns of microseconds, negative where no hit has a duration; None as in ``Stats``.
    """

    def __init__(
        self,
        window: int,
        starts: "array[int]",
        hits: "array[int]",
        bytes_low: "array[int]",
        bytes_high: "array[int]",
        partial: "array[int]",
        tables: "tuple[TableColumns, TableColumns, TableColumns]",
        latencies: "Sequence[array[int]] | None" = None,
    ) -> None:
        self.window, self.starts, self.hits = window, starts, hits
        self.bytes_low, self.bytes_high, self.partial, self.tables = bytes_low, bytes_high, partial, tables
        self.latencies = latencies

    def __iter__(self) -> Iterator[Stats]:
        tables = zip(*self.tables, strict=True)
        latencies = [None] * len(self.starts) if self.latencies is None else zip(*self.latencies, strict=True)
        columns = zip(
            self.starts,
            self.hits,
            self.bytes_low,
            self.bytes_high,
            self.partial,
            tables,
            latencies,
            strict=True,
        )
        for start, hits, low, high, partial, (sections, statuses, methods), micros in columns:
            yield Stats(
                start,
                start + self.window,
                hits,
                (high << LOW_BITS) + low,
                round(hits / self.window, 3),
                bool(partial),
                sections,
                statuses,
                methods,
                None if micros is None else latency(value if value >= 0 else None for value in micros),
            )


class TableColumns:
    """A table of each window: ``rows`` of them, in their order, one window's after the other's.

    ``keys`` are places in ``names``, ``counts`` the hits.
    """

    def __init__(
        self, names: Sequence[str], rows: "array[int]", keys: "array[int]", counts: "array[int]"
    ) -> None:
        self.names, self.rows, self.keys, self.counts = names, rows, keys, counts

    def __iter__(self) -> Iterator[Table]:
        at = 0
        for rows in self.rows:
            stop = at + rows
            names = map(self.names.__getitem__, self.keys[at:stop])
            yield dict(zip(names, self.counts[at:stop], strict=True))
            at = stop


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
    """The totals of a run. ``lines`` = ``parsed`` + the sum of ``rejected``, always.

    ``notify`` counts the notifications that were ``delivered`` and ``given_up``, where
    somebody is notified. ``latency_us`` is None where no format of the log has a duration.
    """

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
    notify: Table | None = None
    latency_us: Latency | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that was not parsed: its file, the offset of its first byte, why, and its text.

    ``reason`` is one of those that the summary counts; behind ``format`` stand a colon
    and the field at which the line stopped fitting. ``line`` is the raw line without
    its end, at most the first 4096 bytes. Only the first few lines of each chunk come,
    unless all were asked for.
    """

    file: str
    offset: int
    reason: str
    line: bytes


Event = Stats | StatsColumns | Alert | Summary | Reject


def singly(events: Iterable[Event]) -> Iterator[Stats | Alert | Summary | Reject]:
    """The same events, with a ``Stats`` for each window that came in columns."""
    for event in events:
        if isinstance(event, StatsColumns):
            yield from event
        else:
            yield event
