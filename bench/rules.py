"""What rules cost: ``python -m bench.rules``.

On one log, in turn and several times over, the whole command without rules, with ten
rules, and with one that keeps 100,000 hosts apart. The answer of each is checked before its
time counts: the summary is that of the run without rules. Linux only; nothing of it is a test.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson

from bench.corpus import RATES, Corpus, write
from bench.logs import CACHE
from bench.process import last_line, run
from bench.record import about_text, host, save
from bench.replay import Row

TEN = (
    ("share", 'where = "status >= 500"', 'per = "section"', "above = 0.2"),
    ("share", 'where = "status >= 500"', "above = 0.2"),
    ("hits", 'where = "status == 404"', 'per = "section"', "above = 100000"),
    ("rate", 'per = "status"', "above = 100000"),
    ("rate", "below = 1"),
    ("bytes", 'per = "section"', "above = 1e12"),
    ("hits", 'where = "bytes > 1000000"', "above = 100000"),
    ("rate", "where = \"method in ('POST', 'PUT')\"", 'per = "method"', "above = 100000"),
    ("hits", "where = \"section == '/login' and status == 401\"", "above = 100000"),
    ("hits", "where = \"section =~ '^/(wp|cgi)'\"", "above = 100000"),
)
BY_HOST = (("hits", 'per = "host"', "above = 1000000"),)
RULES: dict[str, Sequence[tuple[str, ...]]] = {"no rules": (), "ten rules": TEN, "per host": BY_HOST}


def rules_text(rules: Sequence[tuple[str, ...]]) -> str:
    """A rules file; windows of a minute."""
    return "".join(
        f'[[rule]]\nname = "rule {number}"\nmeasure = "{measure}"\nwindow = 60\n' + "\n".join(lines) + "\n"
        for number, (measure, *lines) in enumerate(rules)
    )


def measure(lines: int, hosts: int, workers: int, repeat: int) -> list[Row]:
    """A row for each set of rules. Raises SystemExit where one counts otherwise."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path, answer = CACHE / "rules.log", CACHE / "rules.answer"
    with path.open("wb") as out:
        write(Corpus(rate=RATES["dense"], lines=lines, hosts=hosts), out)
    rows = [Row("dense", name, False, lines) for name in RULES]
    wanted: dict[str, Any] = {}
    for turn in range(repeat + 1):  # the last one for memory
        for row in rows:
            argv = [sys.executable, "-m", "fastlog", "--json", "--quiet", "--no-progress", "--no-stats"]
            argv += ["--workers", str(workers)]
            if RULES[row.command]:
                (CACHE / "rules.toml").write_text(rules_text(RULES[row.command]))
                argv += ["--rules", str(CACHE / "rules.toml")]
            with answer.open("wb") as out:
                cost = run([*argv, str(path)], out, sample=turn == repeat)
            summary = orjson.loads(last_line(answer))
            told = {name: summary[name] for name in ("lines", "parsed", "bytes", "sections", "statuses")}
            wanted = wanted or told
            if cost.status or told != wanted or summary["parsed"] != lines:
                raise SystemExit(f"{row.command}: exit {cost.status}, {told}")
            if turn == repeat:
                row.rss_mib, row.pss_mib = cost.rss_mib, cost.pss_mib
            else:
                row.seconds.append(cost.seconds)
                row.cpu_seconds.append(cost.cpu_seconds)
    path.unlink()
    return rows


def table(rows: Sequence[Row], about: dict[str, object]) -> str:
    """The run as a page of Markdown; the rate without rules is 100 %.

    The rate is the median over the turns, each beside the run without rules of that turn: a machine that is
    slow for a while is slow for all of them.
    """
    page = [
        about_text(about),
        "",
        "| rules | lines | s | min-max | M lines/s | rate | CPU s | RSS MiB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    page += [
        f"| {row.command} | {row.lines:,} | {row.median:.2f} | {min(row.seconds):.2f}-{max(row.seconds):.2f}"
        f" | {row.lines / row.median / 1e6:.2f} | {_beside(rows[0], row):.0%}"
        f" | {statistics.median(row.cpu_seconds):.2f} | {row.rss_mib:.0f} |"
        for row in rows
    ]
    return "\n".join(page) + "\n"


def _beside(alone: Row, row: Row) -> float:
    return statistics.median(
        without / seconds for without, seconds in zip(alone.seconds, row.seconds, strict=True)
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser("python -m bench.rules", description="Measure what rules cost.")
    parser.add_argument("--lines", type=int, default=5_000_000)
    parser.add_argument("--hosts", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--host", default=None, help="name of the host in the directory of the run")
    parser.add_argument("--no-save", action="store_true", help="print the table alone")
    args = parser.parse_args(argv)
    rows = measure(args.lines, args.hosts, args.workers, args.repeat)
    about = host()
    page = table(rows, about)
    print(page)
    if not args.no_save:
        kept = {key: value for key, value in vars(args).items() if key not in {"host", "no_save"}}
        rows_kept = [{**asdict(row), "median": row.median} for row in rows]
        save("rules", {"arguments": kept, "host": about, "rows": rows_kept}, page, args.host)
    return 0


if __name__ == "__main__":
    sys.exit(main())
