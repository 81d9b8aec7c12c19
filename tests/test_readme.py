"""The README is true: its commands run, its options are the command's, its screen is what is printed."""

import gzip
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from fastlog.arguments import options_of
from fastlog.cli import configuration_of
from fastlog.model.notify import parse_notify
from fastlog.model.snapshot import DurationHistogram, Snapshot
from fastlog.sinks.metrics import metrics_page

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
LINE = '192.0.2.1 - - [10/Oct/2000:13:55:{:02d} -0700] "GET /api/x HTTP/1.1" 200 512\n'

Run = Callable[..., subprocess.CompletedProcess[bytes]]

CONSOLE = [
    line.removeprefix("$ ").partition("  #")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]
FASTLOG = [command for command in CONSOLE if "fastlog" in command and not command.startswith("docker ")]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder with the logs that the README speaks of."""
    (tmp_path / "access.log").write_text(LINE.format(30))
    (tmp_path / "access.log.1").write_text(LINE.format(10) * 2)
    (tmp_path / "old.gz").write_bytes(gzip.compress(LINE.format(20).encode() * 3))
    blocks = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "rules.toml").write_text(next(block for block in blocks if "[[rule]]" in block))
    for number, server in enumerate(("web1", "web2"), 1):
        (tmp_path / server).mkdir()
        (tmp_path / server / "access.log.2.gz").write_bytes(gzip.compress(LINE.format(5).encode() * number))
    return tmp_path


def test_there_are_commands() -> None:
    assert len(FASTLOG) >= 6
    assert {"make demo", "make test"} <= set(CONSOLE)


@pytest.mark.parametrize("command", [command for command in CONSOLE if command.startswith("make ")])
def test_a_make_command_has_its_target(command: str) -> None:
    assert re.search(rf"^{command.split()[1]}:", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("command", FASTLOG)
def test_an_example_is_understood(command: str) -> None:
    words = shlex.split(next(part for part in command.split(" | ") if part.startswith("fastlog")))
    assert configuration_of(options_of(words[1:]))


@pytest.mark.parametrize(
    "command", [command for command in FASTLOG if "access.log*" in command or "cat old" in command]
)
def test_a_replay_example_runs(command: str, logs: Path, environment: dict[str, str]) -> None:
    script = command.replace("fastlog", f"{shlex.quote(sys.executable)} -m fastlog", 1)
    done = subprocess.run(
        script, shell=True, cwd=logs, env=environment, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"3 hits" in done.stdout


def test_the_rules_are_what_is_watched(logs: Path, fastlog: Run) -> None:
    shown = re.search(r"<!-- rules -->\n```\n(.*?)```", README, re.DOTALL)
    assert shown
    assert (logs / "rules.toml").exists()
    said = fastlog("--check-rules", "rules.toml")
    assert (said.returncode, said.stderr) == (0, b"")
    assert said.stdout.decode() == shown[1]
    (logs / "access.log").write_text(
        "".join(LINE.format(second).replace(" 200 ", " 503 ") * 20 for second in range(30))
    )
    tried = fastlog("--rules", "rules.toml", "access.log")
    assert tried.returncode == 0
    assert "ALERT      5xx share fired for section /api - share = 1 over 60 s" in tried.stdout.decode()


@pytest.mark.skipif(shutil.which("jq") is None, reason="the README counts with jq")
def test_how_often_a_rule_would_have_fired(logs: Path, environment: dict[str, str]) -> None:
    script = re.search(r"^\$ (fastlog --rules .*uniq -c)$", README, re.MULTILINE)
    assert script
    lines = [LINE.format(second).replace(" 200 ", " 503 ") * 20 for second in range(30)]
    (logs / "access.log").write_text("".join(lines) + LINE.format(50) * 10_000)
    done = subprocess.run(
        script[1].replace("fastlog", f"{shlex.quote(sys.executable)} -m fastlog", 1),
        shell=True, cwd=logs, env=environment, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert [row.split(None, 1) for row in done.stdout.decode().splitlines()] == [
        ["1", "5xx share"],
        ["1", "traffic"],
    ]


def test_the_python_example_runs(logs: Path, environment: dict[str, str]) -> None:
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code
    done = subprocess.run(
        [sys.executable, "-c", code[1]],
        cwd=logs,
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.split()[0] == b"3"


def test_the_table_of_options_is_that_of_the_command(fastlog: Run) -> None:
    told = set(re.findall(r"`(--[a-z-]+)", "\n".join(re.findall(r"^\| `.*?\|", README, re.MULTILINE))))
    known = set(re.findall(r"--[a-z-]+", fastlog("--help").stdout.decode()))
    # argparse shows both forms of a switch, the README one of --stats and --progress with its twin.
    assert known - told == {"--help", "--version"}
    assert told - known == set()


def test_the_notifications_are_what_a_rules_file_takes() -> None:
    entries = [
        entry
        for block in re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
        for entry in tomllib.loads(block).get("notify", [])
    ]
    targets = [parse_notify(entry, number) for number, entry in enumerate(entries, 1)]
    assert [(target.body, target.wants("traffic")) for target in targets] == [("text", True), ("event", True)]


def test_the_script_for_alerts_runs(tmp_path: Path, environment: dict[str, str]) -> None:
    script = re.search(r"```sh\n(.*?)```", README, re.DOTALL)
    assert script
    logger = tmp_path / "logger"
    logger.write_text('#!/bin/sh\nprintf "%s\\n" "$*" >> called\n')
    logger.chmod(0o700)
    events = [
        f'{{"event":"alert","rule":"a\\\\x1b","state":"{state}"}}\n' for state in ("firing", "resolved")
    ]
    for event in events:
        subprocess.run(
            ["sh", "-c", script[1].replace("/var/log/", "")],
            input=event.encode(),
            cwd=tmp_path,
            env={**environment, "PATH": f"{tmp_path}:{environment['PATH']}"},
            timeout=60,
            check=True,
        )
    assert (tmp_path / "alerts.ndjson").read_text() == "".join(events)
    assert (tmp_path / "called").read_text() == f"-p user.alert -t fastlog {events[0]}"


def test_the_metrics_are_those_that_are_served() -> None:
    told = set(re.findall(r"`(fastlog_[a-z_]+)", README))
    durations = DurationHistogram(((1.0, 0),), hits=0, seconds=0)
    page = metrics_page(Snapshot(0, {}, {}, 0, 0, 0, {}, watermark=0, durations=durations), 0)
    assert told == {line.split()[2] for line in page.decode().splitlines() if line.startswith("# TYPE")}


@pytest.fixture
def demo_log(tmp_path: Path) -> Path:
    """The log of `make demo`."""
    made = re.search(r"^DEMO     := (.*)$", MAKEFILE, re.MULTILINE)
    assert made is not None
    log = tmp_path / "access.log"
    subprocess.run(
        [sys.executable, "-m", "bench.corpus", *shlex.split(made[1]), "-o", log],
        cwd=ROOT,
        timeout=60,
        check=True,
    )
    return log


def test_the_json_is_what_the_demo_prints(demo_log: Path, fastlog: Run) -> None:
    shown = re.search(r"<!-- json -->\n```json\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    printed = fastlog("--json", "--stats", "--stats-window", "60", demo_log).stdout.decode().splitlines()
    events = list(map(json.loads, printed))
    told = list(map(json.loads, re.split(r"\n(?=\{)", shown[1])))
    assert [event["event"] for event in told] == ["stats", "alert", "alert", "summary"]
    for event in told:
        tables = ("sections", "statuses", "methods")
        found = [
            {key: list(value.items())[:2] if key in tables else value for key, value in each.items()}
            for each in events
            if each.keys() == event.keys()
        ]
        cut = {key: list(value.items()) if key in tables else value for key, value in event.items()}
        assert list(cut.items()) in [list(each.items()) for each in found]


def test_the_screen_is_what_the_demo_prints(demo_log: Path, fastlog: Run) -> None:
    shown = re.search(r"<!-- demo -->\n```\n(.*?)```", README, re.DOTALL)
    ran = re.search(r"^\t\$\(BIN\)/fastlog (.*) \$\(DEMO_LOG\)$", MAKEFILE, re.MULTILINE)
    assert shown is not None
    assert ran is not None
    printed = fastlog(*shlex.split(ran[1]), demo_log).stdout.decode().splitlines()
    missing = [line for line in shown[1].splitlines() if line not in printed and line != "..."]
    assert missing == []
    assert any("High traffic generated an alert - hits = " in line for line in shown[1].splitlines())
