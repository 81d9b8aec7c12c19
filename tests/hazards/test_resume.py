"""Killed at any moment and run again with the same arguments: the output is that of a run that was not."""

import gzip
import json
import lzma
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hazards.command import Command, counted, state_of, until
from tests.properties.strategies import line

Start = Callable[..., Command]
Run = Callable[..., subprocess.CompletedProcess[bytes]]
START = 1_525_881_600
STEP = 8_000
MORTAL = (sys.executable, str(Path(__file__).with_name("mortal.py")))
FORMAT = ("--json", "--format", "common")
REPLAY = (*FORMAT, "--stats", "-t", "0.5", "--workers", "2")
FOLLOW = (
    *FORMAT,
    "--workers",
    "1",
    "--stats-window",
    "1",
    "--lateness",
    "0",
    "-t",
    "0",
    "--alert-window",
    "2",
)
KEPT = ("-o", "out", "--state", "state")


def request(section: int, length: int = 900) -> bytes:
    return b"GET /%d/" % section + b"x" * length


def a_log(path: Path, seconds: range, wide: int = 7, length: int = 900) -> str:
    """A hundred bytes more than ``length`` a line, four lines a second."""
    path.write_bytes(b"".join(line(START + second, request(second % wide, length)) * 4 for second in seconds))
    return path.name


@pytest.fixture
def mortal(tmp_path: Path, environment: dict[str, str]) -> Run:
    def run(when: str, number: int, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*MORTAL, when, str(number), *arguments],
            cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False,
        )  # fmt: skip

    return run


@pytest.mark.parametrize("when", ["output", "record", "after"])
def test_a_replay_that_is_killed_again_and_again(
    tmp_path: Path, mortal: Run, fastlog: Run, when: str
) -> None:
    names = [
        a_log(tmp_path / "b.log", range(1_000, 2_000)),  # out of order, one after the other
        a_log(tmp_path / "a.log", range(1_000)),
        a_log(tmp_path / "c.log", range(2_500, 2_600)),
    ]
    whole = fastlog(*REPLAY, *names)
    assert whole.returncode == 0
    for number in (1, 3, 2):  # a record a chunk, of which there are more
        done = mortal(when, number, *REPLAY, *KEPT, *names)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    done = fastlog(*REPLAY, *KEPT, *names)
    assert done.returncode == 0
    assert (tmp_path / "out").read_bytes() == whole.stdout
    again = fastlog(*REPLAY, *KEPT, *names)
    assert (again.returncode, (tmp_path / "out").read_bytes()) == (0, whole.stdout)


def test_rejects_and_packed_files_of_a_rotated_set(tmp_path: Path, mortal: Run, fastlog: Run) -> None:
    """Packed and plain, in one glob; the rejected lines are there once too."""
    for number, seconds in enumerate((range(2_000, 2_400), range(1_000, 2_000), range(1_000))):
        a_log(tmp_path / "access.log", seconds)
        data = (tmp_path / "access.log").read_bytes().replace(b"/3/", b"/\n/", 40)
        name = ("access.log.0", "access.log.1.gz", "access.log.2.xz")[number]
        pack = (bytes, gzip.compress, lzma.compress)[number]
        (tmp_path / name).write_bytes(pack(data))
    names = ["access.log.0", "access.log.1.gz", "access.log.2.xz"]
    whole = fastlog(*REPLAY, "--rejects", "want", *names)
    assert whole.returncode == 0
    assert (tmp_path / "want").read_bytes().count(b"\n") > 100
    kept = (*KEPT, "--rejects", "rejects")
    for when, number in (("after", 1), ("after", 2), ("record", 2), ("output", 1), ("after", 3)):
        done = mortal(when, number, *REPLAY, *kept, *names)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        with (tmp_path / "rejects").open("ab") as file:
            file.write(b"what the record does not vouch for")
    for _ in "ab":  # run again, it takes back what follows the last line, and says that again
        done = fastlog(*REPLAY, *kept, *names)
        assert done.returncode == 0, done.stderr.decode()
        assert (tmp_path / "out").read_bytes() == whole.stdout
        assert (tmp_path / "rejects").read_bytes() == (tmp_path / "want").read_bytes()


