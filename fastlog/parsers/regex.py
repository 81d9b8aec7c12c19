"""The regex parser: it defines what a line of a format is, and runs wherever Python runs.

How it is fast: ``Pattern.split`` on a whole chunk gives its captures as one flat
list, without a tuple or a match object per line, and the text *between* the
matches, which is just the lines that the quick pattern was not sure of. The
columns are slices of that list; what is counted is counted in C (``Counter``,
``compress`` to the ends of runs of equal stamps, ``sum``), and the sizes become
integers in one call of orjson. Only the lines between the matches are looked at one by one,
by the format's definition, whose word is final.

Longer than a page or two, since the way of a chunk through it is one thing: a
function a step, in the order in which they are taken.
"""

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, compress, count, islice, repeat
from operator import ne, not_, sub
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
_FEW_STATUSES = 24


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
        self._statuses: set[bytes] = set()
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
        lines = data.count(b"\n")
        partial = Partial(lines=lines)
        columns = self._columns(data, lines, partial)
        stamps, lengths = _runs(columns.stamps)
        if None in map(self._seconds.__getitem__, stamps):
            columns = self._without_bad_stamps(columns, data, partial)
            stamps, lengths = _runs(columns.stamps)
        if stamps:
            self._count(columns, stamps, lengths, partial, horizon)
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

    def _columns(self, data: bytes, lines: int, partial: Partial) -> _Columns:
        """The columns of the lines of ``data`` that fit the format; counts the others in ``partial``."""
        if _may_have_long_line(data):
            data = _without_long_lines(data)
            partial.rejected[REASONS.index("oversize")] = lines - data.count(b"\n")
            lines = data.count(b"\n")
        fields: list[bytes] | None = None
        if self._loose and b"\\" not in data:
            fields = self._format.rows.split(data)
            if len(fields) // _COLUMNS != lines or any(fields[::_COLUMNS]):
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

    def _count(
        self,
        columns: _Columns,
        stamps: list[bytes],
        lengths: list[int],
        partial: Partial,
        horizon: int | None,
    ) -> None:
        """Count the hits; ``stamps`` are good, and stand for ``lengths`` lines each."""
        seconds: list[int] = list(map(self._seconds.__getitem__, stamps))  # type: ignore[arg-type]
        sizes = _integers(columns.sizes)
        partial.total_bytes = sum(sizes)
        _count_totals(columns, partial, self._statuses)
        sums = _sums(sizes, lengths) if self._plan.cells else None
        kept = None
        if horizon is not None and max(seconds) > horizon:
            kept = [second <= horizon for second in seconds]
            partial.future = sum(compress(lengths, map(not_, kept)))
            seconds = list(compress(seconds, kept))
        believed = lengths if kept is None else list(compress(lengths, kept))
        row_of_run = _fill_rows(partial, seconds, believed, self._plan.lateness)
        if sums is not None:
            _fill_sums(partial, row_of_run, sums if kept is None else compress(sums, kept))
            if kept is not None:
                row = iter(row_of_run)
                row_of_run = [next(row) if keep else _FUTURE for keep in kept]
            _fill_cells(partial, row_of_run, lengths, columns)

    def _without_bad_stamps(self, columns: _Columns, data: bytes, partial: Partial) -> _Columns:
        """The columns less the hits whose stamp is no date or time: those are rejected."""
        good = [self._seconds[stamp] is not None for stamp in columns.stamps]
        bad = b"".join(compress(columns.stamps, map(not_, good)))
        if b"[" in bad or b"]" in bad:
            # The quick pattern took for a stamp what the definition does not: see each line by itself.
            partial.rejected = [0] * len(REASONS)
            return self._with_odd_lines(_Columns([], [], [], []), [data], partial)
        partial.rejected[REASONS.index("time")] += good.count(False)
        return _Columns(*(list(compress(column, good)) for column in columns))

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


def _integers(sizes: list[bytes]) -> list[int]:
    """The sizes as integers; ``-`` is 0."""
    digits = b",".join(sizes).replace(b"-", b"0")
    try:
        numbers: list[int] = orjson.loads(b"[" + digits + b"]")
    except orjson.JSONDecodeError:  # a leading zero is no JSON
        numbers = list(map(int, digits.split(b",")))
    return numbers


