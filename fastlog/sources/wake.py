"""Waiting until a followed file may have changed.

A waker only says when to look, never what happened: each file is looked at through its path anyway, so an
event that was missed costs a second, not a line.
"""

import errno
import os
import select
import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

from fastlog.model.chunk import Notice
from fastlog.model.printable import printable
from fastlog.sources import clock

RECHECK_SECONDS = 1.0
"""Longest wait: not every file system reports every change."""
POLL_SECONDS = 0.1
COALESCE_SECONDS = 0.01
"""Shortest time between two wakes, so that a busy log comes in blocks and not in lines."""
_REMOTE = frozenset("nfs nfs4 cifs smb3 smbfs 9p afs ceph lustre gpfs glusterfs virtiofs".split())
_LIMITS = {errno.ENOSPC: "fs.inotify.max_user_watches", errno.EMFILE: "fs.inotify.max_user_instances"}
# As in <sys/inotify.h>: inotify_simple is imported only where it is used.
_MODIFY, _ATTRIB, _MOVED, _CREATE, _DELETE = 0x2, 0x4, 0x40 | 0x80, 0x100, 0x200
_SELF, _IGNORED, _ONLY_DIRECTORY = 0x400 | 0x800, 0x8000, 0x01000000
_FILE_MASK = _MODIFY | _ATTRIB | _SELF
_DIR_MASK = _ATTRIB | _MOVED | _CREATE | _DELETE | _SELF | _ONLY_DIRECTORY


class Waker(Protocol):
    """What both wakers are."""

    def wait(self, timeout: float, also: Sequence[int]) -> Notice | None:
        """Return when something may have changed, one of ``also`` is readable, or time is up."""

    def close(self) -> None:
        """Let go of what it holds. Safe to call twice."""


class PollWaker:
    """Wakes at a fixed interval: works anywhere."""

    def wait(self, timeout: float, also: Sequence[int]) -> Notice | None:
        _readable(also, min(timeout, POLL_SECONDS))
        return None

    def close(self) -> None:
        """Nothing is held."""


class InotifyWaker:
    """Wakes as soon as Linux reports a change of a followed file, its name or what its link leads to.

    Raises OSError when the first watches cannot be set. If that happens later it goes on at the fixed
    interval, which ``wait`` says once.
    """

    def __init__(self, paths: Sequence[str], monotonic: Callable[[], float]) -> None:
        import inotify_simple  # here, since other systems have none

        self._paths, self._monotonic = paths, monotonic
        self._events = inotify_simple.INotify(nonblocking=True)
        # Watch -> names that matter in that directory, None for a file. The one set longest ago comes first.
        self._watches: OrderedDict[int, set[str] | None] = OrderedDict()
        self._most = 8 * len(paths) + 8  # files that lost their name are watched for a while
        self._longest = RECHECK_SECONDS
        self._woke = self._synced = float("-inf")
        self._stale = True
        try:
            self._sync()
        except OSError:
            self.close()
            raise
        self._stale = True  # what came before the watches made no event: the first wait returns at once

    def wait(self, timeout: float, also: Sequence[int]) -> Notice | None:
        now = self._monotonic()
        end = now + min(timeout, self._longest)
        pause = min(self._woke + COALESCE_SECONDS, end) - now
        if pause <= 0 or not _readable(also, pause):
            try:
                self._until(end, also)
            except OSError as error:
                self._longest = POLL_SECONDS
                self._stale = False
                self._woke = self._monotonic()
                return _fallback(error)
        self._woke = self._monotonic()
        return None

    def close(self) -> None:
        self._events.close()

    def _until(self, end: float, also: Sequence[int]) -> None:
        events = self._events.fileno()
        while True:
            now = self._monotonic()
            if (self._stale or now - self._synced >= RECHECK_SECONDS) and self._longest == RECHECK_SECONDS:
                fresh = self._stale
                self._stale, self._synced = False, now
                if self._sync() or fresh:
                    return  # a new watch is blind to what came before it
            ready = _readable([events, *also], max(0.0, end - now))
            if not ready or ready != {events} or self._matters():
                return

    def _matters(self) -> bool:
        """Take the events that are there: does one of them concern a followed file?"""
        woken = False
        for watch, mask, _, name in self._events.read(timeout=0):
            if watch >= 0 and watch not in self._watches:  # given up; -1 says that events were dropped
                continue
            names = self._watches.get(watch)
            if mask & _IGNORED:
                del self._watches[watch]
            if names is None or not name or name in names:
                woken = True
                self._stale = self._stale or bool(mask & ~_MODIFY)
        return woken

    def _sync(self) -> bool:
        """Watch what the paths lead to now. True when there is a watch that was not there before."""
        before = set(self._watches)
        for names in self._watches.values():
            if names:
                names.clear()
        for path in self._paths:
            for place in {os.path.abspath(path), os.path.realpath(path)}:
                directory, name = os.path.split(place)
                watch = self._watch(directory, _DIR_MASK)
                if watch is not None:
                    names = self._watches.get(watch)
                    self._watches[watch] = {name} if names is None else names | {name}
            watch = self._watch(path, _FILE_MASK)
            if watch is not None:
                self._watches[watch] = None
        while len(self._watches) > self._most:
            watch, _ = self._watches.popitem(last=False)
            try:
                self._events.rm_watch(watch)
            except OSError:  # the file is gone, and its watch with it
                continue
        return not before.issuperset(self._watches)

    def _watch(self, place: str, mask: int) -> int | None:
        try:
            watch: int = self._events.add_watch(place, mask)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.ENOMEM):
                raise
            return None  # missing, not readable: the path is looked at each second
        if watch in self._watches:
            self._watches.move_to_end(watch)
        return watch


def waker(
    paths: Sequence[str],
    monotonic: Callable[[], float] = clock.monotonic,
    mounts: str = "/proc/self/mountinfo",
) -> tuple[Waker, Notice | None]:
    """The best waker for these paths, and what to tell the user where that is not inotify."""
    if not sys.platform.startswith("linux"):
        return PollWaker(), None
    for path in paths:
        if (kind := _file_system(os.path.realpath(path), mounts)) in _REMOTE:
            text = f"{printable(path)}: on {kind}, which reports no changes: looking every {POLL_SECONDS} s"
            return PollWaker(), Notice(text)
    try:
        return InotifyWaker(paths, monotonic), None
    except (OSError, ImportError) as error:
        return PollWaker(), _fallback(error)


def _fallback(error: Exception) -> Notice:
    number = error.errno if isinstance(error, OSError) else None
    advice = f" (raise {_LIMITS[number]})" if number in _LIMITS else ""
    return Notice(f"inotify cannot be used: {error}{advice}: looking at the files every {POLL_SECONDS} s")


def _readable(descriptors: Sequence[int], timeout: float) -> set[int]:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(max(0.0, timeout) * 1000)}


def _file_system(path: str, mounts: str) -> str | None:
    """Type of the file system that holds ``path``: that of the deepest mount point above it."""
    best, kind = -1, None
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                fields, _, rest = line.partition(" - ")
                point = fields.split(" ")[4].replace("\\040", " ")
                inside = path == point or path.startswith(point.rstrip("/") + "/")
                if inside and len(point) >= best:
                    best, kind = len(point), rest.split(" ")[0]
    except (OSError, IndexError):
        return None
    return kind
