"""Labelled lines, natively: the order of the labels in one line is the field program of its neighbours."""

from collections.abc import Iterable
from itertools import chain

from fastlog.formats.compile import Format, format_of
from fastlog.formats.ltsv import certain_labels
from fastlog.model.partial import Partial
from fastlog.model.plan import Plan
from fastlog.parsers.hits import Hit
from fastlog.parsers.native import NativeParser
from fastlog.parsers.program import program_of
from fastlog.parsers.regex import LEARN_LINES, RegexParser

_LEARN_BYTES = 1 << 18


class LabelsParser:
    """Folds chunks of labelled lines. What it has learnt of the labels changes no result."""

    name = "native"

    def __init__(self, log_format: Format, plan: Plan) -> None:
        self._format, self._plan = log_format, plan
        self._definition = RegexParser(log_format, plan)
        self._native: NativeParser | None = None
        self.odd = 0
        """Lines that went to the definition so far, of those that some labels were known for."""

    def fold(self, blocks: Iterable[tuple[int, bytes | memoryview]], horizon: int | None) -> Partial:
        """As RegexParser.fold."""
        rest = iter(blocks)
        first = next(rest, None)
        if first is None:
            return Partial()
        whole = chain([first], rest)
        native = self._native or self._learn(bytes(first[1][:_LEARN_BYTES]))
        if native is None:
            return self._definition.fold(whole, horizon)
        before = native.odd
        partial = native.fold(whole, horizon)
        odd = native.odd - before
        self.odd += odd
        self._native = native if 2 * odd <= partial.lines else None  # most have others: they are learnt anew
        return partial

    def _learn(self, data: bytes) -> NativeParser | None:
        """The parser by the labels of the first line that is a hit; None where those are no program."""
        for line in data.split(b"\n", LEARN_LINES)[:LEARN_LINES]:
            if not isinstance(self._definition.parse(line), Hit):
                continue
            layout = certain_labels(line.removesuffix(b"\r"))
            under = None if layout is None else format_of(self._format.name, layout, closed=True)
            rules = self._definition.rules
            if under is not None and program_of(under, () if rules is None else rules.needs) is not None:
                return NativeParser(self._format, self._plan, under=under)
        return None
