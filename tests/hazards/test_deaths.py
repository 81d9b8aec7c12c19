"""A child may die at any moment, of anything: what was counted stays the same."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hazards import poisoned
from tests.hazards.command import Command, at_rest, bytes_read, state_of, until
from tests.packing import PACK
from tests.properties.strategies import line

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Start = Callable[..., Command]
START = 1_525_881_600
ARGUMENTS = ("--json", "--format", "common", "--stats", "--stats-window", "60")
MIB = 1 << 20


def log(lines: int, first: int = START) -> bytes:
    return b"".join(
        line(first + number // 50, b"GET /a%d/b HTTP/1.1" % (number % 7)) for number in range(lines)
    )


def large(lines: int, first: int = START) -> bytes:
    """A log of a thousand bytes a line: many ranges of few lines."""
    pad = b"x" * 920
    return b"".join(
        line(first + number // 5, b"GET /a%d/%s HTTP/1.1" % (number % 7, pad)) for number in range(lines)
    )


def poison(second: int) -> bytes:
    return line(second, b"GET %s HTTP/1.1" % poisoned.MARK)


def poisonous(start: Start, how: str, *arguments: str, **streams: Any) -> Command:
    """The command, whose workers die in that way over a poisonous line."""
    return start(*arguments, program=(sys.executable, poisoned.__file__, how), **streams)


# Children are copies of the hub, or fresh interpreters, as for a program that uses the API.
each_start_method = pytest.mark.parametrize("method", ["", poisoned.FRESH], ids=["copies", "fresh"])


def complete(data: bytes) -> bytes:
    """Output as it were if nothing had been missing."""
    return data.replace(b'"complete":false', b'"complete":true')


# -- workers -----------------------------------------------------------------------------------

FATES = {
    "kill": "killed by SIGKILL",
    "segfault": "killed by SIGSEGV",
    "leave": "exit status 0",
    "stumble": "ValueError: a line\\x0aof no kind",
    "hoard": "MemoryError: ",
    "loop": "it found no end",
}


@each_start_method
@pytest.mark.parametrize("how", FATES)
def test_the_line_that_workers_die_over_is_found_and_rejected(
    how: str, method: str, start: Start, fastlog: Run, tmp_path: Path
) -> None:
    before, after = log(6), log(2, START + 1)
    (tmp_path / "harmless.log").write_bytes(before + b"nonsense\n" + after)
    (tmp_path / "access.log").write_bytes(before + poison(START) + after)
    command = poisonous(start, method + how, *ARGUMENTS, "-w", "2", "--rejects", "rejects", "access.log")
    output = command.rest()
    assert command.wait() == 1
    assert output != complete(output) == fastlog(*ARGUMENTS, "harmless.log").stdout
    last = command.messages.split("\n")[-2]
    found = f"access.log: the line at byte {len(before)} counts as rejected, since workers die over it"
    assert last == f"fastlog: {found} ({FATES[how]}): please report it"
    rejects = (tmp_path / "rejects").read_bytes().split(b"\t")
    assert rejects[:3] == [b"access.log", str(len(before)).encode(), b"format"]
    assert rejects[4].startswith(poison(START)[:-1])


@pytest.mark.parametrize("way", ["file", "pipe"])
def test_lines_that_kill_are_found_wherever_they_are_and_the_order_stays(
    way: str, start: Start, fastlog: Run, tmp_path: Path
) -> None:
    """Two neighbours in the middle, and the last line, which has no newline."""
    before, after = (
        (large(4_300), large(100, START + 900)) if way == "file" else (log(20), log(20, START + 9))
    )
    middle = poison(START + 600) * 2
    (tmp_path / "access.log").write_bytes(before + middle + after + poison(START + 990)[:-1])
    (tmp_path / "harmless.log").write_bytes(before + b"nonsense\n" * 2 + after + b"nonsense\n")
    with (tmp_path / "access.log").open("rb") as file:
        command = poisonous(start, "kill", *ARGUMENTS, "-w", "2", "--rejects", "rejects",
                            "access.log" if way == "file" else "-", stdin=subprocess.PIPE)  # fmt: skip
        if way == "pipe":
            command.feed(file.read())
    command.end_input()
    output = command.rest()
    assert command.wait() == 1
    assert complete(output) == fastlog(*ARGUMENTS, "harmless.log").stdout
    offsets = [int(row.split(b"\t")[1]) for row in (tmp_path / "rejects").read_bytes().split(b"\n")[:-1]]
    at = len(before)
    assert offsets == [at, at + len(middle) // 2, at + len(middle) + len(after)]


def test_a_worker_over_its_limit_of_memory_gives_its_chunk_to_another(start: Start) -> None:
    command = start(*ARGUMENTS, "-w", "1", "-")
    command.feed(log(10))
    worker = command.child("worker")
    until(lambda: _waits(worker), "a worker that has nothing to do")
    resource.prlimit(worker, resource.RLIMIT_AS, (1 << 20, 1 << 20))
    command.feed(log(9_000, START + 1))
    command.end_input()
    assert command.events()[-1]["lines"] == 9_010
    assert command.wait() == 0
    assert "a worker died (" in command.messages
    assert "another does it again" in command.messages or "was replaced" in command.messages


def test_workers_that_die_as_they_start_are_not_replaced_for_ever(start: Start, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(log(100))
    command = poisonous(start, "no-worker", *ARGUMENTS, "-w", "1", "access.log")
    events = command.events()
    assert (events[-1]["complete"], events[-1]["lines"]) == (False, 0)
    assert command.wait() == 1
    *deaths, last = command.messages.split("\n")[:-1]
    assert set(deaths) == {"fastlog: a worker died (exit status 0) and was replaced"}
    assert last.startswith(
        f"fastlog: {len(deaths) + 1} workers died one after another (exit status 0): check "
    )
    assert len(deaths) == 3


def test_a_log_of_nothing_but_poison_ends_the_run_at_a_stated_limit(start: Start, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(poison(START) * 100)
    command = poisonous(start, "kill-all", *ARGUMENTS, "-w", "1", "access.log")
    said = command.events()[-1]
    assert command.wait() == 1
    assert said["lines"] == said["rejected"]["format"] > 0
    assert "13 workers died one after another (killed by SIGKILL): check " in command.messages


@each_start_method
def test_the_hub_takes_a_worker_with_it_that_is_deep_in_a_fold(method: str, start: Start) -> None:
    """The worker holds the interpreter's lock: no thread or handler of its own could end it."""
    command = poisonous(start, method + "deep", *ARGUMENTS, "-w", "1", "-")
    command.feed(poison(START))
    worker = command.child("worker")
    until(lambda: _cpu_ticks(worker) > 50, "a worker that is deep in a fold")
    command.kill(signal.SIGKILL)
    assert command.wait() == -signal.SIGKILL


