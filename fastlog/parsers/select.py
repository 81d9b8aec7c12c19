"""Which parser folds: the compiled one where it is built, else the regex."""

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Protocol

from fastlog.config import ParserName
from fastlog.errors import UsageError
from fastlog.formats.compile import Format
from fastlog.model.partial import Partial
from fastlog.model.plan import Plan


class Parser(Protocol):
    """The seam: a chunk becomes a partial. See RegexParser.fold, whose word is final."""

    name: str

    def fold(self, blocks: Iterable[tuple[int, bytes | memoryview]], horizon: int | None) -> Partial: ...


def parser_name(wanted: ParserName) -> str:
    """The parser that ``wanted`` comes to here. Raises UsageError where it is not built."""
    if wanted == "regex":
        return wanted
    if find_spec("fastlog.parsers.native") is not None:
        return "native"
    if wanted == "native":
        raise UsageError("--parser is 'native': it is not built in this installation; use auto or regex")
    return "regex"


def make_parser(name: str, log_format: Format, plan: Plan) -> Parser:
    """A parser of that name (as parser_name gave it) for one format."""
    if name == "native":
        from fastlog.parsers.native import NativeParser

        return NativeParser(log_format, plan)
    from fastlog.parsers.regex import RegexParser

    return RegexParser(log_format, plan)
