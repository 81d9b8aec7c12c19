"""System calls that fail or kill, by way of strace: one message, the right status, nothing lost."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from fastlog.sinks.record import RecordFile
from tests.hazards.command import FASTLOG, PARSER
from tests.properties.strategies import line

Traced = Callable[..., subprocess.CompletedProcess[bytes]]
ARGUMENTS = ("--json", "--format", "common", "--workers", "1", "-o", "out")
REQUEST = b"GET /a/" + b"x" * 920
LINES = 14_000  # of a thousand bytes: some three ranges


def _works() -> bool:
    """Whether there is an strace that may trace: containers often forbid it."""
    strace = shutil.which("strace")
    if strace is None:
        return False
    asked = ["-qq", "-o", os.devnull, "-e", "inject=getcwd:error=EIO", "true"]
    return subprocess.run([strace, *asked], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _works(), reason="no strace that may trace here")


@cache
def a_log() -> bytes:
    return b"".join(line(1_525_881_600 + n // 100, REQUEST) for n in range(LINES))


@pytest.fixture
def traced(tmp_path: Path, environment: dict[str, str]) -> Traced:
    """Run the command over access.log with an injection, into the calls that touch ``paths`` if given."""
    (tmp_path / "access.log").write_bytes(a_log())

    def run(injection: str, *paths: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[bytes]:
        only = [argument for path in paths if path for argument in ("-P", str(tmp_path / path))]
        strace = ["strace", "-f", "-qq", "-o", os.devnull, *only, "-e", f"inject={injection}"]
        return subprocess.run(
            [*strace, *FASTLOG, *PARSER, *ARGUMENTS, *options, tmp_path / "access.log"],
            cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False,
        )  # fmt: skip

    return run


FAILURES = {
    "the log cannot be opened": ("openat:error=EACCES", "access.log", "Permission denied: name a log file"),
    "no descriptor for the log": ("openat:error=EMFILE", "access.log", "Too many open files: raise"),
    "no process for a child": (
        "vfork,fork,clone:error=EAGAIN", "", "cannot start a reader: Resource temporarily unavailable: "
    ),
    "no descriptor for a child": ("pipe2:error=EMFILE", "", "Too many open files: "),
    "no descriptor for the loop": ("socketpair:error=EMFILE", "", "Too many open files: "),
    "the output cannot be emptied": ("ftruncate:error=EIO", "out", "--output out: Input/output error: "),
    "the output fails": ("write:error=EIO", "out", "--output out: Input/output error: "),
    "the output is full": ("write:error=ENOSPC", "out", "--output out: No space left on device: free some"),
    "the output fails as it is closed": ("close:error=EIO", "out", "--output out: Input/output error: "),
    "a part of the log is unreadable": ("preadv,preadv2:error=EIO:when=20", "access.log", "cannot be read ("),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILURES)
def test_a_call_that_fails_is_one_message_and_status_1(case: str, traced: Traced) -> None:
    injection, path, message = FAILURES[case]
    done = traced(injection, path)
    messages = done.stderr.decode()
    assert done.returncode == 1, messages
    assert (messages.count("\n"), message in messages) == (1, True), messages
    assert messages.startswith("fastlog: ")


def test_what_could_be_read_around_an_unreadable_part_is_counted(traced: Traced, tmp_path: Path) -> None:
    traced("preadv,preadv2:error=EIO:when=20", "access.log")
    said = json.loads((tmp_path / "out").read_bytes().split(b"\n")[-2])
    assert said["complete"] is False
    assert LINES // 3 < said["lines"] == said["parsed"] < LINES


DEATHS = {
    "while a worker reads": ("preadv,preadv2:signal=SIGSEGV:when=20", "access.log"),
    "while a child is about to send": ("sendto:signal=SIGKILL:when=4", ""),
}


@pytest.mark.parametrize("moment", DEATHS)
def test_children_that_die_now_and_then_change_nothing(
    moment: str, traced: Traced, fastlog: Traced, tmp_path: Path
) -> None:
    """Every one of them does, at that call of its own."""
    want = fastlog(*ARGUMENTS[:-2], "access.log").stdout
    done = traced(*DEATHS[moment])
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "out").read_bytes() == want
    assert b" died (killed by SIG" in done.stderr


WRITES = {"write": 5, "rename": 2}
"""System calls that put what is written in its place, and how often a run of two records makes each.

Threads take turns at them, and strace counts those of each apart: by one of them it may be fewer.
"""


@pytest.mark.parametrize("call", WRITES)
def test_killed_at_any_write_of_the_output_and_its_record_it_goes_on(
    call: str, traced: Traced, fastlog: Traced, tmp_path: Path
) -> None:
    """The output is never shorter than the record says, and the next run makes it whole."""
    log = b"".join(line(1_525_881_600 + n // 4, b"GET /a/ HTTP/1.1") for n in range(1_200))
    (tmp_path / "access.log").write_bytes(log)
    options = ("--stats", "-t", "0.5")
    want = fastlog(*ARGUMENTS[:-2], *options, "access.log").stdout
    # Its whole path, since strace compares names as they are given.
    kept, paths = (*options, "--state", str(tmp_path / "state")), ("out", "state", "state.new")
    kills = 0
    for number in range(1, WRITES[call] + 1):
        for path in tmp_path.glob("state*"):
            path.unlink()
        killed = traced(f"{call}:signal=KILL:when={number}", *paths, options=kept)
        assert killed.returncode in (0, -signal.SIGKILL), killed.stderr.decode()
        kills += killed.returncode != 0
        file = RecordFile(tmp_path / "state")
        record = file.read()
        file.close()
        out = (tmp_path / "out").read_bytes()
        assert want.startswith(out)
        assert len(out) >= (record["output"] if record else 0)
        done = fastlog(*ARGUMENTS, *kept, tmp_path / "access.log")
        assert (done.returncode, done.stderr) == (0, b"")
        assert (tmp_path / "out").read_bytes() == want
    assert kills
