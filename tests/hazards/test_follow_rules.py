"""Rules in a follow, from outside: they fire and recover as lines come, and as none comes."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hazards.command import Command
from tests.properties.strategies import line

Start = Callable[..., Command]
START = 1_525_881_600
FOLLOW = (
    "-f",
    "--from",
    "start",
    "--json",
    "--no-stats",
    "--format",
    "common",
    "--lateness",
    "0",
    "-t",
    "1000",
)


def hit(second: int, section: str = "x", status: bytes = b"200", size: bytes = b"5") -> bytes:
    return line(START + second, b"GET /%s/y HTTP/1.1" % section.encode(), status=status, size=size)


@pytest.fixture(params=["auto", "regex"])
def follow(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> Callable[..., Command]:
    """A follow of ``access.log`` with some rules, by either parser and so by either twin of the windows."""

    def begin(rules: str, lines: bytes, *arguments: str) -> Command:
        (tmp_path / "rules.toml").write_text(rules)
        (tmp_path / "access.log").write_bytes(lines)
        watched = ("--parser", request.param, "--workers", "1", "--rules", "rules.toml")
        return start(*FOLLOW, *watched, *arguments, "access.log")

    return begin


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def said(command: Command, count: int) -> list[tuple[Any, ...]]:
    """So many alerts and recoveries, as they come: key, state, second, value."""
    events = [command.event() for _ in range(count)]
    assert {event["event"] for event in events} == {"alert"}
    return [(event["key"], event["state"], event["at"] - START, event["value"]) for event in events]


def ended(command: Command) -> dict[str, Any]:
    """The summary of a follow that is asked to end, and says nothing else."""
    command.kill(signal.SIGTERM)
    (summary,) = command.events()
    assert command.wait() == 0, command.messages
    found: dict[str, Any] = summary
    return found


def test_a_rule_fires_and_recovers_in_silence(follow: Callable[..., Command]) -> None:
    """Its clock goes on with the wall's while no line comes: the recovery is that of the third second."""
    command = follow('[[rule]]\nname = "busy"\nmeasure = "hits"\nwindow = 3\nabove = 2\n', hit(0) * 3)
    events = [command.event(), command.event()]
    assert events == [
        {
            "event": "alert",
            "rule": "busy",
            "key": None,
            "state": "firing",
            "at": START,
            "hits": 3,
            "rate": 1.0,
            "value": 3,
            "threshold": 2.0,
            "window": 3,
            "message": "busy fired - hits = 3 over 3 s, above 2, triggered at 2018-05-09T16:00:00Z",
        },
        {
            "event": "alert",
            "rule": "busy",
            "key": None,
            "state": "resolved",
            "at": START + 3,
            "hits": 0,
            "rate": 0.0,
            "value": 0,
            "threshold": 2.0,
            "window": 3,
            "message": "busy recovered - hits = 0 over 3 s, recovered at 2018-05-09T16:00:03Z",
        },
    ]
    assert list(events[0]) == [
        "event", "rule", "key", "state", "at", "hits", "rate", "value", "threshold", "window", "message",
    ]  # fmt: skip
    summary = ended(command)
    assert (summary["alerts"], summary["open_alerts"], summary["last"]) == (1, [], START)


def test_traffic_that_dies_is_told_in_silence(follow: Callable[..., Command], tmp_path: Path) -> None:
    rule = '[[rule]]\nname = "died"\nmeasure = "hits"\nwindow = 2\nbelow = 1\n'
    command = follow(rule, b"".join(map(hit, range(4))))
    assert said(command, 1) == [(None, "firing", 5, 0)]
    append(tmp_path / "access.log", hit(8_000))
    assert said(command, 2) == [(None, "resolved", 8_000, 1), (None, "firing", 8_002, 0)]
    assert ended(command)["open_alerts"] == ["died"]


def test_each_section_has_an_alert_of_its_own(follow: Callable[..., Command], tmp_path: Path) -> None:
    rule = """\
[[rule]]
name = "errors"
where = "status >= 500"
measure = "share"
per = "section"
window = 2
above = 0.5
recover = 0.25
min_hits = 2
"""
    bad, good = hit(0, "a", b"503") * 2, hit(0, "b") * 2 + hit(0, "c", b"500")
    command = follow(rule, bad + good)
    assert said(command, 1) == [("/a", "firing", 0, 1.0)]
    # Of too few hits there is no verdict: it goes on firing while nothing comes.
    append(tmp_path / "access.log", hit(8_000, "b", b"502") * 3 + hit(8_000, "a") * 3)
    assert said(command, 2) == [("/a", "resolved", 8_000, 0.0), ("/b", "firing", 8_000, 1.0)]
    summary = ended(command)
    assert (summary["alerts"], summary["open_alerts"]) == (2, ["errors: /b"])


def test_for_so_many_seconds(follow: Callable[..., Command], tmp_path: Path) -> None:
    rule = '[[rule]]\nname = "long"\nmeasure = "bytes"\nwindow = 1\nabove = 3\nfor = 2\n'
    command = follow(rule, hit(0) + hit(1) + hit(2, size=b"1"))
    append(tmp_path / "access.log", b"".join(hit(8_000 + second) for second in range(4)))
    assert said(command, 2) == [(None, "firing", 8_002, 5), (None, "resolved", 8_004, 0)]
    assert ended(command)["alerts"] == 1


def test_it_is_what_the_replay_says(follow: Callable[..., Command], fastlog: Callable[..., Any]) -> None:
    rules = "".join(
        f'[[rule]]\nname = "{name}"\n{rule}\nwindow = 5\n'
        for name, rule in {
            "hits": 'measure = "hits"\nper = "section"\nabove = 4',
            "dead": 'measure = "rate"\nbelow = 0.5',
            "errors": 'measure = "share"\nwhere = "status == 500"\nabove = 0.4\nfor = 1',
        }.items()
    )
    seconds = [0, 0, 1, 2, 2, 2, 3, 5, 11, 12, 20, 20, 20, 21, 22, 23]
    log = b"".join(hit(s, "ab"[s % 2], b"500" if s in (2, 20) else b"200") for s in seconds)
    command = follow(rules, log + hit(60_000))  # a leap, so that nothing waits for the wall clock
    replay = fastlog(*FOLLOW[3:], "--rules", "rules.toml", "access.log")
    alerts = [text for text in replay.stdout.splitlines(keepends=True) if b'"alert"' in text]
    before = [text for text in alerts if json.loads(text)["at"] < START + 60_000]
    assert len(before) >= 6
    assert [command.line() for _ in before] == before
    command.kill(signal.SIGTERM)
    command.rest()
    assert command.wait() == 0
