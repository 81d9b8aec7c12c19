"""Which parser folds: the compiled one where it is built, else the regex."""

from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from fastlog.errors import UsageError
from fastlog.formats.compile import Format
from fastlog.model.partial import Partial
from fastlog.model.plan import Plan
from fastlog.parsers.program import program_of

if TYPE_CHECKING:  # a child checks no configuration, and starts sooner without
    from fastlog.config import ParserName


class Parser(Protocol):
    """The seam: a chunk becomes a partial. See RegexParser.fold, whose word is final."""

    name: str

    def fold(self, blocks: Iterable[tuple[int, bytes | memoryview]], horizon: int | None) -> Partial: ...


class LineReader(Protocol):
    """What reads a line alone."""

    def second(self, line: bytes) -> int | None:
        """The epoch second of one line; None where it is not parsed."""


def parser_name(wanted: "ParserName") -> str:
    """The parser that ``wanted`` comes to here. Raises UsageError where it is not built."""
    if wanted == "regex":
        return wanted
    if find_spec("fastlog.parsers.native") is not None:
        return "native"
    if wanted == "native":
        raise UsageError("--parser is 'native': it is not built in this installation; use auto or regex")
    return "regex"


def load_parser() -> None:
    """Import the parser that most logs need, so that the first chunk need not wait for it."""
    if parser_name("auto") == "native":
        import fastlog.parsers.native
    else:
        import fastlog.parsers.regex  # noqa: F401 - to have it loaded


def make_parser(name: str, log_format: Format, plan: Plan) -> Parser:
    """A parser of that name (as parser_name gave it) for one format."""
    if log_format.keys is not None:
        return _make_json_parser(name, log_format, plan)
    if log_format.kind == "fields":
        from fastlog.parsers.fields import FieldsParser

        return FieldsParser(log_format, plan, lambda under: make_text_parser(name, under, plan))
    return make_text_parser(name, log_format, plan)


def _make_json_parser(name: str, log_format: Format, plan: Plan) -> Parser:
    """As make_text_parser, for a format of JSON lines."""
    from fastlog.parsers.keys_program import key_program

    assert log_format.keys is not None
    if name == "native" and key_program(log_format.keys, _needs(plan)) is not None:
        from fastlog.parsers.native import NativeParser

        return NativeParser(log_format, plan)
    from fastlog.parsers.json_lines import JsonParser

    return JsonParser(log_format, plan)


def make_text_parser(name: str, log_format: Format, plan: Plan) -> Parser:
    """As make_parser, for a format whose lines a regular expression defines."""
    if name == "native" and log_format.kind == "labels":
        from fastlog.parsers.labels import LabelsParser

        return LabelsParser(log_format, plan)
    if name == "native" and program_of(log_format, _needs(plan)) is not None:
        from fastlog.parsers.native import NativeParser

        return NativeParser(log_format, plan)
    from fastlog.parsers.regex import RegexParser

    return RegexParser(log_format, plan)


def _needs(plan: Plan) -> frozenset[str]:
    """The fields that the rules look at."""
    if not plan.rules:
        return frozenset()
    from fastlog.rulebook.watch import Watch

    return frozenset().union(*(Watch(rule).needs for rule in plan.rules))


def make_line_reader(log_format: Format, plan: Plan) -> LineReader:
    """What reads single lines of a format whose fields are known."""
    if log_format.kind == "json":
        from fastlog.parsers.json_lines import JsonParser

        return JsonParser(log_format, plan)
    from fastlog.parsers.regex import RegexParser

    return RegexParser(log_format, plan)
