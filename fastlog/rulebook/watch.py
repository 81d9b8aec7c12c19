"""A rule made ready to look at hits.

A hit is a tuple in the order of ``Hit``. All that a predicate does is to compare its
fields with constants, so hits that compare alike are alike: see ``parsers.outcomes``.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import chain
from operator import eq, ge, gt, le, lt, ne
from typing import Any, NamedTuple

from fastlog.model.rules import PERCENTILES, Rule
from fastlog.rulebook.expression import Chain, Comparison, Expression, Not, fields_of, parse

Predicate = Callable[[tuple[Any, ...]], bool]
Test = Callable[[Any], bool]

_ORDER = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}


class Hit(NamedTuple):
    """What rules can ask of a line.

    ``size`` is what the language calls ``bytes``. ``duration`` is in microseconds,
    None where the line has none. ``host`` is the client, ``target`` the request's
    target as it stands; both are empty where the format has none, and the target of
    a request that is none is ``-``.
    """

    section: bytes
    method: bytes
    status: int
    host: bytes = b""
    size: int = 0
    duration: int | None = None
    target: bytes = b""


PLACES = {"bytes" if name == "size" else name: place for place, name in enumerate(Hit._fields)}
"""Where each field of the language stands in a Hit."""


def predicate(text: str) -> Predicate:
    """The hits that an expression wants; all of them where it is empty. Raises ExpressionError.

    Decision: a comparison of a duration that a line does not have is false, ``!=`` too.
    """
    return _predicate(parse(text)) if text.strip() else _everything


def _everything(hit: tuple[Any, ...]) -> bool:
    return True


def _predicate(tree: Expression) -> Predicate:
    if isinstance(tree, Comparison):
        return _comparison(tree)
    if isinstance(tree, Not):
        part = _predicate(tree.part)
        return lambda hit: not part(hit)
    return _joined(tree)


def _joined(tree: Chain) -> Predicate:
    parts = tuple(map(_predicate, tree.parts))
    if tree.word == "and":
        return lambda hit: all(part(hit) for part in parts)
    return lambda hit: any(part(hit) for part in parts)


def _comparison(tree: Comparison) -> Predicate:
    place, test = PLACES[tree.field], value_test(tree)
    return lambda hit: test(hit[place])


def value_test(tree: Comparison) -> Test:
    """What a comparison asks of a value of its field."""
    value: Any = tree.values[0]
    if tree.operator == "in":
        return frozenset(tree.values).__contains__
    if tree.operator == "=~":
        search = value.search
        return lambda text: bool(search(text))
    if tree.operator == "starts_with":
        return lambda text: bool(text.startswith(value))
    compare = _ORDER[tree.operator]
    if tree.field == "duration":
        return lambda duration: duration is not None and compare(duration, value)
    return lambda number: bool(compare(number, value))


def comparisons_of(tree: Expression) -> Iterator[Comparison]:
    """The comparisons of an expression, in its order."""
    if isinstance(tree, Comparison):
        yield tree
    else:
        for part in (tree.part,) if isinstance(tree, Not) else tree.parts:
            yield from comparisons_of(part)


class Watch:
    """A rule and its predicates. Raises ExpressionError for a rule that was not checked."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.where = predicate(rule.where)
        self.of = predicate(rule.of)

    @cached_property
    def needs(self) -> frozenset[str]:
        """The fields of a hit that the rule looks at."""
        needs: set[str] = set() if self.rule.per is None else {self.rule.per}
        for text in (self.rule.where, self.rule.of):
            needs |= fields_of(parse(text)) if text.strip() else set()
        if self.rule.measure == "bytes":
            needs.add("bytes")
        if self.rule.measure in PERCENTILES:
            needs.add("duration")
        return frozenset(needs)

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """All comparisons that the rule makes."""
        texts = (self.rule.where, self.rule.of)
        return tuple(chain.from_iterable(comparisons_of(parse(text)) for text in texts if text.strip()))

    def verdict(self, hit: tuple[Any, ...]) -> bool | None:
        """Whether ``where`` wants a hit too, which only a share asks; None where the rule passes it over."""
        if self.rule.measure == "share":
            return self.where(hit) if self.of(hit) else None
        if self.rule.measure in PERCENTILES and hit[PLACES["duration"]] is None:
            return None
        return True if self.where(hit) else None
