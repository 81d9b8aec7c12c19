"""The regex parser: it defines what a line of a format is, and runs wherever Python runs.

How it is fast: ``Pattern.split`` on a whole chunk gives its captures as one flat
list, without a tuple or a match object per line, and the text *between* the
matches, which is just the lines that the quick pattern was not sure of. The
columns are slices of that list; what is counted is counted in C (``Counter``,
``groupby`` over runs of equal stamps, ``sum``), and the sizes become integers in
one call of orjson. Only the lines between the matches are looked at one by one,
by the format's definition, whose word is final.
"""

import re
from array import array
from collections import Counter
from itertools import chain, groupby, repeat
from operator import lt, sub
from typing import NamedTuple

import orjson

from fastlog.formats.compile import Format
from fastlog.model.chunk import LINE_LIMIT
from fastlog.model.partial import REASONS, Partial, Reason
from fastlog.model.plan import JUMP_SECONDS, Plan
from fastlog.parsers.segments import cut_segments
from fastlog.parsers.timestamps import Seconds

REJECT_BYTES = 4096
"""Of a rejected line, so many bytes are kept to be shown."""

_REQUEST = re.compile(rb"([A-Za-z_-]{1,32}+) ++([^ ]++)")
_PATH = re.compile(rb"(?:[A-Za-z][A-Za-z0-9+.-]*+://[^/?#]*+)?+(/[^/?#]*+)")
_NO_REQUEST = b"- -"
_COLUMNS = 5  # between the matches, then stamp, request, status, size
_FUTURE = -1


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


class _Columns(NamedTuple):
    """The hits of a chunk, in the order of its lines."""

    stamps: list[bytes]
    requests: list[bytes]
    statuses: list[bytes]
    sizes: list[bytes]


class RegexParser:
    """Folds chunks of one format into partials. Holds no state that a result depends on."""

    name = "regex"

    def __init__(self, log_format: Format, plan: Plan) -> None:
        self._format = log_format
        self._plan = plan
        self._seconds = Seconds()
        self._loose = True

    def fold(self, data: bytes, start: int, horizon: int | None) -> Partial:
        """The partial of ``data``: whole lines, the last one perhaps without its newline.

        ``start`` is the offset of ``data`` in its source. Lines dated after
        ``horizon`` (epoch seconds) count as future.
        """
        if not data:
            return Partial()
        if not data.endswith(b"\n"):
            data += b"\n"
        partial = Partial(lines=data.count(b"\n"))
        short = _without_long_lines(data) if _may_have_long_line(data) else data
        partial.rejected[REASONS.index("oversize")] = partial.lines - short.count(b"\n")
        columns = self._columns(short, partial)
        if columns.stamps:
            self._count(columns, partial, horizon)
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

    def second(self, line: bytes) -> int | None:
        """The epoch second of one line; None where it is not parsed."""
        hit = self.parse(line)
        return self._seconds[hit.stamp] if isinstance(hit, Hit) else None

    def _columns(self, data: bytes, partial: Partial) -> _Columns:
        """The columns of all parsed lines of ``data``; counts the other lines in ``partial``."""
        fields: list[bytes] | None = None
        if self._loose and b"\\" not in data:
            fields = self._format.rows.split(data)
            if len(fields) // _COLUMNS != data.count(b"\n") or any(fields[::_COLUMNS]):
                fields = None
                self._loose = False
        if fields is None:
            fields = self._format.rows_strict.split(data)
        columns = _Columns(*(fields[column::_COLUMNS] for column in range(1, _COLUMNS)))
        between = fields[::_COLUMNS]
        if any(between):
            columns = self._with_odd_lines(columns, between, partial)
        else:
            self._loose = True
        return columns

    def _with_odd_lines(self, quick: _Columns, between: list[bytes], partial: Partial) -> _Columns:
        """The columns with the lines that stood between the quick ones put in their places."""
        merged = _Columns([], [], [], [])
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

    def _count(self, columns: _Columns, partial: Partial, horizon: int | None) -> None:
        stamps, lengths = zip(*((stamp, len(list(run))) for stamp, run in groupby(columns.stamps)), strict=True)
        seconds = list(map(self._seconds.__getitem__, stamps))
        if None in seconds:
            columns = self._without_bad_stamps(columns, partial)
            if columns.stamps:
                self._count(columns, partial, horizon)
            return
        sizes = _integers(columns.sizes)
        partial.total_bytes = sum(sizes)
        keys = _count_totals(columns, partial)
        sums = _sums(sizes, lengths) if self._plan.cells else repeat(0)
        runs = list(zip(seconds, lengths, sums, strict=False))
        believed = runs
        if horizon is not None and max(seconds) > horizon:
            believed = [run for run in runs if run[0] <= horizon]
            partial.future = len(columns.stamps) - sum(run[1] for run in believed)
        rows = _fill_rows(partial, believed, self._plan.lateness)
        if self._plan.cells:
            if len(believed) < len(runs):
                row = iter(rows)
                rows = [next(row) if run[0] <= horizon else _FUTURE for run in runs]  # type: ignore[operator]
            _fill_cells(partial, chain.from_iterable(map(repeat, rows, lengths)), columns, keys)

    def _without_bad_stamps(self, columns: _Columns, partial: Partial) -> _Columns:
        """The columns less the hits whose stamp is no date: those are rejected."""
        good = [self._seconds[stamp] is not None for stamp in columns.stamps]
        partial.rejected[REASONS.index("time")] += good.count(False)
        return _Columns(*([value for value, keep in zip(c, good, strict=True) if keep] for c in columns))

    def _rejects(self, data: bytes, start: int) -> list[tuple[int, str, bytes]]:
        rejects = []
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


