"""Random SIGKILLs under replays: ``python -m tests.hazards.kill_schedule --kills 300 [--seed N]``.

Each run of the real command gets two to five of them, at random moments: a worker, the reader, the hub,
or the whole tree at once. After the hub's death nothing of a run may be left, and it is made again: anew,
or from its ``--state``. Every run that ends must have written the very bytes of an undisturbed one, with
status 0; a follow, of a log that is written to and rotated meanwhile, must have counted each line once.
Kills count when they have landed. The seed is printed; it fixes the choices, not the scheduler.
"""

import argparse
import gzip
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.hazards.command import Command, counted, until
from tests.properties.strategies import line

START = 1_525_881_600
ARGUMENTS = ("--json", "--format", "common", "--stats", "--stats-window", "60", "--lateness", "600")
FOLLOW = (
    "--json",
    "--format",
    "common",
    "--lateness",
    "1000000",
    "--no-stats",
    "-w",
    "2",
    "-f",
    "--from",
    "start",
)
LINES = 24_000  # of a thousand bytes: some six ranges


_ENOUGH = 5
"""Wrong runs after which no more are made."""


@dataclass(slots=True)
class Tally:
    """What came of a schedule. ``wrong`` says each run that was not as an undisturbed one."""

    runs: int = 0
    killed: dict[str, int] = field(default_factory=lambda: {"worker": 0, "reader": 0, "hub": 0, "tree": 0})
    wrong: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """Those that have landed."""
        return sum(self.killed.values())

    def __str__(self) -> str:
        return f"{self.kills} kills {self.killed} in {self.runs} runs, {len(self.wrong)} wrong {self.wrong}"


