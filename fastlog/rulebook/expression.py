"""The language of ``where`` and ``of``: read by recursive descent, never evaluated as Python.

::

    any        = all {"or" all}
    all        = one {"and" one}
    one        = "not" one | "(" any ")" | comparison
    comparison = FIELD ("==" | "!=" | "<" | "<=" | ">" | ">=") NUMBER      numbers
               | FIELD ("==" | "!=" | "=~" | "starts_with") TEXT           texts
               | FIELD "in" "(" value {"," value} ")"                      both

NUMBER is digits, with a fraction for ``duration``, which is in seconds unless ``us``,
``ms`` or ``s`` follows. TEXT stands in single or double quotes and knows no escapes, so
that a regex is written as it is meant.
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from fastlog.rulebook.spelling import did_you_mean

if TYPE_CHECKING:  # loaded where one is read: most rules have none
    from fastlog.rulebook.pattern import Pattern

LONGEST_EXPRESSION = 4096
DEEPEST = 50

NUMBERS = ("status", "bytes", "duration")
TEXTS = ("section", "method", "host", "target")
FIELDS = (*NUMBERS, *TEXTS)
_ORDERED = ("==", "!=", "<", "<=", ">", ">=")
_FOR_TEXT = ("==", "!=", "=~", "starts_with")
_LOOKALIKES = {"=": "==", "&&": "and", "&": "and", "||": "or", "|": "or", "!": "not", "<>": "!=", "~": "=~"}
_MICROSECONDS = {"us": 1, "ms": 1000, "s": 1_000_000, "": 1_000_000}

_TOKEN = re.compile(
    r"""(?P<number>[0-9]{1,18}(?:\.[0-9]{1,9})?(?:us|ms|s)?(?![\w.]))|(?P<word>[A-Za-z_][\w-]*)"""
    r"""|(?P<text>"[^"]*"|'[^']*')|(?P<sign>[=!]=|[<>]=|=~|&&|\|\||<>|[<>(),=&|!~])"""
)


