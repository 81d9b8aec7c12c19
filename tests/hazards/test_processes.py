"""Signals, pipes, deaths and odd files, seen from outside: the real command in real processes."""

import asyncio
import errno
import fcntl
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fastlog import pipeline
from fastlog.config import Config
from fastlog.model.events import Event, Summary
from tests.hazards.command import FASTLOG, HASTE, PARSER, PATIENCE, Command, until
from tests.properties.strategies import line
from tests.reference import replay

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Start = Callable[..., Command]
START = 1_525_881_600
REPLAY = ("--json", "--format", "common", "--workers", "1")
LIVE = (*REPLAY, "--stats", "--stats-window", "1", "--lateness", "0")


def log(seconds: int, first: int = START, each: int = 1) -> bytes:
    return b"".join(line(first + second) * each for second in range(seconds))


def held(start: Start, *arguments: str, seconds: int = 5, **streams: Any) -> Command:
    """A replay of standard input that has read ``seconds`` and waits for more; one event was printed."""
    command = start(*LIVE, *arguments, "-", **streams)
    command.feed(log(seconds))
    for second in range(seconds - 1):
        assert command.event()["start"] == START + second
    return command


def summary(events: list[dict[str, Any]]) -> dict[str, Any]:
    assert [event["event"] for event in events].count("summary") == 1
    assert events[-1]["event"] == "summary"
    return events[-1]


# -- signals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_replay_says_what_it_has_read_and_dies_by_the_signal(
    number: signal.Signals, start: Start
) -> None:
    command = held(start)
    command.kill(number)
    said = summary(command.events())
    assert (said["complete"], said["lines"], said["hits"]) == (False, 5, 5)
    assert command.wait() == -number
    assert command.messages in ("", HASTE)


def test_an_interrupt_before_the_first_line(start: Start) -> None:
    command = start(*LIVE, "-").started()
    command.kill(signal.SIGINT)
    said = summary(command.events())
    assert (said["complete"], said["lines"], said["first"]) == (False, 0, None)
    assert command.wait() == -signal.SIGINT


@pytest.mark.parametrize("follow", [False, True])
def test_a_run_that_is_ended_before_it_begins(follow: bool, tmp_path: Path) -> None:
    """As a signal can that comes while the listener for the metrics starts."""
    path = tmp_path / "access.log"
    path.write_bytes(log(3))

    async def run() -> list[Event]:
        ended = pipeline.Run(Config(paths=[path], follow=follow, format="common", workers=1), notify=print)
        ended.open()
        ended.stop()
        return [event async for batch in ended.events() for event in batch]

    (said,) = asyncio.run(asyncio.wait_for(run(), PATIENCE))
    assert isinstance(said, Summary)
    assert (said.complete, said.lines) == (follow, 0)


def test_an_interrupt_of_the_whole_group_is_told_once(start: Start) -> None:
    command = held(start, "--workers", "3").started(3)
    os.killpg(command.pid, signal.SIGINT)
    assert summary(command.events())["complete"] is False
    assert command.wait() == -signal.SIGINT
    assert command.messages in ("", HASTE)


