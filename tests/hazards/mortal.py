"""The real command, which kills itself: ``python mortal.py WHEN NUMBER [ARGUMENT ...]``.

A record is written at every rest, not every second. With the NUMBERth of these the hub dies of SIGKILL:
``output`` (half of what is written is in the output), ``record`` (the events are out, the record is not),
``after`` (the record is out). NUMBER 0: never.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from fastlog.cli import main
from fastlog.executors import checkpoint
from fastlog.sinks.output import Output
from fastlog.sinks.record import RecordFile


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def lay_around(
    kind: Any, name: str, number: int, before: Callable[..., None], after: Callable[[], None]
) -> None:
    """Let the method die at its NUMBERth call."""
    real = getattr(kind, name)
    calls = 0

    def counted(self: Any, data: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            before(real, self, data)
        result = real(self, data)
        if calls == number:
            after()
        return result

    setattr(kind, name, counted)


def half_of_it(real: Any, self: Any, data: bytes) -> None:
    real(self, data[: len(data) // 2])
    die()


def nothing(*_: object) -> None:
    """Not yet."""


if __name__ == "__main__":
    when, number = sys.argv[1], int(sys.argv[2])
    checkpoint.EVERY_SECONDS = 0.0
    if when == "output":
        lay_around(Output, "write", number, half_of_it, nothing)
    elif when == "record":
        lay_around(RecordFile, "write", number, lambda *_: die(), nothing)
    else:
        lay_around(RecordFile, "write", number, nothing, die)
    sys.exit(main(sys.argv[3:]))
