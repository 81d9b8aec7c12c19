"""``--rules FILE``: TOML becomes rules, or every fault in it is said.

Nothing of a log is read before the whole file has been checked.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fastlog.errors import UsageError
from fastlog.model.rules import MEASURES, PERCENTILES, PERS, TRAFFIC, Rule
from fastlog.rulebook.document import Document, Table
from fastlog.rulebook.expression import ExpressionError, parse
from fastlog.rulebook.spelling import did_you_mean

if TYPE_CHECKING:  # most rules files have none
    from fastlog.model.notify import NotifyTarget

LARGEST_FILE = 1 << 20
MOST_RULES = 100
LONGEST_NAME = 100
LONGEST_WINDOW = 86_400
LONGEST_SKETCHED = 3600
"""Seconds: the window of a percentile keeps a sketch for each."""

_KEYS = ("name", "where", "measure", "of", "per", "window", "above", "below", "recover", "for", "min_hits")
_KINDS = ("rule", "notify")


class RulesFile(NamedTuple):
    """The rules, and those who are told of alerts, in the order of the file."""

    rules: tuple[Rule, ...]
    notify: "tuple[NotifyTarget, ...]"


def read_rules(path: str | os.PathLike[str]) -> RulesFile:
    """Read and check a rules file. Raises RuleError with every fault, UsageError where it cannot be read."""
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}: give --rules a file that can be read") from error
    if len(raw) > LARGEST_FILE:
        raise UsageError(f"{name}: over {LARGEST_FILE} bytes: give --rules a smaller file")
    return parse_rules(name, raw)


def parse_rules(name: str, raw: bytes) -> RulesFile:
    """The rules of a file's bytes; ``name`` is for messages. Raises RuleError."""
    document = Document(name, raw)
    document.only(_KINDS)
    tables = document.tables("rule")
    if len(tables) > MOST_RULES:
        document.fault(tables[MOST_RULES].at, f"over {MOST_RULES} rules: leave some out")
    rules = [_Checker(document, table).rule() for table in tables[:MOST_RULES]]
    names: set[object] = set()
    for table in tables:
        rule_name = table.values.get("name")
        if isinstance(rule_name, str) and rule_name in names:
            document.fault(table.value_at("name"), f"a rule before this one is called {rule_name!r} too")
        if isinstance(rule_name, str):
            names.add(rule_name)
    notify = _targets(document)
    document.check()
    return RulesFile(tuple(rule for rule in rules if rule is not None), tuple(notify))


def _targets(document: Document) -> "list[NotifyTarget]":
    """The ``[[notify]]`` entries; notes the fault of one that cannot be used."""
    targets: list[NotifyTarget] = []
    tables = document.tables("notify")
    if not tables:
        return targets
    from fastlog.model.notify import NotifyError, parse_notify

    for number, table in enumerate(tables, 1):
        try:
            targets.append(parse_notify(table.values, number))
        except NotifyError as error:
            # A fault without a key is shown at the header: the line may hold a secret.
            place = table.value_at if error.key in table.values else table.key_at
            document.fault(place(error.key), str(error))
    return targets


