"""The rules on the hub: what was measured of a million lines, in Python, and compiled where that is built.

Entries are those of chunks of 4 MiB of a dense log, 500 hits a second: ten rules by section have one a hit,
and so has one by host where there are a hundred thousand. Shares and percentiles are looked at most.
"""

from array import array
from functools import cache
from itertools import repeat
from random import Random
from typing import TYPE_CHECKING

import pytest

from bench.corpus import START
from fastlog.model.measured import Measured
from fastlog.model.rules import Rule
from fastlog.windows.rules import together
from fastlog.windows.rules.engine import Windows

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

CHUNKS = 20
SECONDS = 100  # of a chunk
ENTRIES = 50_000  # of a chunk: a million in all
LATENESS = 60

SECTIONS = [b"/section%d" % number for number in range(50)]
HOSTS = [b"10.%d.%d.%d" % (n // 40_000, n // 200 % 200, n % 200) for n in range(100_000)]

SUMS = tuple(
    Rule(name=f"{n}", measure="hits", per="section", window=60, above=1_000 + n, recover=900)
    for n in range(10)
)
SHARES = tuple(
    Rule(name=f"{n}", measure="share", per="section", window=60, above=0.1 * n + 0.05, hold=5)
    for n in range(10)
)
LATENCIES = (Rule(name="slow", measure="p95", per="section", window=60, above=0.5),)
BY_HOST = (Rule(name="busy", measure="hits", per="host", window=60, above=20),)
ONE = (Rule(name="all", measure="hits", window=60, below=1),)

KINDS = {"ten by section": SUMS, "ten shares": SHARES, "p95": LATENCIES, "by host": BY_HOST, "one": ONE}


@cache
def measured(kind: str) -> list[Measured]:
    """The chunks of a log, in order."""
    random = Random(kind)
    rules, hosts = KINDS[kind], kind == "by host"
    names = HOSTS if hosts else SECTIONS if rules[0].per else [b""]
    a_second = ENTRIES // SECONDS
    chunks = []
    for number in range(CHUNKS):
        first = START + number * SECONDS
        keys: list[int] = []
        for _ in range(SECONDS):
            keys += random.sample(range(len(names)), a_second) if hosts else [
                key for key in range(len(names)) for _ in rules
            ]  # fmt: skip
        count = len(keys)
        chunk = Measured(
            rules=array("q", list(range(len(rules))) * (count // len(rules))),
            segments=array("q", bytes(8 * count)),
            seconds=array("q", [first + row * SECONDS // count for row in range(count)]),
            hits=array("q", repeat(10, count)),
            base=array("q", repeat(10, count)),
            sizes=array("q", bytes(8 * count)),
            sizes_high=array("q", bytes(8 * count)),
            sketched=array("q", bytes(8 * count)),
        )
        if kind == "p95":
            chunk.sketched = array("q", repeat(10, count))
            chunk.cells = array(
                "q", [c for _ in range(count) for c in sorted(random.sample(range(400, 900), 10))]
            )
            chunk.counts = array("q", repeat(1, 10 * count))
        numbers = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        chunk.keys = array("q", [numbers[key] for key in keys])
        chunk.name_keys(names[key] for key in numbers)
        chunks.append(chunk)
    return chunks


def windows(kind: str, *, compiled: bool) -> Windows:
    if not compiled:
        return together.RuleWindows(KINDS[kind])
    native = pytest.importorskip("fastlog.windows.rules.native")
    made: Windows = native.RuleWindows(KINDS[kind])
    return made


def run(kind: str, *, compiled: bool) -> int:
    """Take and close, as a replay does; the number of transitions."""
    made, found = windows(kind, compiled=compiled), 0
    for number, chunk in enumerate(measured(kind)):
        made.take(chunk, 0)
        found += len(made.close(START + (number + 1) * SECONDS - LATENESS, START))
    return found + len(made.close(START + CHUNKS * SECONDS, START))


@pytest.mark.parametrize("compiled", [False, True], ids=["python", "native"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_rules(benchmark: "BenchmarkFixture", kind: str, compiled: bool) -> None:
    assert run(kind, compiled=compiled) == run(kind, compiled=False)
    benchmark.group = "rules, 2,000 seconds of a dense log"
    benchmark.extra_info["entries"] = sum(len(chunk.rules) for chunk in measured(kind))
    benchmark.pedantic(run, (kind,), {"compiled": compiled}, rounds=3)  # type: ignore[no-untyped-call]
