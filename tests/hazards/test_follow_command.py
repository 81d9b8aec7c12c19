"""Following with the real command: the life of a log, and what is printed of it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hazards.command import Command, held_still, state_of, until
from tests.properties.strategies import line

Start = Callable[..., Command]
START = 1_525_881_600
FOLLOW = ("-f", "--json", "--format", "common", "--workers", "1", "--stats-window", "1")
STEP = 8_000  # so far apart that the clock of a silent log, which goes on, never gets to the next line
FORMAT = ("--format", "common")


def entry(step: int, section: str = "x") -> bytes:
    return line(START + STEP * step, b"GET /%s/y HTTP/1.1" % section.encode())


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def push(path: Path, step: int) -> None:
    """Let the second of that step close at once: a line of the next second."""
    append(path, line(START + STEP * step + 1, b"GET /push HTTP/1.1"))


def follow(start: Start, *arguments: str | bytes, **streams: Any) -> Command:
    """A follow of which every line counts in the window of its second; a second closes with the next."""
    return start(*FOLLOW, "--lateness", "0", *arguments, **streams)


def begun(command: Command, path: Path) -> Command:
    """Wait until the file is open and has been placed at its end: inotify watches it by then."""

    def opened() -> bool:
        for reader in command.children("reader"):
            try:
                places = [os.readlink(place) for place in Path(f"/proc/{reader}/fd").iterdir()]
            except OSError:
                continue
            if str(path) in places and any("inotify" in place for place in places):
                return True
        return False

    until(opened, "the followed file to be open")
    return command


def hits_until(command: Command, step: int) -> dict[str, int]:
    """Hits by section of all windows up to the one of that step, which closes by itself in a second."""
    found: dict[str, int] = {}
    while True:
        event = command.event()
        if event["event"] == "stats":
            event["sections"].pop("/push", None)
            for section, hits in event["sections"].items():
                found[section] = found.get(section, 0) + hits
            if event["start"] >= START + STEP * step:
                return found


def stopped(command: Command) -> dict[str, Any]:
    """The summary of a follow that is asked to end."""
    command.kill(signal.SIGTERM)
    events = command.events()
    assert command.wait() == 0
    assert [event["event"] for event in events].count("summary") == 1
    said: dict[str, Any] = events[-1]
    pushes = said["sections"].pop("/push", 0)
    return said | {"lines": said["lines"] - pushes, "parsed": said["parsed"] - pushes}


def test_from_the_end_by_default(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(entry(0, "old") * 3)
    command = begun(follow(start, "access.log"), path)
    append(path, entry(1, "new"))
    push(path, 1)
    assert hits_until(command, 1) == {"/new": 1}
    assert stopped(command)["sections"] == {"/new": 1}
    assert command.messages == ""


@pytest.mark.parametrize("option", [("-f", "access.log"), ("--log-file-path", "access.log")])
def test_from_the_start(option: tuple[str, ...], start: Start, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(entry(0, "old") * 3)
    live = ("--json", *FORMAT, "--stats-window", "1", "--lateness", "0", "--workers", "1")
    command = start(*live, "--from", "start", *option)
    push(path, 0)
    assert hits_until(command, 0) == {"/old": 3}
    append(path, entry(1, "new"))
    push(path, 1)
    assert hits_until(command, 1) == {"/new": 1}
    assert stopped(command)["lines"] == 4


def test_a_file_that_appears_later_is_read_from_its_start(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    command = follow(start, "access.log").told("access.log: no such file: waiting")
    path.write_bytes(entry(0, "first") + entry(1, "second"))
    push(path, 1)
    assert hits_until(command, 1) == {"/first": 1, "/second": 1}
    assert stopped(command)["lines"] == 2
    assert "has appeared" in command.messages


def test_rename_and_create_with_late_lines_to_the_old_file(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"")
    command = begun(follow(start, "access.log"), path)
    with path.open("ab", buffering=0) as old:
        old.write(entry(0, "before"))
        push(path, 0)
        assert hits_until(command, 0) == {"/before": 1}
        with held_still(command.child("reader")):  # that no file is there for a second would be said
            path.rename(tmp_path / "access.log.1")
            old.write(entry(1, "renamed"))
            path.write_bytes(entry(2, "new"))
        push(path, 2)
        assert hits_until(command, 2) == {"/renamed": 1, "/new": 1}
        old.write(entry(3, "late"))  # its writer has not yet opened the new file
        append(path, entry(3, "new"))
        old.write(entry(3, "late"))
    push(path, 3)
    hits_until(command, 3)
    said = stopped(command)
    assert said["sections"] == {"/late": 2, "/new": 2, "/before": 1, "/renamed": 1}
    assert command.messages == "fastlog: access.log: was replaced: following the new file\n"


def test_copytruncate(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"")
    command = begun(follow(start, "access.log"), path)
    append(path, entry(0, "before") * 3)
    push(path, 0)
    assert hits_until(command, 0) == {"/before": 3}
    os.truncate(path, 0)
    command.told("was truncated")
    append(path, entry(1, "after"))
    push(path, 1)
    assert hits_until(command, 1) == {"/after": 1}
    assert stopped(command)["lines"] == 4


def test_deleted_and_created_again(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"")
    command = begun(follow(start, "access.log"), path)
    append(path, entry(0, "before"))
    push(path, 0)
    assert hits_until(command, 0) == {"/before": 1}
    path.unlink()
    command.told("no such file")
    path.write_bytes(entry(1, "after"))
    push(path, 1)
    assert hits_until(command, 1) == {"/after": 1}
    command.told("has appeared")
    assert stopped(command)["lines"] == 2


def test_half_a_line_waits_for_its_end(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"")
    command = begun(follow(start, "access.log"), path)
    whole = entry(1, "half")
    append(path, entry(0, "whole") + whole[:40])
    assert hits_until(command, 0) == {"/whole": 1}
    append(path, whole[40:-1])
    append(path, b"\n" + entry(2, "next")[:-1])
    assert hits_until(command, 1) == {"/half": 1}
    said = stopped(command)
    assert (said["lines"], said["parsed"]) == (2, 2)  # the last one never ended


def test_several_files_are_one_stream(start: Start, tmp_path: Path) -> None:
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    one.write_bytes(b"")
    two.write_bytes(b"")
    command = begun(begun(follow(start, "one.log", "two.log"), one), two)
    append(one, entry(0, "one"))
    append(two, entry(0, "two"))
    hits_until(command, 0)
    with held_still(command.child("reader")):  # a file that is silent for long does not hold the clock
        append(one, entry(1, "one"))
        append(two, entry(2, "two"))
        append(one, entry(2, "one"))
    assert hits_until(command, 1) == {"/one": 1}  # by itself: neither file holds the other's clock for ever
    said = stopped(command)
    assert (said["lines"], said["sections"]) == (5, {"/one": 3, "/two": 2})


def test_recovery_comes_in_silence(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"")
    command = begun(follow(start, "--alert-window", "1", "--threshold", "2", "access.log"), path)
    append(path, entry(0) * 3)
    seen: list[dict[str, Any]] = []
    while not (seen and seen[-1].get("state") == "resolved"):
        seen.append(command.event())
    alerts = [(event["state"], event["at"], event["hits"]) for event in seen if event["event"] == "alert"]
    assert alerts == [("firing", START, 3), ("resolved", START + 1, 0)]
    windows = [(event["start"], event["hits"]) for event in seen if event["event"] == "stats"]
    assert windows == [(START, 3), (START + 1, 0)]  # empty ones too, while following
    said = stopped(command)
    assert (said["alerts"], said["open_alerts"], said["last"]) == (1, [], START)


def test_text_is_what_an_operator_greps_for(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(entry(0) * 3)
    command = start(
        "--from", "start", "--log-file-path", "access.log", *FORMAT, "--workers", "1", "--lateness", "0",
        "--alert-window", "1", "--threshold", "2", "--no-stats",
    )  # fmt: skip
    fired, recovered = command.line(), command.line()
    assert b"High traffic generated an alert - hits = 3, triggered at 2018-05-09T16:00:00Z" in fired
    assert b"High traffic alert recovered - hits = 0, recovered at 2018-05-09T16:00:01Z" in recovered
    command.kill(signal.SIGINT)
    assert b"lines" in command.rest()
    assert command.wait() == 0


def test_the_format_is_told_by_what_is_there(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(line(START, format="vhost_combined") * 3)
    command = begun(start("-f", "--json", "--lateness", "0", "--stats-window", "1", "access.log"), path)
    command.told("fastlog: format detected: vhost_combined (access.log)")
    append(path, line(START + 1, format="vhost_combined"))
    assert command.event()["hits"] == 1
    assert stopped(command)["parsed"] == 1


def test_the_format_is_told_by_the_first_lines(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    command = start("-f", "--json", "--lateness", "0", "--stats-window", "1", "access.log")
    command.told("waiting")
    (tmp_path / "new").write_bytes(b"\n" + line(START, format="combined") * 120)
    (tmp_path / "new").rename(path)  # all at once
    command.told("fastlog: format detected: combined (access.log)")
    assert command.event()["hits"] == 120
    said = stopped(command)
    assert (said["parsed"], said["rejected"]["blank"]) == (120, 1)


def test_a_single_first_line_tells_the_format_too(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"")
    command = begun(start("-f", "--json", "--lateness", "0", "--stats-window", "1", "access.log"), path)
    append(path, line(START, format="combined"))
    command.told("fastlog: format detected: combined (access.log)")
    assert command.event()["hits"] == 1
    assert stopped(command)["parsed"] == 1


def test_lines_of_no_format_are_a_usage_error(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"")
    command = begun(start("-f", "--json", "access.log"), path)
    append(path, b"this is \x1b[31mno log\nat all\n")
    assert command.rest() == b""
    assert command.wait() == 2
    assert command.messages.count("\n") == 1
    assert command.messages.startswith(
        "fastlog: access.log: no known format fits; the first line is: this is \\x1b[31mno log | "
    )
    assert "--format" in command.messages


@pytest.mark.parametrize("no_color", ["1", ""])
def test_no_color_wins_only_when_it_is_not_empty(no_color: str, start: Start, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(entry(0) * 3)
    master, slave = os.openpty()
    arguments = ("--alert-window", "1", "--threshold", "2", *FORMAT, "--workers", "1", "access.log")
    command = start(*arguments, stdout=slave, env={"NO_COLOR": no_color, "TERM": "xterm"})
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 65_536)
        except OSError:  # a pseudo-terminal says so when its other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(master)
    assert command.wait() == 0
    assert b"High traffic generated an alert" in shown
    assert (b"\x1b[" in shown) == (not no_color)


def test_quiet_leaves_the_errors(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(line(START, format="combined"))
    command = begun(start("-f", "-q", "--json", "--lateness", "0", "--stats-window", "1", "access.log"), path)
    os.truncate(path, 0)
    append(path, line(START + 1, format="combined"))
    assert command.event()["hits"] == 1
    assert stopped(command)["parsed"] == 1
    assert command.messages == ""
    replay = start("-q", *FORMAT, "missing.log")
    assert replay.wait() == 1
    assert replay.messages.count("\n") == 1


def test_the_data_goes_to_a_file_as_it_comes(start: Start, tmp_path: Path) -> None:
    path, out = tmp_path / "access.log", tmp_path / "out"
    path.write_bytes(entry(0))
    out.write_bytes(b"of another run")
    command = follow(start, "--from", "start", "-o", "out", "--rejects", "rejects", "access.log")

    until(lambda: b'"hits":1' in out.read_bytes(), "the window of the first line in the file")
    append(path, b"nonsense\n")
    until(lambda: b"nonsense" in (tmp_path / "rejects").read_bytes(), "the rejected line in its file")
    assert not out.read_bytes().startswith(b"of")
    command.kill(signal.SIGTERM)
    assert command.rest() == b""
    assert command.wait() == 0
    assert b'"event":"summary"' in out.read_bytes()


def test_a_follow_may_not_write_into_its_own_log(start: Start, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(entry(0))
    command = start("-f", "-o", "access.log", "access.log")
    assert command.wait() == 2
    assert "write elsewhere" in command.messages
    assert (tmp_path / "access.log").read_bytes() == entry(0)


def test_a_follow_may_not_write_into_what_its_pattern_fits(start: Start, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_bytes(entry(0))
    command = start("-f", "-o", "events.log", "*.log")
    assert command.wait() == 2
    assert "write elsewhere" in command.messages


def test_a_pattern_takes_in_files_that_come(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(entry(0, "old"))
    command = begun(follow(start, "*.log"), tmp_path / "a.log")
    append(tmp_path / "a.log", entry(1, "a"))
    (tmp_path / "b.log").write_bytes(entry(1, "b"))
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    (tmp_path / "a.log").write_bytes(entry(1, "new"))
    push(tmp_path / "a.log", 1)
    push(tmp_path / "b.log", 1)
    hits_until(command, 1)  # those of a file that has just come may be late for it
    said = stopped(command)
    assert said["sections"] == {"/a": 1, "/b": 1, "/new": 1}
    assert said["lines"] == 3


def test_one_request_that_comes_as_two_signals_is_one(start: Start, tmp_path: Path) -> None:
    """``timeout`` signals its child, then the group that the child is in."""
    path = tmp_path / "access.log"
    path.write_bytes(b"")
    command = begun(follow(start, "access.log"), path)
    append(path, entry(0, "before"))
    push(path, 0)
    hits_until(command, 0)
    os.kill(command.pid, signal.SIGSTOP)
    until(lambda: state_of(command.pid) == "T", "a stopped command")
    os.kill(command.pid, signal.SIGTERM)
    os.kill(command.pid, signal.SIGINT)
    os.kill(command.pid, signal.SIGCONT)  # both wait for it: no time passes between them, whatever else runs
    assert command.events()[-1]["event"] == "summary"
    assert command.wait() == 0
