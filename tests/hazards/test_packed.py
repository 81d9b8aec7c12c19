"""Packed logs from outside: sets, servers, streams, damage, memory."""

import gzip
import json
import os
import resource
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hazards.conftest import Start
from tests.packing import PACK, SUFFIX, zstd_of_window
from tests.properties.strategies import line

Run = Callable[..., subprocess.CompletedProcess[bytes]]
START = 1_525_881_600
kinds = pytest.mark.parametrize("kind", PACK)


def log(seconds: int, first: int = START, each: int = 1, server: bytes = b"a") -> bytes:
    one = b"GET /" + server + b"/x HTTP/1.1"
    return b"".join(line(second, one) * each for second in range(first, first + seconds))


def events(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    return [json.loads(text) for text in done.stdout.split(b"\n")[:-1]]


def test_a_rotated_set_of_every_packing_reads_as_one_log_in_any_order(fastlog: Run, tmp_path: Path) -> None:
    parts = [log(50, START + 50 * age, each=3) for age in range(6)]
    (tmp_path / "whole").write_bytes(b"".join(parts))
    names = []
    for age, kind in enumerate([*PACK, "gzip", None]):
        names.append(f"access.log.{6 - age}{SUFFIX[kind] if kind else ''}")
        (tmp_path / names[-1]).write_bytes(PACK[kind](parts[age]) if kind else parts[age])
    want = fastlog("--json", "--stats", "-q", "whole").stdout
    for order in (names, names[::-1], names[3:] + names[:3]):
        done = fastlog("--json", "--stats", *order)
        assert done.stdout == want
        assert (done.returncode, done.stderr.count(b"\n")) == (0, 1)


def test_servers_that_overlap_are_merged_by_time(fastlog: Run, tmp_path: Path) -> None:
    servers = [
        (name.encode(), log(200, START + 7 * at, server=name.encode())) for at, name in enumerate(PACK)
    ]
    lines = sorted(
        b"".join(text for _, text in servers).split(b"\n")[:-1], key=lambda text: text.split(b"[")[1]
    )
    (tmp_path / "whole").write_bytes(b"\n".join(lines) + b"\n")
    for name, text in servers:
        (tmp_path / name.decode()).write_bytes(PACK[name.decode()](text))
    options = ("--json", "--stats", "-q", "--threshold", "3", "--lateness", "0")
    done = fastlog(*options, *PACK)
    assert events(done) == events(fastlog(*options, "whole"))
    assert events(done)[-1]["late"] == 0


def test_a_hundred_packed_files_of_which_none_is_unpacked_before_its_turn(
    start: Start, tmp_path: Path
) -> None:
    """Every window is of 64 MiB: the files together would need six GiB if each were held open."""
    for age in range(100):
        (tmp_path / f"{age}.zst").write_bytes(zstd_of_window(log(20, START + 20 * age), 26))
    names = [path.name for path in tmp_path.iterdir()]
    limits = (1 << 30, 1 << 30)
    command = start("--json", *names, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limits))
    said = command.events()[-1]
    assert (said["complete"], said["lines"], said["late"]) == (True, 2_000, 0)
    assert command.wait() == 0


