"""Waiting with inotify: Linux says at once when a followed file, its name, or its link changes."""

import errno
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

import inotify_simple

from fastlog.model.chunk import Notice
from fastlog.sources import wake
from fastlog.sources.patterns import fixed_directory, is_pattern

RECHECK_SECONDS = 1.0
"""Longest wait: not every file system reports every change."""
COALESCE_SECONDS = 0.01
"""Shortest time between two wakes, so that a busy log comes in blocks and not in lines."""
COALESCE_SECONDS_A_FILE = 0.0001
"""What each followed file adds to it: a wake looks at them all."""
# As in <sys/inotify.h>.
_MODIFY, _ATTRIB, _MOVED, _CREATE, _DELETE = 0x2, 0x4, 0x40 | 0x80, 0x100, 0x200
_SELF, _IGNORED, _ONLY_DIRECTORY = 0x400 | 0x800, 0x8000, 0x01000000
_FILE_MASK = _MODIFY | _ATTRIB | _SELF
_DIR_MASK = _ATTRIB | _MOVED | _CREATE | _DELETE | _SELF | _ONLY_DIRECTORY


class InotifyWaker:
    """Wakes as soon as Linux reports a change of a followed file, its name or what its link leads to.

    Raises OSError when the first watches cannot be set. If that happens later it goes on at the fixed
    interval, which ``wait`` says once. Of a pattern only the directory without wildcards is watched.
    """

    def __init__(self, paths: Sequence[str], monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._events = inotify_simple.INotify(nonblocking=True)
        # Watch -> names (or patterns) that matter there, None for a file. The one set longest ago is first.
        self._watches: OrderedDict[int, set[str] | None] = OrderedDict()
        self._longest = RECHECK_SECONDS
        self._woke = self._synced = float("-inf")
        self.watch(paths)
        try:
            self._sync()
        except OSError:
            self.close()
            raise
        self._stale = True  # what came before the watches made no event: the first wait returns at once

    def watch(self, paths: Sequence[str]) -> None:
        self._paths = paths
        self._most = 8 * len(paths) + 8  # files that lost their name are watched for a while
        self._pause = COALESCE_SECONDS + COALESCE_SECONDS_A_FILE * len(paths)
        self._stale = True

    def wait(self, timeout: float, also: Sequence[int]) -> Notice | None:
        now = self._monotonic()
        end = now + min(timeout, self._longest)
        pause = min(self._woke + self._pause, end) - now
        if pause <= 0 or not wake.readable(also, pause):
            try:
                self._until(end, also)
            except OSError as error:
                self._longest = wake.POLL_SECONDS
                self._stale = False
                self._woke = self._monotonic()
                return wake.polling_instead(error)
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
            ready = wake.readable([events, *also], max(0.0, end - now))
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
            if names is None or not name or name in names or any(fnmatchcase(name, each) for each in names):
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
            if is_pattern(path):
                directory, name = os.path.split(os.path.abspath(path))
                fixed = fixed_directory(path)
                self._watch_names(fixed, name if fixed == directory else "*")
                continue
            for place in {os.path.abspath(path), os.path.realpath(path)}:
                self._watch_names(*os.path.split(place))
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

    def _watch_names(self, directory: str, name: str) -> None:
        watch = self._watch(directory, _DIR_MASK)
        if watch is not None:
            names = self._watches.get(watch)
            self._watches[watch] = {name} if names is None else names | {name}

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
