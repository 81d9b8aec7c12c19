"""Outputs that fail, stall or are the same file: one message, the right status, nothing lost on the way."""

import fcntl
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hazards.command import Command, at_rest, bytes_read, until
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


def test_rejects_that_nobody_takes_do_not_keep_the_signals_waiting(start: Start, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(b"nonsense of some length\n" * 50_000)
    os.mkfifo(tmp_path / "rejects")
    reading = os.open(tmp_path / "rejects", os.O_RDONLY | os.O_NONBLOCK)
    room = fcntl.fcntl(reading, fcntl.F_GETPIPE_SZ)  # less than usual where there are many pipes
    command = start(*ARGUMENTS, "--rejects", "rejects", "access.log")
    until(lambda: _unread(reading) >= room, "a full FIFO")

    def ended() -> bool:
        if command.process.poll() is None:
            command.kill(signal.SIGINT)
        return command.process.poll() is not None

    until(ended, "the end of the command")
    os.close(reading)
    assert command.wait() == -signal.SIGINT
    assert command.messages == ""


def test_an_output_that_nobody_takes_stops_the_input_and_loses_nothing(start: Start, tmp_path: Path) -> None:
    request = b"GET /" + b"x" * 920 + b" HTTP/1.1"
    data = b"".join(line(START + second, request) for second in range(24_000))
    (tmp_path / "access.log").write_bytes(data)
    feeding = subprocess.Popen(["cat", "access.log"], cwd=tmp_path, stdout=subprocess.PIPE)
    assert feeding.stdout is not None
    command = start(*ARGUMENTS, "--lateness", "0", "-", stdin=feeding.stdout)
    feeding.stdout.close()
    until(lambda: command.children("reader") and command.unread(), "the first windows")
    pids = (command.pid, command.child("reader"), command.child("worker"), feeding.pid)
    until(lambda: at_rest(*pids), "a run at rest")
    assert bytes_read(feeding.pid) < 16 << 20 < len(data)  # the chunks under way, and the pipes
    windows = command.rest().split(b"\n")[:-1]
    assert command.wait() == 0
    assert feeding.wait() == 0
    assert len(windows) == 24_001
    assert b'"complete":true,"lines":24000,"parsed":24000' in windows[-1]


@pytest.mark.parametrize("parser", ["auto", "regex"])
def test_a_million_windows_neither_fill_the_memory_nor_keep_the_signals_waiting(
    parser: str, start: Start, tmp_path: Path
) -> None:
    """One chunk, a hit a minute, windows that slide by a second: some 900,000 of them close with it."""
    (tmp_path / "access.log").write_bytes(b"".join(line(START + 60 * minute) for minute in range(15_000)))
    sliding = ("--stats-window", "600", "--stats-every", "1", "--parser", parser)
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)  # before anything is in it
    command = start(*ARGUMENTS, *sliding, "access.log", stdout=writing)
    os.close(writing)
    until(command.held_up, "a full pipe")
    status = Path(f"/proc/{command.pid}/status").read_text(encoding="utf-8")
    peak = next(int(row.split()[1]) for row in status.split("\n") if row.startswith("VmHWM"))
    assert peak < 256 * 1024  # KiB
    command.kill(signal.SIGTERM)
    command.taken(signal.SIGTERM)
    with open(reading, "rb") as stdout:
        *windows, last = stdout.read().split(b"\n")[:-1]
    assert command.wait() == -signal.SIGTERM
    assert last.startswith(b'{"event":"summary","complete":false,"lines":')
    if parser == "regex":  # compiled, they may all be printed before its time is over
        assert command.messages == "fastlog: interrupted: statistics may be missing before the summary\n"
        assert len(windows) < 450_000


def _unread(fd: int) -> int:
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4), sys.byteorder)
