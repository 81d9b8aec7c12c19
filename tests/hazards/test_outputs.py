"""Outputs that fail, stall or are the same file: one message, the right status, nothing lost on the way."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hazards.command import Command
from tests.properties.strategies import line

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Start = Callable[..., Command]
START = 1_525_881_600
ARGUMENTS = ("--json", "--format", "common", "--stats", "--stats-window", "1", "-w", "1")


def log(seconds: int) -> bytes:
    return b"".join(line(START + second) for second in range(seconds))


@pytest.mark.parametrize("alias", ["out", "link", "hard", "./out"])
def test_data_and_rejects_in_one_file_are_refused_before_anything_is_written(
    alias: str, fastlog: Run, tmp_path: Path
) -> None:
    (tmp_path / "access.log").write_bytes(log(3))
    (tmp_path / "out").touch()
    (tmp_path / "link").symlink_to("out")
    os.link(tmp_path / "out", tmp_path / "hard")
    done = fastlog(*ARGUMENTS, "-o", "out", "--rejects", alias, "access.log")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == f"fastlog: --rejects {alias}: it is --output out too: write elsewhere\n".encode()
    assert (tmp_path / "out").read_bytes() == b""


def test_standard_output_into_the_file_of_rejects_is_refused_and_the_file_kept(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "access.log").write_bytes(log(3))
    (tmp_path / "out").write_bytes(b"of another run\n")
    with (tmp_path / "out").open("ab") as out:
        command = start(*ARGUMENTS, "--rejects", "out", "access.log", stdout=out)
    assert command.wait() == 2
    assert command.messages == "fastlog: --rejects out: it is standard output too: write elsewhere\n"
    assert (tmp_path / "out").read_bytes() == b"of another run\n"


def test_both_may_go_to_a_device(fastlog: Run, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(log(3) + b"nonsense\n")
    done = fastlog(*ARGUMENTS, "-o", "/dev/null", "--rejects", "/dev/null", "access.log")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("option", ["-o", "--rejects"])
def test_a_file_on_a_full_device(option: str, fastlog: Run, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(log(3) + b"nonsense\n")
    done = fastlog(*ARGUMENTS, option, "/dev/full", "access.log")
    name = {"-o": "--output"}.get(option, option)
    assert done.returncode == 1
    assert done.stderr.startswith(f"fastlog: {name} /dev/full: No space left on device: free some".encode())
    assert done.stderr.count(b"\n") == 1
