"""The worker's role: a chunk becomes a Partial."""

from typing import TYPE_CHECKING

from fastlog.formats.compile import compile_format
from fastlog.model.chunk import Block, Chunk
from fastlog.model.partial import Partial
from fastlog.model.plan import Plan
from fastlog.parsers.select import Parser, make_parser, parser_name
from fastlog.sources.files import OpenSource
from fastlog.sources.ranges import RangeReader

if TYPE_CHECKING:  # a child checks no configuration, and starts sooner without
    from fastlog.config import ParserName


class Worker:
    """Folds chunks of any source. A parser a format, so that what it has learnt of a log lasts."""

    def __init__(self, plan: Plan, parser: "ParserName", sources: list[OpenSource]) -> None:
        self._plan = plan
        self._parser = parser_name(parser)
        self._sources = sources
        self._reader = RangeReader()
        self._parsers: dict[str, Parser] = {}

    def fold(self, chunk: Chunk, log_format: str) -> tuple[Partial, bool]:
        """The partial of a chunk, and whether all its bytes were there. Raises OSError."""
        parser = self._parsers.get(log_format)
        if parser is None:
            parser = make_parser(self._parser, compile_format(log_format), self._plan)
            self._parsers[log_format] = parser
        if isinstance(chunk, Block):
            horizon = self._plan.horizon if chunk.horizon is None else chunk.horizon
            return parser.fold([(chunk.start, chunk.data)], horizon), True
        source = self._sources[chunk.source]
        assert source.end is not None
        lines = self._reader.lines(source.fd, chunk.start, chunk.stop, source.origin, source.end)
        return parser.fold(lines, self._plan.horizon), self._reader.whole