@pytest.mark.parametrize("moment", ["reader", "worker"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_children_start_ends_a_follow(
    number: signal.Signals, moment: str, start: Start, tmp_path: Path
) -> None:
    """The group's Ctrl-C reaches children that have not yet said that they ignore it."""
    (tmp_path / "access.log").write_bytes(log(3))
    command = start("-f", *LIVE, "--workers", "4", "access.log")
    command.child(moment)
    os.killpg(command.pid, number)
    assert summary(command.events())["complete"] is True
    assert command.wait() == 0
    assert command.messages == ""


def blocked(start: Start) -> Command:
    """A replay whose standard output is full, since nobody reads it."""
    command = start(*LIVE, "-")
    assert command.process.stdout is not None
    fcntl.fcntl(command.process.stdout.fileno(), fcntl.F_SETPIPE_SZ, 4096)
    command.feed(log(400))
    until(command.held_up, "a full pipe")
    return command


def test_a_second_interrupt_ends_it_at_once(start: Start) -> None:
    """Two that come close together are one request, so it is asked until it is a second one."""
    command = blocked(start)

    def ended() -> bool:
        if command.process.poll() is None:
            command.kill(signal.SIGINT)
        return command.process.poll() is not None

    until(ended, "the end of the command")
    assert command.wait() == -signal.SIGINT
    assert command.messages == ""


def test_an_interrupt_waits_for_a_reader_that_is_only_slow(start: Start) -> None:
    command = blocked(start)
    command.kill(signal.SIGINT)
    command.taken(signal.SIGINT)
    assert summary(command.events())["complete"] is False
    assert command.wait() == -signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_follow_ends_with_a_summary(number: signal.Signals, start: Start, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(log(3))
    command = start("-f", "--from", "start", *LIVE, "access.log")
    assert command.event()["start"] == START
    command.kill(number)
    said = summary(command.events())
    assert (said["complete"], said["lines"]) == (True, 3)
    assert command.wait() == 0
    assert command.messages == ""


def test_what_is_there_when_a_follow_is_stopped_still_counts(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(log(2))
    command = start("-f", "--from", "start", *LIVE, "access.log")
    assert command.event()["start"] == START
    reader = command.child("reader")
    os.kill(reader, signal.SIGSTOP)
    with path.open("ab") as file:
        file.write(log(7, START + 2))
    command.kill(signal.SIGTERM)
    command.taken(signal.SIGTERM)
    os.kill(reader, signal.SIGCONT)
    assert summary(command.events())["lines"] == 9
    assert command.wait() == 0


def test_a_fifo_that_nobody_writes_to_is_interrupted(start: Start, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    command = start(*LIVE, "fifo").started()
    command.kill(signal.SIGINT)
    assert summary(command.events())["complete"] is False
    assert command.wait() == -signal.SIGINT


def test_an_output_that_nobody_opens_is_interrupted(start: Start, tmp_path: Path) -> None:
    """Opening a FIFO waits for its reader; that must not take Ctrl-C away, nor show a traceback."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "access.log").write_bytes(log(1))
    command = start(*LIVE, "-o", "fifo", "access.log")

    def waits() -> bool:
        try:
            return "wait_for_partner" in Path(f"/proc/{command.pid}/wchan").read_text(encoding="utf-8")
        except OSError:
            return False

    until(waits, "the command to wait for the FIFO")
    command.kill(signal.SIGINT)
    assert command.wait() == -signal.SIGINT
    assert command.messages == ""


# -- nobody reads ------------------------------------------------------------------------------


def test_head_takes_one_line_and_the_command_leaves(start: Start) -> None:
    command = held(start)
    assert command.process.stdout is not None
    command.process.stdout.close()
    with suppress(BrokenPipeError):  # it may have left by then
        command.feed(log(5, START + 5))
    assert command.wait() == 0
    assert command.messages == ""


def test_a_reader_that_goes_before_the_first_write(start: Start) -> None:
    command = start(*LIVE, "-").started()
    assert command.process.stdout is not None
    command.process.stdout.close()  # nothing is fed: the command must notice by itself
    assert command.wait() == 0
    assert command.messages == ""


def test_a_reader_that_was_never_there(start: Start, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(log(20))
    reading, writing = os.pipe()
    os.close(reading)
    command = start(*LIVE, "access.log", stdout=writing)
    os.close(writing)
    assert command.wait() == 0
    assert command.messages == ""


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_reader_that_goes_while_a_follow_is_idle(kind: str, start: Start, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(b"")
    if kind == "socket":
        ours, theirs = socket.socketpair()
        command = start("-f", *LIVE, "access.log", stdout=theirs).started()
        theirs.close()
        ours.close()
    else:
        command = start("-f", *LIVE, "access.log").started()
        assert command.process.stdout is not None
        command.process.stdout.close()
    assert command.wait() == 0
    assert command.messages == ""


def test_a_reader_that_goes_while_the_pipe_is_full(start: Start) -> None:
    command = blocked(start)
    assert command.process.stdout is not None
    command.process.stdout.close()
    assert command.wait() == 0
    assert command.messages == ""


@pytest.mark.parametrize("option", [("--help",), ("--version",), ("--format", "list")])
def test_help_that_nobody_reads(option: tuple[str, ...], start: Start) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = start(*option, stdout=writing)
    os.close(writing)
    assert command.wait() == 0
    assert command.messages == ""


@pytest.mark.parametrize(
    "option", [("--help",), ("--version",), ("--format", "list"), (*REPLAY, "access.log")]
)
def test_a_full_disk(option: tuple[str, ...], start: Start, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(log(3))
    with Path("/dev/full").open("wb") as full:
        command = start(*option, stdout=full)
    assert command.wait() == 1
    assert command.messages.count("\n") == 1
    assert command.messages.startswith("fastlog: standard output: No space left on device: ")


def test_an_output_file_that_grows_too_large(start: Start, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(log(200))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    # The messages go to a pipe: the limit is on files.
    command = start(*LIVE, "-o", "out", "access.log", stderr=subprocess.PIPE, preexec_fn=limit)
    assert command.process.stderr is not None
    messages = command.process.stderr.read()
    command.process.stderr.close()
    assert command.wait() == 1
    assert messages.count(b"\n") == 1
    assert b"--output out: " + os.strerror(errno.EFBIG).encode() in messages


# -- deaths ------------------------------------------------------------------------------------


def undisturbed(data: bytes) -> bytes:
    """What a run that nothing befalls prints: byte for byte what the reference says."""
    said = replay(data, stats_window=1, lateness=0, wall=2_000_000_000)
    return b"".join(json.dumps(event, separators=(",", ":")).encode() + b"\n" for event in said)


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(start: Start) -> None:
    command = held(start)
    os.kill(command.child("worker"), signal.SIGKILL)
    command.told("a worker died (killed by SIGKILL) and was replaced")
    command.feed(log(5, START + 5))
    command.end_input()
    rest = command.rest()
    assert command.wait() == 0
    assert undisturbed(log(10)).endswith(rest)
    assert rest.count(b"\n") == 7  # four of the ten windows were read before


def test_what_a_killed_worker_held_is_done_again_once(start: Start) -> None:
    command = held(start)
    worker = command.child("worker")
    os.kill(worker, signal.SIGSTOP)
    until(lambda: _stopped(worker), "a stopped worker")
    command.feed(log(5, START + 5))
    until(lambda: _waits_for(command, worker), "a chunk on its way to the worker")
    os.kill(worker, signal.SIGKILL)
    command.told("another does it again")
    command.end_input()
    rest = command.rest()
    assert command.wait() == 0
    assert undisturbed(log(10)).endswith(rest)
    assert "standard input at byte" in command.messages


def _stopped(pid: int) -> bool:
    return "T (stopped)" in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")


def _waits_for(command: Command, worker: int) -> bool:
    """Whether the reader has handed out a block and the hub has given it to the stopped worker.

    The hub gives it at once when it gets it, and the reader asks for nothing else
    when standard input is empty: then nothing is under way but that block.
    """
    assert command.process.stdin is not None
    left = fcntl.ioctl(command.process.stdin.fileno(), 0x541B, b"\0" * 4)
    hub = Path(f"/proc/{command.pid}/wchan").read_text(encoding="utf-8")
    return left == b"\0" * 4 and "poll" in hub and _stopped(worker) and _queued(worker)


def _queued(worker: int) -> bool:
    """Whether bytes wait in the worker's socket."""
    leads = map(os.readlink, Path(f"/proc/{worker}/fd").iterdir())
    (inode,) = (lead.removeprefix("socket:[").rstrip("]") for lead in leads if lead.startswith("socket:"))
    if shutil.which("ss") is None:
        pytest.skip("no ss here to look into a socket")
    asked = subprocess.run(["ss", "-xH"], capture_output=True, text=True, check=True)
    for row in asked.stdout.split("\n"):
        fields = row.split()
        if inode in fields:
            return int(fields[2]) > 0 or int(fields[3]) > 0
    return False


def test_a_worker_that_is_held_and_let_go_changes_nothing(start: Start) -> None:
    command = start(*LIVE, "--workers", "2", "-").started(2)
    worker = command.child("worker")
    os.kill(worker, signal.SIGSTOP)
    until(lambda: _stopped(worker), "a stopped worker")
    command.feed(log(40))
    os.kill(worker, signal.SIGCONT)
    command.end_input()
    output = command.rest()
    assert command.wait() == 0
    assert command.messages == ""
    assert output == undisturbed(log(40))


def test_a_reader_that_is_killed_ends_the_run_and_is_said(start: Start) -> None:
    command = held(start)
    os.kill(command.child("reader"), signal.SIGKILL)
    said = summary(command.events())
    assert (said["complete"], said["lines"]) == (False, 5)
    assert command.wait() == 1
    assert command.messages.count("\n") == 1
    assert "the reader died (killed by SIGKILL)" in command.messages


@pytest.mark.parametrize("mode", ["replay", "follow"])
def test_children_leave_when_the_hub_is_killed(mode: str, start: Start, tmp_path: Path) -> None:
    if mode == "replay":
        command = held(start, "--workers", "2").started(2)
    else:
        (tmp_path / "access.log").write_bytes(b"")
        command = start("-f", *LIVE, "--workers", "2", "access.log").started(2)
    command.children()
    assert len(command.known) == 3
    command.kill(signal.SIGKILL)
    assert command.wait() == -signal.SIGKILL
    assert command.messages == ""


def test_a_log_that_is_cut_short_while_it_is_replayed(start: Start, tmp_path: Path) -> None:
    """The reader looks at standard input first, and waits there: by then the file has been measured."""
    path = tmp_path / "access.log"
    path.write_bytes(log(2_000, START + 10))
    command = start(*REPLAY, "access.log", "-").started()
    until(lambda: _has_open(command.child("reader"), path), "the file to be open")
    os.truncate(path, len(log(500)))
    command.feed(log(10))
    command.end_input()
    said = summary(command.events())
    assert command.wait() == 1
    assert (said["complete"], said["lines"]) == (False, 510)
    assert command.messages.count("\n") == 1
    assert command.messages.startswith("fastlog: access.log: was cut short while it was read")


def _has_open(pid: int, path: Path) -> bool:
    try:
        return str(path) in {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return False


# -- files -------------------------------------------------------------------------------------


def only_summary(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    events = [json.loads(text) for text in done.stdout.split(b"\n")[:-1]]
    assert len(events) == 1
    return summary(events)


def test_files_that_cannot_be_opened_are_said_and_the_good_ones_count(fastlog: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "access.log").write_bytes(log(3))
    bad = {
        "missing.log": "No such file or directory: ",
        "folder": "is a directory: ",
        "x" * 300: "File name too long: ",
        "access.log/x": "Not a directory: ",
    }
    done = fastlog(*REPLAY, *bad, "access.log")
    said = only_summary(done)
    assert (done.returncode, said["complete"], said["lines"]) == (1, False, 3)
    messages = done.stderr.decode().split("\n")[:-1]
    for message, (name, why) in zip(messages, bad.items(), strict=True):
        assert message.startswith(f"fastlog: {name}: {why}")


def test_when_no_file_can_be_opened_each_is_said(fastlog: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    done = fastlog(*REPLAY, "missing.log", "folder")
    assert (done.returncode, done.stdout) == (1, b"")
    first, second = done.stderr.decode().split("\n")[:-1]
    assert first.startswith("fastlog: missing.log: No such file or directory: ")
    assert second.startswith("fastlog: folder: is a directory: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(fastlog: Run, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(log(3))
    (tmp_path / "secret.log").write_bytes(log(3))
    (tmp_path / "secret.log").chmod(0)
    done = fastlog(*REPLAY, "secret.log", "access.log")
    assert (done.returncode, only_summary(done)["lines"]) == (1, 3)
    assert done.stderr.startswith(b"fastlog: secret.log: Permission denied: ")


def test_a_file_that_fails_when_it_is_read(fastlog: Run, tmp_path: Path) -> None:
    """/proc/self/mem opens, and its first page cannot be read."""
    (tmp_path / "access.log").write_bytes(log(3))
    done = fastlog(*REPLAY, "access.log", "/proc/self/attr/exec", "/proc/self/mem")
    assert done.returncode in (0, 1)
    assert b"Traceback" not in done.stderr
    assert only_summary(done)["lines"] == 3


NAMES = {
    b"a\x1b[31m.log": "a\\x1b[31m.log",
    b"caf\xe9.log": "caf\\xe9.log",
    "café.log".encode(): "café.log",
    b"two\nlines.log": "two\\x0alines.log",
    "a\u202eb.log".encode(): "a\\u202eb.log",
    b" .log": " .log",
    b"%s{}.log": "%s{}.log",
}


def test_names_with_anything_in_them(start: Start, tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / os.fsdecode(name)).write_bytes(log(2) + b"nonsense\n")
    command = start(*REPLAY, "--rejects", "rejects", *NAMES)
    assert summary(command.events())["lines"] == 3 * len(NAMES)
    assert command.wait() == 0
    assert command.messages == ""
    rejects = (tmp_path / "rejects").read_text(encoding="utf-8")
    assert rejects.count("\n") == len(NAMES)
    for shown in NAMES.values():
        assert shown in rejects.replace("\\\\", "\\")


def test_names_of_missing_files_with_anything_in_them(start: Start) -> None:
    command = start(*REPLAY, *NAMES)
    assert command.wait() == 1
    for message, shown in zip(command.messages.split("\n")[:-1], NAMES.values(), strict=True):
        assert message.startswith(f"fastlog: {shown}: No such file or directory: ")


@pytest.mark.parametrize("kind", ["file", "pipe", "null", "socket", "fifo", "offset", "terminal"])
def test_standard_input_of_every_kind(kind: str, start: Start, tmp_path: Path) -> None:
    data = log(20)
    path = tmp_path / "access.log"
    path.write_bytes(data)
    expected = 20
    if kind == "pipe":
        command = start(*REPLAY, "-")
        command.feed(data)
        command.end_input()
    elif kind == "socket":
        ours, theirs = socket.socketpair()
        command = start(*REPLAY, "-", stdin=theirs)
        theirs.close()
        ours.sendall(data)
        ours.close()
    elif kind == "terminal":
        ours_fd, theirs_fd = os.openpty()
        command = start(*REPLAY, "-", stdin=theirs_fd)
        os.write(ours_fd, data + b"\x04")  # what is typed, then Ctrl-D
        os.close(theirs_fd)
    elif kind == "fifo":
        os.mkfifo(tmp_path / "fifo")
        both = os.open(tmp_path / "fifo", os.O_RDWR)
        reading = os.open(tmp_path / "fifo", os.O_RDONLY)
        command = start(*REPLAY, "-", stdin=reading)
        os.close(reading)
        os.write(both, data)
        os.close(both)
    else:
        with path.open("rb") if kind != "null" else Path(os.devnull).open("rb") as file:
            if kind == "offset":
                os.lseek(file.fileno(), len(log(5)), os.SEEK_SET)  # as in (read x; fastlog -) < file
                expected = 15
            command = start(*REPLAY, "-", stdin=file)
            if kind == "null":
                expected = 0
    said = summary(command.events())
    assert command.wait() == 0
    assert (said["lines"], command.messages) == (expected, "")


@pytest.mark.parametrize("kind", ["file", "append", "null", "socket", "fifo"])
def test_standard_output_of_every_kind(kind: str, start: Start, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(log(20))
    want = undisturbed(log(20))
    out = tmp_path / "out"
    got = b""
    if kind == "socket":
        ours, theirs = socket.socketpair()
        command = start(*LIVE, "access.log", stdout=theirs)
        theirs.close()
        while piece := ours.recv(65_536):
            got += piece
        ours.close()
    elif kind == "fifo":
        os.mkfifo(out)
        reading = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
        writing = os.open(out, os.O_WRONLY)
        os.set_blocking(reading, True)
        command = start(*LIVE, "access.log", stdout=writing)
        os.close(writing)
        while piece := os.read(reading, 65_536):
            got += piece
        os.close(reading)
    else:
        out.write_bytes(b"before\n")
        target = Path(os.devnull) if kind == "null" else out
        with target.open("ab" if kind == "append" else "wb") as file:
            command = start(*LIVE, "access.log", stdout=file)
        command.wait()
        got = out.read_bytes()
        want = {"file": want, "append": b"before\n" + want, "null": b"before\n"}[kind]
    assert command.wait() == 0
    assert command.messages == ""
    assert got == want


def test_standard_streams_that_are_closed(tmp_path: Path, environment: dict[str, str]) -> None:
    """A file that is opened where a standard stream should be must not take its place."""
    (tmp_path / "access.log").write_bytes(log(20) + b"nonsense\n")

    def shell(redirections: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = f'exec "$@" {redirections}'
        words = [*FASTLOG, *PARSER, *REPLAY, *arguments]
        return subprocess.run(
            ["sh", "-c", command, "sh", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=tmp_path,
            env=environment,
            timeout=60,
            check=False,
        )

    want = shell("", "access.log").stdout
    assert summary([json.loads(want)])["lines"] == 21
    assert (shell("<&-", "access.log").stdout, shell("<&-", "access.log").returncode) == (want, 0)
    assert shell("<&- > out", "access.log").returncode == 0
    assert (tmp_path / "out").read_bytes() == want
    no_input = shell("<&-", "-")
    assert no_input.returncode == 1
    assert no_input.stderr.startswith(b"fastlog: standard input: ")
    no_output = shell(">&-", "access.log")
    assert no_output.returncode == 1
    assert no_output.stderr.startswith(b"fastlog: standard output: Bad file descriptor")
    # Messages must not end up in the data when its file gets the number of standard error.
    assert shell("2>&-", "-o", "data", "access.log", "missing.log").returncode == 1
    data = (tmp_path / "data").read_bytes()
    assert data.count(b"\n") == 1
    assert summary([json.loads(data)])["lines"] == 21
    assert shell("<&- 2>&-", "-o", "data", "access.log").returncode == 0
    assert (tmp_path / "data").read_bytes() == want


# -- limits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hard", "status"), [(4096, 0), (64, 1)])
def test_ninety_files_under_a_soft_limit_of_64(
    hard: int, status: int, tmp_path: Path, environment: dict[str, str]
) -> None:
    """The soft limit on open files is raised to the hard one; where that is too low, one line says so."""
    names = [f"access.log.{number}" for number in range(90)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(line(START + number))
    script = (
        f"import resource, sys; hard = min({hard}, resource.getrlimit(resource.RLIMIT_NOFILE)[1]);"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard));"
        "from fastlog.cli import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *REPLAY, *names],
        cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert (b'"parsed":90' in done.stdout) == (status == 0)
    assert (b"ulimit -n" in done.stderr) == (status == 1)


def test_names_that_the_locale_cannot_spell(tmp_path: Path, environment: dict[str, str]) -> None:
    """In the C locale without Python's cures for it a name is bytes; it is said in UTF-8 all the same."""
    (tmp_path / "é.log").write_bytes(log(3))
    (tmp_path / "rules.toml").write_text(
        '[[rule]]\nname = "ü"\nmeasure = "hits"\nwindow = 1\nabove = 0\n'
        '[[notify]]\nexec = ["sh", "-c", "cat >> gehört"]\n',
        encoding="utf-8",
    )
    plain = environment | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*FASTLOG, *PARSER, *map(os.fsencode, arguments)],
            cwd=tmp_path, env=plain, capture_output=True, encoding="utf-8", timeout=60, check=False,
        )  # fmt: skip

    missing = run(*REPLAY, "ö.log")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.startswith("fastlog: ö.log: ")
    options = (*REPLAY, "--quiet", "--rules", "rules.toml", "--state", "ä", "-o", "ß", "é.log")
    for _ in "ab":
        done = run(*options)
        assert (done.returncode, done.stderr) == (0, "")
        summary = json.loads((tmp_path / "ß").read_text(encoding="utf-8").splitlines()[-1])
        assert (summary["lines"], summary["notify"]) == (3, {"delivered": 1, "given_up": 0})
    assert '"rule":"ü"' in (tmp_path / "gehört").read_text(encoding="utf-8")
    # What a record says of names is bytes too: another locale goes on with it.
    assert (
        subprocess.run([*FASTLOG, *PARSER, *options], cwd=tmp_path, env=environment, check=False).returncode
        == 0
    )


def test_a_followed_name_that_the_locale_cannot_spell(tmp_path: Path, start: Start) -> None:
    (tmp_path / "é.log").write_bytes(log(1))
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = start(*LIVE, "-f", "--from", "start", "é.log", env=plain).started()
    command.kill(signal.SIGTERM)
    assert command.wait() == 0, command.messages
    assert command.events()[-1]["lines"] == 1
