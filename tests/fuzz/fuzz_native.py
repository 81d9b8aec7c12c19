"""Fuzzes the compiled parser, windows and JSON against their twins in Python; ``make fuzz`` runs it.

A trial is a format, a plan, mutated lines, and where they are cut into chunks and blocks;
all of it follows from the seed and the number of the trial. Both parsers fold each chunk,
and must give the same partial; both mergers take their parser's partial, and must print the
same bytes. The compiled parts are built with sanitizers for this, and the blocks lie in
buffers of exactly their size, so that a read beyond one ends the process: then the file
``--at`` names the trial, and ``--seed SEED --trial NUMBER`` repeats it.

A difference is made small by leaving out lines and bytes, printed, and exits 1.
"""

import argparse
import os
import random
import sys
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from pathlib import Path

from fastlog.formats.compile import compile_format
from fastlog.merger import Merger
from fastlog.model.events import Event
from fastlog.model.partial import Partial
from fastlog.model.plan import FUTURE_SECONDS, Plan
from fastlog.parsers.native import NativeParser
from fastlog.parsers.regex import RegexParser
from fastlog.sinks.ndjson import NdjsonRenderer
from tests.properties.strategies import FORMATS, Format, random_log, stamp
from tests.properties.test_native import HARD, canonical
from tests.unit.test_real_logs import ELASTIC, HACKERS

POOL_TRIALS = 2_000
"""Trials that take their lines from the same pool."""

LONGEST_SHRINKING = 60.0
"""Seconds after which a difference is as small as it gets."""

TOKENS = (
    b'"',
    b'""',
    b'" "',
    b'" -',
    b'" - "',
    b'" 200 5',
    b'" 200 5 "',
    b"\\",
    b'\\"',
    b"\\\\",
    b" ",
    b"  ",
    b"-",
    b" - ",
    b"[",
    b"]",
    b" [",
    b"] ",
    b"/",
    b"//",
    b"?",
    b"#",
    b"GET ",
    b"A ",
    b"ABCDEFG /",
    b"ABCDEFGH /",
    b"http://",
    b"://",
    b"\r",
    b"\t",
    b"\0",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"0",
    b"9",
    b"000000000000000000",
    b"12345678",
    b":60 ",
    b"+0000",
    b"-2359",
    b"29/Feb/2000",
    b"31/Dec/9999",
    b"01/Jan/0001",
    b"09/mAY/2018:",
    b"s" * 15,
    b"s" * 16,
    b"s" * 17,
    b"(other)",
)
_NOON = 1_525_867_200


@dataclass(frozen=True)
class Case:
    """One trial: lines with their ends, and before which of them chunks and blocks are cut."""

    format: Format
    plan: Plan
    lines: tuple[bytes, ...]
    chunks: frozenset[int]
    blocks: frozenset[int]

    def cut(self) -> Iterator[list[bytes]]:
        """The blocks of each chunk."""
        ends = sorted({at for at in self.chunks if 0 < at < len(self.lines)} | {0, len(self.lines)})
        for start, stop in pairwise(ends):
            cuts = sorted({at for at in self.blocks if start < at < stop} | {start, stop})
            yield [b"".join(self.lines[first:last]) for first, last in pairwise(cuts)]


def difference(case: Case) -> str | None:
    """What the compiled parts and their twins do not agree on; None where they agree on everything."""
    compiled, plan = compile_format(case.format), case.plan
    parsers = NativeParser(compiled, plan), RegexParser(compiled, plan)
    mergers = Merger(plan._replace(compiled=True)), Merger(plan)
    for merger in mergers:
        merger.open(0, "log")
    offset, wall = 0, float(_NOON)
    for blocks in case.cut():
        at = wall if plan.follow else None
        horizon = plan.horizon if at is None else int(at) + FUTURE_SECONDS
        starts = [offset + sum(map(len, blocks[:number])) for number in range(len(blocks))]
        exact = [memoryview(array("B", block)) for block in blocks]
        native = parsers[0].fold(zip(starts, exact, strict=True), horizon)
        # The segments of the regex parser begin anew with each block: it gets the whole.
        regex = parsers[1].fold([(offset, b"".join(blocks))], horizon)
        if canonical(native) != canonical(regex):
            return f"the partials at {offset}: {_fields(native, regex)}"
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
    names = [
        name for name in vars(native) if getattr(canonical(native), name) != getattr(canonical(regex), name)
    ]
    return ", ".join(
        f"{name} is {str(getattr(native, name))[:200]} and should be {str(getattr(regex, name))[:200]}"
        for name in names
    )


