"""Events as text for people: aligned, short, in the reader's time zone.

A window is a line with its times, hits, rate and bytes, then the shares of the status
classes and the top sections beside the top statuses. An alert is one line that holds its
message as it stands, so that it can be searched for. Columns keep their places from one
window to the next, and a longer name is cut.
"""

import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice, zip_longest

from fastlog.config import ColorMode, zone
from fastlog.model.events import Alert, Event, Latency, Reject, Stats, StatsColumns, Summary, Table
from fastlog.model.printable import printable

_BOLD = "\x1b[1m"
_DIM = "\x1b[2m"
_BOLD_RED = "\x1b[1;31m"
_BOLD_GREEN = "\x1b[1;32m"
_BOLD_YELLOW = "\x1b[1;33m"
_RESET = "\x1b[0m"

_CLASSES = {"1xx": "", "2xx": "", "3xx": "", "4xx": _BOLD_YELLOW, "5xx": _BOLD_RED, "other": ""}
_ALWAYS = ("2xx", "3xx", "4xx", "5xx")
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
_DAY = 86400
_SECTION_WIDTH = 28
_STATUS_WIDTH = 7
_HITS_WIDTH = 9
_WIDEST_NAME = 40
_REJECTS = 3
_REJECT_WIDTH = 80


def use_color(mode: ColorMode, fd: int, env: Mapping[str, str]) -> bool:
    """Whether text that goes to ``fd`` is coloured: ``auto`` colours a terminal that wants it."""
    if mode != "auto":
        return mode == "always"
    return os.isatty(fd) and env.get("TERM") != "dumb" and not env.get("NO_COLOR")


class TextRenderer:
    """Turns an event into lines of text; ``b""`` for a rejected line, which is not data."""

    def __init__(self, tz: str = "UTC", color: bool = False, top: int = 5) -> None:
        self._zone = zone(tz)
        self._color = color
        self._top = top
        self._rejects: list[Reject] = []

    def render(self, event: Event) -> bytes:
        if isinstance(event, StatsColumns):
            return b"".join(map(self.render, event))
        if isinstance(event, Stats):
            lines = self._stats(event)
        elif isinstance(event, Alert):
            lines = [self._alert(event)]
        elif isinstance(event, Summary):
            lines = self._summary(event)
        else:
            if len(self._rejects) < _REJECTS and event.reason != "blank":
                self._rejects.append(event)
            return b""
        return ("\n".join(lines) + "\n").encode()

    def _stats(self, event: Stats) -> list[str]:
        span = self._span(event.start, event.end, event.end - event.start < _DAY)
        hits = f"{event.hits:>{_HITS_WIDTH},} {'hit ' if event.hits == 1 else 'hits'}"
        rest = f"{_rate(event.rate):>9}/s  {_size(event.bytes):>9}"
        partial = self._paint(_BOLD_YELLOW, "  partial") if event.partial else ""
        if not event.hits:
            return [self._paint(_DIM, f"{span}  {hits}  {rest}") + partial]
        return [
            f"{self._paint(_BOLD, f'{span}  {hits}')}  {rest}{partial}",
            "  " + self._shares(event.statuses, event.hits),
            *_latency(event.latency_us),
            *_beside(
                _rows(event.sections, event.hits, self._top, _SECTION_WIDTH, _HITS_WIDTH),
                _rows(event.statuses, event.hits, self._top, _STATUS_WIDTH, _HITS_WIDTH),
            ),
        ]

    def _alert(self, event: Alert) -> str:
        style, word = (_BOLD_RED, "ALERT    ") if event.state == "firing" else (_BOLD_GREEN, "RECOVERED")
        return self._paint(style, f"{' '.join(self._moment(event.at))}  {word}  {printable(event.message)}")

    def _summary(self, event: Summary) -> list[str]:
        head = self._paint(_BOLD, "Summary")
        if event.first is not None and event.last is not None:
            head += f"   {self._span(event.first, event.last, False)}"
        if not event.complete:
            head += self._paint(_BOLD_YELLOW, "   incomplete: this is what was read")
        lines = [head, *self._totals(event)] if event.hits else [f"{head}   no hits"]
        lines += self._first_rejects()
        still = ", ".join(map(printable, event.open_alerts))
        firing = self._paint(_BOLD_RED, f"   still open: {still}") if still else ""
        lines.append(f"  alerts    {event.alerts:>13,}{firing}")
        if event.notify is not None:
            lines.append(self._notified(event.notify))
        return [*lines, *self._conservation(event)]

    def _notified(self, counts: Table) -> str:
        style = _BOLD_RED if counts["given_up"] else _DIM
        given_up = self._paint(style, f"   given up {counts['given_up']:,}")
        return f"  notified  {counts['delivered']:>13,}{given_up}"

    def _totals(self, event: Summary) -> list[str]:
        average = ""
        if event.first is not None and event.last is not None:
            average = f"   {_rate(event.hits / (event.last - event.first + 1))}/s on average"
        hits = f"{event.hits:,} {'hit' if event.hits == 1 else 'hits'}"
        titled = {"section": event.sections, "status": event.statuses, "method": event.methods}
        tables = [_titled(title, table, event.hits, self._top) for title, table in titled.items()]
        lines = [
            f"  {self._paint(_BOLD, hits)}{average}   {_size(event.bytes)}",
            "  " + self._shares(event.statuses, event.hits),
            *_latency(event.latency_us),
        ]
        if self._top:
            titles, *rows = _beside(*tables)
            lines += ["", self._paint(_DIM, titles), *rows, ""]
        return lines

    def _first_rejects(self) -> Iterable[str]:
        """The first lines that were rejected, and at which field."""
        if not self._rejects:
            return
        yield self._paint(_DIM, "  first rejected")
        for event in self._rejects:
            where = f"{printable(event.file)} at byte {event.offset:,}"
            text = printable(event.line)
            text = text if len(text) <= _REJECT_WIDTH else text[: _REJECT_WIDTH - 1] + "\u2026"
            yield f"  {where}   {printable(event.reason)}   {text}"
        yield ""

    def _conservation(self, event: Summary) -> Iterable[str]:
        """What became of every line: none is lost without being counted."""
        reasons = ", ".join(f"{printable(reason)} {count:,}" for reason, count in event.rejected.items())
        counts = (
            ("lines", event.lines, ""),
            ("parsed", event.parsed, ""),
            ("rejected", sum(event.rejected.values()), reasons),
            ("late", event.late, "came after their second was closed" if event.late else ""),
            ("future", event.future, "in the totals, in no window" if event.future else ""),
        )
        for name, count, remark in counts:
            yield f"  {name:<10}{count:>13,}" + (self._paint(_DIM, f"   {remark}") if remark else "")

    def _shares(self, statuses: Table, hits: int) -> str:
        sums = dict.fromkeys(_CLASSES, 0)
        for status, count in statuses.items():
            name = f"{status[:1]}xx"
            sums[name if name in sums else "other"] += count
        return "   ".join(
            self._paint(style if sums[name] else _DIM, f"{name} {_share(sums[name], hits):>6}")
            for name, style in _CLASSES.items()
            if sums[name] or name in _ALWAYS
        )

    def _paint(self, style: str, text: str) -> str:
        return f"{style}{text}{_RESET}" if self._color and style else text

    def _moment(self, second: int) -> tuple[str, str]:
        """Date and time of an epoch second, and the name of the zone; a bare number beyond the calendar."""
        try:
            local = datetime.fromtimestamp(second, self._zone)
        except (OverflowError, ValueError, OSError):
            return f"@{second}", "UTC"
        return local.isoformat(" ")[:19], local.tzname() or ""

    def _span(self, start: int, end: int, short: bool) -> str:
        (first, zone_then), (last, zone_now) = self._moment(start), self._moment(end)
        if short and not last.startswith("@"):
            last = last[11:]
        then = first if zone_then == zone_now else f"{first} {zone_then}"
        return f"{then} - {last} {zone_now}"


