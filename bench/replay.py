"""The whole command, start to exit: ``python -m bench.replay --lines 10000000``.

On each log it runs, in turn and several times over, ``wc -l`` (the floor: reading and
finding newlines), a bare ``re.findall`` in one Python process, and ``fastlog`` with each
number of workers, with and without ``--stats``. In turn, so that a machine that slows
down slows all of them. Every command's answer is checked before its time counts.
Memory is sampled in a further run of its own: reading /proc takes time on the cores
that are being measured.

The log is in the page cache (a first ``wc`` puts it there). Linux only.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from bench.logs import CACHE, Log, corpus, warm
from bench.process import last_line, run
from bench.record import about_text, host, save

BARE = """
import re, sys
find = re.compile(rb'\\[([^\\]]+)\\] "[A-Z]+ (/[^/? "]*)[^"]*" (\\d+) (\\d+|-)').findall
hits, rest = 0, b""
with open(sys.argv[1], "rb", buffering=0) as log:
    while data := log.read(1 << 20):
        whole, newline, tail = data.rpartition(b"\\n")
        if newline:
            hits += len(find(rest + whole))
            rest = tail
        else:
            rest += data
print(hits + len(find(rest)))
"""
"""What a bare regex costs in one process; it counts nothing, and knows no odd lines."""


@dataclass(slots=True)
class Row:
    """One command on one log."""

    log: str
    command: str
    stats: bool
    lines: int
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    rss_mib: float = 0.0
    pss_mib: float = 0.0
    to_wc: float = 0.0

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass(slots=True)
class Command:
    """A command line, and where its figures go."""

    argv: list[str]
    row: Row
    kind: str


def commands(log: Log, workers: Sequence[int], stats: Sequence[bool], extra: Sequence[str]) -> list[Command]:
    """What is run on a log, in its order."""
    path = str(log.path)
    found = [
        Command(["wc", "-l", path], Row(log.name, "wc -l", False, log.lines), "wc"),
        Command([sys.executable, "-c", BARE, path], Row(log.name, "bare findall", False, log.lines), "bare"),
    ]
    for with_stats in stats:
        for count in workers:
            flags = ["--json", "--quiet", "--no-progress", "--workers", str(count), *extra]
            flags += ["--stats" if with_stats else "--no-stats"]
            name = f"fastlog, {count} worker{'s' * (count > 1)}"
            row = Row(log.name, name, with_stats, log.lines)
            found.append(Command([sys.executable, "-m", "fastlog", *flags, path], row, "fastlog"))
    return found


def run_once(command: Command, log: Log, *, sample: bool = False) -> None:
    """Run it once: time it, or with ``sample`` watch its memory; then check what it said."""
    answer = CACHE / "answer"
    with answer.open("wb") as out:
        cost = run(command.argv, out, sample=sample)
    if cost.status:
        raise SystemExit(f"{command.row.command} on {log.name}: exit {cost.status}")
    check(command, log, last_line(answer))
    answer.unlink()
    if sample:
        command.row.rss_mib, command.row.pss_mib = cost.rss_mib, cost.pss_mib
    else:
        command.row.seconds.append(cost.seconds)
        command.row.cpu_seconds.append(cost.cpu_seconds)


def check(command: Command, log: Log, answer: bytes) -> None:
    """Raises SystemExit unless the command has counted the log's lines."""
    if command.kind == "fastlog":
        summary = orjson.loads(answer)
        good = (
            summary["complete"]
            and summary["lines"] == summary["parsed"] + sum(summary["rejected"].values()) == log.lines
            and (log.odd or summary["parsed"] == log.lines)
            and summary["hits"] == summary["parsed"]
            and sum(summary["statuses"].values()) == summary["hits"]
            and sum(summary["sections"].values()) == summary["hits"]
        )
    else:
        count = int(answer.split()[0])
        good = count == log.lines or (log.odd and command.kind == "bare" and count <= log.lines)
    if not good:
        raise SystemExit(f"{command.row.command} on {log.name}: wrong answer {answer[:400]!r}")


def table(rows: Sequence[Row], about: dict[str, object], arguments: dict[str, Any]) -> str:
    """The run as a page of Markdown."""
    page = [
        about_text(about),
        "",
        f"Median of {arguments['repeat']} runs in turn; the log in the page cache; memory is the peak over"
        " all processes together, from a further run.",
        "",
        "| log | lines | command | stats | s | min-max | M lines/s | x wc | CPU s | RSS MiB | PSS MiB |",
        "|---|--:|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        cells = (
            row.log,
            f"{row.lines:,}",
            row.command,
            "yes" if row.stats else "",
            f"{row.median:.2f}",
            f"{min(row.seconds):.2f}-{max(row.seconds):.2f}",
            f"{row.lines / row.median / 1e6:.2f}",
            f"{row.to_wc:.1f}",
            f"{statistics.median(row.cpu_seconds):.2f}",
            f"{row.rss_mib:.0f}",
            f"{row.pss_mib:.0f}",
        )
        page.append(f"| {' | '.join(cells)} |")
    return "\n".join(page) + "\n"


def measure(log: Log, todo: Sequence[Command], repeat: int) -> list[Row]:
    """Run every command on the log, and return their rows."""
    warm(log)
    for turn in range(repeat):
        for command in todo:
            run_once(command, log)
            row = command.row
            stats = ", stats" * row.stats
            print(
                f"{log.name}: {turn + 1}/{repeat} {row.command}{stats}: {row.seconds[-1]:.2f} s",
                file=sys.stderr,
                flush=True,
            )
    floor = next(command.row.median for command in todo if command.kind == "wc")
    for command in todo:
        run_once(command, log, sample=True)
        command.row.to_wc = round(command.row.median / floor, 2)
    return [command.row for command in todo]


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser("python -m bench.replay", description="Measure the whole command.")
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--shapes", default="dense,sparse")
    parser.add_argument("--formats", default="common", help="common,combined")
    parser.add_argument("--odd", type=float, default=0.0, help="share of hostile lines")
    parser.add_argument("--stats", choices=("on", "off", "both"), default="both")
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--parser", default=None, help="passed on to fastlog")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--host", default=None, help="name of the host in the directory of the run")
    parser.add_argument("--no-save", action="store_true", help="print the table alone")
    args = parser.parse_args(argv)
    stats = {"on": [True], "off": [False], "both": [False, True]}[args.stats]
    workers = [int(count) for count in args.workers.split(",")]
    extra = ["--parser", args.parser] if args.parser else []

    rows: list[Row] = []
    for log_format in args.formats.split(","):
        for shape in args.shapes.split(","):
            log = corpus(shape, log_format, args.lines, args.odd)
            rows += measure(log, commands(log, workers, stats, extra), args.repeat)

    about, arguments = host(), vars(args)
    page = table(rows, about, arguments)
    print(page)
    if not args.no_save:
        kept = {key: value for key, value in arguments.items() if key not in {"host", "no_save"}}
        rows_kept = [{**asdict(row), "median": row.median} for row in rows]
        save("replay", {"arguments": kept, "host": about, "rows": rows_kept}, page, args.host)
    return 0


if __name__ == "__main__":
    sys.exit(main())
