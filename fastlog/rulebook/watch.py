"""A rule made ready to look at hits.

A hit is a tuple in the order of ``Hit``; a *cell* (section, method, status) is its
beginning, so the same predicate serves both: per distinct cell, where a rule needs
nothing further, and per line, where it does.
"""

from collections.abc import Callable
from functools import cached_property
from operator import eq, ge, gt, le, lt, ne
from typing import Any, NamedTuple

from fastlog.model.rules import PERCENTILES, Rule
from fastlog.rulebook.expression import Chain, Comparison, Expression, Not, fields_of, parse

Predicate = Callable[[tuple[Any, ...]], bool]

CELL = frozenset({"section", "method", "status"})
"""What is known of a hit without its line."""

_ORDER = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}


class Hit(NamedTuple):
    """What rules can ask of a line.

    ``size`` is what the language calls ``bytes``. ``duration`` is in microseconds,
    None where the line has none. ``host`` is the
    client, ``target`` the request's target as it stands; both are empty where the
    format has none, and the target of a request that is none is ``-``.
    """

    section: bytes
    method: bytes
    status: int
    host: bytes = b""
    size: int = 0
    duration: int | None = None
    target: bytes = b""


_PLACE = {"bytes" if name == "size" else name: place for place, name in enumerate(Hit._fields)}


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
    return _chain(tree)


def _chain(tree: Chain) -> Predicate:
    parts = tuple(map(_predicate, tree.parts))
    if tree.word == "and":
        return lambda hit: all(part(hit) for part in parts)
    return lambda hit: any(part(hit) for part in parts)


def _comparison(tree: Comparison) -> Predicate:
    place = _PLACE[tree.field]
    value: Any = tree.values[0]
    if tree.operator == "in":
        values = frozenset(tree.values)
        return lambda hit: hit[place] in values
    if tree.operator == "=~":
        search = value.search
        return lambda hit: search(hit[place])
    if tree.operator == "starts_with":
        return lambda hit: hit[place].startswith(value)
    compare = _ORDER[tree.operator]
    if tree.field == "duration":
        return lambda hit: hit[place] is not None and compare(hit[place], value)
    return lambda hit: compare(hit[place], value)


class Watch:
    """A rule and its predicates. Raises ExpressionError for a rule that was not checked."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.where = predicate(rule.where)
        self.of = predicate(rule.of)
        self._place = None if rule.per is None else _PLACE[rule.per]

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

    @property
    def by_cell(self) -> bool:
        """Whether cells tell it all; else each line must be looked at, in the worker."""
        return self.needs <= CELL

    def place(self, hit: tuple[Any, ...]) -> tuple[bytes, bool] | None:
        """The key of a hit, or of a cell, and whether ``where`` wants it too, which only a share asks.

        None where the rule does not look at it.
        """
        rule = self.rule
        if rule.measure == "share":
            if not self.of(hit):
                return None
            counts = self.where(hit)
        elif rule.measure in PERCENTILES and hit[_PLACE["duration"]] is None:
            return None
        else:
            counts = True
            if not self.where(hit):
                return None
        return self.key(hit), counts

    def key(self, hit: tuple[Any, ...]) -> bytes:
        """The value that the rule keeps apart; empty for one in all."""
        if self._place is None:
            return b""
        value: bytes | int = hit[self._place]
        return value if isinstance(value, bytes) else b"%03d" % value
