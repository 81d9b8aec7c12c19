"""Any order of what writers, rotators, administrators and crashes do to a log, against a model.

Files are real, clocks are not. The model knows of each line whether it must be counted, once, or may be:
what was in a file when it was truncated, or in one that was gone before it could be seen, nobody can read.
``FASTLOG_SOAK=5000`` runs that many sequences instead of the few of the ordinary suite.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fastlog.model.chunk import Block, Left, Placed
from fastlog.model.position import FilePosition
from fastlog.sources import inotify
from fastlog.sources.follow import Follower
from fastlog.sources.name import GRACE_SECONDS, OLD_FILES
from fastlog.sources.wake import Waker

LATER = GRACE_SECONDS + 1
ROTATIONS = OLD_FILES // 2 - 1
"""Most of them within a grace time: beyond twice as many the oldest files are given up."""
SEQUENCES = int(os.environ.get("FASTLOG_SOAK", "200"))


@dataclass(eq=False)
class Log:
    """A file of the model: its writer, and what stands in it."""

    writer: int
    half: bytes = b""  # the line that is being written
    pending: list[bytes] = field(default_factory=list)  # lines since the follower read it last
    read: bool = False  # bytes of its content have been read
    known: bool = False  # the follower has taken hold of it
    deleted: bool = False
    lost: bool = False  # nobody can get at it but its writer
    touched: float = 0.0  # when it lost its name, or got a late line after that


class LogLife(RuleBasedStateMachine):
    """One directory with a log; rules of ``followed`` and ``wakes`` are set by the subclasses below."""

    paths = ("log",)
    notified = False

    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="follow-machine-"))
        self.log = self.root / "logs" / "log"
        self.log.parent.mkdir()
        self.now, self.stamp, self.count = 1000.0, 10**18, 0
        self.targets = self.rotations = 0
        self.given: list[bytes] = []
        self.must: set[bytes] = set()
        self.may: set[bytes] = set()
        self.positions: dict[tuple[str, int, int], FilePosition] = {}
        self.followed: Follower | None = None
        self.waker: Waker | None = None
        self.current: Log | None = self.new_log()
        self.old: list[Log] = []
        self.start()
        self.poll()

    def teardown(self) -> None:
        if not hasattr(self, "root"):
            return
        try:
            if self.followed is None:
                self.start()
            for after in (0.2, LATER, LATER):
                self.poll(after)
        finally:
            self.stop()
            for log in [*self.old, *filter(None, [self.current])]:
                os.close(log.writer)
            shutil.rmtree(self.root)

    # The writers

    def new_log(self) -> Log:
        log = Log(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
        self.touch(log.writer)
        return log

    def touch(self, place: int | Path) -> None:
        """Time goes on between two changes: the clock of a file system is too coarse for a test."""
        self.stamp += 100_000_000
        os.utime(place, ns=(self.stamp, self.stamp))

    def append(self, log: Log, data: bytes) -> None:
        os.write(log.writer, data)
        self.touch(log.writer)

    def word(self) -> bytes:
        self.count += 1
        return b"<%d>" % self.count

    def write_half(self, log: Log) -> None:
        word = self.word()
        self.append(log, word)
        log.half += word

    def write_line(self, log: Log) -> None:
        word = self.word()
        self.append(log, word + b"\n")
        log.pending.append(log.half + word)
        self.must.add(log.half + word)
        log.half = b""

    @precondition(lambda self: self.current)
    @rule(lines=st.integers(1, 3))
    def write(self, lines: int) -> None:
        for _ in range(lines):
            self.write_line(self.current)

    @precondition(lambda self: self.current)
    @rule()
    def half(self) -> None:
        self.write_half(self.current)

    def lately_left(self) -> list[Log]:
        return [log for log in self.old if self.now - log.touched <= GRACE_SECONDS]

    @precondition(lambda self: self.lately_left())
    @rule(which=st.integers(0, 3), whole=st.booleans())
    def late(self, which: int, whole: bool) -> None:
        """A writer that has not yet opened the new file."""
        left = self.lately_left()
        log = left[which % len(left)]
        log.touched = self.now
        self.write_line(log) if whole else self.write_half(log)
        if log.lost:
            self.give_up(log)

    # The rotator and the administrator

    def give_up(self, log: Log) -> None:
        """What the follower has not read of a file need not be counted."""
        self.must.difference_update(log.pending)
        self.may.update(log.pending)
        log.pending = []

    def may_rotate(self) -> bool:
        return self.current is not None and self.rotations < ROTATIONS

    def leave(self, *, deleted: bool) -> None:
        """The log loses its name; its writer goes on for a while."""
        self.rotations += 1
        log = self.current
        log.touched = self.now
        log.deleted = deleted
        log.lost = log.lost or (deleted and not (log.known and self.followed))
        if log.lost:
            self.give_up(log)
        self.old.append(log)
        self.current = None

    def shift(self) -> None:
        """``log.1`` becomes ``log.2``, and so on."""
        numbers = [int(path.suffix[1:]) for path in self.log.parent.glob("log.*")]
        for number in sorted(numbers, reverse=True):
            self.log.with_name(f"log.{number}").rename(self.log.with_name(f"log.{number + 1}"))

    @precondition(lambda self: self.may_rotate())
    @rule(again=st.booleans())
    def rename(self, again: bool) -> None:
        self.shift()
        anchored = self.anchored if self.followed else self.positions
        if self.log.is_symlink() or not anchored:
            # Unseen, it is found only beside one that was known before it; a link's target is not.
            self.current.lost = not self.current.known
        self.log.rename(self.log.with_name("log.1"))
        self.leave(deleted=False)
        if again:
            self.create()

    @precondition(lambda self: self.may_rotate() and not self.log.is_symlink())
    @rule(again=st.booleans())
    def delete(self, again: bool) -> None:
        self.log.unlink()
        self.leave(deleted=True)
        if again:
            self.create()

    @precondition(lambda self: not self.current)
    @rule()
    def create(self) -> None:
        self.current = self.new_log()

    @precondition(lambda self: self.may_rotate())
    @rule()
    def link(self) -> None:
        """The name becomes a link to a new file elsewhere, in one step."""
        self.targets += 1
        target, new = self.root / f"target{self.targets}", self.root / "link"
        target.touch()
        new.symlink_to(target)
        gone = not self.log.is_symlink()
        self.current.lost = not self.current.known
        new.replace(self.log)
        self.leave(deleted=gone)
        self.create()

    def cut(self, log: Log) -> None:
        os.truncate(log.writer, 0)
        self.touch(log.writer)
        self.may.add(log.half)
        log.half, log.read = b"", False

    @precondition(lambda self: self.current)
    @rule(lines=st.integers(0, 40))
    def truncate(self, lines: int) -> None:
        """Cut, and perhaps grown again past what it was before anybody looks."""
        self.give_up(self.current)
        self.cut(self.current)
        for _ in range(lines):
            self.write_line(self.current)

    @precondition(lambda self: self.may_rotate() and not self.log.is_symlink())
    @rule()
    def copytruncate(self) -> None:
        self.rotations += 1
        self.shift()
        shutil.copyfile(self.log, self.log.with_name("log.1"))
        self.touch(self.log.with_name("log.1"))
        if not self.current.read:
            self.give_up(self.current)
        self.cut(self.current)
        self.current.pending = []  # if they must be counted, they are found in the copy

    @precondition(lambda self: self.followed)
    @rule()
    def directory_goes_and_comes(self) -> None:
        away = self.root / "away"
        self.poll()
        self.log.parent.rename(away)
        self.take(self.followed.poll())
        away.rename(self.log.parent)

    # The follower

    def start(self) -> None:
        paths = [str(self.log.parent / path) for path in self.paths]
        self.followed = Follower(
            paths,
            from_start=True,
            clock=lambda: self.stamp / 1e9,
            steady=lambda: self.now,
            positions=list(self.positions.values()),
        )
        self.anchored = bool(self.positions)  # a file of the name has been known
        if self.notified:
            self.waker = inotify.InotifyWaker(paths, lambda: self.now)

    def stop(self) -> None:
        if self.waker is not None:
            self.waker.close()
        if self.followed is not None:
            self.followed.close()
        self.waker = self.followed = None

    @precondition(lambda self: self.followed)
    @rule(after=st.sampled_from([0.2, 1.0, LATER]))
    def poll(self, after: float = 0.2) -> None:
        self.now += after
        self.stamp += 100_000_000
        if self.waker is not None:
            self.waker.wait(0.0, [])
        self.take(self.followed.poll())
        self.anchored = self.anchored or self.current is not None
        for log in [*self.old, *filter(None, [self.current])]:
            log.pending, log.known = [], not log.lost
            log.read = log.read or bool(os.fstat(log.writer).st_size)
        counted = set(self.given)
        assert len(counted) == len(self.given), "a line was given out twice"
        halves = {log.half for log in self.old}
        assert counted <= self.must | self.may | halves, "a line was made up"
        assert self.must <= counted, "a line was lost"
        if after == LATER:
            for log in self.old:
                self.may.add(log.half)
                os.close(log.writer)
            self.old, self.rotations = [], 0

    @precondition(lambda self: self.followed)
    @rule(items=st.integers(0, 6))
    def crash(self, items: int) -> None:
        """Killed after some items of a poll; what came with them is on record."""
        polled = self.followed.poll()
        self.take(item for item, _ in zip(polled, range(items), strict=False))
        self.stop()
        for log in [*self.old, *filter(None, [self.current])]:
            log.lost = log.lost or log.deleted or not (log.known or self.positions)
            if log.lost:
                self.give_up(log)

    @precondition(lambda self: not self.followed)
    @rule()
    def resume(self) -> None:
        self.start()
        self.poll()

    def take(self, items: Iterator[object]) -> None:
        for item in items:
            if isinstance(item, Block):
                self.given += item.data.split(b"\n")[:-1]
            if isinstance(item, Placed) and item.former is not None:
                self.positions.pop((item.former.path, *item.former.key), None)
            position = item.position if isinstance(item, Block | Placed | Left) else None
            if position is not None:
                self.positions.pop((position.path, *position.key), None)
                if not isinstance(item, Left):
                    self.positions[position.path, *position.key] = position


class PolledLife(LogLife):
    """One name, looked at again and again."""


class NotifiedLife(LogLife):
    """One name, looked at when inotify says so."""

    notified = True


class PatternLife(LogLife):
    """A pattern that the rotated files fit too."""

    paths = ("log*",)


@pytest.mark.parametrize("life", [PolledLife, NotifiedLife, PatternLife])
@pytest.mark.timeout(60 + SEQUENCES)
def test_each_line_is_counted_once(life: type[LogLife]) -> None:
    run_state_machine_as_test(
        life,
        settings=settings(
            max_examples=SEQUENCES // 3,
            stateful_step_count=30,
            deadline=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=[
                HealthCheck.too_slow,
                HealthCheck.filter_too_much,
                HealthCheck.data_too_large,
            ],
        ),
    )
