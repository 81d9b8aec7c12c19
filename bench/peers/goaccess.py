"""GoAccess: its whole report as JSON, which it makes on any question; it names no sections and no seconds."""

import json
import subprocess
from functools import cache
from typing import BinaryIO

from bench.peers.answer import Answer
from bench.peers.peer import Peer, Task, program


@cache
def _has_jobs() -> bool:
    """Whether it can use several threads (since 1.8)."""
    said = subprocess.run(["goaccess", "--help"], capture_output=True, text=True, check=False).stdout
    return "--jobs" in said


def command(task: Task) -> list[str]:
    """The report on the log in one of its own formats."""
    jobs = ["--jobs", str(task.threads)] if _has_jobs() else []
    fixed = ["--no-global-config", "--no-progress", "--output", "json", "--log-format", task.format.upper()]
    return ["goaccess", task.path, *fixed, *jobs]


def read(printed: BinaryIO) -> Answer:
    """Totals and the panel of statuses; a status is named ``200 - OK: ...``."""
    # It writes the bytes of the log as they are.
    report = json.loads(printed.read().decode(errors="replace"))
    general = report["general"]
    statuses = {
        item["data"].partition(" ")[0]: item["hits"]["count"]
        for group in report["status_codes"]["data"]
        for item in group["items"]
    }
    return Answer(
        lines=general["total_requests"],
        hits=general["valid_requests"],
        bytes=general["bandwidth"],
        statuses=statuses,
    )


PEER = Peer("GoAccess", program("goaccess", "--version"), command, read, threads=_has_jobs)
