"""Logs that name their fields themselves, in lines between those of hits: W3C, IIS, CloudFront."""

from collections.abc import Callable
from typing import Protocol

from fastlog.formats.compile import Format, compile_format
from fastlog.formats.w3c import DIRECTIVE, fields_format, fields_of
from fastlog.model.partial import Partial
from fastlog.model.plan import Plan


class _Reader(Protocol):
    def fold(self, data: bytes, start: int, horizon: int | None) -> Partial: ...

    def second(self, line: bytes) -> int | None: ...


Make = Callable[[str, Format, Plan], _Reader]
"""Makes a parser of one kind, for one format and plan."""


class FieldsParser:
    """Folds chunks that begin under the fields of one format, and may change them.

    ``make`` makes the parser of the lines under one ``#Fields`` line; at most BOUND of
    them are kept.
    """

    BOUND = 64

    def __init__(self, name: str, log_format: Format, plan: Plan, make: Make) -> None:
        self.name = name
        self._format = log_format
        self._plan = plan
        self._make = make
        self._parsers: dict[str, _Reader] = {}

    def fold(self, data: bytes, start: int, horizon: int | None) -> Partial:
        """As RegexParser.fold; a line that names the fields is blank, and counts for the lines behind it."""
        total: Partial | None = None
        at = 0
        while total is None or at < len(data):
            parser = (
                self._under(data, at) if data.startswith(DIRECTIVE, at) else self._parser(self._format.name)
            )
            stop = data.find(b"\n" + DIRECTIVE, at) + 1 or len(data)
            partial = parser.fold(data[at:stop], start + at, horizon)
            total = partial if total is None else total + partial
            at = stop
        return total

    def second(self, line: bytes) -> int | None:
        """The epoch second of one line; None where it is not parsed."""
        return self._parser(self._format.name).second(line)

    def _under(self, data: bytes, at: int) -> _Reader:
        """The parser of the lines below the ``#Fields`` line that begins at ``at``."""
        stop = data.find(b"\n", at)
        names = fields_of(data[at : stop if stop >= 0 else len(data)]) or ""
        return self._parser(fields_format(self._format.name, names))

    def _parser(self, name: str) -> _Reader:
        parser = self._parsers.get(name)
        if parser is None:
            if len(self._parsers) >= self.BOUND:
                self._parsers.clear()
            parser = self._parsers[name] = self._make(self.name, compile_format(name), self._plan)
        return parser
