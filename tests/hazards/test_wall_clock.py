"""Somebody sets the wall clock while the real command follows: what has become of the log does not change.

The clock is that of the command alone, see ``wall_clock.c``.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hazards.command import Command
from tests.hazards.test_follow_command import append, begun
from tests.properties.strategies import line

Start = Callable[..., Command]
HOUR = 3600
FOLLOW = (
    "-f", "--json", "--format", "common", "--workers", "1", "--lateness", "0", "--stats-window", "1",
    "--alert-window", "100", "--threshold", "0.01", "access.log",
)  # fmt: skip


@pytest.fixture(scope="module")
def preload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is to be loaded into the command."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    library = tmp_path_factory.mktemp("preload") / "wall_clock.so"
    source = Path(__file__).with_name("wall_clock.c")
    options = ("-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")
    subprocess.run([compiler, *options, "-o", library, source], check=True)
    return library


class Life:
    """A log whose stamps begin with the present, and the command that follows it."""

    def __init__(self, start: Start, folder: Path, preload: Path) -> None:
        self._start, self.path, self._clock = start, folder / "access.log", folder / "clock"
        self._env = {"LD_PRELOAD": str(preload), "WALL_CLOCK_AHEAD": str(self._clock)}
        self.path.touch()
        self.now = int(time.time())

    def follow(self, *arguments: str) -> Command:
        return begun(self._start(*arguments, *FOLLOW, env=self._env), self.path)

    def set_clock(self, ahead: int) -> None:
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(f"{ahead}\n")
        fresh.rename(self._clock)  # none reads half a number

    def log(self, after: int, hits: int) -> None:
        """That many lines of the second ``after`` seconds past the first one."""
        append(self.path, line(self.now + after, b"GET /x HTTP/1.1") * hits)

    def begin(self, command: Command) -> None:
        """Two hits in the first second: its window, and an alert that fires for 100 seconds."""
        self.log(0, 2)
        assert self.seen(command, 0) == [("window", 0, 2)]
        fired = command.event()
        assert (fired["state"], fired["at"], fired["hits"]) == ("firing", self.now, 2)

    def seen(self, command: Command, after: int) -> list[tuple[str, int, int]]:
        """What was said up to the window of that second: what, of which second past the first, its hits."""
        said: list[tuple[str, int, int]] = []
        while not any(what == "window" and at >= after for what, at, _ in said):
            event = command.event()
            what, at = ("window", "start") if event["event"] == "stats" else (event["state"], "at")
            said.append((what, event[at] - self.now, event["hits"]))
        return said


def empty(*afters: int) -> list[tuple[str, int, int]]:
    return [("window", after, 0) for after in afters]


def summary(command: Command) -> dict[str, Any]:
    """That of a follow that is asked to end."""
    command.kill(signal.SIGTERM)
    events = command.events()
    assert command.wait() == 0
    said: dict[str, Any] = events[-1]
    return said


@pytest.fixture
def life(start: Start, tmp_path: Path, preload: Path) -> Life:
    return Life(start, tmp_path, preload)


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
@pytest.mark.parametrize("killed", [False, True])
def test_setting_the_clock_closes_nothing_early_and_keeps_nothing_open(
    killed: bool, ahead: int, life: Life
) -> None:
    command = life.follow()
    life.begin(command)
    life.set_clock(ahead)
    if killed:  # another reader goes on, which knows the clock only as it is now
        os.kill(command.child("reader"), signal.SIGKILL)
        command.told("another goes on")
    assert life.seen(command, 2) == empty(1, 2)  # in silence, a second each
    life.log(60, 3)
    assert life.seen(command, 60) == [*empty(*range(3, 60)), ("window", 60, 3)]
    said = summary(command)
    assert (said["lines"], said["late"], said["future"], said["alerts"]) == (5, 0, 0, 1)
    assert said["open_alerts"] == ["traffic"]


def test_lines_of_the_new_time_are_believed_once_the_clock_is_set(life: Life) -> None:
    command = life.follow()
    life.log(HOUR, 2)
    life.begin(command)
    life.set_clock(HOUR)
    life.log(HOUR, 3)
    assert ("window", HOUR, 3) in life.seen(command, HOUR)
    said = summary(command)
    assert (said["lines"], said["late"], said["future"]) == (7, 0, 2)


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_the_time_between_two_runs_is_that_of_the_clock_as_it_was_set(ahead: int, life: Life) -> None:
    """What is on record is a moment of the clock that the next run will see."""
    options = ("--state", "state", "--from", "start")
    command = life.follow(*options)
    life.begin(command)
    life.set_clock(ahead)
    assert life.seen(command, 1) == empty(1)
    summary(command)
    command = life.follow(*options)
    assert {what for what, _, _ in life.seen(command, 3)} == {"window"}
    life.log(60, 3)
    said = summary(command)  # to this run, which never knew another time, they may be of the future
    assert (said["lines"], said["late"], said["future"]) == (5, 0, 0 if ahead > 0 else 3)