# -- trials ------------------------------------------------------------------------------------


class Pool:
    """Lines of each format to begin with, without their ends."""

    def __init__(self, seed: int, number: int) -> None:
        pick = random.Random(f"pool-{seed}-{number}")
        self.lines: dict[str, list[bytes]] = {}
        for name in FORMATS:
            logs = b"".join(random_log(pick.randrange(1_000_000), format=name) + b"\n" for _ in range(8))
            lines = [line for line in logs.split(b"\n") if len(line) < 2_000 or pick.random() < 0.1]
            self.lines[name] = [*pick.sample(lines, min(1_000, len(lines))), *_real_lines(name, pick)]

    def line(self, name: str, pick: random.Random) -> bytes:
        """A line of the format, seldom of another one, or one that is known to be hard."""
        chance = pick.random()
        if chance < 0.1:
            text = pick.choice(HARD)
            return text if len(text) < 2_000 or pick.random() < 0.02 else text[:300]
        return pick.choice(self.lines[name if chance < 0.95 else pick.choice(FORMATS)])


def _real_lines(name: str, pick: random.Random) -> list[bytes]:
    real = [path.read_bytes().split(b"\n") for path in _REAL if path.exists()]
    lines = [line for log in real for line in pick.sample(log, 150)]
    return [_as(name, line) for line in lines]


_REAL: tuple[Path, ...] = (ELASTIC, HACKERS)


def _as(name: str, combined: bytes) -> bytes:
    """A line of a combined log in another format, roughly."""
    line = combined if name.endswith("combined") else b'"'.join(combined.split(b'"')[:3]).rstrip()
    return b"www.example:80 " + line if name.startswith("vhost") else line


def mutated(line: bytes, pool: Pool, name: str, pick: random.Random) -> bytes:
    """The line with some of its bytes flipped, cut, repeated, replaced, or put in from elsewhere."""
    for _ in range(pick.choice((0, 0, 0, 1, 1, 1, 2, 5))):
        start = pick.randrange(len(line) + 1)
        stop = min(len(line), start + pick.choice((1, 2, 5, 20, 100)))
        kind = pick.randrange(7)
        if kind == 0:
            line = line[:start] + bytes([pick.randrange(256)]) + line[start + 1 :]
        elif kind == 1:
            line = line[:start] + line[stop:]
        elif kind == 2:
            other = pool.line(name, pick)
            line = line[:start] + other[pick.randrange(len(other) + 1) :]
        elif kind == 3:
            line = line[:stop] + line[start:stop] * pick.choice((1, 1, 2, 30)) + line[stop:]
        elif kind == 4:
            line = line[:start] + pick.choice(TOKENS) + line[start:]
        elif kind == 5:
            line = line[:start] + pick.choice(TOKENS) + line[stop:]
        else:
            line = _in_its_time(line, pick)
    return line.replace(b"\n", b"")


def _in_its_time(line: bytes, pick: random.Random) -> bytes:
    """The line with a stamp near noon, so that lines of many logs share windows."""
    start, stop = line.find(b" [") + 2, line.find(b"] ")
    second = (
        _NOON
        + pick.choice((0, 1, 2, 5, 9, 10, 61, 600, 3_600, 3_601, 86_400))
        - pick.choice((0, 0, 1, 4, 61))
    )
    return (
        line[:start] + stamp(second, pick.choice((0, 0, 60, -480))) + line[stop:]
        if 2 <= start < stop
        else line
    )