def test_a_line_over_the_limit_at_the_end_of_what_is_counted_of_a_packed_file(
    tmp_path: Path, mortal: Run, fastlog: Run
) -> None:
    a_log(tmp_path / "a.log", range(250))
    begin = (tmp_path / "a.log").read_bytes()
    long = b"x" * (3 << 20) + b"\n"
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(begin + long + begin))
    whole = fastlog(*REPLAY, "a.log.gz")
    assert mortal("after", 1, *REPLAY, *KEPT, "a.log.gz").returncode == -signal.SIGKILL
    assert fastlog(*REPLAY, *KEPT, "a.log.gz").returncode == 0
    assert (tmp_path / "out").read_bytes() == whole.stdout
    assert summary_of(whole.stdout)["rejected"]["oversize"] == 1


def test_rejects_to_what_has_no_length(tmp_path: Path, fastlog: Run) -> None:
    (tmp_path / "a.log").write_bytes(b"nonsense\n")
    for _ in "ab":
        done = fastlog(*REPLAY, *KEPT, "--rejects", "/dev/null", "a.log")
        assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("wide", [7, 2_500])  # few sections, and more than are named
def test_files_that_overlap(tmp_path: Path, mortal: Run, fastlog: Run, wide: int) -> None:
    names = [
        a_log(tmp_path / "a.log", range(2_500), wide, length=500),
        a_log(tmp_path / "b.log", range(100, 2_600), wide, length=300),
    ]
    (tmp_path / "b.log").write_bytes((tmp_path / "b.log").read_bytes().replace(b"GET /", b"GET /b"))
    whole = fastlog(*REPLAY, *names)
    for when, number in (("after", 3), ("record", 2), ("output", 1), ("after", 2)):
        assert mortal(when, number, *REPLAY, *KEPT, *names).returncode == -signal.SIGKILL
    assert fastlog(*REPLAY, *KEPT, *names).returncode == 0
    assert (tmp_path / "out").read_bytes() == whole.stdout


def test_with_standard_output_nothing_is_lost(tmp_path: Path, mortal: Run, fastlog: Run) -> None:
    name = a_log(tmp_path / "a.log", range(4_000))
    whole = fastlog(*REPLAY, name).stdout.splitlines()
    first = mortal("record", 3, *REPLAY, "--state", "state", name)
    assert first.returncode == -signal.SIGKILL
    rest = fastlog(*REPLAY, "--state", "state", name).stdout.splitlines()
    before = first.stdout.splitlines()
    assert before == whole[: len(before)]
    assert rest == whole[-len(rest) :]
    assert len(whole) < len(before) + len(rest)  # the one record that was not written says some twice
    assert len(rest) < len(whole)


def test_a_log_that_has_grown_is_read_from_where_it_ended(tmp_path: Path, fastlog: Run) -> None:
    name = a_log(tmp_path / "a.log", range(100))
    assert fastlog(*REPLAY, *KEPT, name).returncode == 0
    a_log(tmp_path / "more", range(100, 200))
    with (tmp_path / name).open("ab") as file:
        file.write((tmp_path / "more").read_bytes())
    assert fastlog(*REPLAY, *KEPT, name).returncode == 0
    assert (tmp_path / "out").read_bytes() == fastlog(*REPLAY, name).stdout


def test_an_interrupted_replay_goes_on(tmp_path: Path, start: Start, fastlog: Run) -> None:
    name = a_log(tmp_path / "a.log", range(4_000))
    command = start(*REPLAY, *KEPT, name)
    until((tmp_path / "state").exists, "a state")
    command.kill(signal.SIGINT)
    assert command.wait() in (0, -signal.SIGINT)
    assert fastlog(*REPLAY, *KEPT, name).returncode == 0
    assert (tmp_path / "out").read_bytes() == fastlog(*REPLAY, name).stdout


