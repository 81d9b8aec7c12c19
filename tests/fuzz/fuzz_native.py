"""Fuzzes the compiled parser, windows and JSON against their twins in Python; ``make fuzz`` runs it.

A trial is a format, a plan, mutated lines, and where they are cut into chunks and blocks.
Both parsers fold each chunk, and must give the same partial; both mergers take their
parser's partial, and must print the same bytes. The compiled parts are built with
sanitizers for this, and the blocks lie in buffers of exactly their size, so that a read
beyond one ends the process: then the file ``--at`` names the trial, and
``--seed SEED --trial NUMBER`` repeats it.

A difference is made small, printed, and exits 1.
"""

import argparse
import os
import sys
import time
from array import array
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

import fastlog
from fastlog.formats.compile import compile_format
from fastlog.merger import Merger
from fastlog.model.events import Event
from fastlog.model.partial import Partial
from fastlog.model.plan import FUTURE_SECONDS
from fastlog.parsers.select import make_parser
from fastlog.sinks.ndjson import NdjsonRenderer
from tests.fuzz.shrink import shrunk
from tests.fuzz.trials import NOON, REAL, Case, Pool, a_case
from tests.properties.test_native import canonical

POOL_TRIALS = 2_000
"""Trials that take their lines from the same pool."""

LONGEST_SHRINKING = 60.0
"""Seconds after which a difference is as small as it gets."""


def difference(case: Case) -> str | None:
    """What the compiled parts and their twins do not agree on; None where they agree on everything."""
    compiled, plan = compile_format(case.format), case.plan
    parsers = [make_parser(name, compiled, plan) for name in ("native", "regex")]
    mergers = Merger(replace(plan, compiled=True)), Merger(plan)
    for merger in mergers:
        merger.open(0, "log")
    offset, wall = 0, float(NOON)
    for blocks in case.cut():
        at = wall if plan.follow else None
        horizon = plan.horizon if at is None else int(at) + FUTURE_SECONDS
        starts = [offset + sum(map(len, blocks[:number])) for number in range(len(blocks))]
        exact = [memoryview(array("B", block)) for block in blocks]
        native = parsers[0].fold(zip(starts, exact, strict=True), horizon)
        # Segments of the regex parser begin anew with each block, and those of both where the log has fields.
        whole = (
            zip(starts, blocks, strict=True) if compiled.kind == "fields" else [(offset, b"".join(blocks))]
        )
        regex = parsers[1].fold(whole, horizon)
        if canonical(native) != canonical(regex):
            return f"the partials at {offset}: {_fields(canonical(native), canonical(regex))}"
        said = [
            _json(chain(merger.commit(0, partial, at=at), merger.tick(wall + 1) if plan.follow else ()))
            for merger, partial in zip(mergers, (native, regex), strict=True)
        ]
        if said[0] != said[1]:
            return f"the events at {offset}"
        offset += sum(map(len, blocks))
        wall += 7
    said = [_json(chain(merger.finish(), (merger.summary(complete=True),))) for merger in mergers]
    if said[0] != said[1]:
        return "the events at the end"
    return None if mergers[0].snapshot() == mergers[1].snapshot() else "the snapshots at the end"


def _json(events: Iterable[Event]) -> bytes:
    return b"".join(map(NdjsonRenderer().render, events))


def _fields(native: Partial, regex: Partial) -> str:
    both = [(name, getattr(native, name), getattr(regex, name)) for name in Partial.__slots__]
    return ", ".join(
        f"{name} is {str(mine)[:200]} and should be {str(other)[:200]}"
        for name, mine, other in both
        if mine != other
    )


def report(case: Case) -> None:
    case = shrunk(case, lambda smaller: difference(smaller) is not None, time.monotonic() + LONGEST_SHRINKING)
    print(f"differs: {difference(case)}\n{case.plan}\nformat {case.format}, {len(case.lines)} lines")
    print(f"chunks are cut before lines {sorted(case.chunks)}, blocks before {sorted(case.blocks)}")
    for line in case.lines:
        print(f"    {line!r}")


def main() -> int:
    parser = argparse.ArgumentParser(description="fuzz the compiled parts against their twins in Python")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--trial", type=int, help="this one alone")
    parser.add_argument("--at", default=os.devnull, help="where the number of the trial at hand is written")
    given = parser.parse_args()
    print(f"seed {given.seed}, {len(REAL)} real logs, {fastlog.__file__}", flush=True)
    at_hand = os.open(given.at, os.O_WRONLY | os.O_CREAT, 0o644)
    start = time.monotonic()
    first = trial = given.trial or 0
    lines = 0
    while True:
        if trial == first or trial % POOL_TRIALS == 0:
            pool = Pool(given.seed, trial // POOL_TRIALS)
        os.pwrite(at_hand, b"seed %d trial %10d\n" % (given.seed, trial), 0)
        case = a_case(pool, given.seed, trial)
        if difference(case) is not None:
            print(f"trial {trial}")
            report(case)
            return 1
        lines += len(case.lines)
        trial += 1
        if given.trial is not None or time.monotonic() - start > given.seconds:
            break
    seconds = time.monotonic() - start
    print(f"{trial - first:,} trials, {lines:,} lines in {seconds:.0f} s, seed {given.seed}: no difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
