"""Rules as they are described, evaluated by counting every hit of every second."""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from fastlog.model.rules import PERCENTILES, Rule
from fastlog.model.sketch import cell_of, cell_value
from fastlog.windows.rules.window import Transition


class Taken(NamedTuple):
    """One hit that a rule looks at."""

    second: int
    key: bytes
    counts: bool  # above the line of a share as well
    size: int
    duration: int


class Recount:
    """A rule as described: every second is evaluated once, in order, for every key, by counting."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.hits: list[Taken] = []
        self.closed: int | None = None
        self.begun: int | None = None
        self.firing: set[bytes] = set()
        self.since: dict[bytes, int] = {}

    def add(self, hit: Taken) -> None:
        if self.closed is None or hit.second > self.closed - self.rule.window:
            self.hits.append(hit)

    def close(self, end: int, first: int) -> Iterator[Transition]:
        if self.begun is None and first < end:
            self.begun = first
        for at in range(min(first, end) if self.closed is None else self.closed, end):
            seen = {hit.key for hit in self.hits if hit.second <= at}
            for key in sorted(seen) if self.rule.per else [b""] if self.begun is not None else []:
                yield from self.judge(at, key)
        self.closed = end

    def judge(self, at: int, key: bytes) -> Iterator[Transition]:
        rule = self.rule
        own = [hit for hit in self.hits if hit.key == key]
        inside = [hit for hit in own if at - rule.window < hit.second <= at]
        born = [hit.second for hit in own] + ([] if rule.per or self.begun is None else [self.begun])
        if rule.below is not None and at - rule.window + 1 < min(born):
            return
        if len(inside) < rule.min_hits:
            self.since.pop(key, None)
            return
        value, counted = self.measure(inside), sum(hit.counts for hit in inside)
        shown = round(float(value), 6)
        high = rule.above is not None
        threshold = Fraction(str(rule.above if high else rule.below))
        quiet = threshold if rule.recover is None else Fraction(str(rule.recover))
        if key in self.firing:
            if value <= quiet if high else value >= quiet:
                self.firing.remove(key)
                yield Transition(at, key, False, counted, shown)
        elif value > threshold if high else value < threshold:
            if at - self.since.setdefault(key, at) >= rule.hold:
                del self.since[key]
                self.firing.add(key)
                yield Transition(at, key, True, counted, shown)
        else:
            self.since.pop(key, None)

    def measure(self, hits: list[Taken]) -> Fraction:
        """Of no hits every measure is 0."""
        rule = self.rule
        counted = [hit for hit in hits if hit.counts]
        if rule.measure == "hits":
            return Fraction(len(counted))
        if rule.measure == "rate":
            return Fraction(len(counted), rule.window)
        if rule.measure == "bytes":
            return Fraction(sum(hit.size for hit in counted))
        if rule.measure == "share":
            return Fraction(len(counted), max(1, len(hits)))
        if not counted:
            return Fraction(0)
        rank = -(-PERCENTILES[rule.measure] * len(counted) // 100)
        duration = sorted(hit.duration for hit in counted)[rank - 1]
        return Fraction(cell_value(cell_of(duration)), 1_000_000)
