"""The real command whose children meet an end over certain lines: ``python poisoned.py HOW [ARGUMENT ...]``.

The seam is the entry of a child, a copy of the hub or a fresh interpreter: in front of
it this file lays itself around ``Worker.fold``. Hub, processes, sockets and signals are
the real ones, and nothing in the package knows of it.
"""

import os
import re
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

MARK = b"/poison"
FRESH = "fresh:"
"""In front of HOW: children are fresh interpreters from the beginning, not copies of the hub."""
_ENTRY = "from fastlog.executors.child import main;"


def kill() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def segfault() -> NoReturn:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError


def leave() -> NoReturn:
    os._exit(0)


def stumble() -> NoReturn:
    raise ValueError("a line\nof no kind")


def hoard() -> None:
    used = int(Path("/proc/self/statm").read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 24), used + (1 << 24)))
    bytearray(1 << 28)


def loop() -> None:
    """Never ends, and holds the interpreter's lock meanwhile."""
    re.match("(a*)*b", "a" * 64)


class Everything(frozenset[str]):
    """What holds whatever is asked for."""

    def __contains__(self, _: object) -> bool:
        return True


WAYS: dict[str, Callable[[], None]] = {
    way.__name__: way for way in (kill, segfault, leave, stumble, hoard, loop)
}


def arm(how: str, role: str) -> None:
    """In a child, before it begins."""
    from fastlog.executors import guard
    from fastlog.model.chunk import Block
    from fastlog.sources.ranges import RangeReader
    from fastlog.worker import Worker

    if how == f"no-{role}":
        leave()
    if how == f"stopped-{role}":  # until somebody sends SIGCONT
        os.kill(os.getpid(), signal.SIGSTOP)
    if how == "polling":  # as on a network file system
        from fastlog.sources import wake

        wake._REMOTE = Everything()
    if how == "loop":  # ``deep`` is the same with all the time of a real run
        guard.CPU_SECONDS = guard.LEAST_CPU_SECONDS = 0.2
    end = WAYS.get({"deep": "loop", "kill-all": "kill"}.get(how, how))
    fold: Callable[..., Any] = Worker.fold

    def poisoned(worker: Worker, chunk: Any, *rest: Any) -> Any:
        if isinstance(chunk, Block):
            data = chunk.data
        else:
            source = worker._sources[chunk.source]
            assert source.end is not None
            lines = RangeReader().lines(source.fd, chunk.start, chunk.stop, source.origin, source.end)
            data = b"".join(bytes(block) for _, block in lines)
        if end is not None and MARK in data:
            end()
        return fold(worker, chunk, *rest)

    Worker.fold = poisoned


def begin(how: str, role: str) -> None:
    """What an armed child does first: a test that looks for it knows it by its name."""
    from fastlog.executors.child import name_process

    name_process(role)
    arm(how, role)


def main(how: str) -> int:
    """In the hub: arm the children, then be the command."""
    from fastlog import cli
    from fastlog.executors import child, forked, launch, processes

    if how.startswith(FRESH):
        how = how.removeprefix(FRESH)
        forked.can_fork = lambda: False
    if how == "kill-all":
        processes._DEATHS = 12
    assert _ENTRY in launch._START
    here = str(Path(__file__).parent)
    armed = f"sys.path.append({here!r}); import poisoned; poisoned.begin({how!r}, sys.argv[1]);"
    launch._START = launch._START.replace(_ENTRY, armed + _ENTRY)
    entry = child.main

    def armed_entry(role: str, *rest: int, rules: bool) -> None:
        begin(how, role)
        entry(role, *rest, rules=rules)

    child.main = armed_entry
    return cli.main()


if __name__ == "__main__":
    way = sys.argv.pop(1)
    sys.path[0] = os.environ["PYTHONPATH"]
    sys.exit(main(way))
