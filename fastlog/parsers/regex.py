"""The regex parser: it defines what a line of a text format is, and runs wherever Python runs.

How it is fast: ``Pattern.split`` on a whole chunk gives its captures as one flat
list, without a tuple or a match object per line, and the text *between* the
matches, which is just the lines that the quick pattern was not sure of. The
columns are slices of that list, and are counted in C (see ``parsers.columns``). A
chunk that may hold nothing but lines of the usual kind is first tried with a looser
pattern, whose captures are checked as columns (see ``formats.plain``).
Only the lines between the matches are looked at one by one, by the format's
definition, whose word is final. Where a rule asks for the host, the duration or the
target, which the quick pattern does not capture, all lines are.

Over 300 lines: which way a chunk is read, and what of it is read again, is one decision.
"""

import re
from collections.abc import Iterable
from functools import cached_property
from io import BytesIO
from itertools import compress
from operator import not_

from fastlog.formats.compile import Format, format_of
from fastlog.formats.fields import WITH_PORT
from fastlog.formats.ltsv import label_unit, learn_labels
from fastlog.model.chunk import LINE_LIMIT
from fastlog.model.partial import REASONS, Partial, Reason, sum_of
from fastlog.model.plan import Plan
from fastlog.parsers.cells import NO_CELL, Cells, cells_of, whole_numbers
from fastlog.parsers.columns import Columns, count_hits, integers
from fastlog.parsers.hits import (
    Hit,
    host_of,
    is_blank,
    is_duration,
    microseconds,
    request_key,
    request_of,
    status_of,
    target_of,
)
from fastlog.parsers.plain import plain_lines
from fastlog.parsers.rejects import SHOWN_REJECTS, Reject, first_rejects, reject, rejects_of
from fastlog.parsers.segments import united
from fastlog.parsers.timestamps import Seconds

LEARN_LINES = 20
_PATIENCE = 8
"""So many chunks after one with a line of another kind are not taken for plain."""


