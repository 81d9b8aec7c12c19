r"""Every ``*.toml`` here is a test that a user could write: a log, a command line, what it prints.

    name = "what is shown"
    args = ["--format", "common", "access.log"]
    status = 0                  # the exit status; 0 when left out
    input = "..."               # standard input; or, for files:
    [files]
    "access.log" = "..."

    stdout = '''...'''          # all that --json prints
    json_contains = ["..."]     # or what it must hold, where all would be long
    contains = ["..."]          # what the text for people must hold, in this order
    stderr = ["..."]            # what stderr must hold, in this order, with --json and without

A log is a text, or a list of ``{ text = "...", times = 1, seconds = 1, start = 0 }``: the
line is written ``times`` times in each of so many ``seconds``, with ``{stamp}`` and ``{n}``
replaced by the moment (``start`` is in epoch seconds) and by the line's number. With
``latin1 = true`` each character is one byte.
"""

import tomllib
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.properties.strategies import stamp

Run = Callable[..., CompletedProcess[bytes]]
HERE = Path(__file__).parent
GOLDENS = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(HERE.glob("*.toml"))}
KEYS = {"name", "args", "status", "input", "files", "stdout", "json_contains", "contains", "stderr", "latin1"}


def written(log: str | list[dict[str, Any]], encoding: str) -> bytes:
    """The bytes of a log that a golden describes."""
    if isinstance(log, str):
        return log.encode(encoding)
    lines: list[str] = []
    for row in log:
        for second in range(row.get("seconds", 1)):
            moment = stamp(row.get("start", 0) + second).decode()
            for _ in range(row.get("times", 1)):
                lines.append(row["text"].replace("{stamp}", moment).replace("{n}", str(len(lines))) + "\n")
    return "".join(lines).encode(encoding)


def ran(golden: dict[str, Any], folder: Path, run: Run, *more: str) -> CompletedProcess[bytes]:
    encoding = "latin-1" if golden.get("latin1") else "utf-8"
    for name, log in golden.get("files", {}).items():
        (folder / name).write_bytes(written(log, encoding))
    done = run(*more, *golden["args"], stdin=written(golden.get("input", ""), encoding))
    assert done.returncode == golden.get("status", 0), done.stderr.decode()
    assert_in_order(golden.get("stderr", []), done.stderr.decode())
    assert "Traceback" not in done.stderr.decode()
    return done


def assert_in_order(pieces: list[str], text: str) -> None:
    at = 0
    for piece in pieces:
        found = text.find(piece, at)
        assert found >= 0, f"{piece!r} is not in, or not in its place in:\n{text}"
        at = found + len(piece)


@pytest.mark.parametrize("stem", GOLDENS)
def test_the_keys_of_a_golden_are_known(stem: str) -> None:
    assert set(GOLDENS[stem]) <= KEYS
    assert {"name", "args"} <= set(GOLDENS[stem])


@pytest.mark.parametrize("stem", GOLDENS)
def test_json(stem: str, tmp_path: Path, fastlog: Run) -> None:
    golden = GOLDENS[stem]
    output = ran(golden, tmp_path, fastlog, "--json").stdout.decode()
    if "stdout" in golden:
        assert output == golden["stdout"]
    assert_in_order(golden.get("json_contains", []), output)


@pytest.mark.parametrize("stem", GOLDENS)
def test_text(stem: str, tmp_path: Path, fastlog: Run) -> None:
    golden = GOLDENS[stem]
    output = ran(golden, tmp_path, fastlog).stdout.decode()
    assert "\x1b" not in output
    assert_in_order(golden.get("contains", []), output)
