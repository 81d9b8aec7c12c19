"""How the children start: what they inherit, and what the command cannot start."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.hazards import poisoned
from tests.hazards.command import FASTLOG, Command, processes, state_of, until
from tests.properties.strategies import line

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Start = Callable[..., Command]
START = 1_525_881_600
ARGUMENTS = ("--json", "--format", "common", "--stats", "--stats-window", "1", "--lateness", "0")


def leads(pid: int) -> list[str]:
    """What the descriptors of a process lead to, without the numbers of pipes and sockets."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed while it was looked at
            found.append(os.readlink(entry).partition(":")[0])
    return sorted(found)


@pytest.mark.parametrize("method", ["", poisoned.FRESH], ids=["copies", "fresh"])
def test_a_child_holds_its_own_ends_alone(method: str, start: Start, tmp_path: Path) -> None:
    """Its socket, its lifeline and the log: a sibling's end that it held would never come to its end."""
    program = (sys.executable, poisoned.__file__, f"{method}nothing")
    command = start(*ARGUMENTS, "-w", "3", "-", program=program).started(3)
    command.feed(line(START))
    command.feed(line(START + 1))
    command.feed(line(START + 2))
    assert command.event()["hits"] == 1
    want = ["/dev/null"] * 3 + ["pipe", "pipe", "socket"]
    for child in command.children("worker"):
        # The first one may have done it all before the others have what they are handed.
        until(lambda child=child: leads(child) == want, f"{want}, not {leads(child)}")
    assert leads(command.child("reader")).count("socket") == 1
    assert leads(command.child("reader")).count("pipe") == 2


def test_a_program_with_threads_starts_no_copies(tmp_path: Path, environment: dict[str, str]) -> None:
    asked = """
import threading
from fastlog.executors.forked import can_fork
assert can_fork()
held = threading.Event()
threading.Thread(target=held.wait).start()
assert not can_fork()
held.set()
"""
    if sys.platform != "linux":
        pytest.skip("copies are for Linux")
    subprocess.run([sys.executable, "-c", asked], cwd=tmp_path, env=environment, check=True)


RULE = '[[rule]]\nname = "x"\nmeasure = "hits"\nwindow = 1\nabove = 0\n'
FAULT, ASKED = RULE.replace("above", "abowe"), '[[notify]]\nexec = ["true"]\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (RULE, True),
        (RULE + "where = \"section =~ '^/é'\"\n", True),
        (FAULT, False),
        (RULE + ASKED, False),
        ("", True),
    ],
)
def test_rules_are_read_ahead(tmp_path: Path, environment: dict[str, str], text: str, told: bool) -> None:
    """Or nothing is told, and the command reads the file itself: of faults, and of who is to be notified."""
    asked = f"""
from fastlog.executors.forked import can_fork
from fastlog.executors.rules_ahead import RulesAhead
from fastlog.rulebook.file import read_rules
assert can_fork()
ahead = RulesAhead("rules.toml")
assert ahead.rules() == (read_rules("rules.toml").rules if {told} else None)
ahead.close()
RulesAhead("rules.toml").close()
import os
try:
    raise SystemExit(f"a child is left: {{os.waitpid(-1, os.WNOHANG)}}")
except ChildProcessError:
    pass
"""
    if sys.platform != "linux":
        pytest.skip("copies are for Linux")
    (tmp_path / "rules.toml").write_text(text, encoding="utf-8")
    subprocess.run([sys.executable, "-c", asked], cwd=tmp_path, env=environment, check=True)


def test_rules_that_can_be_read_but_once(start: Start, tmp_path: Path) -> None:
    """A copy that read ahead would leave nothing: ``--rules <(...)``."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "access.log").write_bytes(line(START))
    command = start("--json", "--rules", "fifo", "access.log")
    with (tmp_path / "fifo").open("wb") as file:
        file.write(RULE.encode())
    assert [event["rule"] for event in command.events() if event["event"] == "alert"] == ["x"]


def test_a_parent_that_ignores_the_end_of_children(start: Start, fastlog: Run, tmp_path: Path) -> None:
    """Ignored survives exec: then the kernel keeps no ends of children for us."""
    (tmp_path / "access.log").write_bytes(line(START))
    ignore = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    program = (sys.executable, "-c", ignore, *FASTLOG)
    command = start(*ARGUMENTS, "access.log", program=program)
    assert command.rest() == fastlog(*ARGUMENTS, "access.log").stdout
    assert command.wait() == 0
    assert command.messages == ""


def test_more_workers_than_are_copied_in_advance(start: Start, tmp_path: Path) -> None:
    """The others are fresh interpreters, and none that has nothing to do stays."""
    command = start(*ARGUMENTS, "-w", "10", "-").started(10)
    assert len(command.children("worker")) == 10
    command.end_input()
    assert command.events()[-1]["lines"] == 0
    assert command.wait() == 0


def test_copies_that_nothing_is_left_for_leave_at_once(start: Start, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(line(START))
    program = (sys.executable, poisoned.__file__, "stopped-worker")
    command = start(*ARGUMENTS, "-w", "3", "access.log", program=program)
    until(lambda: command.holds("anon_inode:[eventpoll]"), "the hub's event loop")  # behind the copies

    def left() -> list[int]:
        """The workers, once all children have begun and one of them is a worker, which is stopped."""
        begun = command.children()
        workers = command.children("worker")
        every = [pid for pid, parent, _ in processes() if parent == command.pid]
        return workers if set(every) <= set(begun) and list(map(state_of, workers)) == ["T"] else []

    (worker,) = until(left, "the end of those that are not needed")
    os.kill(worker, signal.SIGCONT)
    assert command.events()[-1]["lines"] == 1
    assert command.wait() == 0