class RegexParser:
    """Folds chunks of one format into partials. Holds no state that a result depends on."""

    name = "regex"

    def __init__(self, log_format: Format, plan: Plan) -> None:
        self.format = log_format
        self._quick = log_format
        self._plan = plan
        self._seconds = Seconds(log_format.stamp, plan.log_tz, bare=log_format.bare_stamp)
        self._loose = True
        self._wait = 0
        self._units = self._quick_units = log_format.durations()
        self.rules = None
        if plan.rules:
            from fastlog.parsers.measure import rule_fold

            self.rules = rule_fold(plan.rules, log_format)
        self._detailed = self.rules is not None and self.rules.wants_details
        self._timed = log_format.gives("duration")
        self._cells = Cells(self._duration)
        self._odd: list[tuple[Reason, bytes]] = []  # the first rejected lines of the block at hand

    def fold(self, blocks: Iterable[tuple[int, bytes | memoryview]], horizon: int | None) -> Partial:
        """The partial of a chunk, which comes as blocks: the offset of each in its source, and
        whole lines, the last one of a source perhaps without its newline.

        Lines dated after ``horizon`` (epoch seconds) count as future.
        """
        total = sum_of(self._fold(data, start, horizon) for start, data in united(blocks))
        return first_rejects(total, self._plan)

    def _fold(self, data: bytes, start: int, horizon: int | None) -> Partial:
        if not data:
            return Partial()
        if not data.endswith(b"\n"):
            data += b"\n"
        lines = _count_lines(data)
        self._odd = []
        partial = Partial(lines=lines)
        columns = self._columns(data, lines, partial)
        runs = self._seconds.runs(columns.stamps)
        if runs is None:
            columns = self._without_bad_stamps(columns, data, partial)
            runs = self._seconds.runs(columns.stamps)
        if runs is not None and columns.stamps:
            count_hits(columns, *runs, partial, self._plan, horizon, self.rules)
        if any(partial.rejected):
            partial.rejects = self._rejects(data, start, partial)
        return partial

    def _rejects(self, data: bytes, start: int, partial: Partial) -> list[Reject]:
        """The rejected lines of ``data``. Where the first are enough, and were seen one by one, they are
        searched for: to read all lines again would cost a log with a few of them its speed."""
        _, _, of_time, oversize = partial.rejected
        if self._plan.rejects or of_time or oversize:
            return rejects_of(self, data, start, self._plan)
        rejects: list[Reject] = []
        at = 0
        for reason, line in self._odd:
            at = (b"\n" + data).find(b"\n" + line + b"\n", at)
            rejects.append(reject(self, start + at, reason, line, self._plan))
            at += len(line) + 1
        return rejects

    def parse(self, line: bytes) -> Hit | Reason:
        """One line, without its newline, by the format's definition."""
        line = line.removesuffix(b"\r")
        if len(line) > LINE_LIMIT:
            return "oversize"
        match = self.format.line.match(line)
        if match is None or self.format.comment:  # words behind a number sign may be as many as the fields
            if is_blank(line, self.format.comment):
                return "blank"
            if match is None:
                return "format"
        hit = self._hit(match)
        return "time" if self._seconds[hit.stamp] is None else hit

    def second(self, line: bytes, hit: Hit | None = None) -> int | None:
        """The epoch second of one line, of which ``parse`` gave ``hit``; None where it is not parsed."""
        found = self.parse(line) if hit is None else hit
        return self._seconds[found.stamp] if isinstance(found, Hit) else None

    def field_at(self, line: bytes) -> str:
        """The name of the field at which a line of no format stops fitting."""
        count = self.format.reach(line.removesuffix(b"\r"))
        return (
            self.format.fields[min(count, len(self.format.fields) - 1)] if self.format.fields else "#Fields"
        )

    def _hit(self, match: "re.Match[bytes]") -> Hit:
        found = match.groupdict()
        request = request_of(found)
        units = self._units or label_unit(found.get("unit"))
        parts = [value for name, value in found.items() if is_duration(name)]
        duration = microseconds(parts, units) if units else None
        return Hit(
            b" ".join(value or b"" for name, value in found.items() if name.startswith("time")),
            request_key(request),
            status_of(found.get("status")),
            found.get("size") or b"-",
            duration,
            host_of(found.get("host"), with_port=self._hosts_have_ports),
            target_of(request),
        )

    @cached_property
    def _hosts_have_ports(self) -> bool:
        """Whether ``:port`` stands behind the host, in one field with it."""
        return any(field.role == "host" and field.pattern == WITH_PORT for _, field in self.format.layout)

    def _columns(self, data: bytes, lines: int, partial: Partial) -> Columns:
        """The columns of the lines of ``data`` that fit the format; counts the others in ``partial``."""
        if _may_have_long_line(data):
            data = _without_long_lines(data)
            partial.rejected[REASONS.index("oversize")] = lines - data.count(b"\n")
            lines = data.count(b"\n")
        if self.format.kind == "labels" and self._quick is self.format:
            self._learn(data)
        strict = self._quick.rows_strict
        if strict is None or self._detailed:
            return self._with_odd_lines(Columns([], [], [], [], [], []), [data], partial)
        columns = self._plain_columns(data, lines)
        if columns is not None:
            return columns
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

    def _plain_columns(self, data: bytes, lines: int) -> Columns | None:
        """The columns of ``data`` where all its lines are of the usual kind; None where one may not be."""
        plain = self._quick.plain
        if self._wait:
            self._wait -= 1
            return None
        if plain is None or (b"\\" in data and b'\\"' in data):
            return None
        end = data.find(b"\n")
        if data[end - 1 : end] == b"\r":
            data = data.replace(b"\r\n", b"\n")
        if b"\r" in data:  # a second one before a newline is of the line
            return None
        found = plain_lines(plain, data, lines)
        last = [] if found is None else [hit for hit in map(self.parse, found.rest) if isinstance(hit, Hit)]
        if found is None or len(last) < len(found.rest):
            self._wait = _PATIENCE
            return None
        cells = [NO_CELL] * len(found.stamps) if self._timed else []
        columns = Columns(*found[:4], [], cells)
        for hit in last:
            columns.append(hit, detailed=False, timed=self._timed)
        return columns

    def _learn(self, data: bytes) -> None:
        """Take the labels of the first line that parses for those of all; others are read one by one."""
        for line in data.split(b"\n", LEARN_LINES)[:LEARN_LINES]:
            layout = learn_labels(line.removesuffix(b"\r")) if isinstance(self.parse(line), Hit) else None
            if layout is not None:
                self._quick = format_of(self.format.name, layout, closed=True)
                self._quick_units = self._quick.durations()
                return

    def _named(self, fields: list[bytes], width: int) -> Columns:
        """The groups of the quick pattern as columns."""
        found = {name: fields[at::width] for at, name in enumerate(self._quick.groups, 1)}
        hits = len(fields) // width
        requests = found.get("request")
        if requests is None:
            methods = found.get("method") or [b"-"] * hits
            requests = list(map(b" ".join, zip(methods, found["target"], strict=True)))
        statuses = found.get("status")
        if statuses is not None and self._has_code:
            statuses = list(map(status_of, statuses))
        sizes = found.get("size")
        parts = [column for name, column in found.items() if is_duration(name)]
        cells = self._cells_of(parts) if parts else [NO_CELL] * hits if self._timed else []
        return Columns(
            found["time"],
            requests,
            [0] * hits if statuses is None else integers(statuses),
            [0] * hits if sizes is None else integers(sizes),
            [],
            cells,
        )

    def _cells_of(self, parts: list[list[bytes]]) -> list[int]:
        """The cells of the durations of quick lines."""
        numbers = whole_numbers(parts[0]) if len(parts) == 1 else None
        if numbers is None:  # they have fractions, and are few
            return self._cells.of(parts)
        unit = self._quick_units[0]
        return cells_of(numbers if unit == 1 else [max(number * unit, NO_CELL) for number in numbers])

    def _duration(self, parts: bytes | tuple[bytes, ...]) -> int | None:
        """The duration of a quick line in microseconds."""
        return microseconds(parts if isinstance(parts, tuple) else (parts,), self._quick_units)

    @cached_property
    def _has_code(self) -> bool:
        """Whether a status may be something else than three digits."""
        return any(field.form == "code" for _, field in self._quick.layout)

    def _with_odd_lines(self, quick: Columns, between: list[bytes], partial: Partial) -> Columns:
        """The columns with the lines that stood between the quick ones put in their places."""
        merged = Columns([], [], [], [], [], [])
        done = 0
        for place, text in enumerate(between):
            if not text:
                continue
            merged.extend(quick, done, place)
            done = place
            for line in text.split(b"\n")[:-1]:
                hit = self.parse(line)
                if isinstance(hit, Hit):
                    merged.append(hit, detailed=self._detailed, timed=self._timed)
                else:
                    partial.rejected[REASONS.index(hit)] += 1
                    if hit != "blank" and len(self._odd) < SHOWN_REJECTS:
                        self._odd.append((hit, line))
        merged.extend(quick, done)
        return merged

    def _without_bad_stamps(self, columns: Columns, data: bytes, partial: Partial) -> Columns:
        """The columns less the hits whose stamp is no date or time: those are rejected."""
        good = [self._seconds[stamp] is not None for stamp in columns.stamps]
        bad = b"".join(compress(columns.stamps, map(not_, good)))
        if b"[" in bad or b"]" in bad or (b"\t" in bad and self.format.kind == "labels"):
            # The quick pattern took for a stamp what the definition does not: see each line by itself.
            partial.rejected = [0] * len(REASONS)
            self._odd = []
            return self._with_odd_lines(Columns([], [], [], [], [], []), [data], partial)
        partial.rejected[REASONS.index("time")] += good.count(False)
        return columns.kept(good)


def _count_lines(data: bytes) -> int:
    """The newlines of data that ends with one. CPython before 3.13 counts a byte one by one, and
    looks for the next line by ``memchr``."""
    return len(BytesIO(data).readlines())


def _may_have_long_line(data: bytes) -> bool:
    """Whether some stretch of half the limit holds no newline: so must a line over the limit."""
    half = LINE_LIMIT // 2
    return any(data.find(b"\n", at, at + half) < 0 for at in range(0, len(data) - half, half))


def _without_long_lines(data: bytes) -> bytes:
    lines = data.split(b"\n")[:-1]
    return b"".join(line + b"\n" for line in lines if len(line.removesuffix(b"\r")) <= LINE_LIMIT)
