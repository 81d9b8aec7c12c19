"""One command, start to exit: what it cost, and the memory of all its processes. Linux only."""

import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bench.record import ROOT


@dataclass(slots=True)
class Cost:
    """What one run cost. CPU time is of the whole tree: every command here waits for its children.

    RSS counts shared pages once for each process, PSS divides them among those that share
    them; both are 0 unless the run was sampled.
    """

    status: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    rss_mib: float = 0.0
    pss_mib: float = 0.0


def run(
    argv: Sequence[str], answer: BinaryIO, *, errors: BinaryIO | None = None, sample: bool = False
) -> Cost:
    """Run the command once, its answer going to a file; ``sample`` watches its memory too.

    A sampled run is not to be timed: reading /proc takes time on the cores that are being measured.
    """
    cost = Cost()
    begin = time.perf_counter()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=answer, stderr=errors, cwd=ROOT)
    if sample:
        _watch(process.pid, cost)
    _, status, usage = os.wait4(process.pid, 0)
    cost.seconds = time.perf_counter() - begin
    cost.status = process.returncode = os.waitstatus_to_exitcode(status)
    cost.cpu_seconds = usage.ru_utime + usage.ru_stime
    return cost


def last_line(path: Path) -> bytes:
    """The last line of a file that may be large."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - (1 << 20)))
        return file.read().rstrip(b"\n").rpartition(b"\n")[2]


def _watch(root: int, cost: Cost) -> None:
    """Keep the greatest memory of the tree of ``root`` in ``cost`` until ``root`` has ended."""
    page = os.sysconf("SC_PAGE_SIZE")
    while not os.waitid(os.P_PID, root, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        rss = pss = 0
        for pid in tree(root):
            # A process may be gone between two looks.
            with suppress(OSError, ValueError, IndexError):
                rss += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                found = re.search(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
                pss += int(found[1]) * 1024 if found else 0
        cost.rss_mib = max(cost.rss_mib, round(rss / 2**20, 1))
        cost.pss_mib = max(cost.pss_mib, round(pss / 2**20, 1))
        time.sleep(0.05)


def tree(root: int) -> Iterator[int]:
    """``root`` and all processes below it."""
    yield root
    with suppress(OSError):
        for task in os.listdir(f"/proc/{root}/task"):
            for child in Path(f"/proc/{root}/task/{task}/children").read_text().split():
                yield from tree(int(child))
