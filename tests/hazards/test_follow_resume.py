"""Going on where an earlier run was, by positions: each line once, whatever was done to the log meanwhile."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastlog.executors.wire import pack_item, unpack_item
from fastlog.model.chunk import LINE_LIMIT, Block, Item, Left, Placed
from fastlog.model.position import FilePosition
from fastlog.sources.name import GRACE_SECONDS
from tests.hazards.follower import Rig, append

LATER = GRACE_SECONDS + 1


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of two lines."""
    path = tmp_path / "access.log"
    path.write_bytes(b"one\ntwo\n")
    return path


def begun(log: Path) -> Rig:
    rig = Rig(log, positions=())
    assert rig.poll() == b"one\ntwo\n"
    return rig


def shift(log: Path, number: int = 1) -> None:
    """``access.log`` becomes ``access.log.1``, that one ``access.log.2``."""
    name = log.with_name(f"{log.name}.{number}") if number else log
    if name.exists():
        shift(log, number + 1)
        name.rename(log.with_name(f"{log.name}.{number + 1}"))
    if number == 1:
        log.rename(name)


def test_only_the_new_lines_come(log: Path) -> None:  # 49
    rig = begun(log)
    append(log, b"three\n")
    rig = rig.again(log)
    assert rig.poll() == b"three\n"
    assert rig.blocks[0].start == 8
    assert rig.notices == []


def test_half_a_line_comes_whole_and_once(log: Path) -> None:  # 30, 33
    rig = begun(log)
    append(log, b"ha")
    assert rig.poll() == b""
    rig = rig.again(log)
    assert rig.poll() == b""
    append(log, b"lf\n")
    assert rig.poll() == b"half\n"


def test_from_the_end_the_place_is_on_record_before_the_first_line(log: Path) -> None:
    rig = Rig(log, from_start=False, positions=())
    assert rig.poll() == b""
    append(log, b"three\n")
    assert rig.again(log).poll() == b"three\n"


def test_the_rest_of_a_line_that_is_too_long_is_not_a_line(log: Path) -> None:  # 38
    rig = begun(log)
    append(log, b"x" * (LINE_LIMIT + 9))
    assert len(rig.poll()) == LINE_LIMIT + 2
    rig = rig.again(log)
    append(log, b"x" * 9 + b"\nthree\n")
    assert rig.poll() == b"three\n"


@pytest.mark.parametrize("rotations", [1, 2, 3, 20])
def test_rotated_while_nobody_looked(log: Path, rotations: int) -> None:  # 50, hazard 32
    rig = begun(log)
    append(log, b"rest\n")
    for number in range(rotations):
        shift(log)
        log.write_bytes(b"file %d\n" % number)
    rig = rig.again(log)
    assert rig.poll() == b"rest\n" + b"".join(b"file %d\n" % number for number in range(rotations))
    assert rig.said("rotated more than once") == rotations - 1
    assert not any(notice.degraded for notice in rig.notices)
    rig = rig.again(log)
    assert rig.poll() + rig.poll(LATER) == b""


@pytest.mark.parametrize("head", [b"#", b"# the same head\n", b"# the same head\n" * 500])
def test_files_that_begin_alike_are_told_apart(tmp_path: Path, head: bytes) -> None:  # 60
    """Of one followed name, and of two: the beginning alone would take one for the other."""
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    one.write_bytes(head + b"one\n")
    two.write_bytes(head + b"two\ntwo\n")
    rig = Rig(one, two, positions=())
    assert rig.poll() == head + b"one\n" + head + b"two\ntwo\n"
    append(one, b"rest of one\n")
    shift(one)
    one.write_bytes(head + b"new one\n")
    append(two, b"rest of two\n")
    rig = rig.again(one, two)
    assert rig.poll() == b"rest of one\nrest of two\n" + head + b"new one\n"
    assert rig.again(one, two).poll() == b""
    assert not any(notice.degraded for notice in rig.notices)
    assert rig.said("truncated") == 0


def test_rotated_files_with_dates_in_their_names(tmp_path: Path) -> None:
    log = tmp_path / "site.log"
    for old in ("site-20260101.log", "site-20260102.log"):
        (tmp_path / old).write_bytes(b"before the first run\n")
    log.write_bytes(b"one\n")
    rig = Rig(log, positions=())
    assert rig.poll() == b"one\n"
    for day in (3, 4, 5):
        log.rename(tmp_path / f"site-2026010{day}.log")
        log.write_bytes(b"after %d\n" % day)
    assert rig.again(log).poll() == b"after 3\nafter 4\nafter 5\n"


def test_a_file_that_is_gone_is_said_and_makes_the_run_incomplete(log: Path) -> None:
    rig = begun(log)
    log.rename(log.with_name("gone"))
    log.write_bytes(b"new\n")
    os.remove(log.with_name("gone"))
    rig = rig.again(log)
    assert rig.poll() == b"new\n"
    assert rig.said("the file of the last run is gone: 8 bytes of it were read") == 1
    assert rig.notices[0].degraded
    assert len(rig.positions) == 1


@pytest.mark.parametrize("content", [b"new\n", b"new line\n" * 300])
def test_truncated_and_written_anew(log: Path, content: bytes) -> None:  # 51; hazards 26, 27
    rig = begun(log)
    log.write_bytes(content)
    rig = rig.again(log)
    assert rig.poll() == content
    assert rig.said("truncated") == 1


@pytest.mark.parametrize("running", [True, False])
def test_what_copytruncate_took_away_is_read_from_the_copy(log: Path, running: bool) -> None:  # 14, 51
    rig = begun(log)
    append(log, b"three\n")
    shutil.copyfile(log, log.with_name("access.log.1"))
    log.write_bytes(b"four\n")
    rig = rig if running else rig.again(log)
    assert rig.poll() == b"three\nfour\n"
    assert rig.poll(LATER) + rig.again(log).poll() == b""


