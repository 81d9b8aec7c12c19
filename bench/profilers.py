"""Where a command's time goes, as stacks: from perf, from py-spy, or from cProfile.

perf sees every process, the kernel and compiled code, but of Python only the interpreter
(since 3.12 its functions too, where Python was built with frame pointers). py-spy sees
Python functions and the compiled ones that they call, at the price of stopping the
program for each look. cProfile is always there, sees one process, and makes calls dearer
than they are.
"""

import cProfile
import os
import pstats
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import fastlog
from bench.record import ROOT

PERF_HZ = 997
SPY_HZ = 250
ROLES = ("hub", "reader", "worker")


@dataclass(frozen=True, slots=True)
class Stack:
    """Frames, the innermost first, each ``function (file)``; ``weight`` in samples, or in seconds."""

    role: str
    frames: tuple[str, ...]
    weight: float


def available() -> list[str]:
    """The profilers that are there, the best first."""
    found = [name for name, program in (("perf", "perf"), ("py-spy", _py_spy())) if shutil.which(program)]
    return [*found, "cprofile"]


def stacks(profiler: str, flags: Sequence[str], path: str) -> list[Stack]:
    """Replay the log with those flags under the profiler. Raises CalledProcessError where it fails."""
    if profiler == "cprofile":
        return list(_with_cprofile(path, stats="--stats" in flags))
    argv = [sys.executable, "-m", "fastlog", *flags, path]
    return list(_with_perf(argv) if profiler == "perf" else _with_py_spy(argv))


def _with_perf(argv: Sequence[str]) -> Iterator[Stack]:
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/perf.data"
        record = ["perf", "record", "--quiet", "-g", "-F", str(PERF_HZ), "-o", data, "--", *argv]
        environment = os.environ | {"PYTHONPERFSUPPORT": "1"}  # Python 3.12 and later
        subprocess.run(record, stdout=subprocess.DEVNULL, cwd=ROOT, env=environment, check=True)
        # Inlined functions would be looked up one by one, by another program: minutes for a few seconds.
        script = ["perf", "script", "--no-inline", "-F", "comm,pid,ip,sym,dso", "-i", data]
        said = subprocess.run(script, capture_output=True, text=True, errors="replace", check=True).stdout
        yield from parse_perf(said)


def parse_perf(said: str) -> Iterator[Stack]:
    """Blocks of ``COMM PID`` and a frame a line: ``ADDRESS SYMBOL (FILE)``. Children name themselves."""
    for block in said.split("\n\n"):
        head, *lines = block.strip("\n").split("\n")
        found = re.fullmatch(r"(.*?)\s+\d+\s*", head)
        if found is None:
            continue
        role = found[1].removeprefix("fastlog-")
        frames = tuple(line.split(maxsplit=1)[1] for line in lines if len(line.split(maxsplit=1)) == 2)
        yield Stack(role if role in ROLES else "hub", frames, 1.0)


def _py_spy() -> str:
    """py-spy stands beside the interpreter where it was installed with it."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else "py-spy"


def _with_py_spy(argv: Sequence[str]) -> Iterator[Stack]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "stacks"
        record = [_py_spy(), "record", "--native", "--subprocesses", "--format", "raw", "--rate", str(SPY_HZ)]
        subprocess.run(
            [*record, "--output", str(out), "--", *argv],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            check=True,
        )
        yield from parse_py_spy(out.read_text(errors="replace"))


def parse_py_spy(said: str) -> Iterator[Stack]:
    """A stack a line, outermost frame first: ``process N:"ARGV";FRAME;FRAME COUNT``; ARGV holds newlines.

    A child that is a copy of the hub has the hub's words and its frames, down to where it became a child.

    Stacks without a Python function are left out: they are of an interpreter that starts or
    ends, which py-spy's own work makes many times as long as it is (perf shows it as it is).
    """
    for record in re.split(r'\n(?=process \d+:")', said.strip()):
        frames, _, count = re.sub(r'process \d+:"[^"]*";', "", record).rpartition(" ")
        if not count.isdigit() or not re.search(r"\.py:\d+\)|<frozen ", frames):
            continue
        own = re.split(r"\b_be_child \([^;]*;", frames)[-1]
        found = re.search(r"\b_(read|work) \(\S*executors/child\.py", own)
        role = "hub" if found is None else {"read": "reader", "work": "worker"}[found[1]]
        yield Stack(role, tuple(reversed(own.split(";"))), float(count))


def _with_cprofile(path: str, *, stats: bool) -> Iterator[Stack]:
    profile = cProfile.Profile()
    profile.runcall(fastlog.replay, [path], stats=stats, executor="inline")
    yield from from_cprofile(pstats.Stats(profile))


Where = tuple[str, int, str]
"""File, line and function, as pstats has them."""
Calls = tuple[int, int, float, float]


def from_cprofile(stats: pstats.Stats) -> Iterator[Stack]:
    """Each function's own seconds; those of a built-in function under each of its callers."""
    table = cast(
        "dict[Where, tuple[int, int, float, float, dict[Where, Calls]]]",
        stats.stats,  # type: ignore[attr-defined]  # typeshed leaves it out
    )
    for function, (_, _, own, _, callers) in table.items():
        if function[0] == "~" and callers:
            for caller, (_, _, seconds, _) in callers.items():
                yield Stack("hub", (_frame(function), _frame(caller)), seconds)
        else:
            yield Stack("hub", (_frame(function),), own)


def _frame(where: Where) -> str:
    file, _, name = where
    return f"{name} ({file})"
