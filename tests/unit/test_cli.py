"""The command line: what is accepted, what is refused and in which words."""

import platform
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from fastlog import __version__
from fastlog.api import replay
from fastlog.arguments import options_of
from fastlog.cli import configuration_of, main
from fastlog.config import DEFAULT_LOG, Config, listen_address, usable_cpus
from fastlog.errors import UsageError
from tests.properties.strategies import line

Run = Callable[..., subprocess.CompletedProcess[bytes]]
START = 1_525_881_600


def config(*arguments: str) -> Config:
    made = configuration_of(options_of(arguments))
    assert isinstance(made, Config)
    return made


def test_nothing_follows_the_default_log() -> None:
    made = config()
    assert (list(made.paths), made.follow, made.from_start) == ([DEFAULT_LOG], True, False)
    assert made.wants_stats
    assert made.late_seconds == 2
    assert (made.threshold, made.alert_window, made.stats_window, made.step) == (10.0, 120, 10, 10)
    assert (made.workers, made.top, made.tz, made.format) == (usable_cpus(), 5, "UTC", "auto")


def test_files_are_replayed() -> None:
    made = config("a.log", "-", "b.log")
    assert (list(made.paths), made.follow) == (["a.log", "-", "b.log"], False)
    assert not made.wants_stats
    assert made.late_seconds == 60


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["-f", "a"], "follow", True),
        (["--follow", "a"], "follow", True),
        (["--log-file-path", "a"], "paths", ["a"]),
        (["a", "-q", "b", "-t", "5", "c"], "paths", ["a", "b", "c"]),
        (["a", "-q", "b", "-t", "5", "c"], "quiet", True),
        (["a", "-q", "-"], "paths", ["a", "-"]),
        (["--", "-a"], "paths", ["-a"]),
        (["a", "--", "-b", "--"], "paths", ["a", "-b", "--"]),
        (["-f", "--", "-b"], "follow", True),
        (["--log-file-path=a"], "follow", True),
        (["-f", "--from", "start", "a"], "from_start", True),
        (["-f", "--from", "end", "a"], "from_start", False),
        (["-w", "3", "a"], "workers", 3),
        (["--workers=3", "a"], "workers", 3),
        (["-t", "0", "a"], "threshold", 0.0),
        (["-t", ".5", "a"], "threshold", 0.5),
        (["--threshold", "10.25", "a"], "threshold", 10.25),
        (["--alert-window", "60", "a"], "alert_window", 60),
        (["--stats-window", "60", "a"], "stats_window", 60),
        (["--stats-window", "60", "--stats-every", "7", "a"], "step", 7),
        (["--stats", "a"], "wants_stats", True),
        (["-f", "--no-stats", "a"], "wants_stats", False),
        (["--lateness", "0", "a"], "late_seconds", 0),
        (["--format", "combined", "a"], "format", "combined"),
        (["--parser", "regex", "a"], "parser", "regex"),
        (["--json", "a"], "json", True),
        (["--top", "0", "a"], "top", 0),
        (["-o", "out", "a"], "output", "out"),
        (["--output", "out", "a"], "output", "out"),
        (["--rejects", "out", "a"], "rejects", "out"),
        (["--rules", "rules.toml", "a"], "rules", "rules.toml"),
        (["--listen", "9100", "a"], "listen", "9100"),
        (["--tz", "Europe/Amsterdam", "a"], "tz", "Europe/Amsterdam"),
        (["--color", "always", "a"], "color", "always"),
        (["--progress", "a"], "progress", True),
        (["--no-progress", "a"], "progress", False),
        (["--fail-on-alert", "a"], "fail_on_alert", True),
        (["-q", "a"], "quiet", True),
        (["--quiet", "a"], "quiet", True),
        (["--", "-f"], "paths", ["-f"]),
    ],
)
def test_an_option_becomes_a_field(arguments: list[str], name: str, value: Any) -> None:
    assert getattr(config(*arguments), name) == value


