"""Following by name: what writers, rotators and administrators do to a log must not lose or repeat a line.

Files are real, clocks are held still and moved by hand. Past 300 lines since it is one table of situations.
"""

import errno
import os
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastlog.model.chunk import CHUNK_BYTES, LINE_LIMIT, Block
from fastlog.sources import inotify, wake
from fastlog.sources.name import GRACE_SECONDS, OLD_FILES
from fastlog.sources.voice import RETRY_SECONDS
from tests.hazards.follower import Rig, append

LATER = GRACE_SECONDS + 1


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def rig(log: Path) -> Iterator[Rig]:
    """Follows ``log``, of which the line ``old`` has been read."""
    log.write_bytes(b"old\n")
    made = Rig(log)
    assert made.poll() == b"old\n"
    yield made
    made.follower.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# Starting


def test_missing_is_said_once_and_read_from_its_start_when_it_comes(log: Path) -> None:
    rig = Rig(log, from_start=False)
    assert rig.poll() + rig.poll(2) + rig.poll(60) == b""
    assert len(rig.notices) == 1
    assert rig.said("no such file")
    log.write_bytes(b"one\n")
    assert rig.poll() == b"one\n"
    assert rig.said("has appeared") == 1
    assert len(rig.notices) == 2
    rig.follower.close()


@pytest.mark.parametrize("there", [b"", b"a\nb\n", b"a\nb\nhalf"])
def test_from_the_end_gives_only_lines_that_begin_after_the_start(log: Path, there: bytes) -> None:
    log.write_bytes(there)
    rig = Rig(log, from_start=False)
    append(log, b" rest\n" if there.endswith(b"half") else b"")
    append(log, b"new\n")
    assert rig.poll() == b"new\n"
    assert rig.blocks[0].start == log.stat().st_size - 4
    rig.follower.close()


def test_from_the_end_of_a_half_line_longer_than_a_block(log: Path) -> None:
    log.write_bytes(b"x")
    rig = Rig(log, from_start=False)
    append(log, b"y" * (2 * CHUNK_BYTES) + b"\nnew\n")
    assert rig.poll() == b"new\n"
    rig.follower.close()


def test_head_shows_whole_lines_though_following_starts_at_the_end(log: Path) -> None:
    rig = Rig(log, from_start=False)
    assert rig.follower.head(0) == b""
    rig.follower.close()
    log.write_bytes(b"half")
    rig = Rig(log, from_start=False)
    assert rig.follower.head(0) == b""
    append(log, b"line\n" + b"z" * 100_000)
    assert rig.follower.head(0) == b"halfline\n"
    rig.follower.close()
    assert rig.follower.head(0) == b""


@pytest.mark.parametrize("kind", ["directory", "fifo", "device"])
def test_what_is_not_a_regular_file_is_said_once_and_never_waited_on(log: Path, kind: str) -> None:
    if kind == "directory":
        log.mkdir()
    elif kind == "fifo":
        os.mkfifo(log)
    else:
        log.symlink_to("/dev/zero")
    rig = Rig(log)
    assert rig.poll() + rig.poll(9) == b""
    assert len(rig.notices) == rig.said("not a regular file") == 1
    log.rmdir() if kind == "directory" else log.unlink()
    log.write_bytes(b"one\n")
    assert rig.poll() == b"one\n"
    assert rig.said("readable again") == 1
    rig.follower.close()