def entry(step: int, section: str = "x") -> bytes:
    return line(START + STEP * step, b"GET /%s/y HTTP/1.1" % section.encode())


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def summary_of(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(data.splitlines()[-1])
    return found


def test_a_follow_that_is_killed_at_every_step(tmp_path: Path, start: Start) -> None:
    """Appended to, rotated and left alone, while it runs and while it does not."""
    log = tmp_path / "access.log"
    log.touch()
    arguments = (*FOLLOW, "-f", "--from", "start", *KEPT, "access.log")
    for step in range(0, 8, 2):
        command = start(*arguments)
        append(log, entry(step))
        until(lambda step=step: counted(tmp_path) == step + 1, "the line that came while it ran")
        command.kill(signal.SIGKILL)
        command.wait()
        append(log, entry(step + 1)[:20])
        if step == 4:
            log.rename(tmp_path / "access.log.1")
            append(tmp_path / "access.log.1", entry(step + 1)[20:])
            log.touch()
        else:
            append(log, entry(step + 1)[20:])
    command = start(*arguments).started()
    until(lambda: counted(tmp_path) == 8, "the last line")
    command.kill(signal.SIGTERM)
    assert command.wait() == 0, command.messages
    events = [json.loads(text) for text in (tmp_path / "out").read_bytes().splitlines()]
    assert (events[-1]["lines"], events[-1]["late"]) == (8, 0)
    windows = [event["start"] for event in events if event["event"] == "stats" and event["hits"]]
    assert windows == [START + STEP * step for step in range(8)]
    fired = [event["at"] for event in events if event["event"] == "alert" and event["state"] == "firing"]
    assert fired == windows


def ended(command: Command) -> bool:
    """Whether it is dead; it is still there to be waited for."""
    return not state_of(command.pid)


@pytest.mark.parametrize("when", ["output", "record", "after"])
def test_a_follow_that_dies_while_it_writes(tmp_path: Path, start: Start, when: str) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(b"".join(entry(step) for step in range(50)))
    arguments = (*FOLLOW, "-f", "--from", "start", *KEPT, "access.log")
    for lines, number in ((51, 1), (52, 2), (53, 2)):
        command = start(*arguments, program=(*MORTAL, when, str(number)))
        append(log, entry(lines - 1))
        until(lambda command=command, lines=lines: ended(command) or counted(tmp_path) == lines, "its end")
        command.kill(signal.SIGKILL)
        command.wait()
    command = start(*arguments).started()
    until(lambda: counted(tmp_path) == lines, "all lines")
    command.kill(signal.SIGTERM)
    assert command.wait() == 0, command.messages
    events = [json.loads(text) for text in (tmp_path / "out").read_bytes().splitlines()]
    assert events[-1]["lines"] == lines
    windows = [event["start"] for event in events if event["event"] == "stats" and event["hits"]]
    assert windows == sorted(set(windows))
    assert len(windows) == lines


@pytest.mark.parametrize("begin", ["start", "end"])
def test_a_follow_that_is_killed_before_its_first_line_is_counted(
    tmp_path: Path, start: Start, mortal: Run, begin: str
) -> None:
    """Where reading starts is on record by then: rotated since, the file is found again."""
    log = tmp_path / "access.log"
    log.write_bytes(entry(0))
    arguments = (*FOLLOW, "-f", "--from", begin, *KEPT, "access.log")
    assert mortal("after", 1, *arguments).returncode == -signal.SIGKILL
    assert counted(tmp_path) == 0
    append(log, entry(1))
    log.rename(tmp_path / "access.log.1")
    log.write_bytes(entry(2))
    command = start(*arguments)
    lines = 3 if begin == "start" else 2
    until(lambda: counted(tmp_path) == lines, "all lines")
    command.kill(signal.SIGTERM)
    assert command.wait() == 0, command.messages


def test_a_follow_that_was_stopped_takes_its_summary_back(tmp_path: Path, start: Start) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(entry(0))
    for lines in (1, 2):
        command = start(*FOLLOW, "-f", "--from", "start", *KEPT, "access.log")
        until(lambda lines=lines: counted(tmp_path) == lines, "the line")
        command.kill(signal.SIGTERM)
        assert command.wait() == 0
        append(log, entry(lines))
    out = (tmp_path / "out").read_bytes()
    assert out.count(b'"summary"') == 1
    assert summary_of(out)["lines"] == 2


REFUSED = {
    "empty": (lambda state: state.write_bytes(b""), "is empty"),
    "cut short": (lambda state: os.truncate(state, state.stat().st_size - 9), "is cut short"),
    "damaged": (
        lambda state: state.write_bytes(state.read_bytes().replace(b"lines", b"linen")),
        "is damaged",
    ),
    "a link": (lambda state: state.rename("s").samefile("s") and state.symlink_to("s"), "is a symbolic link"),
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_state_that_cannot_be_believed(
    tmp_path: Path, fastlog: Run, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.chdir(tmp_path)
    name = a_log(tmp_path / "a.log", range(10))
    whole = fastlog(*REPLAY, *KEPT, name)
    assert whole.returncode == 0
    out = (tmp_path / "out").read_bytes()
    spoil, said = REFUSED[how]
    spoil(tmp_path / "state")
    done = fastlog(*REPLAY, *KEPT, name)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert said in done.stderr.decode()
    assert (tmp_path / "out").read_bytes() == out


@pytest.mark.parametrize(
    "other", [("-t", "7"), ("--stats-window", "7"), ("--format", "combined"), ("b.log",)]
)
def test_a_state_of_other_settings(tmp_path: Path, fastlog: Run, other: tuple[str, ...]) -> None:
    name = a_log(tmp_path / "a.log", range(10))
    a_log(tmp_path / "b.log", range(10))
    assert fastlog(*REPLAY, *KEPT, name).returncode == 0
    done = fastlog(*REPLAY, *KEPT, name, *other)
    assert (done.returncode, b"was made with other settings (" in done.stderr) == (2, True)


def test_the_parser_and_the_workers_are_no_such_settings(tmp_path: Path, mortal: Run, fastlog: Run) -> None:
    name = a_log(tmp_path / "a.log", range(3_000))
    assert mortal("after", 2, *REPLAY, *KEPT, "--parser", "regex", name).returncode == -signal.SIGKILL
    assert fastlog(*REPLAY, *KEPT, "--workers", "1", name).returncode == 0
    assert (tmp_path / "out").read_bytes() == fastlog(*REPLAY, name).stdout


@pytest.mark.parametrize("what", ["replaced", "cut", "changed before the place"])
def test_another_file_under_the_name(tmp_path: Path, fastlog: Run, what: str) -> None:
    log = tmp_path / a_log(tmp_path / "a.log", range(10))
    assert fastlog(*REPLAY, *KEPT, log.name).returncode == 0
    data = log.read_bytes()
    if what == "replaced":
        log.rename(tmp_path / "a.log.1")
        log.write_bytes(data)
    elif what == "cut":
        os.truncate(log, 100)
    else:
        log.write_bytes(data[:-5] + b"7" + data[-4:])
    done = fastlog(*REPLAY, *KEPT, log.name)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"a.log is not the file that was counted, or was cut: remove it" in done.stderr


def test_an_output_that_lost_bytes(tmp_path: Path, fastlog: Run) -> None:
    name = a_log(tmp_path / "a.log", range(100))
    assert fastlog(*REPLAY, *KEPT, name).returncode == 0
    (tmp_path / "out").write_bytes(b"")
    done = fastlog(*REPLAY, *KEPT, name)
    assert (done.returncode, b"--output out: has 0 bytes, and the state vouches for" in done.stderr) == (
        2,
        True,
    )


def test_two_runs_on_one_state(tmp_path: Path, start: Start, fastlog: Run) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(entry(0))
    command = start(*FOLLOW, "-f", "--from", "start", *KEPT, "access.log")
    until(lambda: counted(tmp_path) == 1, "the line")
    done = fastlog(*FOLLOW, "-f", *KEPT, "access.log")
    assert (done.returncode, b"is in use by another run" in done.stderr) == (2, True)
    command.kill(signal.SIGKILL)
    command.wait()
    again = start(*FOLLOW, "-f", *KEPT, "access.log").started()
    again.kill(signal.SIGTERM)
    assert again.wait() == 0, again.messages
    assert summary_of((tmp_path / "out").read_bytes())["lines"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a.log", "--rejects", "state"), "--state and --rejects are one file"),
        (("-",), "standard input"),
        (("/dev/null",), "is no regular file"),
        (("a.log", "-o", "state"), "are one file"),
    ],
)
def test_what_a_state_does_not_hold(
    tmp_path: Path, fastlog: Run, arguments: tuple[str, ...], said: str
) -> None:
    a_log(tmp_path / "a.log", range(1))
    done = fastlog("--format", "common", "--state", "state", *arguments)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert said in done.stderr.decode()


def test_a_full_disk_for_the_state(tmp_path: Path, fastlog: Run) -> None:
    name = a_log(tmp_path / "a.log", range(10))
    (tmp_path / "state.new").mkdir()  # what cannot be removed stands in its way
    whole = fastlog(*REPLAY, name).stdout
    done = fastlog(*REPLAY, "--state", "state", name)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"--state state: Is a directory: " in done.stderr
    assert done.stdout == whole  # which is complete
    (tmp_path / "state.new").rmdir()
    assert fastlog(*REPLAY, "--state", "state", name).returncode == 0


def test_a_full_disk_for_the_state_of_a_follow_for_a_while(tmp_path: Path, start: Start) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(entry(0))
    arguments = (*FOLLOW, "-f", "--from", "start", *KEPT, "access.log")
    command = start(*arguments)
    until(lambda: counted(tmp_path) == 1, "the line")
    (tmp_path / "state.new").mkdir()
    append(log, entry(1))
    command.told("tried again every second")
    assert counted(tmp_path) == 1  # the old one is whole
    append(log, entry(2))
    until(lambda: b'"hits":1' in (tmp_path / "out").read_bytes()[-400:], "that it counts on")
    (tmp_path / "state.new").rmdir()
    until(lambda: counted(tmp_path) == 3, "the record")
    command.kill(signal.SIGTERM)
    assert command.wait() == 0, command.messages
    assert command.messages.count("--state state: Is a directory: ") == 1
    assert summary_of((tmp_path / "out").read_bytes())["complete"] is True


# A rule that fires, goes on firing over many records, and recovers; one by key; one that is told in silence.
RULES = """\
[[rule]]
name = "busy"
measure = "hits"
window = 50
above = 100
recover = 20

[[rule]]
name = "section"
measure = "bytes"
per = "section"
window = 30
above = 5

[[rule]]
name = "died"
measure = "rate"
window = 40
below = 0.1
for = 5
"""


def watched(folder: Path) -> tuple[str, ...]:
    """The arguments for the rules, of which ``told`` gets all events."""
    (folder / "rules.toml").write_text(f'{RULES}[[notify]]\nexec = ["sh", "-c", "cat >> told"]\n')
    return "--rules", "rules.toml"


@pytest.mark.parametrize(
    ("when", "parser"), [("output", "auto"), ("record", "auto"), ("after", "auto"), ("after", "regex")]
)
def test_a_replay_that_is_killed_inside_a_firing_alert(
    tmp_path: Path, mortal: Run, fastlog: Run, when: str, parser: str
) -> None:
    """No alert twice, no recovery that was none; and all that happened since a record is told."""
    name = a_log(tmp_path / "a.log", range(3_000), length=2_400)  # a record a chunk: more than deaths
    with (tmp_path / name).open("ab") as file:
        file.write(line(START + 4_000, b"GET /after/ HTTP/1.1"))
    arguments = (*REPLAY, *watched(tmp_path), "--parser", parser)
    whole = fastlog(*arguments, name)
    assert (whole.returncode, whole.stdout.count(b'"rule":"busy"')) == (0, 2)
    told = (tmp_path / "told").read_bytes().splitlines()
    assert [text for text in whole.stdout.splitlines() if b'"event":"alert"' in text] == told
    (tmp_path / "told").unlink()
    for number in (2, 1, 2):
        assert mortal(when, number, *arguments, *KEPT, name).returncode == -signal.SIGKILL
    assert fastlog(*arguments, *KEPT, name).returncode == 0
    events, expected = ((tmp_path / "out").read_bytes().splitlines(), whole.stdout.splitlines())
    assert events[:-1] == expected[:-1]
    assert set((tmp_path / "told").read_bytes().splitlines()) == set(told)
    assert summary_of(b"\n".join(events))["alerts"] == summary_of(whole.stdout)["alerts"]


def test_what_was_told_is_not_told_again(tmp_path: Path, fastlog: Run) -> None:
    name = a_log(tmp_path / "a.log", range(1_000))
    arguments = (*REPLAY, *watched(tmp_path), *KEPT, name)
    assert fastlog(*arguments).returncode == 0
    first = (tmp_path / "told").read_bytes()
    counts = summary_of((tmp_path / "out").read_bytes())["notify"]
    assert counts == {"delivered": first.count(b"\n"), "given_up": 0}
    a_log(tmp_path / "more", range(1_000, 1_100))
    with (tmp_path / name).open("ab") as file:
        file.write((tmp_path / "more").read_bytes())
    assert fastlog(*arguments).returncode == 0
    again = (tmp_path / "told").read_bytes()[len(first) :]
    assert not set(first.splitlines()) & set(again.splitlines())
    counts = summary_of((tmp_path / "out").read_bytes())["notify"]
    assert counts == {"delivered": (first + again).count(b"\n"), "given_up": 0}


def test_that_it_was_told_cannot_be_put_on_record(tmp_path: Path, fastlog: Run) -> None:
    """The last record has an alert that waits; it is delivered after that, and by then the disk is full.

    Nothing of the result is missing, but a next run would tell it again: one message, and status 1.
    """
    name = a_log(tmp_path / "a.log", range(105))
    full = "cat >> told; until grep -q '\"partial\":true' out; do sleep 0.01; done; mkdir -p state.new"
    (tmp_path / "rules.toml").write_text(f"[[notify]]\nexec = ['sh', '-c', '''{full}''']\n")
    arguments = (*REPLAY, "--rules", "rules.toml", *KEPT, name)
    done = fastlog(*arguments)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"--state state: Is a directory: " in done.stderr
    assert b"would send again" in done.stderr
    whole = fastlog(*REPLAY, name).stdout
    assert whole.count(b'"event":"alert"') == (tmp_path / "told").read_bytes().count(b"\n") == 1
    out = (tmp_path / "out").read_bytes()
    assert out.splitlines()[:-1] == whole.splitlines()[:-1]
    assert summary_of(out) == {**summary_of(whole), "notify": {"delivered": 1, "given_up": 0}}
    (tmp_path / "state.new").rmdir()
    (tmp_path / "rules.toml").write_text("[[notify]]\nexec = ['sh', '-c', 'cat >> told']\n")
    assert fastlog(*arguments).returncode == 0
    assert (tmp_path / "told").read_bytes().count(b"\n") == 2


def test_what_waited_for_a_target_is_sent_by_the_next_run(tmp_path: Path, start: Start) -> None:
    """Killed while the target does not answer: the alert is in the record, with those who wait for it."""
    log = tmp_path / "access.log"
    log.write_bytes(entry(0))
    arguments = (*FOLLOW, "-f", "--from", "start", *KEPT, "--rules", "rules.toml", "access.log")
    (tmp_path / "rules.toml").write_text('[[notify]]\nexec = ["sh", "-c", "cat >> told; exec sleep 60"]\n')
    command = start(*arguments)
    told = tmp_path / "told"
    until(lambda: counted(tmp_path) == 1, "the line")
    until(lambda: told.exists() and told.read_bytes().endswith(b"}\n"), "the alert")  # it outlives the hub
    command.kill(signal.SIGKILL)
    command.wait()
    before = told.read_bytes()
    (tmp_path / "rules.toml").write_text('[[notify]]\nexec = ["sh", "-c", "cat >> told"]\n')
    again = start(*arguments).started()
    until(
        lambda: told.exists() and b'"state":"resolved"' in told.read_bytes()[len(before) :],
        "what waited",
    )
    again.kill(signal.SIGTERM)
    assert again.wait() == 0, again.messages
    sent = [json.loads(text)["state"] for text in told.read_bytes()[len(before) :].splitlines()]
    assert sent == ["firing", "resolved"]


@pytest.mark.parametrize("change", ["above = 100", "window = 50", 'name = "busy"'])
def test_a_state_of_other_rules(tmp_path: Path, fastlog: Run, change: str) -> None:
    name = a_log(tmp_path / "a.log", range(10))
    arguments = (*REPLAY, *KEPT, *watched(tmp_path), name)
    assert fastlog(*arguments).returncode == 0
    rules = tmp_path / "rules.toml"
    text = rules.read_text()
    rules.write_text(text.replace(change, change.replace("0", "1").replace("y", "z")))
    done = fastlog(*arguments)
    assert (done.returncode, b"was made with other settings (--rules)" in done.stderr) == (2, True)
    rules.rename(tmp_path / "others.toml")
    (tmp_path / "others.toml").write_text(f"# the same, in other words\n{text}".replace("50", "50 # s", 1))
    done = fastlog(*REPLAY, *KEPT, "--rules", "others.toml", name)
    assert done.returncode == 0, done.stderr