class _Checker:
    """Looks at each key of one ``[[rule]]``, and notes every fault before it gives up."""

    def __init__(self, document: Document, table: Table) -> None:
        self._document = document
        self._table = table
        self._values = table.values
        self._known = len(document.faults)

    def rule(self) -> Rule | None:
        """The rule; None when a fault was noted."""
        for key in self._values:
            if key not in _KEYS:
                hint = did_you_mean(key, _KEYS) or f": expected one of {', '.join(_KEYS)}"
                self._document.fault(self._table.key_at(key), f"a rule has no {key!r}{hint}")
        name = self._name()
        measure = self._one_of("measure", MEASURES, needed=True)
        per = self._one_of("per", PERS, needed=False)
        where, of = self._expression("where"), self._expression("of")
        if of and measure in MEASURES and measure != "share":
            self._fault(
                "of", 'only a share has an "of": leave it out, or set measure = "share"', key_itself=True
            )
        longest = LONGEST_SKETCHED if measure in PERCENTILES else LONGEST_WINDOW
        window = self._seconds("window", 1, longest, needed=True)
        hold = self._seconds("for", 0, LONGEST_WINDOW)
        min_hits = self._seconds("min_hits", 0, 10**15)
        above, below, recover = (self._number(key, measure) for key in ("above", "below", "recover"))
        self._sides(above, below, recover)
        if len(self._document.faults) > self._known:
            return None
        return Rule(
            name=name,
            measure=measure,
            per=per,
            where=where,
            of=of,
            window=window or 0,
            above=above,
            below=below,
            recover=recover,
            hold=hold or 0,
            min_hits=min_hits or 0,
        )

    def _fault(self, key: str, message: str, *, key_itself: bool = False) -> None:
        at = self._table.key_at(key) if key_itself else self._table.value_at(key)
        self._document.fault(at, message)

    def _missing(self, key: str, what: str) -> None:
        self._document.fault(self._table.at, f"this rule has no {key}: expected {what}")

    def _name(self) -> str:
        name = self._values.get("name")
        if name is None:
            self._missing("name", 'name = "..."')
        elif not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME:
            self._fault("name", f"expected a text of 1 to {LONGEST_NAME} characters")
        elif name == TRAFFIC:
            self._fault("name", f"{TRAFFIC!r} is the alert that --threshold sets: take another name")
        return str(name)

    def _one_of(self, key: str, known: Sequence[str], *, needed: bool) -> Any:
        value = self._values.get(key)
        if value is None:
            if needed:
                self._missing(key, f"one of {', '.join(known)}")
        elif value not in known:
            hint = did_you_mean(value, known) if isinstance(value, str) else ""
            self._fault(key, f"expected one of {', '.join(known)}{hint}")
        return value

    def _expression(self, key: str) -> str:
        text = self._values.get(key, "")
        if not isinstance(text, str):
            self._fault(key, 'expected an expression in quotes, such as "status >= 500"')
            return ""
        if key in self._values and not text.strip():
            self._fault(key, "expected an expression: leave the key out to take all hits")
        elif text.strip():
            try:
                parse(text)
            except ExpressionError as error:
                self._document.fault(self._table.value_at(key, error.at), error.message)
        return text

    def _seconds(self, key: str, least: int, most: int, *, needed: bool = False) -> int | None:
        value = self._values.get(key)
        if value is None:
            if needed:
                self._missing(key, f"a whole number of seconds, {least} to {most}")
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self._fault(key, f"expected a whole number from {least} to {most}")
            return None
        return value

    def _number(self, key: str, measure: str | None) -> float | None:
        value = self._values.get(key)
        if value is None:
            return None
        most = 1 if measure == "share" else 10**15
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= most:
            what = "a share, from 0 to 1" if measure == "share" else "a number from 0 to 10^15"
            self._fault(key, f"expected {what}{', in seconds' if measure in PERCENTILES else ''}")
            return None
        return float(value)

    def _sides(self, above: float | None, below: float | None, recover: float | None) -> None:
        """Exactly one threshold, and the second one on its quiet side."""
        given = [key for key in ("above", "below") if key in self._values]
        if not given:
            self._missing("threshold", "above = ... or below = ...")
        elif len(given) == 2:
            self._fault("below", "a rule has above or below, not both: make it two rules", key_itself=True)
        elif below == 0:
            self._fault("below", "nothing is below 0: expected a number over 0")
        elif recover is not None and above is not None and recover > above:
            self._fault("recover", f"expected a number up to {above:g}, the quiet side of above")
        elif recover is not None and below is not None and recover < below:
            self._fault("recover", f"expected a number from {below:g} on, the quiet side of below")
