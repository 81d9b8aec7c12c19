"""Logs that name their fields themselves, in lines between those of hits: W3C, IIS, CloudFront."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from fastlog.formats.compile import Format, compile_format
from fastlog.formats.w3c import DIRECTIVE, fields_format, fields_of
from fastlog.model.partial import Partial, sum_of
from fastlog.model.plan import Plan
from fastlog.parsers.rejects import first_rejects
from fastlog.parsers.segments import united


class _Folder(Protocol):
    def fold(self, blocks: Iterable[tuple[int, bytes | memoryview]], horizon: int | None) -> Partial: ...


class FieldsParser:
    """Folds chunks that begin under the fields of one format, and may change them.

    ``make`` makes the parser of the lines under one ``#Fields`` line; at most BOUND of
    them are kept.
    """

    BOUND = 64

    def __init__(self, log_format: Format, plan: Plan, make: Callable[[Format], _Folder]) -> None:
        self.name = "fields"
        self._format = log_format
        self._plan = plan
        self._make = make
        self._parsers: dict[str, _Folder] = {}

    def fold(self, blocks: Iterable[tuple[int, bytes | memoryview]], horizon: int | None) -> Partial:
        """As RegexParser.fold; a line that names the fields is blank, and counts for the lines behind it."""
        return first_rejects(sum_of(self._parts(blocks, horizon)), self._plan)

    def _parts(
        self, blocks: Iterable[tuple[int, bytes | memoryview]], horizon: int | None
    ) -> Iterator[Partial]:
        """The partials of the stretches between ``#Fields`` lines."""
        parser = self._parser(self._format.name)
        for start, data in united(blocks):
            at = 0
            while at < len(data):
                if data.startswith(DIRECTIVE, at):
                    parser = self._under(data, at)
                stop = _next_directive(data, at)
                yield parser.fold([(start + at, data[at:stop])], horizon)
                at = stop

    def _under(self, data: bytes, at: int) -> _Folder:
        """The parser of the lines below the ``#Fields`` line that begins at ``at``."""
        stop = data.find(b"\n", at)
        names = fields_of(data[at : stop if stop >= 0 else len(data)]) or ""
        return self._parser(fields_format(self._format.name, names))

    def _parser(self, name: str) -> _Folder:
        parser = self._parsers.get(name)
        if parser is None:
            if len(self._parsers) >= self.BOUND:
                self._parsers.clear()
            parser = self._parsers[name] = self._make(compile_format(name))
        return parser


def _next_directive(data: bytes, at: int) -> int:
    """Where the first ``#Fields`` line behind the one at ``at`` begins; the end of ``data`` where none does.

    One byte is found ten times as fast as several, and is in few lines: so it is tried first.
    """
    for _ in range(64):
        at = data.find(b"#", at + 1)
        if at < 0:
            return len(data)
        if data[at - 1] == ord("\n") and data.startswith(DIRECTIVE, at):
            return at
    return data.find(b"\n" + DIRECTIVE, at) + 1 or len(data)