def test_a_copy_of_all_that_was_read_adds_nothing(log: Path) -> None:
    rig = begun(log)
    shutil.copyfile(log, log.with_name("access.log.1"))
    log.unlink()
    log.write_bytes(b"new\n")
    assert rig.poll() == b"new\n"


def test_several_copytruncates_between_two_looks(log: Path) -> None:
    rig = begun(log)
    for number in range(3):
        append(log, b"line %d\n" % number)
        for old in (2, 1):
            if log.with_name(f"access.log.{old}").exists():
                log.with_name(f"access.log.{old}").rename(log.with_name(f"access.log.{old + 1}"))
        shutil.copyfile(log, log.with_name("access.log.1"))
        os.truncate(log, 0)
    append(log, b"last\n")
    assert rig.poll() == b"line 0\nline 1\nline 2\nlast\n"


def test_late_lines_to_an_old_file_come_after_a_restart_too(log: Path) -> None:
    rig = begun(log)
    with log.open("ab", buffering=0) as writer:
        shift(log)
        log.write_bytes(b"new\n")
        assert rig.poll() == b"new\n"
        writer.write(b"late\n")
    rig = rig.again(log)
    assert rig.poll() == b"late\n"
    rig.poll(LATER)
    assert [position.place for position in rig.positions.values()] == [str(log)]


def test_a_link_that_was_pointed_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    old, new, link = tmp_path / "targets" / "a", tmp_path / "targets" / "b", tmp_path / "log"
    old.write_bytes(b"one\n")
    link.symlink_to(old)
    rig = Rig(link, positions=())
    assert rig.poll() == b"one\n"
    append(old, b"two\n")
    new.write_bytes(b"three\n")
    link.unlink()
    link.symlink_to(new)
    assert rig.again(link).poll() == b"two\nthree\n"


def test_a_device_that_has_another_number_is_no_other_file(log: Path) -> None:
    rig = begun(log)
    rig.follower.close()
    (position,) = rig.positions.values()
    moved = FilePosition.from_dict(position.to_dict() | {"device": position.device + 1})
    append(log, b"three\n")
    assert Rig(log, positions=[moved]).poll() == b"three\n"


def test_positions_keep_names_that_are_no_text(tmp_path: Path) -> None:
    log = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n.log"))
    log.write_bytes(b"one\n")
    rig = Rig(log, positions=())
    assert rig.poll() == b"one\n"
    (position,) = rig.positions.values()
    assert position.to_dict()["path"].endswith("/%FF%0A.log")
    assert FilePosition.from_dict(position.to_dict()) == position
    for item in (
        Block(1, 2, b"line\n", at=3.0, position=position),
        Placed(1, position),
        Placed(1, position, former=position),
        Left(1, position),
    ):
        packed: Item = unpack_item(*pack_item(item))
        assert packed == item


def damaged(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda plain: plain | changes


@pytest.mark.parametrize(
    "damage",
    [
        damaged(offset="8"),
        damaged(offset=True),
        damaged(offset=-1),
        damaged(offset=3),
        damaged(inode=-1),
        damaged(marker="8"),
        damaged(fingerprint="9999:" + "0" * 32),
        damaged(more=1),
        lambda plain: {name: value for name, value in plain.items() if name != "hole"},
    ],
)
def test_a_damaged_position_is_refused(log: Path, damage: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    (position,) = begun(log).positions.values()
    with pytest.raises(ValueError):
        FilePosition.from_dict(damage(position.to_dict()))


def test_what_was_finished_before_a_restart_is_not_taken_for_unseen_after_it(log: Path) -> None:
    rig = begun(log)
    shift(log)
    log.write_bytes(b"new\n")
    assert rig.poll() == b"new\n"
    os.utime(log.with_name("access.log.1"), (1, 1))  # before the last look at the new one
    assert rig.poll(LATER) == b""
    append(log, b"newer\n")
    log.rename(log.with_name("aside"))
    rig = rig.again(log)
    assert rig.poll() == b"newer\n"
    assert rig.poll() == b""


def test_a_copy_with_the_inode_of_a_file_of_which_nothing_was_read_is_still_a_copy(log: Path) -> None:
    rig = begun(log)
    shutil.copyfile(log, log.with_name("access.log.1"))
    info = log.with_name("access.log.1").stat()
    (position,) = rig.positions.values()
    empty = Rig(log.with_name("empty"), positions=())
    log.with_name("empty").touch()
    empty.poll()
    (nothing,) = empty.positions.values()
    gone = nothing._replace(path=position.path, place=position.place, device=info.st_dev, inode=info.st_ino)
    log.write_bytes(b"new\n")
    rig.follower.close()
    assert Rig(log, positions=[gone, position]).poll() == b"new\n"


def test_the_file_that_came_last_is_known_though_an_older_one_spoke_last(log: Path) -> None:
    rig = begun(log)
    for number in range(2):
        shift(log)
        log.write_bytes(b"%d\n" % number)
        assert rig.poll(1) == b"%d\n" % number
    append(log.with_name("access.log.2"), b"late\n")
    assert rig.poll(GRACE_SECONDS - 1) == b"late\n"
    assert rig.poll(2) == b""  # by now access.log.1 is finished, and access.log.2 is not
    assert len(rig.positions) == 2
    assert rig.again(log).poll() == b""
    latest = sorted(rig.positions.values(), key=lambda position: position.inode == log.stat().st_ino)
    assert Rig(log, positions=latest[::-1]).poll() == b""
