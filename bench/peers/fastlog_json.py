"""fastlog itself, and the reference: its own answer by seconds, to which every answer is held."""

import subprocess
import sys
from collections.abc import Iterable

import orjson

from bench.peers.answer import Answer
from bench.peers.peer import Peer, Task
from bench.record import ROOT, fastlog_version

_EACH_SECOND = ("--stats", "--stats-window", "1")
_SUMMARY = ("lines", "hits", "bytes", "first", "last", "sections", "statuses")


def command(task: Task) -> list[str]:
    """The command, start to exit, with one worker for each thread."""
    flags = _EACH_SECOND if task.question == "cells" else ("--no-stats",)
    fixed = ("--json", "--quiet", "--no-progress", "--format", task.format, "--workers", str(task.threads))
    return [sys.executable, "-m", "fastlog", *fixed, *flags, task.path]


def read(printed: Iterable[bytes]) -> Answer:
    """The summary, and what the windows of one second say where there are any.

    Raises ValueError unless there is a complete summary.
    """
    summary, hits, heaviest = None, [], 0
    for line in printed:
        event = orjson.loads(line)
        if event["event"] == "stats":
            hits.append(event["hits"])
            heaviest = max(heaviest, event["bytes"])
        elif event["event"] == "summary":
            summary = event
    if summary is None or not summary["complete"]:
        raise ValueError("no complete summary")
    found = {name: summary[name] for name in _SUMMARY}
    if hits:
        squares = sum(count * count for count in hits)
        found |= {"seconds": len(hits), "busiest": max(hits), "heaviest": heaviest, "squares": squares}
    return Answer(**found)


def reference(task: Task) -> Answer:
    """What is so of the log, from a run that is not timed. Raises ValueError where fastlog does not say."""
    argv = command(Task(task.path, task.format, "cells", task.threads))
    # Line by line: a sparse log prints a window for each of its seconds.
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        return read(process.stdout)


PEER = Peer("fastlog", fastlog_version, command, read, threads=lambda: True)
