"""JSON lines: one object a line, decoded for the keys that count and no others.

The definition is ``JsonKeys.read`` and ``JsonParser.parse``; ``fold`` takes the same
values column by column, and turns to the definition for lines that it cannot take so.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from fastlog.formats.compile import Format
from fastlog.formats.json_keys import Record, Value
from fastlog.formats.stamps import ANY
from fastlog.model.chunk import LINE_LIMIT
from fastlog.model.partial import REASONS, Partial, Reason, sum_of
from fastlog.model.plan import Plan
from fastlog.parsers.cells import NO_CELL, Cells, cells_of
from fastlog.parsers.columns import Columns, count_hits
from fastlog.parsers.hits import Hit, is_blank, request_key, target_of
from fastlog.parsers.rejects import first_rejects, rejects_of
from fastlog.parsers.runs import merged_runs
from fastlog.parsers.segments import united
from fastlog.parsers.timestamps import Seconds, epoch_number

_STATUS = re.compile(r"[0-9]{3}")
_DIGITS = re.compile(r"[0-9]{1,18}")
_SIZE_MOST = 10**18
_NUMBERS = (int, float)
_NUMERIC = frozenset(_NUMBERS)
_SECONDS = 10**11  # beyond it a number counts smaller units
_FRACTION = re.compile(rb"(?<=T\d\d:\d\d:\d\d)\.\d{1,12}+")
_REQUESTS = re.compile(rb"(?m)^(?:([A-Za-z_-]{1,32}+ /[^/?# \n]*+).*+|(.*+))$")


class JsonParser:
    """Folds chunks of one JSON format into partials. Holds no state that a result depends on."""

    name = "json"

    def __init__(self, log_format: Format, plan: Plan) -> None:
        assert log_format.keys is not None
        self._format = log_format
        self._keys = log_format.keys
        self._plan = plan
        self._seconds = Seconds(ANY, plan.log_tz)
        self._unit = self._keys.unit()
        self._required = self._keys.wants("status")
        self._timed = log_format.gives("duration")
        self._cells = Cells(self._duration)
        self.rules = None
        if plan.rules:
            from fastlog.parsers.measure import rule_fold

            self.rules = rule_fold(plan.rules, log_format)
        self._detailed = self.rules is not None and self.rules.wants_details

    def fold(self, blocks: Iterable[tuple[int, bytes | memoryview]], horizon: int | None) -> Partial:
        """As RegexParser.fold."""
        total = sum_of(self._fold(data, start, horizon) for start, data in united(blocks))
        return first_rejects(total, self._plan)

    def _fold(self, data: bytes, start: int, horizon: int | None) -> Partial:
        if not data:
            return Partial()
        lines = data.removesuffix(b"\n").split(b"\n")
        partial = Partial(lines=len(lines))
        taken = (
            self._at_once(lines)
            if not self._detailed and (len(data) <= LINE_LIMIT or max(map(len, lines)) <= LINE_LIMIT)
            else None
        )
        seconds, columns = self._one_by_one(lines, partial) if taken is None else taken
        if seconds:
            runs, lengths = merged_runs(seconds, [1] * len(seconds))
            # A hit has a second, which mypy does not know.
            count_hits(columns, runs, lengths, partial, self._plan, horizon, self.rules)  # type: ignore[arg-type]
        if any(partial.rejected):
            partial.rejects = rejects_of(self, data, start, self._plan)
        return partial

    def parse(self, line: bytes) -> Hit | Reason:
        """One line, without its newline."""
        line = line.removesuffix(b"\r")
        if len(line) > LINE_LIMIT:
            return "oversize"
        if is_blank(line, None):
            return "blank"
        record = self._keys.read(line)
        if record is None or record.time is None:
            return "format"
        status, size = _status(record.status), _size(record.size)
        if status is None or size is None or (self._required and record.status is None):
            return "format"
        if record.request is None and record.target is None:
            return "format"
        if self._second(record.time) is None:
            return "time"
        stamp = str(record.time).encode("utf-8", "replace")
        request = _request(record)
        hit = Hit(stamp, request_key(request), status, size, self._duration(record.duration))
        return hit._replace(host=self._host(line), target=target_of(request)) if self._detailed else hit

    def _host(self, line: bytes) -> bytes:
        host = self._keys.host(line)
        return b"-" if host is None else str(host).encode("utf-8", "replace")

    def second(self, line: bytes, hit: Hit | None = None) -> int | None:
        """The epoch second of one line, of which ``parse`` gave ``hit``; None where it is not parsed."""
        if hit is None and not isinstance(self.parse(line), Hit):
            return None
        record = self._keys.read(line.removesuffix(b"\r"))
        return None if record is None or record.time is None else self._second(record.time)

    def field_at(self, line: bytes) -> str:
        """The first field that a line lacks, or holds in a wrong way; ``object`` where it is no object."""
        record = self._keys.read(line.removesuffix(b"\r"))
        if record is None:
            return "object"
        if record.time is None:
            return "time"
        if record.request is None and record.target is None:
            return "request"
        return "size" if _size(record.size) is None else "status"

    def _second(self, value: Value) -> int | None:
        if isinstance(value, str):
            return self._seconds[value.encode("utf-8", "replace")]
        return None if value is None else epoch_number(value)

    def _all_seconds(self, values: list[Value]) -> list[int | None]:
        if isinstance(values[0], str):
            joined = "\n".join(values).encode()  # type: ignore[arg-type]  # TypeError where one is no text
            stamps = _FRACTION.sub(b"", joined).split(b"\n")  # so that those of one second are alike
            return list(map(self._seconds.__getitem__, stamps)) if len(stamps) == len(values) else [None]
        return [  # the type is asked for by a look-up, which mypy cannot follow
            int(value) if type(value) in _NUMBERS and 0 <= value < _SECONDS else self._second(value)  # type: ignore[arg-type,operator]
            for value in values
        ]

    def _duration(self, value: Value) -> int | None:
        try:
            micros = float(value or 0) * self._unit
        except ValueError:
            return None
        return int(min(micros, 1e18)) if value is not None and micros >= 0 else None

    def _cells_of(self, values: list[Value]) -> list[int]:
        """The cells of durations: of numbers at once, of others text by text."""
        if not _NUMERIC.issuperset(map(type, values)):
            return self._cells.of([values])
        # None but numbers are left, which mypy cannot see.
        micros = [int(value * self._unit) if value >= 0 else NO_CELL for value in values]  # type: ignore[operator]
        return cells_of(micros) if max(micros, default=0) < _SIZE_MOST else self._cells.of([values])

    def _one_by_one(self, lines: list[bytes], partial: Partial) -> tuple[list[int | None], Columns]:
        columns = Columns([], [], [], [], [], [])
        seconds: list[int | None] = []
        for line in lines:
            hit = self.parse(line)
            if not isinstance(hit, Hit):
                partial.rejected[REASONS.index(hit)] += 1
                continue
            columns.append(hit, detailed=self._detailed, timed=self._timed)
            seconds.append(self.second(line, hit))
        return seconds, columns

    def _at_once(self, lines: list[bytes]) -> tuple[list[int | None], Columns] | None:
        """The seconds and columns of lines that are all hits of the plainest kind; else None."""
        from msgspec import MsgspecError

        try:
            found = list(map(self._keys.decode, lines))
        except (MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        times, requests, methods, targets, statuses, sizes, durations = (
            self._column(getters, found) for getters in self._keys.columns
        )
        try:
            seconds = self._all_seconds(times)
            columns = Columns(
                [],
                _request_keys(requests, methods, targets),
                [int(_STATUSES[status]) for status in statuses] if self._required else [0] * len(lines),
                [size if type(size) is int and 0 <= size < _SIZE_MOST else _bytes_of(size) for size in sizes],
                [],
                self._cells_of(durations) if self._timed else [],
            )
        except (KeyError, TypeError, ValueError, UnicodeEncodeError):
            return None
        if None in seconds:
            return None
        return seconds, columns

    def _column(self, getters: tuple[Callable[[Any], Value], ...], found: list[Any]) -> list[Value]:
        """The values of one role. Where several keys may hold it, the first does for most logs."""
        if not getters:
            return [None] * len(found)
        values = list(map(getters[0], found))
        for get in getters[1:]:
            if None not in values:
                break
            values = [
                get(line) if value is None else value for value, line in zip(values, found, strict=True)
            ]
        return values


_STATUSES: dict[Value, bytes] = {number: b"%03d" % number for number in range(1000)}
_STATUSES |= {f"{number:03d}": b"%03d" % number for number in range(1000)}
"""Statuses as JSON has them, to three digits."""


def _status(value: Value) -> bytes | None:
    """Three digits; ``000`` where there is none; None where the value is no status."""
    if value in (None, "-", ""):
        return b"000"
    return _STATUSES.get(value)


def _size(value: Value) -> bytes | None:
    """A size; ``-`` where there is none; None where the value is no size."""
    if value in (None, "-", ""):
        return b"-"
    if isinstance(value, str):
        return value.encode() if _DIGITS.fullmatch(value) else None
    if isinstance(value, float) and not value.is_integer():
        return None
    return b"%d" % int(value) if 0 <= value < _SIZE_MOST else None


def _bytes_of(value: Value) -> int:
    """A size as a number. Raises ValueError for what is none."""
    size = _size(value)
    if size is None:
        raise ValueError(value)
    return 0 if size == b"-" else int(size)


def _request(record: Record) -> bytes:
    if record.request is not None:
        return str(record.request).encode("utf-8", "replace")
    return f"{'-' if record.method is None else record.method} {record.target}".encode("utf-8", "replace")


def _request_keys(requests: list[Value], methods: list[Value], targets: list[Value]) -> list[bytes]:
    """``METHOD section`` of each line: of all at once, where none holds a newline. Raises TypeError."""
    texts = requests
    if None in requests:
        if None in targets or None in methods:
            raise TypeError
        texts = [
            f"{method} {target}" if request is None else request
            for request, method, target in zip(requests, methods, targets, strict=True)
        ]
    joined = "\n".join(texts).encode()  # type: ignore[arg-type]  # TypeError where one is no text
    if joined.count(b"\n") != len(texts) - 1:
        raise TypeError
    return [key or request_key(other) for key, other in _REQUESTS.findall(joined)]