def a_plan(pick: random.Random) -> Plan:
    window = pick.choice((1, 2, 7, 10, 60, 3_600))
    follow = pick.random() < 0.3
    return Plan(
        follow=follow,
        lateness=pick.choice((0, 1, 5, 60, 300, 100_000)),
        horizon=None if follow else pick.choice((_NOON, _NOON + 5, _NOON - 86_400, 1_800_000_000)),
        cells=pick.random() < 0.7,
        rejects=pick.random() < 0.5,
        stats_window=window,
        stats_every=pick.choice((window, max(1, window // 3), max(1, window // 7), pick.randint(1, window))),
        alert_window=pick.choice((1, 2, 7, 120)),
        threshold=pick.choice((0, 0.29, 1, 2.5)),
        pairs=pick.random() < 0.3,
    )


def a_case(pool: Pool, seed: int, trial: int) -> Case:
    """The trial of that number."""
    pick = random.Random(f"trial-{seed}-{trial}")
    name = pick.choice(FORMATS)
    count = pick.choice((1, 2, 5, 20, 60))
    lines = [mutated(pool.line(name, pick), pool, name, pick) for _ in range(count)]
    if pick.random() < 0.003:  # more sections and methods than are named
        lines = [
            mutated(line, pool, name, pick) if pick.random() < 0.02 else line for line in _many(name, pick)
        ]
    if pick.random() < 0.4:
        lines = [_in_its_time(line, pick) for line in lines]
    if pick.random() < 0.3:
        lines += lines
    ends = pick.choice(((b"\n",), (b"\n",), (b"\n", b"\r\n"), (b"\r\n",)))
    whole = [line + pick.choice(ends) for line in lines]
    if pick.random() < 0.3:
        whole[-1] = whole[-1][:-1] or b" "
    cuts = [frozenset(pick.randrange(len(whole)) for _ in range(pick.choice((0, 1, 3)))) for _ in range(2)]
    return Case(name, a_plan(pick), tuple(whole), *cuts)


def _many(name: Format, pick: random.Random) -> list[bytes]:
    text = b'h - - [%b] "%b /%d" 200 %d' + b' "-" "-"' * name.endswith("combined")
    return [
        b"v:80 " * name.startswith("vhost")
        + text % (stamp(_NOON + number // 900), b"M" * (1 + number % 80), pick.randrange(2_500), number)
        for number in range(5_000)
    ]


# -- what is found -----------------------------------------------------------------------------


def shrunk(case: Case, fails: Callable[[Case], bool], until: float) -> Case:
    """A smaller case that fails as well: without lines, then without bytes, that need not be there."""
    for cuts in ("chunks", "blocks"):
        smaller = replace(case, **{cuts: frozenset()})
        case = smaller if fails(smaller) else case
    for smaller_lines in _without_pieces, _without_bytes:
        case = smaller_lines(case, fails, until)
    return case


def _without_pieces(case: Case, fails: Callable[[Case], bool], until: float) -> Case:
    size = len(case.lines)
    while size and time.monotonic() < until:
        at = 0
        while at < len(case.lines) and time.monotonic() < until:
            smaller = replace(case, lines=case.lines[:at] + case.lines[at + size :])
            if smaller.lines and fails(smaller):
                case = smaller
            else:
                at += size
        size //= 2
    return case


def _without_bytes(case: Case, fails: Callable[[Case], bool], until: float) -> Case:
    for number, line in enumerate(case.lines):
        size = len(line) // 2
        while size and time.monotonic() < until:
            at = 0
            while at < len(line) - 1 and time.monotonic() < until:
                cut = line[:at] + line[at + size :]
                if not cut.endswith(line[-1:]) or (cut.count(b"\n") != line.count(b"\n")):
                    break
                smaller = replace(case, lines=(*case.lines[:number], cut, *case.lines[number + 1 :]))
                if fails(smaller):
                    case, line = smaller, cut
                else:
                    at += size
            size //= 2
    return case


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
    print(f"seed {given.seed}, real logs: {sum(path.exists() for path in _REAL)} of {len(_REAL)}", flush=True)
    at_hand = os.open(given.at, os.O_WRONLY | os.O_CREAT, 0o644)
    start = time.monotonic()
    trial, lines = given.trial or 0, 0
    pool = Pool(given.seed, trial // POOL_TRIALS)
    while True:
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
        if trial % POOL_TRIALS == 0:
            pool = Pool(given.seed, trial // POOL_TRIALS)
    seconds = time.monotonic() - start
    print(f"{trial:,} trials, {lines:,} lines in {seconds:.0f} s, seed {given.seed}: no difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
