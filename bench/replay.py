"""The whole command, start to exit: ``python -m bench.replay --lines 10000000``.

On each log it runs, in turn and several times over, ``wc -l`` (the floor: reading and
finding newlines), a bare ``re.findall`` in one Python process, and ``fastlog`` with each
number of workers, with and without ``--stats``. In turn, so that a machine that slows
down slows all of them. Every command's answer is checked before its time counts.
Memory is sampled in a further run of its own: reading /proc takes time on the cores
that are being measured.

The log is in the page cache (a first ``wc`` puts it there). Linux only. The two files of
a run go to ``bench/runs/DATE-HOST/``; no path and no name of this machine is in them.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

import orjson

from bench.corpus import RATES, Corpus, LogFormat, Shape, write

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "corpora"
RUNS = ROOT / "bench" / "runs"
LIBRARIES = ("orjson", "uvloop", "inotify-simple", "tqdm")

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


@dataclass(frozen=True, slots=True)
class Log:
    """A log on disk, and what is to be found in it."""

    name: str
    path: Path
    lines: int
    odd: bool


@dataclass(slots=True)
class Command:
    """A command line, and where its figures go."""

    argv: list[str]
    row: Row
    kind: str


def corpus(shape: Shape, log_format: LogFormat, lines: int, odd: float) -> Log:
    """The log of that kind; it is written once and kept in ``build/``."""
    name = f"{log_format} {shape}" + (f" odd {odd:g}" if odd else "")
    path = CACHE / f"{name.replace(' ', '-')}-{lines}.log"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        print(f"writing {name}, {lines:,} lines ...", file=sys.stderr, flush=True)
        half = path.with_suffix(".part")
        with half.open("wb") as out:
            write(Corpus(rate=RATES[shape], format=log_format, lines=lines, odd=odd), out)
        half.replace(path)
    return Log(name, path, lines, bool(odd))


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


def run(command: Command, log: Log, *, sample: bool = False) -> None:
    """Run it once: time it, or with ``sample`` watch its memory; then check what it said."""
    answer = CACHE / "answer"
    with answer.open("wb") as out:
        begin = time.perf_counter()
        process = subprocess.Popen(command.argv, stdin=subprocess.DEVNULL, stdout=out, cwd=ROOT)
        if sample:
            watch(process.pid, command.row)
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command.row.command} on {log.name}: exit {process.returncode}")
    check(command, log, last_line(answer))
    answer.unlink()
    if not sample:
        command.row.seconds.append(took)
        # Of the whole tree: fastlog waits for its children before it ends.
        command.row.cpu_seconds.append(usage.ru_utime + usage.ru_stime)


def last_line(path: Path) -> bytes:
    """The last line of a file that may be large."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - (1 << 20)))
        return file.read().rstrip(b"\n").rpartition(b"\n")[2]


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


def watch(root: int, row: Row) -> None:
    """Keep the greatest memory of the tree of ``root`` in ``row`` until ``root`` has ended.

    RSS counts shared pages once for each process, PSS divides them among those that share them.
    """
    page = os.sysconf("SC_PAGE_SIZE")
    while not os.waitid(os.P_PID, root, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        rss = pss = 0
        for pid in tree(root):
            # A process may be gone between two looks.
            with suppress(OSError, ValueError, IndexError):
                rss += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                found = re.search(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
                pss += int(found[1]) * 1024 if found else 0
        row.rss_mib = max(row.rss_mib, round(rss / 2**20, 1))
        row.pss_mib = max(row.pss_mib, round(pss / 2**20, 1))
        time.sleep(0.05)


def tree(root: int) -> Iterator[int]:
    """``root`` and all processes below it."""
    yield root
    with suppress(OSError):
        for task in os.listdir(f"/proc/{root}/task"):
            for child in Path(f"/proc/{root}/task/{task}/children").read_text().split():
                yield from tree(int(child))


def host() -> dict[str, object]:
    """What the figures depend on, and nothing that names the machine."""
    model = "unknown"
    with suppress(OSError):
        found = re.search(r"^model name\s*: *(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        model = found[1] if found else model
    libraries = {}
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            libraries[library] = version(library)
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        # Version and parser; the rest of the line names the kernel's build, which may name its owner.
        "fastlog": ",".join(said([sys.executable, "-m", "fastlog", "--version"]).split(",")[:2]),
        "commit": said(["git", "rev-parse", "--short=12", "HEAD"]) or "none",
        "changed": bool(said(["git", "status", "--porcelain", "--untracked-files=no"])),
        "libraries": libraries,
    }


def said(argv: list[str]) -> str:
    """The first line that a command says, or nothing where it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    return done.stdout.partition("\n")[0].strip() if done.returncode == 0 else ""


def short_name(name: str | None) -> str:
    """The host's part of the directory: a given name, or what kind of machine it is.

    Not ``platform.node()`` unless it is given: a host name may tell whose machine it is.
    """
    name = name or f"{platform.machine()}-{len(os.sched_getaffinity(0))}cpu"
    return re.sub(r"[^a-z0-9]+", "-", name.partition(".")[0].lower()).strip("-") or "host"


def save(kind: str, record: dict[str, object], page: str, name: str | None = None) -> None:
    """Keep a run: its figures, and the page that shows them."""
    now = datetime.now(UTC)
    directory = RUNS / f"{now:%Y-%m-%d}-{short_name(name)}"
    directory.mkdir(parents=True, exist_ok=True)
    stem = directory / f"{kind}-{now:%H%M%S}"
    record = {"at": now.isoformat(timespec="seconds"), **record}
    stem.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    stem.with_suffix(".md").write_text(page)
    print(f"kept in {stem.relative_to(ROOT)}.md and .json", file=sys.stderr)


def about_text(about: dict[str, object]) -> str:
    """The host in one line."""
    libraries = ", ".join(f"{name} {at}" for name, at in cast("dict[str, str]", about["libraries"]).items())
    changed = " with local changes" if about["changed"] else ""
    return (
        f"{about['cpu']}, {about['cores']} cores, {about['memory_gib']} GiB; {about['system']};"
        f" {about['python']}; {about['fastlog']}; {libraries}; commit {about['commit']}{changed}."
    )


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
    subprocess.run(["wc", "-l", str(log.path)], stdout=subprocess.DEVNULL, check=True)  # into the page cache
    for turn in range(repeat):
        for command in todo:
            run(command, log)
            row = command.row
            stats = ", stats" * row.stats
            print(
                f"{log.name}: {turn + 1}/{repeat} {row.command}{stats}: {row.seconds[-1]:.2f} s",
                file=sys.stderr,
                flush=True,
            )
    floor = next(command.row.median for command in todo if command.kind == "wc")
    for command in todo:
        run(command, log, sample=True)
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