@kinds
def test_a_fifo_and_standard_input_of_every_packing(kind: str, start: Start, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    data = PACK[kind](log(9, each=4))
    command = start("--json", "--quiet", "fifo", "-")

    def write() -> None:
        with (tmp_path / "fifo").open("wb") as file:
            file.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    command.feed(data)
    command.end_input()
    said = command.events()
    writer.join()
    assert (said[-1]["complete"], said[-1]["lines"]) == (True, 72)
    assert command.wait() == 0


@kinds
def test_an_archive_that_is_cut_gives_what_could_be_read_and_exits_1(
    kind: str, fastlog: Run, tmp_path: Path
) -> None:
    whole = PACK[kind](log(3_000)) + PACK[kind](log(3_000, START + 3_000))
    (tmp_path / "cut").write_bytes(whole[:-9])
    (tmp_path / "good").write_bytes(log(5, START + 6_000))
    done = fastlog("--json", "cut", "good")
    said = events(done)[-1]
    assert (done.returncode, said["complete"]) == (1, False)
    assert 3_005 <= said["lines"] <= 6_005
    messages = [text for text in done.stderr.decode().split("\n") if text.startswith("fastlog: cut: ")]
    assert len(messages) == 1
    assert f"ends in the middle of its {kind} data" in messages[0]


def test_damage_gives_what_stands_before_it_and_exits_1(fastlog: Run, tmp_path: Path) -> None:
    wrong = bytearray(gzip.compress(log(500)))
    wrong[-8] ^= 1
    garbage = gzip.compress(log(500)) + b"garbage"
    for data, message in ((bytes(wrong), "are damaged near byte"), (garbage, "is not packed: it is ignored")):
        (tmp_path / "a.gz").write_bytes(data)
        for name in ("a.gz", "-"):
            done = fastlog("--json", name, stdin=data)
            assert (done.returncode, events(done)[-1]["lines"]) == (1, 500)
            named = "a.gz" if name == "a.gz" else "standard input"
            assert f"fastlog: {named}: " in done.stderr.decode()
            assert message in done.stderr.decode()


def test_the_library_says_the_same(tmp_path: Path) -> None:
    import fastlog as package

    (tmp_path / "a.gz").write_bytes(gzip.compress(log(500))[:-9])
    report = package.replay(tmp_path / "a.gz", executor="inline")
    assert (report.summary.complete, report.summary.lines) == (False, 500)
    assert ["cut" in text or "ends in the middle" in text for text in report.notices] == [False, True]


@kinds
def test_empty_files(kind: str, fastlog: Run, tmp_path: Path) -> None:
    (tmp_path / "nothing").write_bytes(PACK[kind](b""))
    (tmp_path / "empty.gz").write_bytes(b"")
    done = fastlog("--json", "nothing", "empty.gz")
    assert (done.returncode, done.stderr) == (0, b"")
    assert (events(done)[-1]["complete"], events(done)[-1]["lines"]) == (True, 0)


def test_a_plain_log_with_the_name_of_a_packed_one(fastlog: Run, tmp_path: Path) -> None:
    (tmp_path / "access.log.gz").write_bytes(log(5))
    done = fastlog("--json", "access.log.gz")
    assert (done.returncode, events(done)[-1]["lines"]) == (0, 5)


def test_a_line_of_a_gibibyte_in_a_megabyte_is_given_up_in_bounded_memory(
    start: Start, tmp_path: Path
) -> None:
    bomb = gzip.compress(log(3)) + gzip.compress(bytes(64 << 20), 1) * 16
    (tmp_path / "bomb.gz").write_bytes(bomb)
    limits = (1 << 29, 1 << 29)
    command = start("--json", "bomb.gz", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limits))
    said = command.events()[-1]
    assert (said["lines"], said["hits"], said["rejected"]["oversize"]) == (4, 3, 1)
    assert command.wait() == 1
    assert "bomb.gz: given up at byte" in command.messages


def test_a_file_that_grows_while_it_is_read_ends_where_it_ended(start: Start, tmp_path: Path) -> None:
    """The run waits for a FIFO, which it opened after the file."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "a.gz").write_bytes(gzip.compress(log(5)))
    (tmp_path / "b").write_bytes(log(5))
    command = start("--json", "--workers", "1", "a.gz", "b", "fifo").started()
    for name, more in (("a.gz", gzip.compress(log(7))), ("b", log(7))):
        with (tmp_path / name).open("ab") as file:
            file.write(more)
    with (tmp_path / "fifo").open("wb") as file:
        file.write(log(1))
    said = command.events()[-1]
    assert (said["complete"], said["lines"]) == (True, 11)
    assert command.wait() == 0


@pytest.mark.parametrize("where", ["start", "end"])
def test_a_packed_file_is_not_followed_and_that_is_said_once(
    where: str, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(log(500)))
    (tmp_path / "access.log").write_bytes(log(3))
    command = start("-f", "--from", where, "--json", "--no-stats", "a.gz", "access.log")
    command.told("a.gz: is packed (gzip), and following reads plain lines").told("format detected: common")
    command.kill(signal.SIGTERM)
    said = command.events()[-1]
    assert said["lines"] == (3 if where == "start" else 0)
    assert command.messages.count("a.gz") == 1
    assert command.wait() == 1