class ExpressionError(Exception):
    """What is wrong, and the index of the character that shows it."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at = at
        self.message = message


class Comparison(NamedTuple):
    """``field operator values``; only ``in`` has several. Durations are in microseconds."""

    field: str
    operator: str
    values: "tuple[int | bytes | Pattern, ...]"


class Not(NamedTuple):
    """True of a hit of which ``part`` is not."""

    part: "Expression"


class Chain(NamedTuple):
    """True of a hit of which all ``parts`` are (``and``), or any (``or``)."""

    word: Literal["and", "or"]
    parts: tuple["Expression", ...]


Expression = Comparison | Not | Chain


class _Token(NamedTuple):
    kind: str
    text: str
    at: int

    @property
    def shown(self) -> str:
        return "the end" if self.kind == "end" else f"{self.text!r}"


@lru_cache(maxsize=200)  # two of each rule that a file may have
def parse(text: str) -> Expression:
    """The tree of an expression. Raises ExpressionError."""
    if len(text) > LONGEST_EXPRESSION:
        raise ExpressionError(0, f"over {LONGEST_EXPRESSION} characters: make it shorter")
    return _Reader(text).whole()


def fields_of(expression: Expression) -> frozenset[str]:
    """The fields that an expression looks at."""
    if isinstance(expression, Comparison):
        return frozenset({expression.field})
    if isinstance(expression, Not):
        return fields_of(expression.part)
    return frozenset().union(*map(fields_of, expression.parts))


class _Reader:
    """Goes through the tokens once, from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    def whole(self) -> Expression:
        expression = self._chain("or")
        if self._token.kind != "end":
            raise self._expected("'and', 'or' or the end", ("and", "or"))
        return expression

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, *texts: str) -> _Token | None:
        """The next token where it is one of these words or signs."""
        token = self._token
        if token.kind not in ("word", "sign") or token.text not in texts:
            return None
        self._next += 1
        return token

    def _expected(self, what: str, known: tuple[str, ...] = ()) -> ExpressionError:
        token = self._token
        meant = _LOOKALIKES.get(token.text)
        if meant in known:
            return ExpressionError(token.at, f"expected {what}, not {token.shown}; did you mean {meant!r}?")
        hint = did_you_mean(token.text, known) if token.kind == "word" else ""
        return ExpressionError(token.at, f"expected {what}, not {token.shown}{hint}")

    def _chain(self, word: Literal["and", "or"]) -> Expression:
        part = self._one if word == "and" else self._all
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Chain(word, tuple(parts))

    def _all(self) -> Expression:
        return self._chain("and")

    def _one(self) -> Expression:
        token = self._take("not", "(")
        if token is None:
            return self._comparison()
        self._depth += 1
        if self._depth > DEEPEST:
            raise ExpressionError(token.at, f"nested over {DEEPEST} deep: write it flatter")
        expression: Expression
        if token.text == "not":
            expression = Not(self._one())
        else:
            expression = self._chain("or")
            if not self._take(")"):
                raise self._expected("'and', 'or' or ')'", ("and", "or"))
        self._depth -= 1
        return expression

    def _comparison(self) -> Expression:
        field = self._take(*FIELDS)
        if field is None:
            raise self._expected(f"a field ({', '.join(FIELDS)}), 'not' or '('", (*FIELDS, "not"))
        name = field.text
        operators = (*(_ORDERED if name in NUMBERS else _FOR_TEXT), "in")
        operator = self._take(*operators)
        if operator is None:
            kind = "is a number" if name in NUMBERS else "is a text"
            raise self._expected(f"one of {' '.join(operators)} ({name} {kind})", operators)
        if operator.text != "in":
            return Comparison(name, operator.text, (self._value(name, operator.text),))
        if not self._take("("):
            raise self._expected("'(' and a list of values")
        values = [self._value(name, "in")]
        while self._take(","):
            values.append(self._value(name, "in"))
        if not self._take(")"):
            raise self._expected("',' or ')'")
        return Comparison(name, "in", tuple(values))

    def _value(self, field: str, operator: str) -> "int | bytes | Pattern":
        token = self._token
        if field in NUMBERS:
            if token.kind != "number":
                raise self._expected(f"a number for {field}")
            self._next += 1
            return _number(token, field)
        if token.kind != "text":
            raise self._expected("a text in quotes")
        self._next += 1
        if operator != "=~":
            return token.text[1:-1].encode()
        from fastlog.rulebook.pattern import Pattern
        from fastlog.rulebook.syntax import PatternError

        try:
            return Pattern(token.text[1:-1])
        except PatternError as error:
            raise ExpressionError(token.at + 1 + error.at, error.message) from None


def _number(token: _Token, field: str) -> int:
    digits = token.text.rstrip("mus")
    unit = token.text[len(digits) :]
    if field == "duration":
        from decimal import Decimal  # here, since most rules know no duration, and it takes a while to load

        duration = Decimal(digits) * _MICROSECONDS[unit]
        if duration != int(duration):
            raise ExpressionError(
                token.at, "finer than a microsecond, which is as fine as durations are kept"
            )
        return int(duration)
    if unit or "." in digits:
        raise ExpressionError(token.at, f"expected a whole number for {field}, not {token.shown}")
    return int(digits)


def _tokens(text: str) -> list[_Token]:
    tokens = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(at, _unreadable(text[at]))
        tokens.append(_Token(match.lastgroup or "", match[0], at))
        at = match.end()
    return [*tokens, _Token("end", "", len(text))]


def _unreadable(character: str) -> str:
    if character in "\"'":
        return "the text that begins here has no closing quote"
    if character.isdigit():
        return "this is no number: give digits, as 500, or for a duration 0.25, 250ms, 10us"
    return f"{character!r} means nothing here"
