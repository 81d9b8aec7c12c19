"""A gzipped log, start to exit: ``python -m bench.gzip --lines 10000000``.

In turn and several times over: ``gzip -dc LOG | wc -l``, the inflate library alone in
one Python process (it unpacks and counts bytes), and ``fastlog`` on the packed and on the plain
log. The goal of the issue: fastlog takes at most 1.3 times what ``gzip -dc | wc -l`` takes, or what
the library alone takes. Every answer is checked before its time counts.
"""

import argparse
import shlex
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from bench.logs import CACHE, Log, corpus
from bench.process import last_line, run
from bench.record import about_text, host, save

INFLATE = """
import sys
from isal import igzip_lib
total = 0
with open(sys.argv[1], "rb", buffering=0) as packed:
    inner = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
    while not inner.eof:
        total += len(inner.decompress(packed.read(1 << 16) if inner.needs_input else b"", 1 << 18))
print(total)
"""


@dataclass(slots=True)
class Row:
    """One command: its answer is the log's lines, or its bytes."""

    command: str
    argv: list[str]
    answer: int
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def packed(log: Log, level: int) -> Path:
    """The log packed by gzip; it is written once and kept in ``build/``."""
    path = log.path.with_suffix(f".{level}.gz")
    if not path.exists():
        half = path.with_suffix(".part")
        with half.open("wb") as out:
            subprocess.run(["gzip", f"-{level}", "-nc", str(log.path)], stdout=out, check=True)
        half.replace(path)
    return path


def rows_of(log: Log, path: Path, workers: int) -> list[Row]:
    flags = ["--json", "--quiet", "--no-progress", "--no-stats", "--workers", str(workers)]
    fastlog = [sys.executable, "-m", "fastlog", *flags]
    size = log.path.stat().st_size
    return [
        Row("gzip -dc, wc -l", ["sh", "-c", f"gzip -dc {shlex.quote(str(path))} | wc -l"], log.lines),
        Row("inflate alone", [sys.executable, "-c", INFLATE, str(path)], size),
        Row("fastlog, packed", [*fastlog, str(path)], log.lines),
        Row("fastlog, plain", [*fastlog, str(log.path)], log.lines),
    ]


def run_once(row: Row) -> None:
    """Run it, and time it. Raises SystemExit for a wrong answer."""
    answer = CACHE / "answer"
    with answer.open("wb") as out:
        cost = run(row.argv, out)
    said = last_line(answer)
    found = orjson.loads(said)["parsed"] if said.startswith(b"{") else int(said)
    if cost.status or found != row.answer:
        raise SystemExit(f"{row.command}: exit {cost.status}, {found}, and not {row.answer}")
    row.seconds.append(cost.seconds)
    row.cpu_seconds.append(cost.cpu_seconds)


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser("python -m bench.gzip", description="Measure a gzipped log.")
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--level", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--host", default=None, help="name of the host in the directory of the run")
    parser.add_argument("--no-save", action="store_true", help="print the table alone")
    args = parser.parse_args(argv)
    log = corpus("dense", "combined", args.lines, 0.0)
    path = packed(log, args.level)
    rows = rows_of(log, path, args.workers)
    for _ in range(args.repeat):
        for row in rows:
            run_once(row)
    about = host()
    gzip, inflate = rows[0].median, rows[1].median
    page = [
        about_text(about),
        "",
        f"{args.lines:,} lines of `combined`, {log.path.stat().st_size:,} bytes, {path.stat().st_size:,}"
        f" packed by `gzip -{args.level}`; median of {args.repeat} runs in turn; the logs in the page cache.",
        "",
        "| command | s | min-max | CPU s | x gzip -dc, wc -l | x inflate alone |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        cells = (
            row.command,
            f"{row.median:.2f}",
            f"{min(row.seconds):.2f}-{max(row.seconds):.2f}",
            f"{statistics.median(row.cpu_seconds):.2f}",
            f"{row.median / gzip:.2f}",
            f"{row.median / inflate:.2f}",
        )
        page.append(f"| {' | '.join(cells)} |")
    text = "\n".join(page) + "\n"
    print(text)
    if not args.no_save:
        kept = {"lines": args.lines, "level": args.level, "workers": args.workers, "repeat": args.repeat}
        figures = [{key: value for key, value in asdict(row).items() if key != "argv"} for row in rows]
        save("gzip", {"arguments": kept, "host": about, "rows": figures}, text, args.host)
    return 0


if __name__ == "__main__":
    sys.exit(main())
