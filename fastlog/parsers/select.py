"""Which parser folds: the compiled one where it is built, else the regex."""

from typing import Protocol

from fastlog.config import ParserName
from fastlog.errors import UsageError
from fastlog.formats.compile import Format
from fastlog.model.partial import Partial
from fastlog.model.plan import Plan
from fastlog.parsers.regex import RegexParser


class Parser(Protocol):
    """The seam: a chunk becomes a partial. See RegexParser.fold, whose word is final."""

    name: str

    def fold(self, data: bytes, start: int, horizon: int | None) -> Partial: ...


class LineReader(Parser, Protocol):
    """A parser that also reads single lines."""

    def second(self, line: bytes) -> int | None:
        """The epoch second of one line; None where it is not parsed."""


def parser_name(wanted: ParserName) -> str:
    """The parser that ``wanted`` comes to here. Raises UsageError where it is not built."""
    if wanted == "native":
        raise UsageError("--parser is 'native': it is not built in this installation; use auto or regex")
    return "regex"


def make_parser(name: str, log_format: Format, plan: Plan) -> LineReader:
    """A parser of that name (as parser_name gave it) for one format."""
    if log_format.kind == "json":
        from fastlog.parsers.json_lines import JsonParser

        return JsonParser(log_format, plan)
    if log_format.kind == "fields":
        from fastlog.parsers.fields import FieldsParser

        return FieldsParser(name, log_format, plan, make_text_parser)
    return make_text_parser(name, log_format, plan)


def make_text_parser(name: str, log_format: Format, plan: Plan) -> LineReader:
    """As make_parser, for a format whose lines a regular expression defines."""
    return RegexParser(log_format, plan)
