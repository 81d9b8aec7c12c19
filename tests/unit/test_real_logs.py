"""Real logs and other readers' own cases, where they lie beside the checkout."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.reference import Event, replay

Run = Callable[..., CompletedProcess[bytes]]
CASES = Path(__file__).parents[2].parent / "shared" / "cases"
WALL = 1_700_000_000

ELASTIC = CASES / "elastic_apache_logs.log"
HACKERS = CASES / "basjes_hackers_access.log"


def needs(path: Path) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not path.exists(), reason=f"{path.name} is not here")


@cache
def reference(path: Path) -> list[Event]:
    return replay(path.read_bytes(), format="combined", wall=WALL)


def by_the_reference(path: Path, _run: Run) -> list[Event]:
    return reference(path)


def by_the_command(path: Path, run: Run) -> list[Event]:
    done = run("--json", "--stats", "--quiet", "--format", "combined", path)
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(text) for text in done.stdout.split(b"\n")[:-1]]


def by_the_command_unaided(path: Path, run: Run) -> list[Event]:
    done = run("--json", "--stats", path)
    assert done.returncode == 0
    assert b"combined" in done.stderr
    return [json.loads(text) for text in done.stdout.split(b"\n")[:-1]]


ways = pytest.mark.parametrize("read", [by_the_reference, by_the_command, by_the_command_unaided])


@needs(ELASTIC)
@ways
def test_ten_thousand_lines_of_apache(read: Callable[[Path, Run], list[Event]], fastlog: Run) -> None:
    events = read(ELASTIC, fastlog)
    total = events[-1]
    figures: dict[str, Any] = {
        "lines": 10_000,
        "parsed": 9_999,
        "rejected": {"blank": 0, "format": 1, "time": 0, "oversize": 0},
        "late": 0,
        "future": 0,
        "first": 1_431_857_100,
        "last": 1_432_155_959,
        "bytes": 2_747_282_505,
    }
    assert {name: total[name] for name in figures} == figures
    assert total["statuses"]["200"] == 9_125
    assert list(total["sections"].items())[:2] == [("/presentations", 2_305), ("/blog", 1_959)]
    assert sum(event["hits"] for event in events if event["event"] == "stats") == 9_999
    assert events == reference(ELASTIC)


@needs(HACKERS)
@ways
def test_spammers(read: Callable[[Path, Run], list[Event]], fastlog: Run) -> None:
    events = read(HACKERS, fastlog)
    assert (events[-1]["lines"], events[-1]["parsed"]) == (3_456, 3_456)
    assert events == reference(HACKERS)
