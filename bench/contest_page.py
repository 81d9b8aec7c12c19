"""A contest as a page of Markdown."""

import statistics
from collections.abc import Mapping, Sequence

from bench.contest import Row, label
from bench.logs import Log
from bench.peers import fastlog_json

PARTS = {
    "lines": "lines",
    "hits": "hits",
    "bytes": "bytes",
    "squares": "seconds",
    "sections": "sections",
    "statuses": "statuses",
}
"""What the table shows of an answer; the rest of it belongs to ``squares``, hits by second."""

_OTHERWISE = {"squares": "seconds"}  # the sum of their squares says nothing to a reader

_COLUMNS = (
    "log | program | s | min-max | runs | M lines/s | x wc | x fastlog | CPU s | RSS MiB | PSS MiB | answer"
)
_CURVE_COLUMNS = (
    "lines | MB | workers | s | min-max | M lines/s | x wc | x 1 worker | CPU s | RSS MiB | PSS MiB"
)


def heading(question: str, versions: Mapping[str, str], missing: Sequence[str]) -> list[str]:
    """What the tables are of."""
    found = [f"{name} {version}" for name, version in versions.items() if name != fastlog_json.PEER.name]
    return [
        f"Beside it: {', '.join(found) or 'none'}. Not installed: {', '.join(missing) or 'none'}.",
        "",
        f"Question: {question}. Median of the runs, in turn; the log in the page cache; memory is the peak"
        " over all processes together, from a further run. Each answer is held to fastlog's before its time"
        " counts.",
    ]


def number(value: float | None) -> str:
    """Three figures, and whole numbers whole; nothing where there is none."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.{2 if value >= 1 else 3}f}"


def _costs(row: Row) -> tuple[str, str, str]:
    """CPU time and memory."""
    return number(statistics.median(row.cpu_seconds)), f"{row.rss_mib:.0f}", f"{row.pss_mib:.0f}"


def _line(row: Row) -> str:
    """A row of the table of peers."""
    if row.refused:
        return _joined(row.log, label(row), *[""] * 9, row.refused)
    return _joined(
        row.log,
        label(row),
        number(row.median),
        _spread(row),
        str(len(row.seconds)),
        number(row.lines / row.median / 1e6),
        number(row.to_wc),
        number(row.to_fastlog),
        *_costs(row),
        _answered(row),
    )


def _spread(row: Row) -> str:
    return f"{number(min(row.seconds))}-{number(max(row.seconds))}"


def _joined(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _answered(row: Row) -> str:
    """What the peer answered of the question, and what of it is not as fastlog counts it."""
    same = [PARTS[name] for name in PARTS if name in row.answers and name not in row.differs]
    other = [_OTHERWISE.get(name, row.differs[name]) for name in PARTS if name in row.differs]
    return "; ".join(filter(None, [", ".join(same), "otherwise: " * bool(other) + ", ".join(other)]))


def peers_table(rows: Sequence[Row]) -> list[str]:
    """The peers, as lines of Markdown."""
    return [f"| {_COLUMNS} |", f"|---|---|{'--:|' * 9}---|", *map(_line, rows)]


def curve_table(logs: Sequence[Log], rows: Sequence[Row]) -> list[str]:
    """fastlog alone over sizes and workers, as lines of Markdown."""
    page = [f"| {_CURVE_COLUMNS} |", f"|{'--:|' * 11}"]
    for log in logs:
        ours = [row for row in rows if row.lines == log.lines and row.peer == fastlog_json.PEER.name]
        one = next((row.median for row in ours if row.threads == 1 and not row.refused), None)
        page += [_curve_line(row, log, one) for row in ours]
    return page


def _curve_line(row: Row, log: Log, one: float | None) -> str:
    """A row of the curve; ``one`` is the median of one worker, in seconds."""
    head = (f"{row.lines:,}", number(log.path.stat().st_size / 1e6), str(row.threads))
    if row.refused:
        return _joined(*head, row.refused, *[""] * 7)
    return _joined(
        *head,
        number(row.median),
        _spread(row),
        number(row.lines / row.median / 1e6),
        number(row.to_wc),
        number(one / row.median if one else None),
        *_costs(row),
    )
