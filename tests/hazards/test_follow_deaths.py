"""The reader of a follow may die at any moment: another goes on where it was, and each line counts once."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hazards import poisoned
from tests.hazards.command import Command, counted, until
from tests.hazards.follower import append
from tests.hazards.test_follow_command import begun
from tests.properties.strategies import line

Start = Callable[..., Command]
START = 1_525_881_600
FOLLOW = ("--json", "--workers", "1", "--stats-window", "1", "--lateness", "0", "-t", "1000")
DIED = "the reader died (killed by SIGKILL): another goes on where it was"


def entry(second: int) -> bytes:
    return line(START + 100 * second, b"GET /%d/y HTTP/1.1" % second)


def seen(folder: Path) -> list[int]:
    """The seconds of all hits so far, by their windows."""
    try:
        events = [json.loads(text) for text in (folder / "out").read_bytes().split(b"\n")[:-1]]
    except FileNotFoundError:
        return []
    return [
        (event["start"] - START) // 100
        for event in events
        if event["event"] == "stats"
        for _ in range(event["hits"])
    ]


def ended(command: Command, folder: Path) -> dict[str, Any]:
    """The summary of a follow that is stopped."""
    command.kill(signal.SIGTERM)
    assert command.wait() == 0, command.messages
    summary: dict[str, Any] = json.loads((folder / "out").read_bytes().splitlines()[-1])
    return summary


def kill_reader(command: Command) -> None:
    os.kill(command.child("reader"), signal.SIGKILL)


def another(command: Command, times: int = 1) -> None:
    until(lambda: command.messages.count(DIED) == times, "the message")
    command.child("reader")


@pytest.mark.parametrize("waking", ["inotify", "polling"])
@pytest.mark.parametrize("log_format", ["common", "auto"])
def test_another_reader_finds_what_was_rotated_meanwhile(
    start: Start, tmp_path: Path, waking: str, log_format: str
) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(entry(0))
    arguments = (*FOLLOW, "--format", log_format, "-f", "--from", "start", "-o", "out", "access.log")
    command = start(*arguments, program=(sys.executable, poisoned.__file__, waking))
    append(log, entry(10) + entry(20)[:30])
    until(lambda: 0 in seen(tmp_path), "the first line")
    os.kill(command.pid, signal.SIGSTOP)  # what is done next is done before another reader is there
    kill_reader(command)
    append(log, entry(20)[30:])
    log.rename(tmp_path / "access.log.1")
    log.write_bytes(entry(30))
    os.kill(command.pid, signal.SIGCONT)
    another(command)
    append(log, entry(40))
    until(lambda: 30 in seen(tmp_path), "the line before the last")
    kill_reader(command)
    another(command, 2)
    append(log, entry(50))
    until(lambda: 40 in seen(tmp_path), "the line before the last")
    summary = ended(command, tmp_path)
    assert (summary["lines"], summary["late"], summary["complete"]) == (6, 0, True)
    assert seen(tmp_path) == [0, 10, 20, 30, 40, 50]
    assert command.messages.count(DIED) == 2
    assert "truncated" not in command.messages
    assert "gone" not in command.messages


def test_a_reader_that_dies_from_the_end_counts_nothing_that_was_there(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(entry(0) * 100)
    command = start(*FOLLOW, "--format", "common", "-f", "-o", "out", "access.log")
    kill_reader(command)  # wherever it is by now
    another(command)
    begun(command, log)
    append(log, entry(10) + entry(20))
    until(lambda: 10 in seen(tmp_path), "the line")
    assert ended(command, tmp_path)["lines"] == 2


def test_a_pattern_whose_files_come_under_other_numbers(start: Start, tmp_path: Path) -> None:
    """The clock of each source goes on, whatever number the next reader gives it."""
    names = ["0.log", "a.log", "b.log", "c.log"]
    for name in names[1:]:
        (tmp_path / name).write_bytes(entry(0))
    arguments = ("--format", "common", "--lateness", "5000", "-f", "--from", "start", "-o", "out")
    command = start(*FOLLOW, *arguments, "--state", "state", "*.log")
    until(lambda: counted(tmp_path) == 3, "the first lines")
    for name in ("0.log", "b.log", "c.log"):
        append(tmp_path / name, entry(10))
    until(lambda: counted(tmp_path) == 6, "the next lines")
    kill_reader(command)
    another(command)
    for name in ("0.log", "b.log", "c.log"):
        append(tmp_path / name, entry(20))
    until(lambda: counted(tmp_path) == 9, "the lines after its death")
    summary = ended(command, tmp_path)
    assert (summary["lines"], summary["late"]) == (9, 0)
    assert seen(tmp_path) == [0, 0, 0, 10, 10, 10, 20, 20, 20]


def test_readers_of_a_follow_that_die_as_they_start_are_not_replaced_for_ever(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "access.log").touch()
    program = (sys.executable, poisoned.__file__, "no-reader")
    command = start(*FOLLOW, "-f", "-o", "out", "access.log", program=program)
    assert command.wait() == 1
    assert "4 readers died one after another (exit status 0): check " in command.messages
