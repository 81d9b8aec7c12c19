"""Trials for fuzz_native.py: what follows from a seed and a number."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from fastlog.model.plan import Plan
from tests.properties.strategies import FORMATS, Format, random_log, stamp
from tests.properties.test_native import HARD
from tests.properties.test_program import EXAMPLES, PROGRAMS
from tests.unit.test_real_logs import ELASTIC, HACKERS

NOON = 1_525_867_200
REAL = [path for path in (ELASTIC, HACKERS) if path.exists()]
TOKENS = (
    b'"', b'""', b'" "', b'" -', b'" - "', b'" 200 5', b'" 200 5 "', b"\\", b'\\"', b"\\\\", b" ", b"  ",
    b"-", b" - ", b"[", b"]", b" [", b"] ", b"/", b"//", b"?", b"#", b"GET ", b"A ", b"ABCDEFG /",
    b"ABCDEFGH /", b"http://", b"://", b"\r", b"\t", b"|", b",", b".5", b"\0", b"\x7f", b"\x80", b"\xff", b"0",
    b"9", b"0" * 18, b"12345678", b":60 ", b"+0000", b"-2359", b"Z", b"29/Feb/2000", b"31/Dec/9999",
    b"01/Jan/0001", b"09/mAY/2018:", b"s" * 15, b"s" * 16, b"s" * 17, b"(other)",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One trial: lines with their ends, and before which of them chunks and blocks are cut."""

    format: str
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


class Pool:
    """Lines of each format to begin with, without their ends."""

    def __init__(self, seed: int, number: int) -> None:
        pick = random.Random(f"pool-{seed}-{number}")
        self._lines = {name: [EXAMPLES[name].encode()] for name in PROGRAMS}
        for name in FORMATS:
            logs = [random_log(pick.randrange(1_000_000), format=name) for _ in range(8)]
            lines = [
                line for line in b"\n".join(logs).split(b"\n") if len(line) < 2_000 or pick.random() < 0.1
            ]
            self._lines[name] = pick.sample(lines, min(1_000, len(lines))) + _real_lines(name, pick)

    def line(self, name: str, pick: random.Random) -> bytes:
        """A line of the format, seldom of another one, or one that is known to be hard."""
        chance = pick.random()
        if chance < 0.08:
            text = pick.choice(HARD)
            return text if len(text) < 2_000 or pick.random() < 0.02 else text[:300]
        return pick.choice(self._lines[name if chance < 0.95 else pick.choice(PROGRAMS)])


def _real_lines(name: str, pick: random.Random) -> list[bytes]:
    """Lines of real combined logs, as the format would have them."""
    lines = [line for path in REAL for line in pick.sample(path.read_bytes().split(b"\n"), 150)]
    if not name.endswith("combined"):
        lines = [b'"'.join(line.split(b'"')[:3]).rstrip() for line in lines]
    return [b"www.example:80 " + line if name.startswith("vhost") else line for line in lines]


def a_case(pool: Pool, seed: int, trial: int) -> Case:
    """The trial of that number."""
    pick = random.Random(f"trial-{seed}-{trial}")
    name = pick.choice(FORMATS if pick.random() < 0.6 else PROGRAMS)
    lines = _lines(pool, name, pick)
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


def a_plan(pick: random.Random) -> Plan:
    window = pick.choice((1, 2, 7, 10, 60, 3_600))
    follow = pick.random() < 0.3
    return Plan(
        follow=follow,
        lateness=pick.choice((0, 1, 5, 60, 300, 100_000)),
        horizon=None if follow else pick.choice((NOON, NOON + 5, NOON - 86_400, 1_800_000_000)),
        cells=pick.random() < 0.7,
        rejects=pick.random() < 0.5,
        stats_window=window,
        stats_every=pick.choice((window, max(1, window // 3), max(1, window // 7), pick.randint(1, window))),
        alert_window=pick.choice((1, 2, 7, 120)),
        threshold=pick.choice((0, 0.29, 1, 2.5)),
        log_tz=pick.choice(("UTC", "UTC", "Europe/Berlin")),
        pairs=pick.random() < 0.3,
    )


def _lines(pool: Pool, name: str, pick: random.Random) -> list[bytes]:
    if name in FORMATS and pick.random() < 0.003:  # more sections and methods than are named
        return [
            _mutated(line, pool, name, pick) if pick.random() < 0.02 else line for line in _many(name, pick)
        ]
    return [_mutated(pool.line(name, pick), pool, name, pick) for _ in range(pick.choice((1, 2, 5, 20, 60)))]


def _many(name: Format, pick: random.Random) -> list[bytes]:
    text = b'h - - [%b] "%b /%d" 200 %d' + b' "-" "-"' * name.endswith("combined")
    return [
        b"v:80 " * name.startswith("vhost")
        + text % (stamp(NOON + number // 900), b"M" * (1 + number % 80), pick.randrange(2_500), number)
        for number in range(5_000)
    ]


def _mutated(line: bytes, pool: Pool, name: str, pick: random.Random) -> bytes:
    """The line with some of its bytes flipped, cut, repeated, replaced, or put in from elsewhere."""
    for _ in range(pick.choice((0, 0, 0, 1, 1, 1, 2, 5))):
        start = pick.randrange(len(line) + 1)
        stop = min(len(line), start + pick.choice((1, 2, 5, 20, 100)))
        kind = pick.randrange(8)
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
        elif kind == 6:
            line = bytes(
                48 + pick.randrange(10) if 48 <= byte < 58 and pick.random() < 0.1 else byte for byte in line
            )
        else:
            line = _in_its_time(line, pick)
    return line.replace(b"\n", b"")


def _in_its_time(line: bytes, pick: random.Random) -> bytes:
    """The line with a stamp near noon, so that lines of many logs share windows."""
    start, stop = line.find(b" [") + 2, line.find(b"] ")
    if not 2 <= start < stop:
        return line
    ahead = pick.choice((0, 1, 2, 5, 9, 10, 61, 600, 3_600, 3_601, 86_400))
    return (
        line[:start]
        + stamp(NOON + ahead - pick.choice((0, 0, 1, 4, 61)), pick.choice((0, 0, 60, -480)))
        + line[stop:]
    )
