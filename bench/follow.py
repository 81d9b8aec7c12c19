"""A live log: ``python -m bench.follow --rate 20000 --seconds 60``.

A writer (this process) appends lines stamped with the present second at a steady rate;
``fastlog -f`` follows and prints a statistics window for every second. Said in the end:
lines written and counted, the delay from the close of a second (its end and the lateness)
to the arrival of its window, and the CPU time of all fastlog's processes. Linux only.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from bench.record import report

LATENESS = 2
BATCH_SECONDS = 0.01


def write(path: Path, rate: int, seconds: int) -> int:
    """Append ``rate`` lines a second; how many it were."""
    written = 0
    start = time.time()
    with path.open("ab", buffering=0) as log:
        while (now := time.time()) < start + seconds:
            due = int((now - start) * rate) - written
            stamp = datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
            log.write(
                b"".join(
                    b'192.0.2.%d - - [%b] "GET /s%d/page HTTP/1.1" 200 %d\n'
                    % (n % 250, stamp.encode(), n % 40, 100 + n % 9000)
                    for n in range(written, written + due)
                )
            )
            written += due
            time.sleep(BATCH_SECONDS)
    return written


def measure(
    rate: int,
    seconds: int,
    workers: int,
    *,
    arguments: Sequence[str] = (),
    beside: AbstractContextManager[object] | None = None,
) -> dict[str, object]:
    """One run; its figures. ``arguments`` are further ones, ``beside`` holds while the log is written."""
    delays: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "access.log"
        path.touch()
        command = [sys.executable, "-m", "fastlog", "-f", str(path), "--json", "--stats-window", "1"]
        command += ["--format", "common", "--workers", str(workers), "--quiet", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        counted: dict[str, object] = {}

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "stats" and not event["partial"]:
                    delays.append(time.time() - (event["end"] + LATENESS))
                elif event["event"] == "summary":
                    counted.update(lines=event["lines"], late=event["late"], complete=event["complete"])

        reader = threading.Thread(target=read)
        reader.start()
        time.sleep(2)  # it follows from the end: let it have found the end
        before = os.times()
        with beside or nullcontext():
            written = write(path, rate, seconds)
        live = delays[:]  # of the seconds that later lines closed; the last ones close by the wall clock
        time.sleep(LATENESS + 2)
        process.terminate()
        process.wait()
        reader.join()
        after = os.times()
    own = after.user + after.system - before.user - before.system
    children = after.children_user + after.children_system - before.children_user - before.children_system
    if counted.get("lines") != written:
        raise SystemExit(f"wrong: {written} lines written, {counted} counted")
    if not live:
        raise SystemExit("no window was printed while the log was written: give more --seconds")
    return {
        "rate": rate,
        "seconds": seconds,
        "workers": workers,
        "written": written,
        **counted,
        "delay_median_ms": round(statistics.median(live) * 1000, 1),
        "delay_max_ms": round(max(live) * 1000, 1),
        "windows": len(delays),
        "fastlog_cpu_seconds": round(children, 2),
        "writer_cpu_seconds": round(own, 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=20_000, help="lines a second")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-save", action="store_true")
    chosen = parser.parse_args()
    result = measure(chosen.rate, chosen.seconds, chosen.workers)
    report("follow", result, kept=not chosen.no_save)
    return 0


if __name__ == "__main__":
    sys.exit(main())
