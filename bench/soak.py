"""A long follow: ``python -m bench.soak --minutes 15 --rate 50000 --files 20 --rotate 30``.

This process writes lines of the present second, in turn to each file, and rotates all files every so many
seconds: every other one by rename, its old descriptor being written to for a while, the rest by
copytruncate. ``fastlog -f 'logs/*.log'`` follows. Said in the end: lines written and counted, the slopes of
resident memory and of file descriptors (sums over all fastlog's processes, least squares after a fifth of
the time), descriptors at the start and at most, late lines, CPU time. Exit status 1 if a line was lost or
repeated. Linux only.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

BATCH_SECONDS = 0.01
SAMPLE_SECONDS = 2.0
LATE_SECONDS = 1.0
"""How long a renamed file is still written to."""
KEPT = 3
"""Rotated files of each log that are left on the disk."""


@dataclass
class Log:
    """One log, its writer, and the writer that has not yet noticed the last rename."""

    path: Path
    renames: bool
    writer: int = -1
    late: int = -1

    def open(self) -> None:
        self.writer = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def rotate(self) -> None:
        for number in range(KEPT, 0, -1):
            old = self.path.with_name(f"{self.path.name}.{number}")
            if old.exists():
                old.rename(self.path.with_name(f"{self.path.name}.{number + 1}"))
        self.path.with_name(f"{self.path.name}.{KEPT + 1}").unlink(missing_ok=True)
        first = self.path.with_name(f"{self.path.name}.1")
        if self.renames:
            self.path.rename(first)
            self.late = self.writer
            self.open()
        else:
            shutil.copyfile(self.path, first)
            os.truncate(self.path, 0)

    def notice(self) -> None:
        """The writer sees that it was renamed."""
        if self.late >= 0:
            os.close(self.late)
        self.late = -1


@dataclass
class Samples:
    """Resident memory (MB) and descriptors of a process and its children, over time (s)."""

    times: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def take(self, pid: int, now: float) -> None:
        tree = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
        resident = sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in tree)
        self.times.append(now)
        self.memory.append(resident * os.sysconf("SC_PAGE_SIZE") / 1e6)
        self.descriptors.append(sum(len(os.listdir(f"/proc/{each}/fd")) for each in tree))

    def slope(self, values: Sequence[float]) -> float:
        """What is added to such values in an hour."""
        first = len(self.times) // 5
        return statistics.linear_regression(self.times[first:], values[first:]).slope * 3600


def write(logs: list[Log], pid: int, minutes: float, rate: int, rotate: float) -> tuple[int, Samples]:
    """Write and rotate; how many lines, and what fastlog held meanwhile."""
    written, samples = 0, Samples()
    start = time.monotonic()
    rotated, sampled = start, start
    while (now := time.monotonic()) < start + minutes * 60:
        stamp = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000").encode()
        due = int((now - start) * rate) - written
        for index, log in enumerate(logs):
            lines = b"".join(
                b'192.0.2.%d - - [%b] "GET /s%d/page HTTP/1.1" 200 %d\n' % (n % 250, stamp, n % 40, n % 9000)
                for n in range(index, due, len(logs))
            )
            half = len(lines) // 2  # a line may well be cut here
            writer = log.late if log.late >= 0 else log.writer
            os.write(writer, lines[:half])
            os.write(writer, lines[half:])
        written += max(0, due)
        if now - rotated >= rotate:
            rotated = now
            for log in logs:
                log.rotate()
        if now - rotated >= LATE_SECONDS:
            for log in logs:
                log.notice()
        if now - sampled >= SAMPLE_SECONDS:
            sampled = now
            samples.take(pid, now - start)
        time.sleep(BATCH_SECONDS)
    return written, samples


def soak(minutes: float, rate: int, files: int, rotate: float, workers: int) -> dict[str, object]:
    """One run; its figures."""
    with tempfile.TemporaryDirectory() as folder:
        logs = [Log(Path(folder) / f"{number}.log", renames=number % 2 == 0) for number in range(files)]
        for log in logs:
            log.open()
        out = Path(folder) / "events"
        command = [sys.executable, "-m", "fastlog", "-f", f"{folder}/*.log", "--json", "-o", str(out)]
        command += ["--from", "start", "--format", "common", "--workers", str(workers)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        written, samples = write(logs, process.pid, minutes, rate, rotate)
        time.sleep(3)  # the writers are at rest: what is left of a second is read
        process.terminate()
        messages = process.communicate()[1].decode().split("\n")[:-1]
        events = [json.loads(line) for line in out.read_bytes().split(b"\n")[:-1]]
    times = os.times()
    return {
        "minutes": minutes,
        "rate": rate,
        "files": files,
        "rotations": int(minutes * 60 // rotate) * files,
        "workers": workers,
        "written": written,
        "counted": events[-1]["lines"],
        "rejected": sum(events[-1]["rejected"].values()),
        "late": events[-1]["late"],
        "exit_status": process.returncode,
        "memory_mb_median": round(statistics.median(samples.memory), 1),
        "memory_slope_mb_per_hour": round(samples.slope(samples.memory), 1),
        "descriptors_slope_per_hour": round(samples.slope(samples.descriptors), 1),
        "descriptors_first": samples.descriptors[0],
        "descriptors_most": max(samples.descriptors),
        "descriptors_last": samples.descriptors[-1],
        "fastlog_cpu_seconds": round(times.children_user + times.children_system, 1),
        "messages": len(messages),
        "other_messages": [text for text in messages if not text.endswith(("new file", "its start"))][:5],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--rate", type=int, default=50_000, help="lines a second, over all files")
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--rotate", type=float, default=30, help="seconds between rotations")
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    result = soak(chosen.minutes, chosen.rate, chosen.files, chosen.rotate, chosen.workers)
    for name, value in result.items():
        print(f"{name.replace('_', ' '):26}{value}")
    exact = result["written"] == result["counted"] and not result["rejected"] and not result["exit_status"]
    return 0 if exact else 1


if __name__ == "__main__":
    sys.exit(main())