def _integers(sizes: list[bytes]) -> list[int]:
    """The sizes as integers; ``-`` is 0."""
    digits = b",".join(sizes).replace(b"-", b"0")
    try:
        numbers: list[int] = orjson.loads(b"[" + digits + b"]")
    except orjson.JSONDecodeError:  # a leading zero is no JSON
        numbers = list(map(int, digits.split(b",")))
    return numbers


def _sums(sizes: list[int], lengths: tuple[int, ...]) -> list[int]:
    """The sum of each run of ``lengths`` sizes."""
    sums = []
    at = 0
    for length in lengths:
        sums.append(sum(sizes[at : at + length]))
        at += length
    return sums


def _count_totals(columns: _Columns, partial: Partial) -> dict[bytes, tuple[int, int]]:
    """Count sections, methods and statuses; the numbers of (section, method) by request."""
    sections: dict[bytes, int] = {}
    methods: dict[bytes, int] = {}
    keys: dict[bytes, tuple[int, int]] = {}
    for request, hits in Counter(columns.requests).items():
        method, section = request.split(b" ", 1)
        number = sections.setdefault(section, len(sections))
        if number == len(partial.sections):
            partial.sections.append(section)
            partial.section_hits.append(0)
        partial.section_hits[number] += hits
        kind = methods.setdefault(method, len(methods))
        if kind == len(partial.methods):
            partial.methods.append(method)
            partial.method_hits.append(0)
        partial.method_hits[kind] += hits
        keys[request] = (number, kind)
    for status, hits in Counter(columns.statuses).items():
        partial.statuses.append(int(status))
        partial.status_hits.append(hits)
    return keys


def _fill_rows(partial: Partial, runs: list[tuple[int, int, int]], lateness: int) -> "array[int] | list[int]":
    """Rows and segments of the runs; the row of each run. A log in order takes the short way."""
    if not runs:
        return []
    seconds, hits, sums = zip(*runs, strict=True)
    steps = list(map(sub, seconds[1:], seconds))
    if all(map(lt, repeat(0, len(steps)), steps)) and max(steps, default=0) <= JUMP_SECONDS:
        partial.seconds = array("q", seconds)
        partial.hits = array("q", hits)
        partial.bytes = list(sums)
        partial.segment_rows.append(len(runs))
        partial.segment_first.append(seconds[0])
        return list(range(len(runs)))
    return cut_segments(partial, runs, lateness)


def _fill_cells(
    partial: Partial, rows: "chain[int]", columns: _Columns, keys: dict[bytes, tuple[int, int]]
) -> None:
    cells = Counter(zip(rows, columns.requests, columns.statuses, strict=True))
    if any(row == _FUTURE for row, _, _ in cells):
        cells = Counter({cell: hits for cell, hits in cells.items() if cell[0] != _FUTURE})
        if not cells:
            return
    row_column, requests, statuses = zip(*cells, strict=True)
    section_of = {request: numbers[0] for request, numbers in keys.items()}
    method_of = {request: numbers[1] for request, numbers in keys.items()}
    partial.cell_rows = array("q", row_column)
    partial.cell_sections = array("q", map(section_of.__getitem__, requests))
    partial.cell_methods = array("q", map(method_of.__getitem__, requests))
    partial.cell_statuses = array("q", map(int, statuses))
    partial.cell_hits = array("q", cells.values())