class Schedule:
    """Runs in ``folder``, with ``environment`` as that of the command."""

    def __init__(self, seed: int, folder: Path, environment: dict[str, str]) -> None:
        self._random = random.Random(seed)
        self._folder = folder
        self._environment = environment
        self._ways = {
            "file": ["a.log"],
            "files": ["a.log", "b.log"],
            "pipe": ["-"],
            "state": ["--state", "state", "--rejects", "rejects", "a.log", "b.log.gz"],
        }
        requests = [b"GET /a%d/%s HTTP/1.1" % (number, b"x" * 920) for number in range(7)]
        lines = [line(START + number // 40, requests[number % 7]) for number in range(LINES)]
        (folder / "a.log").write_bytes(b"".join(lines))
        (folder / "b.log").write_bytes(b"".join(lines[LINES // 3 : LINES // 2]))
        (folder / "b.log.gz").write_bytes(gzip.compress((folder / "b.log").read_bytes(), 1))
        self._want: dict[str, bytes] = {}
        self._seconds = 0.0
        self._feeder: subprocess.Popen[bytes] | None = None
        for way in self._ways:
            begun = time.monotonic()
            command = self._start(way, 2)
            assert command.wait() == 0
            command.close()
            self._forget()
            self._want[way] = (folder / "out").read_bytes()
            self._seconds = max(self._seconds, time.monotonic() - begun)

    def run(self, kills: int) -> Tally:
        """That many kills that land."""
        tally = Tally()
        while tally.kills < kills and len(tally.wrong) < _ENOUGH:
            way = self._random.choice([*self._ways, "follow"])
            disturb = self._follow if way == "follow" else partial(self._disturb, way=way)
            disturb(tally, kills=min(self._random.randint(2, 5), kills - tally.kills))
            tally.runs += 1
        return tally

    def _forget(self) -> None:
        """Have the next run be one that goes on with none."""
        (self._folder / "state").unlink(missing_ok=True)

    def _follow(self, tally: Tally, kills: int) -> None:
        """A log that is appended to, and rotated now and then, while it is followed and while it is not."""
        self._forget()
        for old in self._folder.glob("live.log*"):
            old.unlink()
        arguments = (*FOLLOW, "--state", "state", "-o", "out", "live.log")
        live, lines = self._folder / "live.log", 0
        live.touch()
        command = self._begin(arguments)
        try:
            # Where reading starts is on record: before that, a file that is rotated was never followed.
            until(lambda: counted(self._folder) >= 0, "the first record")
            for _ in range(kills):
                until(partial(command.children, "reader"), "a reader")
                for _ in range(self._random.randint(1, 3)):
                    more = self._random.randint(1, 400)
                    data = b"".join(line(START + lines + number, b"GET / HTTP/1.1") for number in range(more))
                    with live.open("ab") as file:
                        file.write(data)
                    lines += more
                    if self._random.random() < 0.2:
                        live.rename(live.with_name(f"live.log-{START + lines}"))
                        live.touch()
                    select.select([], [], [], self._random.uniform(0, 0.2))
                if self._kill(command, tally, "follow"):
                    command.close()
                    command = self._begin(arguments)
            until(lambda: counted(self._folder) >= lines, "all lines")
            command.kill(signal.SIGTERM)
            status = command.wait()
            said = json.loads((self._folder / "out").read_bytes().splitlines()[-1])
            if status != 0 or said["lines"] != lines:
                tally.wrong.append(f"follow: status {status}: {said['lines']}/{lines}: {command.messages}")
        except AssertionError as error:  # a hang, a line that is lost, or a child that is left
            tally.wrong.append(f"follow: {error}: {counted(self._folder)}/{lines}: {command.messages}")
        finally:
            command.close()
            self._forget()

    def _begin(self, arguments: tuple[str, ...]) -> Command:
        return Command(arguments, self._folder, self._environment)

    def _disturb(self, tally: Tally, way: str, kills: int) -> None:
        workers = self._random.randint(1, 4)
        command = self._start(way, workers)
        try:
            until(lambda: command.children() or command.process.poll() is not None, "a child")
            for _ in range(kills):
                select.select([], [], [], self._random.uniform(0, self._seconds / kills))
                if self._kill(command, tally, way):
                    command.close()
                    command = self._start(way, workers)
            status = command.wait()
            if status != 0 or (self._folder / "out").read_bytes() != self._want[way]:
                tally.wrong.append(f"{way}: status {status}: {command.messages}")
        except AssertionError as error:  # a hang, or a child that is left
            tally.wrong.append(f"{way}: {error}: {command.messages}")
        finally:
            command.close()
            self._forget()

    def _kill(self, command: Command, tally: Tally, way: str) -> bool:
        """One kill, if there is still something to kill; whether the hub died of it."""
        # What a reader has taken out of a pipe dies with it: that is said, and no miscount.
        roles = ["worker", "worker", "hub", "tree", *(["reader"] if way != "pipe" else [])]
        role = self._random.choice(roles)
        children = command.children(role if role in ("worker", "reader") else "")
        if role == "hub":
            victims = [command.pid]
        elif role == "tree":
            victims = [*children, command.pid]
            self._random.shuffle(victims)
            if way == "pipe":  # the hub first: the death of its reader would end it, with a message
                victims.sort(key=command.pid.__ne__)
        else:
            victims = [self._random.choice(children)] if children else []
        if not victims or command.process.poll() is not None:
            return False
        for victim in victims:
            with suppress(ProcessLookupError):  # it has just ended, by itself or with the hub
                os.kill(victim, signal.SIGKILL)
        if role in ("hub", "tree"):
            if command.wait() != -signal.SIGKILL:  # it had ended by then
                return False
            tally.killed[role] += 1
            return True
        tally.killed[role] += 1
        return False

    def _start(self, way: str, workers: int) -> Command:
        arguments = (*ARGUMENTS, "-w", str(workers), "-o", "out", *self._ways[way])
        if way != "pipe":
            return self._begin(arguments)
        if self._feeder is not None:
            self._feeder.wait()
        self._feeder = subprocess.Popen(["cat", "a.log"], cwd=self._folder, stdout=subprocess.PIPE)
        assert self._feeder.stdout is not None
        with self._feeder.stdout as stream:
            return Command(arguments, self._folder, self._environment, stdin=stream)

    def close(self) -> None:
        if self._feeder is not None:
            self._feeder.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    root = str(Path(__file__).parents[2])
    with tempfile.TemporaryDirectory() as folder:
        schedule = Schedule(given.seed, Path(folder), {**os.environ, "PYTHONPATH": root})
        tally = schedule.run(given.kills)
        schedule.close()
    print(tally)
    return bool(tally.wrong)


if __name__ == "__main__":
    sys.exit(main())
