"""Events as JSON: one object a line, keys in a fixed order, times in epoch seconds.

orjson writes nearly all of them. The few that it cannot write (sums beyond 64 bits) and
names that nothing made printable go through the standard library, with the same bytes
for all that both can write.
"""

import json
from typing import Any

from fastlog.model.events import Alert, Event, Stats, StatsColumns, Summary
from fastlog.model.printable import printable


class NdjsonRenderer:
    """Turns an event into a line of JSON; ``b""`` for a rejected line, which is not data."""

    def render(self, event: Event) -> bytes:
        if isinstance(event, StatsColumns):
            return self._columns(event)
        if isinstance(event, Stats):
            record = _stats(event)
        elif isinstance(event, Alert):
            record = _alert(event)
        elif isinstance(event, Summary):
            return dumps_slowly(_summary(event))  # one a run, and orjson takes ten times as long to load
        else:
            return b""
        import orjson

        try:
            line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        except orjson.JSONEncodeError:  # an integer beyond 64 bits, or a lone surrogate
            return dumps_slowly(record)
        # orjson escapes C0 alone; the rest of what must not reach a screen is DEL, or beyond ASCII.
        if line.isascii() and b"\x7f" not in line:
            return line
        return line if printable(line[:-1]).encode() == line[:-1] else dumps_slowly(record)

    def _columns(self, event: StatsColumns) -> bytes:
        try:
            from fastlog.sinks.native import render_columns
        except ImportError:  # the windows are compiled and this is not
            return b"".join(map(self.render, event))
        return render_columns(event)


def dumps_slowly(record: dict[str, Any]) -> bytes:
    """The bytes that orjson would write, of integers of any size and text of any origin."""
    text = json.dumps(_shown(record), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"


def _shown(value: Any) -> Any:
    """``value`` with every text in it made printable; names that become one add up."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_shown(item) for item in value]
    if not isinstance(value, dict):
        return value
    shown: dict[str, Any] = {}
    for name, item in value.items():
        key, item = printable(name), _shown(item)
        shown[key] = shown[key] + item if key in shown else item
    return shown


def _stats(event: Stats) -> dict[str, Any]:
    return {
        "event": "stats",
        "start": event.start,
        "end": event.end,
        "hits": event.hits,
        "bytes": event.bytes,
        "rate": round(event.rate, 3),
        "partial": event.partial,
        **_tables(event),
    }


def _tables(event: Stats | Summary) -> dict[str, Any]:
    """The tables, and the latency where the format has a duration."""
    return {
        "sections": event.sections,
        "statuses": event.statuses,
        "methods": event.methods,
        **({} if event.latency_us is None else {"latency_us": event.latency_us}),
    }


def _alert(event: Alert) -> dict[str, Any]:
    """Rule alerts add ``key`` and ``value``; all else stands where it does in the traffic alert."""
    by_rule = event.value is not None
    return {
        "event": "alert",
        "rule": event.rule,
        **({"key": event.key} if by_rule else {}),
        "state": event.state,
        "at": event.at,
        "hits": event.hits,
        "rate": round(event.rate, 3),
        **({"value": event.value} if by_rule else {}),
        "threshold": float(event.threshold),
        "window": event.window,
        "message": event.message,
    }


def _summary(event: Summary) -> dict[str, Any]:
    return {
        "event": "summary",
        "complete": event.complete,
        "lines": event.lines,
        "parsed": event.parsed,
        "rejected": event.rejected,
        "late": event.late,
        "future": event.future,
        "first": event.first,
        "last": event.last,
        "hits": event.hits,
        "bytes": event.bytes,
        **_tables(event),
        "alerts": event.alerts,
        "open_alerts": event.open_alerts,
        **({} if event.notify is None else {"notify": event.notify}),
    }
