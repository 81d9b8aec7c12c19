"""The regex parser: it defines what a line of a text format is, and runs wherever Python runs.

How it is fast: ``Pattern.split`` on a whole chunk gives its captures as one flat
list, without a tuple or a match object per line, and the text *between* the
matches, which is just the lines that the quick pattern was not sure of. The
columns are slices of that list, and are counted in C (see ``parsers.columns``).
Only the lines between the matches are looked at one by one, by the format's
definition, whose word is final.
"""

import re
from collections.abc import Iterable
from functools import cached_property
from itertools import accumulate, compress, count, islice
from operator import eq, ne, not_
from typing import NamedTuple, Protocol

from fastlog.formats.compile import Format, format_of
from fastlog.model.chunk import LINE_LIMIT
from fastlog.model.partial import REASONS, Partial, Reason
from fastlog.model.plan import Plan
from fastlog.parsers.columns import Columns, count_hits, runs_of
from fastlog.parsers.timestamps import Seconds

REJECT_BYTES = 4096
"""Of a rejected line, so many bytes are kept to be shown."""

_REQUEST = re.compile(rb"([A-Za-z_-]{1,32}+) ++([^ ]++)")
_PATH = re.compile(rb"(?:[A-Za-z][A-Za-z0-9+.-]*+://[^/?#]*+)?+(/[^/?#]*+)")
_DURATION = re.compile(rb" *[0-9]{1,18}(?:\.[0-9]{1,18})?\Z")
_NO_REQUEST = b"- -"
LEARN_LINES = 20
_NOTHING = {"status": b"000", "size": b"-"}
"""What stands in a column that the format lacks."""

SHOWN_REJECTS = 3
"""So many rejected lines of a chunk are kept where nobody asked for all: the summary shows the first."""
SHOWN_BYTES = 200


class Hit(NamedTuple):
    """The fields of one line that count: bytes as they stand, ``request`` as ``METHOD section``.

    ``stamp`` is as ``Seconds`` reads it, ``duration`` in microseconds, None where
    the format or the line has none.
    """

    stamp: bytes
    request: bytes
    status: bytes
    size: bytes
    duration: int | None = None


def request_key(request: bytes | None) -> bytes:
    """``METHOD section`` of a request line; ``- -`` where it is none (RFC 9112, 3)."""
    match = _REQUEST.match(request or b"")
    if match is None:
        return _NO_REQUEST
    path = _PATH.match(match[2])
    return match[1] + b" " + (path[1] if path else b"-")


def microseconds(values: Iterable[bytes | None], units: Iterable[int]) -> int | None:
    """The sum of the parts of a duration, each in its unit; None where a part is absent or negative."""
    total = 0
    for value, unit in zip(values, units, strict=True):
        if value is None or not _DURATION.match(value):
            return None
        whole, _, fraction = value.strip().partition(b".")
        total += int(whole) * unit + int(fraction[:9].ljust(9, b"0")) * unit // 1_000_000_000
    return total


