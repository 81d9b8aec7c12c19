"""Following what fits a pattern: files that come, go, are renamed, copied, and linked."""

import os
import shutil
from pathlib import Path

import pytest

from fastlog.model.chunk import Placed
from fastlog.sources import follow, inotify
from fastlog.sources.name import GRACE_SECONDS
from fastlog.sources.voice import Named
from tests.hazards.follower import Rig, append

LATER = GRACE_SECONDS + 1


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_files_that_are_there_and_files_that_come(tmp_path: Path) -> None:  # 42
    (tmp_path / "a.log").write_bytes(b"old\n")
    (tmp_path / "other.txt").write_bytes(b"no\n")
    (tmp_path / "b.log.gz").write_bytes(b"no\n")
    (tmp_path / "dir.log").mkdir()
    rig = Rig(tmp_path / "*.log*", from_start=False)
    assert rig.poll() == b""
    append(tmp_path / "a.log", b"a\n")
    (tmp_path / "c.log").write_bytes(b"c\n")
    assert rig.poll(1) == b"a\nc\n"
    assert [block.source for block in rig.blocks] == [0, 1]
    assert rig.notices == []
    rig.follower.close()


def test_the_last_poll_takes_in_what_has_just_come(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "*.log")
    (tmp_path / "a.log").write_bytes(b"a\nhalf")
    assert rig.poll() == b""  # looked for a moment ago
    assert [block.data for block in rig.take(rig.follower.drain())] == [b"a\n"]
    rig.follower.close()


def test_nothing_fits_yet(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "logs" / "*.log")
    assert rig.poll() == b""
    assert rig.said("no file fits: waiting until one does") == len(rig.notices) == 1
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_bytes(b"a\n")
    assert rig.poll(1) == b"a\n"
    rig.follower.close()


def test_a_file_of_that_very_name_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "[a].log").write_bytes(b"one\n")
    (tmp_path / "a.log").write_bytes(b"two\n")
    assert Rig(tmp_path / "[a].log").poll() == b"one\n"


def test_rotated_files_that_fit_too_are_not_read_again(tmp_path: Path) -> None:  # 4, 8
    logs = [tmp_path / name for name in ("a.log", "b.log", "c.log")]
    rig = Rig(tmp_path / "*.log*")
    writers = []
    for number in range(8):
        for log in logs:
            if log.exists():
                log.rename(log.with_name(f"{log.name}.{number}"))
            log.write_bytes(b"%d\n" % number)
            writers.append(log.open("ab", buffering=0))
        assert rig.poll(1) == b"%d\n" % number * 3
        for writer in writers:
            writer.write(b"late\n")
        assert rig.poll(LATER if number % 2 else 1) == b"late\n" * len(writers)
    for writer in writers:
        writer.close()
    rig.follower.close()


@pytest.mark.parametrize("looked", [True, False])
def test_copytruncate_into_a_name_that_fits_too(tmp_path: Path, looked: bool) -> None:  # 23
    log = tmp_path / "a.log"
    log.write_bytes(b"one\n")
    rig = Rig(tmp_path / "a.log*")
    assert rig.poll() == b"one\n"
    for number in range(3):
        append(log, b"more %d\n" % number)
        got = rig.poll(1) if looked else b""
        for old in (2, 1):
            if (old_path := tmp_path / f"a.log.{old}").exists():
                old_path.rename(tmp_path / f"a.log.{old + 1}")
        shutil.copyfile(log, tmp_path / "a.log.1")
        got += rig.poll(1) if looked else b""
        log.write_bytes(b"new %d\n" % number)
        assert got + rig.poll(1) + rig.poll(1) == b"more %d\nnew %d\n" % (number, number)
    rig.follower.close()


def test_a_link_beside_its_target_counts_once(tmp_path: Path) -> None:
    link = tmp_path / "current.log"
    rig = Rig(tmp_path / "*.log")
    for number in range(5):
        target = tmp_path / f"app-{number}.log"
        target.write_bytes(b"%d\n" % number)
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        assert rig.poll(1) == b"%d\n" % number
        append(target, b"more\n")
        assert rig.poll(1) == b"more\n"
        if number % 2:
            link.unlink()
        os.truncate(target, 0)
        append(target, b"cut\n")
        assert rig.poll(1) == b"cut\n"
    assert rig.said("was truncated") == 5
    rig.follower.close()


def test_numbers_and_descriptors_of_files_that_are_gone_are_used_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "*.log", positions=())
    before = descriptors()
    for number in range(40):
        log = tmp_path / f"{number}.log"
        log.write_bytes(b"%d\n" % number)
        assert rig.poll(1) == b"%d\n" % number
        log.unlink()
        rig.poll(LATER)
        rig.poll(LATER)
    assert descriptors() == before
    assert {block.source for block in rig.blocks} == {0}
    assert rig.positions == {}
    assert rig.said("no file fits") == len(rig.notices) == 1


def test_a_number_says_whose_it_is_before_anything_else(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "*.log", positions=())
    (tmp_path / "a.log").write_bytes(b"a\n")
    rig.now += 1
    named, placed, *_ = [item for item in rig.follower.poll() if not hasattr(item, "text")]
    assert named == Named(0, str(tmp_path / "a.log"))
    assert isinstance(placed, Placed)
    rig.follower.close()


def test_no_more_files_than_there_are_descriptors_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "MOST_FILES", 3)
    for number in range(5):
        (tmp_path / f"{number}.log").write_bytes(b"%d\n" % number)
    rig = Rig(tmp_path / "*.log")
    assert rig.poll(1) + rig.poll(1) == b"0\n1\n2\n"
    assert rig.said("more than 3 files fit") == len(rig.notices) == 1
    assert rig.notices[0].degraded
    (tmp_path / "1.log").unlink()
    assert rig.poll(LATER) + rig.poll(LATER) + rig.poll(LATER) == b"3\n"
    rig.follower.close()


def test_a_run_goes_on_with_the_files_of_the_last(tmp_path: Path) -> None:
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_bytes(name.encode() + b"\n")
    pattern = tmp_path / "*.log*"
    rig = Rig(pattern, positions=())
    assert rig.poll() == b"a.log\nb.log\n"
    append(tmp_path / "a.log", b"rest\n")
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    (tmp_path / "a.log").write_bytes(b"new\n")
    (tmp_path / "c.log").write_bytes(b"came meanwhile\n")
    rig = rig.again(pattern)
    assert sorted(rig.poll(1).split()) == sorted(b"rest new came meanwhile".split())
    assert rig.again(pattern).poll(1) == b""


def test_inotify_tells_of_files_that_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inotify, "RECHECK_SECONDS", 3600.0)  # only an event can end a wait
    pattern = str(tmp_path / "*.log")
    rig = Rig(Path(pattern))
    waker = inotify.InotifyWaker([pattern], lambda: rig.now)
    waker.wait(3600, [])
    for number in range(3):
        (tmp_path / "stranger").touch()
        (tmp_path / f"{number}.log").write_bytes(b"%d\n" % number)
        got = b""
        while not got:
            waker.wait(3600, [])
            got = rig.poll(1)
        assert got == b"%d\n" % number
        waker.watch([*rig.follower.paths, pattern])
    waker.close()
    rig.follower.close()