def test_every_field_can_be_set_from_the_command_line() -> None:
    """Apart from the executor, which is for programs, and the state, which some others exclude."""
    made = config(
        "-f", "--from", "start", "-w", "7", "-t", "3", "--alert-window", "9", "--stats-window", "8",
        "--stats-every", "4", "--no-stats", "--lateness", "1", "--format", "common", "--parser", "regex",
        "--json", "--top", "1", "-o", "o", "--rejects", "r", "--rules", "t", "--listen", "0",
        "--tz", "Asia/Tokyo",
        "--color", "never", "--progress", "--fail-on-alert", "-q", "--log-tz", "Asia/Tokyo", "file",
    )  # fmt: skip
    unset = Config()
    same = {field.name for field in fields(Config) if getattr(made, field.name) == getattr(unset, field.name)}
    assert same == {"executor", "state"}
    assert config("--state", "s", "file").state == "s"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([""], "FILE"),
        (["a", ""], "FILE"),
        (["-f", ""], "FILE"),
        (["--log-file-path", ""], "FILE"),
        (["--workers", "0"], "--workers"),
        (["--workers", "-1"], "--workers"),
        (["--workers", "1025"], "--workers"),
        (["--workers", "two"], "--workers"),
        (["--workers", "1.5"], "--workers"),
        (["--workers", "٣"], "--workers"),
        (["--workers", "1_0"], "--workers"),
        (["--workers", ""], "--workers"),
        (["--workers"], "--workers"),
        (["--threshold", "-1"], "--threshold"),
        (["--threshold", "nan"], "--threshold"),
        (["--threshold", "inf"], "--threshold"),
        (["--threshold", "1e3"], "--threshold"),
        (["--threshold", "1,5"], "--threshold"),
        (["--threshold", "."], "--threshold"),
        (["--threshold", "²"], "--threshold"),
        (["--alert-window", "0"], "--alert-window"),
        (["--alert-window", "99999999999"], "--alert-window"),
        (["--stats-window", "0"], "--stats-window"),
        (["--stats-window", "x"], "--stats-window"),
        (["--stats-every", "0"], "--stats-every"),
        (["--stats-every", "11"], "--stats-every"),
        (["--lateness", "-1"], "--lateness"),
        (["--lateness", "x"], "--lateness"),
        (["--from", "middle", "-f"], "--from"),
        (["--from", "start"], "--from"),
        (["--format", "nope"], "--format"),
        (["--format", ""], "--format"),
        (["--parser", "nope"], "--parser"),
        (["--top", "-1"], "--top"),
        (["--top", "2001"], "--top"),
        (["--listen", ""], "--listen"),
        (["--listen", "http"], "--listen"),
        (["--listen", "65536"], "--listen"),
        (["--listen", "-1"], "--listen"),
        (["--listen", "²"], "--listen"),
        (["--listen", ":9100"], "--listen"),
        (["--listen", "localhost"], "--listen"),
        (["--listen", "localhost:"], "--listen"),
        (["--listen", "::1:9100"], "--listen"),
        (["--listen", "[]:9100"], "--listen"),
        (["--listen", "[localhost]:9100"], "--listen"),
        (["--listen", "a b:9100"], "--listen"),
        (["--listen", "no-such-host.invalid:0"], "--listen"),
        (["--tz", "Mars/Phobos"], "--tz"),
        (["--tz", "../etc/passwd"], "--tz"),
        (["--tz", ""], "--tz"),
        (["--tz", "a\0b"], "--tz"),
        (["--color", "blue"], "--color"),
        (["--output", "no/such/folder/file"], "--output"),
        (["--output", "."], "--output"),
        (["--rejects", "no/such/folder/file"], "--rejects"),
        (["--rules", "x"], "--rules"),
        (["--no-such-option"], "--no-such-option"),
        (["--thresh", "1"], "--thresh"),
        (["-x"], "-x"),
    ],
)
def test_what_cannot_be_used_is_one_line_that_names_the_option(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a.log").write_bytes(line(START))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("socket.getaddrinfo", unknown)  # whoever answers for names here need not be asked
    assert main(["a.log", *arguments]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.startswith("fastlog: ")
    assert said.err.count("\n") == 1
    assert named in said.err
    assert len(said.err) < 300


def unknown(*_: object, **__: object) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_control_characters_in_an_argument_do_not_reach_the_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for arguments in (
        ["--tz", "a\x1b[2Jb\nc"], ["--format", "a\x1b[2Jb\nc"], ["--a\x1b[2Jb\nc"], ["-w", "a\x1b[2Jb\nc"],
        ["--color", "a\x1b[2Jb\nc"], ["-f", "--from", "a\x1b[2Jb\nc"],
    ):  # fmt: skip
        assert main([*arguments, "a.log"]) == 2
        said = capfd.readouterr().err
        assert "\x1b" not in said
        assert said.count("\n") == 1


def test_an_option_may_not_be_abbreviated() -> None:
    with pytest.raises(UsageError, match="--stat"):
        config("--stat", "a")


def test_help_fits_a_screen_and_is_grouped(fastlog: Run) -> None:
    for option in ("--help", "-h"):
        done = fastlog(option)
        assert (done.returncode, done.stderr) == (0, b"")
        shown = done.stdout.decode().rstrip("\n").split("\n")
        assert len(shown) <= 45
        assert max(map(len, shown)) <= 100
        for group in ("input:", "alert and statistics:", "output:"):
            assert group in shown
        for option_named in (
            "--follow", "--log-file-path", "--from", "--workers", "--threshold", "--alert-window", "--stats",
            "--stats-window", "--stats-every", "--lateness", "--format", "--parser", "--json", "--top",
            "--output", "--rejects", "--tz", "--color", "--progress", "--fail-on-alert", "--quiet",
            "--version",
        ):  # fmt: skip
            assert option_named in done.stdout.decode()


def test_version_names_the_parser_python_and_the_platform(fastlog: Run) -> None:
    done = fastlog("--version")
    assert (done.returncode, done.stderr, done.stdout.count(b"\n")) == (0, b"", 1)
    shown = done.stdout.decode()
    assert shown.startswith(f"fastlog {__version__}, ")
    assert "regex parser" in shown or "native parser" in shown
    assert f"Python {platform.python_version()}" in shown
    assert platform.system() in shown


def test_version_loads_nothing_that_it_does_not_need(environment: dict[str, str]) -> None:
    code = (
        "import sys; from fastlog.cli import main; status = main(['--version']);"
        "heavy = {'asyncio', 'uvloop', 'tqdm', 'fastlog.pipeline', 'fastlog.terminal'} & set(sys.modules);"
        "sys.exit(f'loaded: {heavy}' if heavy else status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_format_list_shows_each_with_a_line_that_it_reads(fastlog: Run, tmp_path: Path) -> None:
    done = fastlog("--format", "list")
    assert (done.returncode, done.stderr) == (0, b"")
    rows = done.stdout.decode().rstrip("\n").split("\n")
    names, examples = rows[::2], rows[1::2]
    assert {"common", "combined", "vhost_common", "vhost_combined"} <= set(names)
    for name, example in zip(names, examples, strict=True):
        (tmp_path / "a.log").write_bytes(f"{example.strip()}\n".encode())
        total = replay(tmp_path / "a.log", format=name, executor="inline").summary
        assert (total.parsed, total.lines) == (1, 1), name


def test_exit_statuses(fastlog: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(line(START) * 3)
    busy = ("-w", "1", "--format", "common", "--threshold", "1", "--alert-window", "1", "--fail-on-alert")
    assert fastlog(*busy, "a.log").returncode == 3
    assert fastlog(*busy[:-1], "a.log").returncode == 0
    assert fastlog(*busy[:-1], "a.log", "missing.log").returncode == 1
    assert fastlog(*busy, "a.log", "missing.log").returncode == 1  # what is missing may hold more
    assert fastlog("--color", "blue", "a.log").returncode == 2
    path.write_bytes(b"nonsense\n")
    assert fastlog("a.log").returncode == 2


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("9100", "127.0.0.1", 9100),
        ("0", "127.0.0.1", 0),
        ("0.0.0.0:9100", "0.0.0.0", 9100),
        ("localhost:65535", "localhost", 65535),
        ("[::1]:9100", "::1", 9100),
        ("[::]:80", "::", 80),
    ],
)
def test_an_address_to_listen_on(text: str, host: str, port: int) -> None:
    assert listen_address(text) == (host, port)


@pytest.mark.skipif(find_spec("fastlog.parsers.native") is not None, reason="built here")
@pytest.mark.parametrize("quiet", [False, True])
def test_a_run_without_the_native_parser_says_so(
    quiet: bool, tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "access.log").write_bytes(line(1_525_881_600))
    words = [sys.executable, "-m", "fastlog", "--format", "common", "access.log", *["-q"] * quiet]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=True)
    assert (b"the native parser is not built" in done.stderr) is not quiet


def test_an_interrupt_while_it_loads_is_no_traceback(environment: dict[str, str]) -> None:
    code = textwrap.dedent(
        """
        import os, runpy, signal, sys

        class Interrupting:
            def find_spec(self, name, path=None, target=None):
                if name == "fastlog.version":
                    os.kill(os.getpid(), signal.SIGINT)

        import fastlog.errors
        del sys.modules["fastlog"], sys.modules["fastlog.version"]
        package = type(sys)("fastlog")  # what __main__ imports of it comes once it runs
        package.__path__ = [os.path.dirname(fastlog.__file__)]
        sys.modules["fastlog"] = package
        sys.meta_path.insert(0, Interrupting())
        runpy.run_module("fastlog.__main__", run_name="__main__")
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


@pytest.mark.parametrize("limit", [1 << 25, -1])
@pytest.mark.parametrize(
    "error", [MemoryError(), ImportError("failed to map segment"), RuntimeError("can't start new thread")]
)
def test_want_of_memory_is_no_internal_error_and_names_the_limit(
    error: Exception, limit: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(arguments: object) -> int:
        raise error

    monkeypatch.setattr("fastlog.cli._main", fail)
    monkeypatch.setattr("resource.getrlimit", lambda which: (limit, -1))
    assert main([]) == 1
    said = capfd.readouterr().err
    assert ("(ulimit -v)" in said) == (limit > 0)
    assert ("internal error" in said) == (limit < 0 and not isinstance(error, MemoryError))