def _latency(latency: Latency | None) -> Iterable[str]:
    """A line, where the format has a duration."""
    if latency is not None:
        yield "  " + "   ".join(f"{name} {_duration(value):>7}" for name, value in latency.items())


def _duration(micros: int | None) -> str:
    if micros is None:
        return "-"
    if micros < 1000:
        return f"{micros} \u00b5s"
    value, unit = (micros / 1000, "ms") if micros < 999_950 else (micros / 1_000_000, "s")
    return f"{value:,.1f} {unit}"


def _rate(rate: float) -> str:
    return f"{rate:,.1f}" if rate >= 10 else f"{rate:.3f}"


def _size(size: int) -> str:
    if size < 1000:
        return f"{size} B"
    value, unit = size / 1000, 1
    while value >= 999.95 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:,.1f} {_UNITS[unit]}"


def _share(part: int, whole: int) -> str:
    """A percentage that says 0 only of none, and 100 only of all."""
    share = f"{100 * part / whole:.1f}%"
    if share == "0.0%" and part:
        return "<0.1%"
    return ">99.9%" if share == "100.0%" and part < whole else share


def _shown(name: str) -> str:
    return name if name.isprintable() else printable(name)  # quick, and what printable() changes is not


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - 1] + "…"


def _rows(table: Table, total: int, top: int, name_width: int, hits_width: int) -> list[str]:
    return [
        f"{_cut(_shown(name), name_width):<{name_width}}  {hits:>{hits_width},}  {_share(hits, total):>6}"
        for name, hits in islice(table.items(), top)
    ]


def _titled(title: str, table: Table, total: int, top: int) -> list[str]:
    """The rows under a title, as wide as they need, and what the rows that are not shown hold."""
    shown = dict(islice(table.items(), top))
    if len(table) > top:
        shown[f"+ {len(table) - top:,} more"] = sum(islice(table.values(), top, None))
    names = min(_WIDEST_NAME, max(map(len, (title, *map(_shown, shown)))))
    hits = max(4, *(len(f"{count:,}") for count in (0, *shown.values())))
    return [f"{title:<{names}}  {'hits':>{hits}}   share", *_rows(shown, total, len(shown), names, hits)]


def _beside(*tables: list[str]) -> Iterable[str]:
    """Tables side by side, each of rows of one width."""
    widths = [len(table[0]) if table else 0 for table in tables]
    for cells in zip_longest(*tables, fillvalue=""):
        line = "    ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
        yield f"  {line}".rstrip()