@each_start_method
def test_the_hub_takes_children_with_it_that_are_stopped(method: str, start: Start) -> None:
    command = poisonous(start, method + "nothing", *ARGUMENTS, "-w", "1", "-").started()
    command.feed(log(10))
    children = command.children()
    until(lambda: all(_waits(child) for child in children), "children that have nothing to do")
    for child in children:
        os.kill(child, signal.SIGSTOP)
    until(lambda: [state_of(child) for child in children] == ["T", "T"], "stopped children")
    command.kill(signal.SIGKILL)
    assert command.wait() == -signal.SIGKILL


def test_a_worker_that_is_stopped_bounds_what_is_under_way_and_closes_no_window(
    start: Start, tmp_path: Path, fastlog: Run
) -> None:
    data = log(200_000)
    (tmp_path / "access.log").write_bytes(data)
    feeding = subprocess.Popen(["cat", "access.log"], cwd=tmp_path, stdout=subprocess.PIPE)
    assert feeding.stdout is not None
    command = poisonous(start, "stopped-worker", *ARGUMENTS, "-w", "1", "-", stdin=feeding.stdout).started()
    feeding.stdout.close()
    reader, worker = command.child("reader"), command.child("worker")
    until(lambda: state_of(worker) == "T", "a stopped worker")
    until(lambda: at_rest(reader, feeding.pid, command.pid), "a run at rest")
    fed = bytes_read(feeding.pid)
    assert command.unread() == 0
    os.kill(worker, signal.SIGCONT)
    output = command.rest()
    assert command.wait() == 0
    assert feeding.wait() == 0
    assert output == fastlog(*ARGUMENTS, "access.log").stdout
    assert command.messages == ""
    assert fed < 10 * MIB < len(data)  # six chunks of the worker, one that the reader holds, and the pipes


