"""Random SIGKILLs under replays: ``python -m tests.hazards.kill_schedule --kills 300 [--seed N]``.

Each run of the real command gets one to three of them, at random moments: a worker,
the reader, or the hub, after which nothing of it may be left and the run is made
again. Every run that ends must print the very bytes of an undisturbed one, with
status 0. The seed is printed; it fixes the choices, not the scheduler.
"""

import argparse
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.hazards.command import Command, until
from tests.properties.strategies import line

START = 1_525_881_600
ARGUMENTS = ("--json", "--format", "common", "--stats", "--stats-window", "60", "--lateness", "600")
LINES = 24_000  # of a thousand bytes: some six ranges


@dataclass(slots=True)
class Tally:
    """What came of a schedule. ``wrong`` says each run that was not as an undisturbed one."""

    kills: int = 0
    runs: int = 0
    killed: dict[str, int] = field(default_factory=lambda: {"worker": 0, "reader": 0, "hub": 0})
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.kills} kills {self.killed} in {self.runs} runs, {len(self.wrong)} wrong {self.wrong}"


class Schedule:
    """Runs in ``folder``, with ``environment`` as that of the command."""

    def __init__(self, seed: int, folder: Path, environment: dict[str, str]) -> None:
        self._random = random.Random(seed)
        self._folder = folder
        self._environment = environment
        self._ways = {"file": ["a.log"], "files": ["a.log", "b.log"], "pipe": ["-"]}
        requests = [b"GET /a%d/%s HTTP/1.1" % (number, b"x" * 920) for number in range(7)]
        lines = [line(START + number // 40, requests[number % 7]) for number in range(LINES)]
        (folder / "a.log").write_bytes(b"".join(lines))
        (folder / "b.log").write_bytes(b"".join(lines[LINES // 3 : LINES // 2]))
        self._want: dict[str, bytes] = {}
        self._seconds = 0.0
        self._feeder: subprocess.Popen[bytes] | None = None
        for way in self._ways:
            begun = time.monotonic()
            command = self._start(way, 2)
            assert command.wait() == 0
            command.close()
            self._want[way] = (folder / "out").read_bytes()
            self._seconds = max(self._seconds, time.monotonic() - begun)

    def run(self, kills: int) -> Tally:
        """That many kills."""
        tally = Tally()
        while tally.kills < kills:
            way = self._random.choice(list(self._ways))
            self._disturb(tally, way, min(self._random.randint(1, 3), kills - tally.kills))
            tally.runs += 1
        return tally

    def _disturb(self, tally: Tally, way: str, kills: int) -> None:
        workers = self._random.randint(1, 4)
        command = self._start(way, workers)
        try:
            until(command.children, "a child")
            for _ in range(kills):
                select.select([], [], [], self._random.uniform(0, self._seconds / kills))
                if self._kill(command, tally, way):
                    command.close()
                    command = self._start(way, workers)
            status = command.wait()
            if status != 0 or (self._folder / "out").read_bytes() != self._want[way]:
                tally.wrong.append(f"{way}: status {status}: {command.messages}")
        except AssertionError as error:  # a hang, or a child that is left
            tally.wrong.append(f"{way}: {error}")
        finally:
            command.close()

    def _kill(self, command: Command, tally: Tally, way: str) -> bool:
        """One kill, if there is still something to kill; whether it was the hub."""
        # What a reader has taken out of a pipe dies with it: that is said, and no miscount.
        roles = ["worker", "worker", "hub"] if way == "pipe" else ["worker", "worker", "reader", "hub"]
        role = self._random.choice(roles)
        tally.kills += 1
        victims = command.children(role) if role != "hub" else [command.pid]
        if not victims or command.process.poll() is not None:
            return False
        tally.killed[role] += 1
        try:
            os.kill(self._random.choice(victims), signal.SIGKILL)
        except ProcessLookupError:  # it has just ended by itself
            return False
        return role == "hub" and command.wait() in (-signal.SIGKILL, 0)

    def _start(self, way: str, workers: int) -> Command:
        arguments = (*ARGUMENTS, "-w", str(workers), "-o", "out", *self._ways[way])
        if way != "pipe":
            return Command(arguments, self._folder, self._environment)
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
