"""The real command as a process that a test can hold, look into, and feed."""

import fcntl
import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PATIENCE = 90.0
"""Seconds after which a condition that has not come true is a failure: what is slow does not reach them."""
HASTE = "fastlog: interrupted: statistics may be missing before the summary\n"
"""What a replay may say that is interrupted where it gets no turn for half a second."""


def until(condition: Callable[[], Any], what: str) -> Any:
    """What ``condition`` gives, once that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never came true: {what}"
        select.select([], [], [], 0.005)
    return value


def counted(folder: Path) -> int:
    """Lines that the record has."""
    try:
        body = (folder / "state").read_bytes().partition(b"\n")[2]
    except FileNotFoundError:
        return -1
    lines: int = json.loads(body)["merger"]["lines"]
    return lines


def processes() -> Iterator[tuple[int, int, str]]:
    """(pid, parent, state) of every process that is no zombie."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            text = Path(f"/proc/{entry}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has just ended
            continue
        state, parent = text.rpartition(")")[2].split()[:2]
        if state not in "ZX":
            yield int(entry), int(parent), state


def state_of(pid: int) -> str:
    """The state letter of a process; empty when it is gone."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return ""
    return "" if state in "ZX" else state


def _sleeps(pid: int) -> str:
    """How often a process has gone to sleep; empty while it does not sleep, or has yet to get its turn."""
    rows = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").split("\n")
    found = dict(row.split(":\t", 1) for row in rows if ":\t" in row)
    return found["voluntary_ctxt_switches"] if found["State"][0] in "ST" else ""


_RESTING: dict[int, tuple[str, int]] = {}


def at_rest(*pids: int) -> bool:
    """Whether these processes have all slept through so many looks that they wait for something."""
    for pid in pids:
        seen = _sleeps(pid)
        before, looks = _RESTING.get(pid, ("", 0))
        _RESTING[pid] = (seen, looks + 1 if seen and seen == before else 0)
    return all(_RESTING[pid][1] > 40 for pid in pids)


@contextmanager
def held_still(pid: int) -> Iterator[None]:
    """What is done meanwhile, the process sees all at once, however long it takes."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: state_of(pid) == "T", "a stopped process")
    yield
    os.kill(pid, signal.SIGCONT)


def bytes_read(pid: int) -> int:
    """What a process has read so far, from whatever it was."""
    counts = Path(f"/proc/{pid}/io").read_text(encoding="utf-8").split("\n")
    return int(counts[0].split()[1])