# -- the reader --------------------------------------------------------------------------------


def stopped_run(start: Start, method: str, *names: str) -> tuple[Command, int, int]:
    """A replay whose reader has handed out all that it may, since the worker is stopped."""
    way = f"{method}stopped-worker"
    command = poisonous(start, way, *ARGUMENTS, "-w", "1", "--lateness", "3600", *names)
    reader, worker = command.child("reader"), command.child("worker")
    until(lambda: state_of(worker) == "T", "a stopped worker")
    until(lambda: at_rest(reader, command.pid), "a reader that waits for leave")
    return command, reader, worker


@each_start_method
@pytest.mark.parametrize("several", [False, True])
def test_a_reader_that_is_killed_in_a_replay_is_replaced_and_nothing_changes(
    several: bool, method: str, start: Start, fastlog: Run, tmp_path: Path
) -> None:
    names = ["access.log", "access.log.1", "access.log.2"] if several else ["access.log"]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(large(36_000 - 14_000 * number, START + 77 * number))
    want = fastlog(*ARGUMENTS, "--lateness", "3600", *names).stdout
    command, reader, worker = stopped_run(start, method, *names)
    os.kill(reader, signal.SIGKILL)
    command.told("another goes on where it was")
    until(lambda: command.children("reader"), "another reader")
    os.kill(worker, signal.SIGCONT)
    assert command.rest() == want
    assert command.wait() == 0
    assert command.messages == "fastlog: the reader died (killed by SIGKILL): another goes on where it was\n"


@pytest.mark.parametrize("kind", PACK)
def test_a_reader_of_a_packed_file_that_is_killed_is_replaced_and_nothing_changes(
    kind: str, start: Start, fastlog: Run, tmp_path: Path
) -> None:
    """It dies within the second of three members; the other one unpacks what is counted once more."""
    data = large(12_000)
    members = (data[:1_500_000], data[1_500_000:11_500_000], data[11_500_000:])
    (tmp_path / "plain").write_bytes(data)
    (tmp_path / "packed").write_bytes(b"".join(map(PACK[kind], members)))
    command, reader, worker = stopped_run(start, "", "packed")
    os.kill(reader, signal.SIGKILL)
    command.told("another goes on where it was")
    until(lambda: command.children("reader"), "another reader")
    os.kill(worker, signal.SIGCONT)
    assert command.rest() == fastlog(*ARGUMENTS, "--lateness", "3600", "plain").stdout
    assert command.wait() == 0
    assert command.messages == "fastlog: the reader died (killed by SIGKILL): another goes on where it was\n"


def test_readers_that_die_as_they_start_are_not_replaced_for_ever(start: Start, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(log(100))
    command = poisonous(start, "no-reader", *ARGUMENTS, "-w", "1", "access.log")
    assert command.events()[-1]["complete"] is False
    assert command.wait() == 1
    assert command.messages.count("another goes on where it was") == 3
    assert "4 readers died one after another (exit status 0): check " in command.messages


# -- looking into processes --------------------------------------------------------------------


def _fields(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()


def _cpu_ticks(pid: int) -> int:
    return int(_fields(pid)[11])


def _waits(pid: int) -> bool:
    """Whether a child has begun, and waits for its socket."""
    return "recv" in _wchan(pid) or "unix_stream" in _wchan(pid) or "poll" in _wchan(pid)


def _wchan(pid: int) -> str:
    return Path(f"/proc/{pid}/wchan").read_text(encoding="utf-8")