def test_swapped_for_a_fifo_between_look_and_open(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_bytes(b"one\n")
    real = os.open

    def swap(path: str, flags: int) -> int:
        log.unlink()
        os.mkfifo(log)
        return real(path, flags)

    before = descriptors()
    monkeypatch.setattr(os, "open", swap)
    rig = Rig(log)
    assert rig.poll() == b""
    assert rig.said("is a FIFO")
    assert descriptors() == before


def test_permission_denied_is_said_once_and_so_is_its_end(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_bytes(b"one\n")

    def deny(path: str, flags: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    with monkeypatch.context() as patch:  # root may read anything: the refusal has to be made up
        patch.setattr(os, "open", deny)
        rig = Rig(log)
        assert rig.poll() + rig.poll(5) == b""
        assert len(rig.notices) == rig.said("permission denied") == 1
    assert rig.poll() == b"one\n"
    assert rig.said("readable again") == 1
    rig.follower.close()


def test_names_in_notices_cannot_move_the_cursor(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "a\x1b[2J\n")
    rig.poll()
    assert rig.said("a\\x1b[2J\\x0a: no such file") == 1


# Lines


def test_a_line_comes_once_and_whole_however_it_was_written(log: Path, rig: Rig) -> None:
    got = []
    for byte in "é one\r\n\n\x0btwo\x85\n".encode():
        append(log, bytes([byte]))
        got.append(rig.poll())
    assert [piece for piece in got if piece] == ["é one\r\n".encode(), b"\n", "\x0btwo\x85\n".encode()]
    assert [block.start for block in rig.blocks] == [0, 4, 12, 13]


def test_the_last_poll_keeps_the_half_line_back(log: Path, rig: Rig) -> None:
    append(log, b"whole\nhalf")
    assert [block.data for block in rig.take(rig.follower.poll())] == [b"whole\n"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("step", [1 << 30, 50_000])
@pytest.mark.parametrize("before", [b"", b"b\n", b"b" * (CHUNK_BYTES - 60_000) + b"\n"])
def test_lines_around_the_limit(log: Path, rig: Rig, before: bytes, step: int, end: bytes) -> None:
    before = b"".join(b"b" * 99 + b"\n" for _ in range(len(before) // 100)) + before[-2:]
    lines = [b"x" * (LINE_LIMIT + more) + end for more in (-1, 0, 1, 2, 3, 500_000, 3_000_000)]
    lines.insert(5, b"y" * LINE_LIMIT + b"\rz" + end)
    text = before + b"".join(line + b"ok\n" for line in lines)
    for at in range(0, len(text), step):
        append(log, text[at : at + step])
        rig.poll()
    got = b"".join(block.data for block in rig.blocks[1:]).split(b"\n")
    assert b"\n".join(got[: before.count(b"\n")]) + b"\n" * bool(before) == before
    content = [line.removesuffix(b"\r") for line in got[before.count(b"\n") : -1]]
    assert content[1::2] == [b"ok"] * len(lines)
    assert [len(line) > LINE_LIMIT for line in content[::2]] == [False, False] + [True] * 6
    assert max(len(line) for line in content) <= LINE_LIMIT + 2
    for block in rig.blocks[1:]:  # a block says where it stands
        first = block.data[: LINE_LIMIT - 1].split(b"\n")[0]
        assert log.read_bytes()[block.start :].startswith(first)


def test_the_longest_line_is_whole_though_its_end_comes_late(log: Path, rig: Rig) -> None:
    append(log, b"x" * LINE_LIMIT + b"\r")
    assert rig.poll() == b""
    append(log, b"\n")
    assert rig.poll() == b"x" * LINE_LIMIT + b"\r\n"


def test_a_line_without_end_is_not_held(log: Path, rig: Rig) -> None:
    with log.open("ab") as file:
        file.truncate(1 << 28)  # of NUL, which take no room on the disk
    append(log, b"\nnext\n")
    tracemalloc.start()
    assert rig.poll() == b"\0" * (LINE_LIMIT + 1) + b"\nnext\n"
    assert tracemalloc.get_traced_memory()[1] < 8 * CHUNK_BYTES
    tracemalloc.stop()


def test_files_take_turns_and_the_consumer_may_pause(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abc"]
    for path in paths[:2]:
        path.write_bytes((b"x" * 99 + b"\n") * (3 * CHUNK_BYTES // 100))
    paths[2].write_bytes(b"c\n")
    rig = Rig(*paths)
    items = rig.follower.poll()
    first = [item for item in islice(items, 6) if isinstance(item, Block)]
    assert [block.source for block in first] == [0, 1, 2]
    paths[0].rename(tmp_path / "a.1")  # while nobody pulls
    paths[0].write_bytes(b"new\n")
    rig.follower.look()
    paths[0].rename(tmp_path / "a.2")
    paths[0].write_bytes(b"newer\n")
    rest = [block for block in rig.take(items) if block.source == 0]
    assert rest[-2].data + rest[-1].data == b"new\nnewer\n"
    assert sum(len(block.data) for block in rest[:-2]) == 3 * CHUNK_BYTES // 100 * 100 - len(first[0].data)
    assert all(len(block.data) <= CHUNK_BYTES for block in rig.blocks)
    rig.follower.close()


# Rename and create


def test_late_lines_on_the_old_file_are_read_and_its_rest_before_the_new_one(
    log: Path, rig: Rig
) -> None:  # 1
    with log.open("ab", buffering=0) as writer:
        writer.write(b"last\n")
        log.rename(log.with_suffix(".1"))
        log.write_bytes(b"new\n")
        assert rig.poll() == b"last\nnew\n"
        writer.write(b"late\n")
        append(log, b"new 2\n")
        assert rig.poll(1) == b"late\nnew 2\n"
        assert rig.said("replaced") == 1


def test_nobody_makes_a_new_file(log: Path, rig: Rig) -> None:  # 2
    with log.open("ab", buffering=0) as writer:
        log.rename(log.with_suffix(".1"))
        assert rig.poll() + rig.poll(LATER) + rig.poll(60) == b""
        writer.write(b"late\n")
        assert rig.poll() == b"late\n"
        assert rig.said("no such file") == 1
        log.write_bytes(b"new\n")
        assert rig.poll() == b"new\n"


def test_rotations_within_the_grace_time(log: Path, rig: Rig) -> None:  # 3, 5
    writers = []
    for number in range(5):
        writers.append(log.open("ab", buffering=0))
        log.rename(log.with_suffix(f".{number}"))
        log.write_bytes(b"new %d\n" % number)
        assert rig.poll(0.1) == b"new %d\n" % number
    for number, writer in enumerate(writers):
        writer.write(b"late %d\n" % number)
        writer.close()
    assert rig.poll() == b"".join(b"late %d\n" % number for number in range(5))


def test_the_old_file_is_closed_after_the_grace_time_of_its_last_byte(log: Path, rig: Rig) -> None:  # 6
    before = descriptors()
    log.rename(log.with_suffix(".1"))
    log.write_bytes(b"")
    rig.poll()
    assert descriptors() == before + 1
    append(log.with_suffix(".1"), b"late\n")
    assert rig.poll(GRACE_SECONDS - 1) == b"late\n"
    append(log.with_suffix(".1"), b"later\n")
    assert rig.poll(GRACE_SECONDS - 1) == b"later\n"
    rig.poll(LATER)
    assert descriptors() == before
    append(log.with_suffix(".1"), b"too late\n")
    assert rig.poll() == b""


def test_bytes_that_came_just_before_the_grace_ends_are_read(log: Path, rig: Rig) -> None:
    log.rename(log.with_suffix(".1"))
    log.write_bytes(b"")
    rig.poll()
    append(log.with_suffix(".1"), b"late\nhalf")
    assert rig.poll(60) == b"late\n"
    assert rig.poll(LATER) == b"half\n"


def test_a_poll_between_rename_and_create(log: Path, rig: Rig) -> None:  # 7
    log.rename(log.with_suffix(".1"))
    rig.poll()
    log.write_bytes(b"new\n")
    assert rig.poll(0.5) == b"new\n"
    assert not rig.said("no such file")  # too short to tell anybody


def test_rotated_names_that_are_followed_too_are_not_read_again(tmp_path: Path) -> None:  # 4, 8
    names = [tmp_path / name for name in ("log", "log.1", "log.2")]
    for name in names:
        name.write_bytes(name.name.encode() + b"\n")
    rig = Rig(*names)
    assert rig.poll() == b"log\nlog.1\nlog.2\n"
    before = descriptors()
    for number in range(10):
        names[1].replace(names[2])
        if number % 2:
            assert rig.poll(1) == b""
        names[0].replace(names[1])
        names[0].write_bytes(b"new %d\n" % number)
        append(names[1], b"late\n")
        assert sorted(rig.poll(number).splitlines()) == [b"late", b"new %d" % number]
    rig.poll(LATER)
    rig.poll(LATER)
    assert descriptors() == before
    rig.follower.close()


def test_a_filled_file_moved_over_the_name(tmp_path: Path, log: Path, rig: Rig) -> None:  # 9
    for number in range(50):
        (tmp_path / "other").write_bytes(b"first %d\nsecond\n" % number)
        (tmp_path / "other").replace(log)
        assert rig.poll(1) == b"first %d\nsecond\n" % number


def test_one_followed_file_moved_over_another(tmp_path: Path) -> None:  # 10
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"a\n")
    b.write_bytes(b"b\n")
    rig = Rig(a, b)
    assert rig.poll() == b"a\nb\n"
    a.replace(b)
    assert rig.poll() + rig.poll(2) == b""
    assert (rig.said("b: was replaced"), rig.said("a: no such file")) == (1, 1)
    a.write_bytes(b"a again\n")
    append(b, b"more\n")
    assert rig.poll() == b"a again\nmore\n"
    assert rig.said("a: has appeared") == 1
    rig.follower.close()


@pytest.mark.parametrize("after", [0.0, LATER])
def test_two_names_swapped_again_and_again(tmp_path: Path, after: float) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"a\n")
    b.write_bytes(b"b\n")
    rig = Rig(a, b)
    assert rig.poll() == b"a\nb\n"
    before = descriptors()
    for number in range(200):
        a.rename(tmp_path / "c")
        b.rename(a)
        (tmp_path / "c").rename(b)
        append(a, b"%d\n" % number)
        assert rig.poll(after) == b"%d\n" % number
        assert descriptors() == before
    rig.follower.close()


def test_truncated_under_another_name_and_moved_back(log: Path, rig: Rig) -> None:  # 11
    append(log, b"test 1\ntest 2\n")
    rig.poll()
    other = log.rename(log.with_suffix(".1"))
    os.truncate(other, 0)
    rig.poll()
    append(other, b"test 3\n")
    other.rename(log)
    append(log, b"test 4\n")
    assert rig.poll() == b"test 3\ntest 4\n"


@pytest.mark.parametrize("away", [1.0, LATER])
def test_moved_away_and_back_is_resumed(log: Path, rig: Rig, away: float) -> None:
    other = log.rename(log.with_suffix(".1"))
    log.write_bytes(b"new\n")
    assert rig.poll() + rig.poll(away) == b"new\n"
    append(other, b"old 2\n")
    other.replace(log)
    assert rig.poll() == b"old 2\n"
    assert rig.poll(LATER) == b""


def test_half_a_line_in_the_old_file_is_a_line_of_its_own(log: Path, rig: Rig) -> None:  # 35
    append(log, b"ha")
    rig.poll()
    log.rename(log.with_suffix(".1"))
    log.write_bytes(b"new\n")
    assert rig.poll() == b"new\n"
    append(log.with_suffix(".1"), b"lf")
    assert rig.poll(1) == b""
    assert rig.poll(LATER) == b"half\n"
    assert rig.blocks[-1].start == 4


def test_a_line_given_out_as_half_does_not_come_again(log: Path, rig: Rig) -> None:
    append(log, b"ha")
    other = log.rename(log.with_suffix(".1"))
    log.write_bytes(b"")
    assert rig.poll() + rig.poll(LATER) == b"ha\n"
    append(other, b"lf\nnext\n")
    other.replace(log)
    assert rig.poll() == b"next\n"


def test_another_content_moved_back_is_read_from_its_start(log: Path, rig: Rig) -> None:
    other = log.rename(log.with_suffix(".1"))
    log.write_bytes(b"")
    assert rig.poll() + rig.poll(LATER) == b""
    other.write_bytes(b"quite another\n")
    other.replace(log)
    assert rig.poll() == b"quite another\n"
    assert not rig.said("truncated")


def test_what_comes_while_nobody_pulls_is_in_order(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"a\n")
    b.write_bytes(b"b\n")
    rig = Rig(a, b)
    items = rig.follower.poll()
    next(item for item in items if isinstance(item, Block))
    append(b, b"b 2\n")  # past what this round set out to read
    b.rename(tmp_path / "b.1")
    b.write_bytes(b"new\n")
    assert b"".join(block.data for block in rig.take(items)) == b"b\nb 2\nnew\n"
    append(a, b"a 2\n")
    rig.now += LATER
    items = rig.follower.poll()
    next(item for item in items if isinstance(item, Block))
    append(tmp_path / "b.1", b"late\n")  # the grace is over, but it has not been looked at since
    assert [block.data for block in rig.take(items)] == [b"late\n"]
    rig.follower.close()


def test_half_a_line_in_the_old_file_is_completed_within_the_grace(log: Path, rig: Rig) -> None:
    append(log, b"ha")
    log.rename(log.with_suffix(".1"))
    log.write_bytes(b"new\n")
    rig.poll()
    append(log.with_suffix(".1"), b"lf\n")
    assert rig.poll(1) + rig.poll(LATER) == b"half\n"


def test_only_so_many_old_files_are_held(log: Path, rig: Rig) -> None:
    before, got = descriptors(), b""
    for number in range(3 * OLD_FILES):
        append(log, b"tail %d\nhalf" % number)
        log.rename(log.with_suffix(f".{number}"))
        log.write_bytes(b"head %d\n" % number)
        got += rig.poll(0.01)
        assert descriptors() <= before + OLD_FILES
    for number in range(3 * OLD_FILES):
        assert got.count(b"head %d\n" % number) == got.count(b"tail %d\n" % number) == 1
    assert rig.poll(LATER).count(b"half\n") + got.count(b"half\n") == 3 * OLD_FILES
    assert descriptors() == before


# Truncation


def test_copytruncate(log: Path, rig: Rig) -> None:  # 14, 21
    for number in range(3):
        log.with_suffix(".1").write_bytes(log.read_bytes())
        os.truncate(log, 0)
        assert rig.poll() == b""
        append(log, b"new %d\n" % number)
        assert rig.poll() == b"new %d\n" % number
    assert rig.said("truncated") == 3


@pytest.mark.parametrize("between", [True, False])
@pytest.mark.parametrize("size", [100_000, 5_000_000, 3_000])
def test_a_writer_that_does_not_append_leaves_a_hole(
    log: Path, rig: Rig, size: int, between: bool
) -> None:  # 15
    with log.open("r+b", buffering=0) as writer:
        writer.seek(0, os.SEEK_END)
        writer.write(b"x" * 49 + b"\n" + b"y\n" * (size // 2))
        rig.poll()
        os.truncate(log, 0)
        if between:
            rig.poll()
        at = writer.tell()
        writer.write(b"new\n")
        assert rig.poll() == b"new\n"
        assert rig.blocks[-1].start == at
        assert rig.said(f"skipped {at} NUL bytes") == rig.said("truncated") == 1
        assert rig.follower.head(0) == b"new\n"
        writer.write(b"a\0b\n")
        assert rig.poll() == b"a\0b\n"
        os.truncate(log, 0)  # once more, now that NUL bytes were there before
        writer.write(b"newer\n")
        assert rig.poll() == b"newer\n"


def test_a_hole_whose_lines_come_later_and_that_is_truncated_meanwhile(log: Path, rig: Rig) -> None:
    os.truncate(log, 0)
    rig.poll()
    os.truncate(log, 3_000_000)
    assert rig.poll() == b""
    log.write_bytes(b"\0" * 3_000_000)  # on the disk, this time
    assert rig.poll() == b""
    append(log, b"new\n")
    assert rig.poll() == b"new\n"
    os.truncate(log, 0)
    os.truncate(log, 100)
    assert rig.poll() == b""
    log.write_bytes(b"first\n" * 100)
    assert rig.poll() == b"first\n" * 100


def test_rewritten_with_less(log: Path, rig: Rig) -> None:  # 16
    append(log, b"a longer line\n")
    rig.poll()
    log.write_bytes(b"short\n")
    assert rig.poll() == b"short\n"
    assert rig.said("truncated") == 1


def test_cut_in_the_middle_is_read_again(log: Path, rig: Rig) -> None:  # 17
    append(log, b"test1\n")
    rig.poll()
    os.truncate(log, 4)
    assert rig.poll() == b"old\n"


@pytest.mark.parametrize("more", [0, 1, 5000])
def test_rewritten_with_more_between_two_polls(log: Path, rig: Rig, more: int) -> None:  # 18
    lines = b"".join(
        b'10.0.0.%d - [%05d] "GET / HTTP/1.1" 200 5 "the same agent"\n' % (i, i) for i in range(200)
    )
    append(log, lines)
    assert rig.poll() == lines
    other = b"new\n" + lines.replace(b"10.", b"11.") + b"x" * more + b"\n"
    log.write_bytes(other)
    assert rig.poll() == other
    assert rig.said("truncated") == 1


def test_a_half_line_is_not_joined_to_what_follows_a_truncation(log: Path, rig: Rig) -> None:  # 19
    append(log, b"hi")
    rig.poll()
    log.write_bytes(b"rewriting\n")
    assert rig.poll() == b"rewriting\n"
    assert rig.said("2 bytes had no newline") == 1


def test_truncated_while_nobody_pulls(log: Path) -> None:  # 20
    log.write_bytes((b"x" * 99 + b"\n") * (3 * CHUNK_BYTES // 100))
    rig = Rig(log)
    items = rig.follower.poll()
    next(item for item in items if isinstance(item, Block))
    log.write_bytes(b"new\n")
    assert [block.data for block in rig.take(items)] == [b"new\n"]
    assert rig.said("truncated") == 1
    rig.follower.close()


def test_truncated_while_it_is_read(log: Path, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    append(log, b"more\n" * 1000)
    real = os.pread

    def cut(fd: int, length: int, offset: int) -> bytes:
        if length == 5000:
            log.write_bytes(b"another\n" * 2000)
        return real(fd, length, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", cut)
        got = rig.poll()
    assert got + rig.poll() == b"another\n" * 2000


# Deletion, directories, links


@pytest.mark.parametrize("seen_gone", [True, False])
@pytest.mark.parametrize("after", [0.0, LATER])
def test_deleted_and_made_again_is_read_from_its_start(
    log: Path, rig: Rig, after: float, seen_gone: bool
) -> None:
    # 24, 25, 26: closed after the grace, its inode is free to be given to the next file.
    before = descriptors()
    for _ in range(5):
        log.unlink()
        if seen_gone:
            assert rig.poll() + rig.poll(after) == b""
        log.write_bytes(b"old\n")
        assert rig.poll(after) == b"old\n"
    rig.poll(LATER)
    assert descriptors() == before


def test_deleted_for_good(log: Path, rig: Rig) -> None:  # 27
    before = descriptors()
    with log.open("ab", buffering=0) as writer:
        log.unlink()
        rig.poll()
        writer.write(b"late\n")
        assert rig.poll(1) == b"late\n"
    assert rig.poll(LATER) + rig.poll(LATER) == b""
    assert rig.said("no such file") == len(rig.notices) == 1
    assert descriptors() == before - 1


def test_the_directory_is_removed_and_made_again(tmp_path: Path) -> None:  # 28
    log = tmp_path / "dir" / "log"
    rig = Rig(log)
    rig.poll()
    for number in range(3):
        log.parent.mkdir()
        log.write_bytes(b"%d\n" % number)
        assert rig.poll(1) == b"%d\n" % number
        log.unlink()
        log.parent.rmdir()
        assert rig.poll(1) + rig.poll(2) == b""
    assert rig.said("no such file") == 4
    assert rig.said("has appeared") == 3
    rig.follower.close()


@pytest.mark.parametrize("poll_between", [True, False])
@pytest.mark.parametrize("after", [0.1, LATER])
def test_a_link_is_pointed_elsewhere_and_back(
    tmp_path: Path, log: Path, after: float, poll_between: bool
) -> None:
    targets = [tmp_path / "a", tmp_path / "b"]  # 29, 30
    for target in targets:
        target.write_bytes(target.name.encode() + b"\n")
    log.symlink_to(targets[0])
    rig = Rig(log)
    got, before = rig.poll(), descriptors()
    for number in range(1, 20):
        append(targets[(number + 1) % 2], b"late %d\n" % number)
        log.unlink()
        if poll_between:
            got += rig.poll()
        log.symlink_to(targets[number % 2])
        append(targets[number % 2], b"new %d\n" % number)
        got += rig.poll(after)
        assert descriptors() <= before + 1
    expected = [b"a", b"b", *(b"%s %d" % (word, n) for word in (b"late", b"new") for n in range(1, 20))]
    assert sorted(got.splitlines()) == sorted(expected)
    rig.follower.close()


def test_a_link_to_nothing_is_missing(tmp_path: Path, log: Path) -> None:  # 31
    log.symlink_to(tmp_path / "target")
    rig = Rig(log)
    assert rig.poll() == b""
    assert rig.said("no such file") == 1
    (tmp_path / "target").write_bytes(b"one\n")
    assert rig.poll() == b"one\n"
    assert rig.said("has appeared") == 1
    rig.follower.close()


def test_one_file_under_two_names_counts_for_both(tmp_path: Path, log: Path) -> None:
    log.write_bytes(b"one\n")
    (tmp_path / "link").symlink_to(log)
    os.link(log, tmp_path / "hard")
    rig = Rig(log, tmp_path / "link", tmp_path / "hard")
    assert rig.poll() == b"one\n" * 3
    append(log, b"two\n")
    assert rig.poll() == b"two\n" * 3
    rig.follower.close()


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO])
def test_a_read_that_fails_is_said_once_and_tried_again(
    log: Path, rig: Rig, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    before = descriptors()

    def fail(*_: Any) -> bytes:
        raise OSError(number, os.strerror(number))

    append(log, b"new\n")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", fail)
        assert b"".join(rig.poll(RETRY_SECONDS / 2) for _ in range(9)) == b""
        assert len(rig.notices) == 1
    assert rig.poll(RETRY_SECONDS) == b"new\n"
    assert rig.said("readable again") == 1
    assert descriptors() == before


# Any order of it all


class Model:
    """A writer and an administrator at one log; each line that they write is unique."""

    def __init__(self, root: Path) -> None:
        self.log, self.root = root / "log", root
        self.count = self.files = 0
        self.written: list[bytes] = []
        self.begun = b""  # the line that is being written
        self.target = root / "t0"
        self.target.touch()
        self.log.symlink_to(self.target)
        self.truncated = False

    def fresh(self) -> Path:
        self.files += 1
        return self.root / f"t{self.files}"

    def write(self) -> None:
        self.half()
        append(self.log, b"\n")
        self.written.append(self.begun)
        self.begun = b""

    def half(self) -> None:
        self.count += 1
        append(self.log, b"<%d>" % self.count)
        self.begun += b"<%d>" % self.count

    def leave(self) -> None:
        """The file is left as it is: half a line in it counts as one."""
        if self.begun:
            self.written.append(self.begun)
        self.begun = b""

    def rotate(self) -> None:
        self.leave()
        self.log.rename(self.fresh())
        self.log.touch()

    def recreate(self) -> None:
        self.leave()
        self.log.unlink()
        self.log.touch()

    def point_elsewhere(self) -> None:
        self.leave()
        new = self.fresh()
        new.touch()
        (self.root / "link").symlink_to(new)
        (self.root / "link").replace(self.log)

    def truncate(self) -> None:
        self.begun = b""
        os.truncate(self.log, 0)
        self.truncated = True

    def copytruncate(self) -> None:
        self.fresh().write_bytes(self.log.read_bytes())
        self.truncate()


STEPS = ["write"] * 3 + ["half", "rotate", "recreate", "point_elsewhere", "poll", "poll", "wait", "swap back"]


def run(root: Path, steps: list[str]) -> tuple[Model, list[bytes]]:
    model = Model(root)
    rig = Rig(model.log)
    got = b""
    for step in steps:
        if step in ("poll", "wait"):
            got += rig.poll(LATER if step == "wait" else 0.1)
        elif step == "swap back":  # the file is away for a moment
            model.log.rename(root / "away")
            got += rig.poll(0.1)
            (root / "away").rename(model.log)
        else:
            if step == "copytruncate":
                got += rig.poll()
            elif step in ("rotate", "recreate", "point_elsewhere"):
                rig.follower.look()  # which names have come and gone unseen nobody can tell
            getattr(model, step)()
    got += rig.poll() + rig.poll(LATER) + rig.poll(LATER)
    rig.follower.close()
    return model, got.split(b"\n")[:-1]


CALM = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@CALM
@given(steps=st.lists(st.sampled_from(STEPS), max_size=40))
def test_without_truncation_each_line_is_read_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    model, got = run(tmp_path_factory.mktemp("model"), steps)
    assert sorted(got) == sorted(model.written)


@CALM
@given(steps=st.lists(st.sampled_from([*STEPS, "truncate", "copytruncate"]), max_size=40))
def test_with_truncation_no_line_is_read_twice_or_made_up(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    model, got = run(tmp_path_factory.mktemp("model"), steps)
    assert len(set(got)) == len(got)
    assert set(got) <= set(model.written)
    if "truncate" not in steps:  # all was read before each truncation
        assert sorted(got) == sorted(model.written)


# Waking


@pytest.fixture(params=["inotify", "polling"])
def waiting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a waker. With inotify the interval is put out of reach: only an event can end a wait."""
    made: list[wake.Waker] = []

    def make(*paths: Path) -> wake.Waker:
        names = [str(path) for path in paths]
        if request.param == "inotify":
            monkeypatch.setattr(inotify, "RECHECK_SECONDS", 3600.0)
            waker, notice = wake.waker(names)
            assert notice is None
            assert isinstance(waker, inotify.InotifyWaker)
        else:
            waker = wake.PollWaker()
        made.append(waker)
        return waker

    yield make
    for waker in made:
        waker.close()
        waker.close()


def assert_read(rig: Rig, waker: wake.Waker, wanted: bytes) -> None:
    """Wait and poll in turns till these lines have come; the suite's own time limit ends a hang."""
    got = b""
    while len(got) < len(wanted):
        waker.wait(3600, [])
        got += rig.poll()
    assert got == wanted


def test_wakes_for_whatever_happens_to_a_file(tmp_path: Path, log: Path, waiting: Any) -> None:
    rig = Rig(log)
    waker = waiting(log)
    for number in range(3):  # 1, 12, 13
        log.write_bytes(b"made\n")
        assert_read(rig, waker, b"made\n")
        append(log, b"more\n")
        assert_read(rig, waker, b"more\n")
        append(log, b"last\n")
        log.rename(tmp_path / f"access.{number}")
        log.write_bytes(b"new\n")
        assert_read(rig, waker, b"last\nnew\n")
        append(tmp_path / f"access.{number}", b"late\n")
        assert_read(rig, waker, b"late\n")
        os.truncate(log, 0)
        append(log, b"truncated\n")
        assert_read(rig, waker, b"truncated\n")
        (tmp_path / "other").write_bytes(b"moved over\n")
        (tmp_path / "other").rename(log)
        assert_read(rig, waker, b"moved over\n")
        log.unlink()
    rig.follower.close()


def test_wakes_for_links(tmp_path: Path, log: Path, waiting: Any) -> None:
    (tmp_path / "elsewhere").mkdir()
    log.symlink_to(tmp_path / "elsewhere" / "target")
    rig = Rig(log)
    waker = waiting(log)
    (tmp_path / "elsewhere" / "target").write_bytes(b"one\n")
    assert_read(rig, waker, b"one\n")
    append(tmp_path / "elsewhere" / "target", b"two\n")
    assert_read(rig, waker, b"two\n")
    (tmp_path / "b").write_bytes(b"three\n")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    (tmp_path / "link").rename(log)
    assert_read(rig, waker, b"three\n")
    append(tmp_path / "b", b"four\n")
    assert_read(rig, waker, b"four\n")
    rig.follower.close()


def test_what_was_appended_before_the_watch_was_set_is_not_waited_for(log: Path, waiting: Any) -> None:  # 48
    log.write_bytes(b"")
    rig = Rig(log)
    rig.poll()
    append(log, b"between\n")
    assert_read(rig, waiting(log), b"between\n")
    rig.follower.close()


def test_another_descriptor_ends_a_wait(log: Path, waiting: Any) -> None:
    log.write_bytes(b"")
    waker = waiting(log)
    waker.wait(3600, [])
    read, write = os.pipe()
    os.write(write, b"!")
    for _ in range(3):
        waker.wait(3600, [read])
    assert os.read(read, 2) == b"!"  # it is for whoever waits
    os.close(read)
    os.close(write)


def test_wakes_are_coalesced_and_strangers_do_not_wake(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.write_bytes(b"")
    asked: list[float] = []
    real = wake.readable

    def note(descriptors: list[int], timeout: float) -> set[int]:
        asked.append(timeout)
        return real(descriptors, 0.0)  # no time passes

    now = 100.0
    waker = inotify.InotifyWaker([str(log)], lambda: now)
    monkeypatch.setattr(wake, "readable", note)
    waker.wait(1.0, [])
    asked.clear()
    append(log, b"x\n")
    waker.wait(1.0, [])
    least = inotify.COALESCE_SECONDS + inotify.COALESCE_SECONDS_A_FILE
    assert asked == [pytest.approx(least), pytest.approx(1.0)]
    (tmp_path / "stranger").write_bytes(b"")
    now += 0.5
    asked.clear()
    waker.wait(0.25, [])
    assert asked == [pytest.approx(0.25)] * 2  # went on waiting
    log.unlink()  # 27: gone for good, it is not looked at over and over
    for _ in range(2):  # for its end, and once more since a watch is gone
        waker.wait(1.0, [])
        now += 0.5
    asked.clear()
    waker.wait(0.25, [])
    assert asked == [pytest.approx(0.25)]
    waker.close()


def test_watches_do_not_pile_up(tmp_path: Path, log: Path) -> None:
    waker = inotify.InotifyWaker([str(log)], lambda: 0.0)
    for number in range(100):
        log.write_bytes(b"")
        waker._sync()
        log.rename(tmp_path / str(number))
    assert len(waker._watches) <= waker._most
    waker.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.ENOSYS])
def test_without_inotify_it_polls_and_says_so(
    log: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(inotify, "InotifyWaker", refuse)
    waker, notice = wake.waker([str(log)])
    assert isinstance(waker, wake.PollWaker)
    assert notice is not None
    assert os.strerror(number) in notice.text


def test_the_limit_of_watches_met_on_the_way_is_said_once(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_bytes(b"")
    before = descriptors()
    waker = inotify.InotifyWaker([str(log)], lambda: 0.0)

    def refuse(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(waker._events, "add_watch", refuse)
    notice = waker.wait(0.0, [])
    assert notice is not None
    assert "max_user_watches" in notice.text
    assert waker.wait(3600, []) is None
    waker.close()
    monkeypatch.setattr("inotify_simple.INotify.add_watch", refuse)
    assert isinstance(wake.waker([str(log)])[0], wake.PollWaker)
    assert descriptors() == before


def test_a_network_file_system_is_polled(tmp_path: Path, log: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "1 0 8:1 / / rw - ext4 /dev/root rw\n"
        f"2 1 0:9 / {tmp_path.parent} rw shared:1 - nfs4 host:/x rw\n"
        f"3 1 0:9 / {tmp_path}/local rw - tmpfs tmpfs rw\n"
    )
    waker, notice = wake.waker([str(log)], mounts=str(table))
    assert isinstance(waker, wake.PollWaker)
    assert notice is not None
    assert "nfs4" in notice.text
    waker, notice = wake.waker([str(tmp_path / "local" / "log")], mounts=str(table))
    assert isinstance(waker, inotify.InotifyWaker)
    waker.close()
