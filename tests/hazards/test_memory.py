"""Input that would fill the memory of a reader that waits for a newline."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hazards.command import PARSER, Command, counted, until
from tests.hazards.conftest import Start
from tests.properties.strategies import line

GIB = 1 << 30
ROOM = 32 * 1024
"""KiB that a gibibyte without a newline may take, over what one line takes."""
UNDER_WAY = 16 * 1024
"""KiB for six chunks of a worker, which the hub may have all at once: what came of them, and their names."""
STATISTICS = ("--stats", "--stats-window", "1", "--lateness", "0")
ARGUMENTS = ("--json", "--format", "common", "-w", "1")
BEFORE, AFTER = line(1_525_881_600), line(1_525_881_601)


def peaks(command: Command) -> dict[str, int]:
    """The greatest resident size so far, in KiB, of the hub, the reader and the worker."""
    pids = {"hub": command.pid, "reader": command.child("reader"), "worker": command.child("worker")}
    return {role: peak(pid) for role, pid in pids.items()}


def peak(pid: int) -> int:
    rows = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").split("\n")
    return next(int(row.split()[1]) for row in rows if row.startswith("VmHWM"))


@pytest.fixture
def gibibyte(tmp_path: Path) -> Iterator[Path]:
    """A line, a gibibyte of NUL that costs no disk, the rest of that line, and another line."""
    path = tmp_path / "access.log"
    with path.open("wb") as file:
        file.write(BEFORE)
        file.seek(GIB, os.SEEK_CUR)
        file.write(b"\n" + AFTER)
    yield path
    path.unlink()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("way", ["file", "pipe"])
def test_a_gibibyte_without_a_newline_is_one_line_and_takes_little_memory(
    way: str, start: Start, gibibyte: Path, tmp_path: Path
) -> None:
    """A stream that comes after it holds the run, so that its children can be looked at."""
    reading, writing = os.pipe()
    (tmp_path / "small.log").write_bytes(BEFORE)
    small = start(*ARGUMENTS, *STATISTICS, "small.log", "-")
    small.feed(line(1_525_881_700) * 20_000)
    assert small.event()["start"] == 1_525_881_600
    usual = peaks(small)
    small.end_input()
    assert small.wait() == 0
    names = ("-",) if way == "pipe" else ("access.log", "-")
    command = start(*ARGUMENTS, *STATISTICS, *names, stdin=reading)
    os.close(reading)
    if way == "pipe":
        subprocess.run(["cat", gibibyte], stdout=writing, check=True)
    os.write(writing, line(1_525_881_700) * 20_000)  # behind it: when this has been read, so has the gibibyte
    assert command.event()["start"] == 1_525_881_600
    assert command.event()["start"] == 1_525_881_601
    grown = {role: size - usual[role] for role, size in peaks(command).items()}
    os.close(writing)
    said = json.loads(command.rest().split(b"\n")[-2])
    assert command.wait() == 0
    assert (said["lines"], said["rejected"]["oversize"], said["hits"]) == (20_003, 1, 20_002)
    assert sum(grown.values()) < ROOM, grown


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_million_sections_take_little_memory_and_are_counted(start: Start, tmp_path: Path) -> None:
    """In ten seconds of log, in a window that holds them all; the second command has as many hits of one."""
    sections = 100_000 if PARSER else 1_000_000  # of the regex, as many as it can do in a moment
    grown = []
    for name in (b"GET /%06x/y HTTP/1.1", b"GET /y/%06x HTTP/1.1"):
        with (tmp_path / "access.log").open("wb") as file:
            for second in range(10):
                one = line(1_525_881_600 + second, b"GET /@/y HTTP/1.1")
                before, after = one.split(b"GET /@/y HTTP/1.1")
                some = range(second, sections, 10)
                file.write(b"".join([before + name % number + after for number in some]))
        command = start(*ARGUMENTS, "--stats", "-t", "10000", "access.log", "-")
        command.feed(line(1_525_882_000) * 20_000)
        window = command.event()
        assert (window["start"], window["hits"]) == (1_525_881_600, sections)
        assert sum(window["sections"].values()) == sections
        grown.append(peak(command.pid))
        command.end_input()
        assert command.events()[-1]["hits"] == sections + 20_000
        assert command.wait() == 0
    assert len(window["sections"]) == 1
    assert grown[0] - grown[1] < 2 * ROOM, grown


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(("step", "room"), [("10", 2 * ROOM + UNDER_WAY), ("1", 4 * ROOM + UNDER_WAY)])
def test_long_sections_are_remembered_by_their_bytes(
    step: str, room: int, start: Start, tmp_path: Path
) -> None:
    """Of names that are long few are held beside those of open windows, or are on their way out at a time."""

    def peak_with(sections: int) -> int:
        requests = [b"GET /%07d%b/y HTTP/1.1" % (at % sections, b"a" * 2_000) for at in range(20_000)]
        lines = [line(1_525_881_600 + at // 500, request) for at, request in enumerate(requests)]
        (folder := tmp_path / f"{sections}").mkdir()
        (folder / "access.log").write_bytes(b"".join(lines))
        names = "--state", f"{sections}/state", "--from", "start", "-f", f"{sections}/access.log"
        command = start(*ARGUMENTS, "--stats-every", step, "--lateness", "0", "-o", os.devnull, *names)
        until(lambda: counted(folder) == 20_000, "a record of all lines")
        return peak(command.pid)

    assert peak_with(20_000) - peak_with(1) < room