class RegexParser:
    """Folds chunks of one format into partials. Holds no state that a result depends on."""

    name = "regex"

    def __init__(self, log_format: Format, plan: Plan) -> None:
        self.format = log_format
        self._quick = log_format
        self._plan = plan
        self._seconds = Seconds(log_format.stamp, plan.log_tz)
        self._statuses: set[bytes] = set()
        self._loose = True
        self._units = log_format.durations()

    def fold(self, blocks: Iterable[tuple[int, bytes | memoryview]], horizon: int | None) -> Partial:
        """The partial of a chunk, which comes as blocks: the offset of each in its source, and
        whole lines, the last one of a source perhaps without its newline.

        Lines dated after ``horizon`` (epoch seconds) count as future.
        """
        total = Partial()
        for start, data in blocks:
            total += self._fold(bytes(data), start, horizon)
        return first_rejects(total, self._plan)

    def _fold(self, data: bytes, start: int, horizon: int | None) -> Partial:
        if not data:
            return Partial()
        if not data.endswith(b"\n"):
            data += b"\n"
        lines = data.count(b"\n")
        partial = Partial(lines=lines)
        columns = self._columns(data, lines, partial)
        stamps, lengths = runs_of(columns.stamps)
        seconds = list(map(self._seconds.__getitem__, stamps))
        if None in seconds:
            columns = self._without_bad_stamps(columns, data, partial)
            stamps, lengths = runs_of(columns.stamps)
            seconds = list(map(self._seconds.__getitem__, stamps))
        if seconds:
            seconds, lengths = merged_runs(seconds, lengths)
            count_hits(columns, seconds, lengths, partial, self._plan, horizon, self._statuses)  # type: ignore[arg-type]
        if any(partial.rejected):
            partial.rejects = rejects_of(self, data, start, self._plan)
        return partial

    def parse(self, line: bytes) -> Hit | Reason:
        """One line, without its newline, by the format's definition."""
        line = line.removesuffix(b"\r")
        if len(line) > LINE_LIMIT:
            return "oversize"
        match = self.format.line.match(line)
        if match is None:
            return "blank" if is_blank(line, self.format.comment) else "format"
        hit = self._hit(match)
        return "time" if self._seconds[hit.stamp] is None else hit

    def second_of(self, hit: Hit) -> int:
        """The epoch second of a hit that ``parse`` gave."""
        second = self._seconds[hit.stamp]
        assert second is not None
        return second

    def second(self, line: bytes) -> int | None:
        """The epoch second of one line; None where it is not parsed."""
        hit = self.parse(line)
        return self.second_of(hit) if isinstance(hit, Hit) else None

    def field_at(self, line: bytes) -> str:
        """The name of the field at which a line of no format stops fitting."""
        count = self.format.reach(line.removesuffix(b"\r"))
        return (
            self.format.fields[min(count, len(self.format.fields) - 1)] if self.format.fields else "#Fields"
        )

    def _hit(self, match: "re.Match[bytes]") -> Hit:
        found = match.groupdict()
        if self._units:
            parts = [value for name, value in found.items() if name.startswith("duration")]
            duration = microseconds(parts, self._units)
        else:
            duration = None
        return Hit(
            b" ".join(value or b"" for name, value in found.items() if name.startswith("time")),
            request_key(_request(found)),
            status_of(found.get("status")),
            found.get("size") or b"-",
            duration,
        )

    def _columns(self, data: bytes, lines: int, partial: Partial) -> Columns:
        """The columns of the lines of ``data`` that fit the format; counts the others in ``partial``."""
        if _may_have_long_line(data):
            data = _without_long_lines(data)
            partial.rejected[REASONS.index("oversize")] = lines - data.count(b"\n")
            lines = data.count(b"\n")
        if self.format.kind == "labels" and self._quick is self.format:
            self._learn(data)
        strict = self._quick.rows_strict
        if strict is None:
            return self._with_odd_lines(Columns([], [], [], []), [data], partial)
        width = len(self._quick.groups) + 1
        fields: list[bytes] | None = None
        if self._loose and b"\\" not in data and self._quick.rows is not None:
            fields = self._quick.rows.split(data)
            if len(fields) // width != lines or any(fields[::width]):
                fields = None
                self._loose = False
        if fields is None:
            fields = strict.split(data)
        columns = self._named(fields, width)
        between = fields[::width]
        if any(between):
            columns = self._with_odd_lines(columns, between, partial)
        else:
            self._loose = True
        return columns

    def _learn(self, data: bytes) -> None:
        """Take the labels of the first line that parses for those of all; others are read one by one."""
        from fastlog.formats.ltsv import learn_labels

        for line in data.split(b"\n", LEARN_LINES)[:LEARN_LINES]:
            layout = learn_labels(line.removesuffix(b"\r")) if isinstance(self.parse(line), Hit) else None
            if layout is not None:
                self._quick = format_of(self.format.name, layout, closed=True)
                return

    def _named(self, fields: list[bytes], width: int) -> Columns:
        """The groups of the quick pattern as columns."""
        found = {name: fields[at::width] for at, name in enumerate(self._quick.groups, 1)}
        hits = len(fields) // width
        requests = found.get("request")
        if requests is None:
            methods = found.get("method") or [b"-"] * hits
            requests = list(map(b" ".join, zip(methods, found["target"], strict=True)))
        nothing = {name: [text] * hits for name, text in _NOTHING.items() if name not in found}
        found |= nothing
        statuses = found["status"]
        if self._has_code:
            statuses = list(map(status_of, statuses))
        return Columns(found["time"], requests, statuses, found["size"])

    @cached_property
    def _has_code(self) -> bool:
        """Whether a status may be something else than three digits."""
        return any(field.form == "code" for _, field in self._quick.layout)

    def _with_odd_lines(self, quick: Columns, between: list[bytes], partial: Partial) -> Columns:
        """The columns with the lines that stood between the quick ones put in their places."""
        merged = Columns([], [], [], [])
        done = 0
        for place, text in enumerate(between):
            if not text:
                continue
            for column, values in zip(merged, quick, strict=True):
                column.extend(values[done:place])
            done = place
            for line in text.split(b"\n")[:-1]:
                hit = self.parse(line)
                if isinstance(hit, Hit):
                    for column, value in zip(merged, hit[:4], strict=True):
                        column.append(value)
                else:
                    partial.rejected[REASONS.index(hit)] += 1
        for column, values in zip(merged, quick, strict=True):
            column.extend(values[done:])
        return merged

    def _without_bad_stamps(self, columns: Columns, data: bytes, partial: Partial) -> Columns:
        """The columns less the hits whose stamp is no date or time: those are rejected."""
        good = [self._seconds[stamp] is not None for stamp in columns.stamps]
        bad = b"".join(compress(columns.stamps, map(not_, good)))
        if b"[" in bad or b"]" in bad:
            # The quick pattern took for a stamp what the definition does not: see each line by itself.
            partial.rejected = [0] * len(REASONS)
            return self._with_odd_lines(Columns([], [], [], []), [data], partial)
        partial.rejected[REASONS.index("time")] += good.count(False)
        return Columns(*(list(compress(column, good)) for column in columns))


