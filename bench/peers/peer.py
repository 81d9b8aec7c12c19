"""What a peer is."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import BinaryIO, Literal

from bench.corpus import LogFormat
from bench.peers.answer import Answer

Question = Literal["totals", "cells"]

COLUMNS: dict[LogFormat, tuple[str, ...]] = {
    "common": ("host", "ident", "user", "time", "zone", "request", "status", "size"),
    "combined": ("host", "ident", "user", "time", "zone", "request", "status", "size", "referrer", "agent"),
}
"""A log as a table: spaces between columns, quotes around some; the time and its zone are two."""

LINE = r'^\S+ \S+ .+? \[([^ \]]+) [^\]]+\] "(?:[^ "]+ (/[^/?# ]*))?.*?" (\d{3}) (\d{1,18}|-)(?:\s|$)'
"""Time, section, status and size of a line, for peers whose tables hostile lines would break."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a peer is to do; ``threads`` are fastlog's workers, ``odd`` says that there are hostile lines."""

    path: str
    format: LogFormat
    question: Question
    threads: int
    odd: bool = False


@dataclass(frozen=True, slots=True)
class Peer:
    """A program: ``version`` gives None where it is not installed, ``read`` takes what it printed.

    ``threads`` says whether it can be told to use several; it is asked only of one that is installed.
    """

    name: str
    version: Callable[[], str | None]
    command: Callable[[Task], list[str]]
    read: Callable[[BinaryIO], Answer]
    threads: Callable[[], bool] = lambda: False


def script(module: str) -> Callable[[Task], list[str]]:
    """The command of a peer that is a Python module of this package; :func:`say` is its other end."""

    def command(task: Task) -> list[str]:
        words = (task.path, task.format, task.question, str(task.threads), "odd" if task.odd else "plain")
        return [sys.executable, "-m", module, *words]

    return command


def say(fold: Callable[[Task], Answer]) -> None:
    """Run such a script: do the task of its arguments, and print the answer."""
    path, log_format, question, threads, odd = sys.argv[1:]
    assert log_format in COLUMNS
    assert question in {"totals", "cells"}
    answer = fold(Task(path, log_format, question, int(threads), odd == "odd"))  # type: ignore[arg-type]  # checked above
    print(json.dumps({name: getattr(answer, name) for name in answer.said()}))


def read_json(printed: BinaryIO) -> Answer:
    """An answer that a script of this package printed: what it says as a JSON object."""
    return Answer(**json.load(printed))


def distribution(name: str) -> Callable[[], str | None]:
    """The version of an installed Python package."""

    def find() -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    return find


def program(name: str, *arguments: str) -> Callable[[], str | None]:
    """What an installed program says of its version: the first number with a dot."""

    def find() -> str | None:
        if shutil.which(name) is None:
            return None
        done = subprocess.run(
            [name, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        number = re.search(r"\d+(\.\d+)+", done.stdout)
        return number[0] if number else "unknown"

    return find