def _runs(stamps: list[bytes]) -> tuple[list[bytes], list[int]]:
    """The stamps without their repetitions, and how often each stood in a row."""
    if not stamps:
        return [], []
    ends = [*compress(count(1), map(ne, stamps, islice(stamps, 1, None))), len(stamps)]
    return [stamps[end - 1] for end in ends], list(map(sub, ends, chain((0,), ends)))


def _sums(sizes: list[int], lengths: list[int]) -> list[int]:
    """The sum of each run of ``lengths`` sizes."""
    ends = list(accumulate(lengths))
    return [sum(sizes[end - length : end]) for end, length in zip(ends, lengths, strict=True)]


def _count_totals(columns: _Columns, partial: Partial, known: set[bytes]) -> None:
    """Count sections, methods and statuses."""
    sections: dict[bytes, int] = {}
    methods: dict[bytes, int] = {}
    for request, hits in Counter(columns.requests).items():
        method, section = request.split(b" ", 1)
        sections[section] = sections.get(section, 0) + hits
        methods[method] = methods.get(method, 0) + hits
    partial.sections, partial.section_hits = list(sections), array("q", sections.values())
    partial.methods, partial.method_hits = list(methods), array("q", methods.values())
    statuses = _count_statuses(columns.statuses, known)
    partial.statuses, partial.status_hits = array("q", map(int, statuses)), array("q", statuses.values())


def _count_statuses(statuses: list[bytes], known: set[bytes]) -> dict[bytes, int]:
    """Hits by status. They are few and alike in length: to search for those that are known
    beats hashing each; ``known`` grows by what it lacked."""
    joined = b" ".join(statuses)
    counts = {status: joined.count(status) for status in known}
    if sum(counts.values()) < len(statuses):
        counts = dict(Counter(statuses))
        known.update(list(counts)[: _FEW_STATUSES - len(known)])
    return {status: hits for status, hits in counts.items() if hits}


def _fill_rows(partial: Partial, seconds: list[int], lengths: list[int], lateness: int) -> Sequence[int]:
    """Rows and segments of the runs; the row of each run. A log in order takes the short way."""
    if not seconds:
        return []
    steps = list(map(sub, seconds[1:], seconds))
    if not steps or (min(steps) > 0 and max(steps) <= JUMP_SECONDS):
        partial.seconds = array("q", seconds)
        partial.hits = array("q", lengths)
        partial.segment_rows.append(len(seconds))
        partial.segment_first.append(seconds[0])
        return range(len(seconds))
    return cut_segments(partial, zip(seconds, lengths, strict=True), lateness)


def _fill_sums(partial: Partial, row_of_run: Sequence[int], sums: Iterable[int]) -> None:
    if isinstance(row_of_run, range):
        partial.row_bytes = list(sums)
        return
    partial.row_bytes = [0] * len(partial.seconds)
    for row, size in zip(row_of_run, sums, strict=True):
        partial.row_bytes[row] += size


def _fill_cells(partial: Partial, row_of_run: Sequence[int], lengths: list[int], columns: _Columns) -> None:
    rows = chain.from_iterable(map(repeat, row_of_run, lengths))
    cells = Counter(zip(rows, columns.requests, columns.statuses, strict=True))
    if _FUTURE in row_of_run:
        cells = Counter({cell: hits for cell, hits in cells.items() if cell[0] != _FUTURE})
        if not cells:
            return
    section_number = {section: number for number, section in enumerate(partial.sections)}
    method_number = {method: number for number, method in enumerate(partial.methods)}
    section_of: dict[bytes, int] = {}
    method_of: dict[bytes, int] = {}
    for request in set(columns.requests):
        method, section = request.split(b" ", 1)
        section_of[request], method_of[request] = section_number[section], method_number[method]
    row_column, requests, statuses = zip(*cells, strict=True)
    partial.cell_rows = array("q", row_column)
    partial.cell_sections = array("q", map(section_of.__getitem__, requests))
    partial.cell_methods = array("q", map(method_of.__getitem__, requests))
    partial.cell_statuses = array("q", map(int, statuses))
    partial.cell_hits = array("q", cells.values())