def _request(found: dict[str, bytes | None]) -> bytes | None:
    """The request line of the groups of a match; of method and target where they stand apart."""
    if "target" in found and found["target"] is not None:
        return (found.get("method") or b"-") + b" " + found["target"]
    return found.get("request")


def status_of(status: bytes | None) -> bytes:
    """Three digits; ``000`` where the server had no status to log."""
    return status if status is not None and len(status) == 3 else b"000"


def is_blank(line: bytes, comment: bytes | None) -> bool:
    """Whether nothing is on a line, or a comment."""
    return not line.strip(b" \t") or (comment is not None and line.startswith(comment))


def merged_runs(seconds: list[int | None], lengths: list[int]) -> tuple[list[int | None], list[int]]:
    """Runs of equal seconds, of runs of stamps: those with fractions differ within a second."""
    if not any(map(eq, seconds, islice(seconds, 1, None))):
        return seconds, lengths
    ends = [*compress(count(1), map(ne, seconds, islice(seconds, 1, None))), len(seconds)]
    starts = [0, *ends[:-1]]
    sums = [0, *accumulate(lengths)]
    return [seconds[start] for start in starts], [
        sums[end] - sums[start] for start, end in zip(starts, ends, strict=True)
    ]


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
        if not isinstance(reason, Hit):
            rejects.append(reject(parser, start, reason, line, plan))
            if len(rejects) == SHOWN_REJECTS and not plan.rejects:
                break
        start += len(line) + 1
    return rejects


def first_rejects(partial: Partial, plan: Plan) -> Partial:
    """A chunk's partial, with its first rejected lines alone unless the plan asks for all."""
    if not plan.rejects:
        del partial.rejects[SHOWN_REJECTS:]
    return partial


def _may_have_long_line(data: bytes) -> bool:
    """Whether some stretch of half the limit holds no newline: so must a line over the limit."""
    half = LINE_LIMIT // 2
    return any(data.find(b"\n", at, at + half) < 0 for at in range(0, len(data) - half, half))


def _without_long_lines(data: bytes) -> bytes:
    lines = data.split(b"\n")[:-1]
    return b"".join(line + b"\n" for line in lines if len(line.removesuffix(b"\r")) <= LINE_LIMIT)
