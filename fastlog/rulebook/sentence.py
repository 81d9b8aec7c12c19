"""What a rule will watch, in one sentence: ``--check-rules``."""

from fastlog.model.rules import PERCENTILES, Rule

_WHAT = {
    "hits": "the number of hits",
    "rate": "the hits a second",
    "bytes": "the bytes sent",
}


def sentence(rule: Rule) -> str:
    """One sentence for people, with every setting of the rule in it."""
    each = "" if rule.per is None else f"for each {rule.per}, "
    side, other = ("above", "at or below") if rule.above is not None else ("below", "at or above")
    hold = f" and has been for {rule.hold} s" if rule.hold else ""
    floor = ""
    if rule.min_hits:
        floor = f"; fewer than {rule.min_hits:,} hits in the window change nothing"
    fires = (
        f"fires when {_measured(rule)} over {rule.window} s is {side} {amount(rule.threshold, rule)}{hold}"
    )
    return f"{rule.name}: {each}{fires}; recovers when it is {other} {amount(rule.quiet, rule)}{floor}."


def _measured(rule: Rule) -> str:
    where = f" with {_flat(rule.where)}" if rule.where else ""
    if rule.measure == "share":
        of = f"hits with {_flat(rule.of)}" if rule.of else "all hits"
        return f"the share of hits{where} among {of}"
    if rule.measure in PERCENTILES:
        return f"the duration that {PERCENTILES[rule.measure]}% of hits{where} do not exceed"
    return f"{_WHAT[rule.measure]}{where}"


def amount(value: int | float, rule: Rule) -> str:
    """A value of the rule's measure, with its unit where it has one."""
    digits = f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f"{digits} s" if rule.measure in PERCENTILES else digits


def _flat(expression: str) -> str:
    return " ".join(expression.split())