def role_of(pid: int) -> str:
    """What a child is, as soon as it has named itself."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
    return name.removeprefix("fastlog-") if name in ("fastlog-reader", "fastlog-worker") else ""


PARSER = () if importlib.util.find_spec("fastlog.parsers.native") else ("--parser", "regex")
"""In front of the arguments: where nothing is compiled, a run that did not ask for that says so."""
FASTLOG = (sys.executable, "-m", "fastlog")


class Command:
    """A started ``python -m fastlog``, in a session of its own. ``messages`` are its standard error.

    ``program`` is what is started in its place.
    """

    def __init__(
        self,
        arguments: tuple[str | bytes, ...],
        cwd: Path,
        env: dict[str, str],
        program: Sequence[str] = FASTLOG,
        **streams: Any,
    ) -> None:
        self._errors = cwd / f"stderr-{time.monotonic_ns()}"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*program, *PARSER, *arguments],
                cwd=cwd,
                env=env,
                start_new_session=True,
                **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors, **streams},
            )
        self.known: set[int] = set()
        self._half = b""

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def messages(self) -> str:
        return self._errors.read_text(encoding="utf-8", errors="surrogateescape")

    def children(self, role: str = "") -> list[int]:
        """The children that are alive, of one role or of any."""
        found = [pid for pid, parent, _ in processes() if parent == self.pid]
        roles = {pid: role_of(pid) for pid in found}
        self.known |= {pid for pid in found if roles[pid]}
        return [pid for pid in found if roles[pid] and role in ("", roles[pid])]

    def child(self, role: str) -> int:
        """A child of that role, as soon as there is one."""
        pid: int = until(lambda: self.children(role), f"a {role}")[0]
        return pid

    def started(self, workers: int = 1) -> "Command":
        """Wait until the reader and the workers are there, and the hub answers signals."""
        until(lambda: len(self.children()) == workers + 1, "reader and workers")
        # They start before the hub has opened the files: those are handed to them.
        until(self._answers, "a hub that catches SIGTERM")
        return self

    def _answers(self) -> bool:
        rows = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8").split("\n")
        caught = next(int(row.split()[1], 16) for row in rows if row.startswith("SigCgt:"))
        return bool(caught >> (signal.SIGTERM - 1) & 1)

    def holds(self, name: str, pid: int | None = None) -> bool:
        """Whether a process, the hub if none is named, has a descriptor that leads to such a name."""
        folder = Path(f"/proc/{self.pid if pid is None else pid}/fd")
        try:
            return any(os.readlink(entry).endswith(name) for entry in folder.iterdir())
        except OSError:  # closed while it was looked at
            return False

    def told(self, text: str) -> "Command":
        """Wait for a message."""
        until(lambda: text in self.messages, f"{text!r} on standard error")
        return self

    def feed(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def end_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def line(self) -> bytes:
        """The next line of standard output; what is left of it, perhaps nothing, at its end."""
        while b"\n" not in self._half:
            piece = self._piece()
            if not piece:
                rest, self._half = self._half, b""
                return rest
            self._half += piece
        line, _, self._half = self._half.partition(b"\n")
        return line + b"\n"

    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.line())
        return event

    def rest(self) -> bytes:
        """All that is still to come on standard output."""
        begun, self._half = self._half, b""
        return b"".join([begun, *iter(self._piece, b"")])

    def _piece(self) -> bytes:
        """Some bytes of standard output as soon as there are any; none at its end."""
        assert self.process.stdout is not None
        fd = self.process.stdout.fileno()
        ready, _, _ = select.select([fd], [], [], PATIENCE)
        assert ready, f"nothing more on standard output; messages: {self.messages}"
        return os.read(fd, 1 << 20)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.rest().split(b"\n")[:-1]]

    def unread(self) -> int:
        """Bytes that wait in the pipe of standard output."""
        assert self.process.stdout is not None
        count = fcntl.ioctl(self.process.stdout.fileno(), termios.FIONREAD, b"\0" * 4)
        return int.from_bytes(count, sys.byteorder)

    def held_up(self) -> bool:
        """Whether it waits for somebody to take what it writes into a pipe.

        How many bytes wait there does not tell: a piece that does not fit behind a short one waits for all
        of the room.
        """
        try:
            waits = [path.read_text() for path in Path(f"/proc/{self.pid}/task").glob("*/wchan")]
        except OSError:  # a thread has ended
            return False
        return any("pipe_write" in wait for wait in waits)

    def kill(self, number: signal.Signals) -> None:
        self.children()
        os.kill(self.pid, number)

    def taken(self, number: signal.Signals) -> None:
        """Wait until a signal that was sent has reached the process, so that a second one counts."""
        bit = 1 << (number - 1)

        def delivered() -> bool:
            if self.process.poll() is not None:
                return True
            try:
                status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
            except OSError:
                return True
            pending = [line for line in status.split("\n") if line.startswith(("SigPnd", "ShdPnd"))]
            return not any(int(line.split()[1], 16) & bit for line in pending)

        until(delivered, "delivery of the signal")

    def _lives(self, pid: int) -> bool:
        """Whether a child that was seen is still there; its number may have gone to another command's."""
        try:
            return os.getsid(pid) == self.pid and bool(role_of(pid) and state_of(pid))
        except OSError:  # gone
            return False

    def wait(self) -> int:
        """The exit status, negative for a signal; by then no child may be left."""
        self.children()
        status = self.process.wait(PATIENCE)
        until(lambda: not any(map(self._lives, self.known)), "the end of all children")
        assert "Traceback" not in self.messages, self.messages
        return status

    def close(self) -> None:
        """Whatever the test did: nothing of it is left."""
        self.children()
        for pid in (self.pid, *self.known):
            if (pid == self.pid and self.process.poll() is None) or self._lives(pid):
                with suppress(ProcessLookupError):  # it has just ended, by itself or with the hub
                    os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout):
            try:
                if stream is not None:
                    stream.close()
            except BrokenPipeError:
                continue
