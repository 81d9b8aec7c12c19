"""fastlog beside other programs on the same logs: ``python -m bench.compare --lines 1000000``.

What is asked, and how, is in :mod:`bench.peers`; README.md beside this file says how to
read the table. A peer that is not installed is named as missing. A peer whose answer is
not fastlog's gets no time, and the exit status is 1; on a log with hostile lines, which
have no one reading, the table says where it counts otherwise. Linux only.
"""

import argparse
import os
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict
from typing import get_args

from bench.contest import Row, contest, entrants
from bench.contest_page import curve_table, heading, peers_table
from bench.corpus import LogFormat, Shape
from bench.logs import Log, corpus
from bench.peers import chdb_sql, duckdb_sql, fastlog_json, goaccess, mawk, naive, polars_frame, wc
from bench.peers.peer import Peer, Question
from bench.record import about_text, host, save

SHAPES: dict[str, tuple[Shape, LogFormat, float]] = {
    "dense": ("dense", "common", 0.0),
    "combined": ("dense", "combined", 0.0),
    "sparse": ("sparse", "common", 0.0),
    "odd": ("dense", "common", 0.05),
}
PEERS: dict[str, Peer] = {
    "wc": wc.PEER,
    "fastlog": fastlog_json.PEER,
    "polars": polars_frame.PEER,
    "duckdb": duckdb_sql.PEER,
    "chdb": chdb_sql.PEER,
    "mawk": mawk.PEER,
    "goaccess": goaccess.PEER,
    "naive": naive.PEER,
}
CURVE_STEPS = (1, 10, 100)


def installed(names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """The versions of the peers that are there by name, and the names of those that are not."""
    versions = {PEERS[name].name: PEERS[name].version() for name in names}
    return (
        {name: found for name, found in versions.items() if found},
        [name for name, found in versions.items() if not found],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    args = _arguments(argv)
    versions, missing = installed(args.peers)
    peers = [PEERS[name] for name in args.peers if PEERS[name].name in versions]
    if not peers:
        raise SystemExit(f"not installed: {', '.join(missing)}: choose other --peers")
    try:
        rows = _contests(args, peers)
        logs = [corpus("dense", "common", args.curve * step, 0.0) for step in CURVE_STEPS if args.curve]
        curve = _curve(args, logs)
    except ValueError as error:
        raise SystemExit(f"fastlog's own answer cannot be used: {error}") from error

    about = host() | {"peers": versions, "missing": missing}
    tables = [*peers_table(rows), "", *curve_table(logs, curve)] if logs else peers_table(rows)
    text = "\n".join([about_text(about), "", *heading(args.question, versions, missing), "", *tables]) + "\n"
    print(text)
    if not args.no_save:
        kept = {key: value for key, value in vars(args).items() if key not in {"host", "no_save"}}
        record: dict[str, object] = {
            "arguments": kept,
            "host": about,
            "rows": [*map(_record, rows)],
            "curve": [*map(_record, curve)],
        }
        save("compare", record, text, args.host)
    return 1 if any(row.refused for row in [*rows, *curve]) else 0


def _contests(args: argparse.Namespace, peers: Sequence[Peer]) -> list[Row]:
    """All peers on a log of each shape. Raises ValueError as :func:`contest` does."""
    rows: list[Row] = []
    for name in args.shape:
        shape, log_format, odd = SHAPES[name]
        log = corpus(shape, log_format, args.lines, odd)
        entered = entrants(log, [(peer, args.threads) for peer in peers], args.question)
        rows += contest(log, entered, args.runs, args.slow)
    return rows


def _curve(args: argparse.Namespace, logs: Sequence[Log]) -> list[Row]:
    """fastlog and the floor on each log, with each number of workers. Raises ValueError likewise."""
    peers = [(wc.PEER, 1), *((fastlog_json.PEER, count) for count in args.curve_workers)]
    rows: list[Row] = []
    for log in logs:
        rows += contest(log, entrants(log, peers, args.question), args.runs, args.slow)
    return rows


def _record(row: Row) -> dict[str, object]:
    return asdict(row) | ({} if row.refused else {"median": row.median})


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser("python -m bench.compare", description="fastlog beside other programs.")
    add = parser.add_argument
    add("--lines", type=int, default=1_000_000, help="in each log of the comparison")
    add("--shape", type=_some(SHAPES), default=["dense"], help=f"some of {','.join(SHAPES)}")
    add("--peers", type=_some(PEERS), default=[*PEERS], help=f"some of {','.join(PEERS)}")
    add("--question", choices=get_args(Question), default="totals", help="see bench/peers/__init__.py")
    add("--runs", type=int, default=3)
    add("--threads", type=int, default=cores, help="of each peer that takes them; fastlog's workers")
    add("--slow", type=float, default=60.0, metavar="S", help="a peer that takes longer runs once")
    add("--curve", type=int, default=100_000, metavar="N", help="scaling over N, 10 N, 100 N lines; 0: none")
    add("--curve-workers", type=_counts, default=[1, 2, 4], metavar="N,...")
    add("--host", default=None, help="name of the host in the directory of the run")
    add("--no-save", action="store_true", help="print the tables alone")
    args = parser.parse_args(argv)
    if min(args.lines, args.runs, args.threads, *args.curve_workers) < 1 or args.curve < 0:
        parser.error("lines, runs, threads and workers are at least 1")
    return args


def _some(known: Collection[str]) -> Callable[[str], list[str]]:
    """The type of an argument: some of the known names, with commas between."""

    def names(text: str) -> list[str]:
        found = text.split(",")
        if unknown := [name for name in found if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return found

    return names


def _counts(text: str) -> list[int]:
    return [int(count) for count in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
