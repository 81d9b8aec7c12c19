"""The regex parser: it defines what a line of a format is, and runs wherever Python runs.

How it is fast: ``Pattern.split`` on a whole chunk gives its captures as one flat
list, without a tuple or a match object per line, and the text *between* the
matches, which is just the lines that the quick pattern was not sure of. The
columns are slices of that list, and are counted in C (see ``parsers.columns``).
Only the lines between the matches are looked at one by one, by the format's
definition, whose word is final.
"""

import re
from collections.abc import Iterable
from itertools import compress
from operator import not_
from typing import NamedTuple

from fastlog.formats.compile import Format
from fastlog.model.chunk import LINE_LIMIT
from fastlog.model.partial import REASONS, Partial, Reason
from fastlog.model.plan import Plan
from fastlog.parsers.columns import Columns, count_hits, runs_of
from fastlog.parsers.timestamps import Seconds

REJECT_BYTES = 4096
"""Of a rejected line, so many bytes are kept to be shown."""

_REQUEST = re.compile(rb"([A-Za-z_-]{1,32}+) ++([^ ]++)")
_PATH = re.compile(rb"(?:[A-Za-z][A-Za-z0-9+.-]*+://[^/?#]*+)?+(/[^/?#]*+)")
_NO_REQUEST = b"- -"
_GROUPS = 5  # between the matches, then stamp, request, status, size


class Hit(NamedTuple):
    """The fields of one line that count: bytes as they stand, ``request`` as ``METHOD section``."""

    stamp: bytes
    request: bytes
    status: bytes
    size: bytes


def request_key(request: bytes | None) -> bytes:
    """``METHOD section`` of a request line; ``- -`` where it is none (RFC 9112, 3)."""
    match = _REQUEST.match(request or b"")
    if match is None:
        return _NO_REQUEST
    path = _PATH.match(match[2])
    return match[1] + b" " + (path[1] if path else b"-")


class RegexParser:
    """Folds chunks of one format into partials. Holds no state that a result depends on."""

    name = "regex"

    def __init__(self, log_format: Format, plan: Plan) -> None:
        self._format = log_format
        self._plan = plan
        self._seconds = Seconds()
        self._statuses: set[bytes] = set()
        self._loose = True

    def fold(self, blocks: Iterable[tuple[int, bytes | memoryview]], horizon: int | None) -> Partial:
        """The partial of a chunk, which comes as blocks: the offset of each in its source, and
        whole lines, the last one of a source perhaps without its newline.

        Lines dated after ``horizon`` (epoch seconds) count as future.
        """
        total = Partial()
        for start, data in blocks:
            total += self._fold(bytes(data), start, horizon)
        return total

    def _fold(self, data: bytes, start: int, horizon: int | None) -> Partial:
        if not data:
            return Partial()
        if not data.endswith(b"\n"):
            data += b"\n"
        lines = data.count(b"\n")
        partial = Partial(lines=lines)
        columns = self._columns(data, lines, partial)
        stamps, lengths = runs_of(columns.stamps)
        if None in map(self._seconds.__getitem__, stamps):
            columns = self._without_bad_stamps(columns, data, partial)
            stamps, lengths = runs_of(columns.stamps)
        if stamps:
            seconds: list[int] = list(map(self._seconds.__getitem__, stamps))  # type: ignore[arg-type]
            count_hits(columns, seconds, lengths, partial, self._plan, horizon, self._statuses)
        if self._plan.rejects and any(partial.rejected):
            partial.rejects = self._rejects(data, start)
        return partial

    def parse(self, line: bytes) -> Hit | Reason:
        """One line, without its newline, by the format's definition."""
        line = line.removesuffix(b"\r")
        if len(line) > LINE_LIMIT:
            return "oversize"
        match = self._format.line.match(line)
        if match is None:
            return "format" if line.strip(b" \t") else "blank"
        stamp = match["time"]
        if self._seconds[stamp] is None:
            return "time"
        return Hit(stamp, request_key(match["request"]), match["status"], match["size"])

    def second_of(self, hit: Hit) -> int:
        """The epoch second of a hit that ``parse`` gave."""
        second = self._seconds[hit.stamp]
        assert second is not None
        return second

    def second(self, line: bytes) -> int | None:
        """The epoch second of one line; None where it is not parsed."""
        hit = self.parse(line)
        return self.second_of(hit) if isinstance(hit, Hit) else None

    def _columns(self, data: bytes, lines: int, partial: Partial) -> Columns:
        """The columns of the lines of ``data`` that fit the format; counts the others in ``partial``."""
        if _may_have_long_line(data):
            data = _without_long_lines(data)
            partial.rejected[REASONS.index("oversize")] = lines - data.count(b"\n")
            lines = data.count(b"\n")
        fields: list[bytes] | None = None
        if self._loose and b"\\" not in data:
            fields = self._format.rows.split(data)
            if len(fields) // _GROUPS != lines or any(fields[::_GROUPS]):
                fields = None
                self._loose = False
        if fields is None:
            fields = self._format.rows_strict.split(data)
        columns = Columns(*(fields[column::_GROUPS] for column in range(1, _GROUPS)))
        between = fields[::_GROUPS]
        if any(between):
            columns = self._with_odd_lines(columns, between, partial)
        else:
            self._loose = True
        return columns

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
                    for column, value in zip(merged, hit, strict=True):
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

    def _rejects(self, data: bytes, start: int) -> list[tuple[int, str, bytes]]:
        rejects: list[tuple[int, str, bytes]] = []
        for line in data.split(b"\n")[:-1]:
            reason = self.parse(line)
            if not isinstance(reason, Hit):
                rejects.append((start, reason, line[:REJECT_BYTES].removesuffix(b"\r")))
            start += len(line) + 1
        return rejects


def _may_have_long_line(data: bytes) -> bool:
    """Whether some stretch of half the limit holds no newline: so must a line over the limit."""
    half = LINE_LIMIT // 2
    return any(data.find(b"\n", at, at + half) < 0 for at in range(0, len(data) - half, half))


def _without_long_lines(data: bytes) -> bytes:
    lines = data.split(b"\n")[:-1]
    return b"".join(line + b"\n" for line in lines if len(line.removesuffix(b"\r")) <= LINE_LIMIT)
