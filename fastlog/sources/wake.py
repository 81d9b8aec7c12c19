"""Waiting until a followed file may have changed.

A waker only says when to look, never what happened: each file is looked at through its path anyway, so an
event that was missed costs a second, not a line.
"""

import errno
import os
import select
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from fastlog.model.chunk import Notice
from fastlog.model.printable import printable
from fastlog.sources import clock

POLL_SECONDS = 0.1
_REMOTE = frozenset("nfs nfs4 cifs smb3 smbfs 9p afs ceph lustre gpfs glusterfs virtiofs".split())
_LIMITS = {errno.ENOSPC: "fs.inotify.max_user_watches", errno.EMFILE: "fs.inotify.max_user_instances"}


class Waker(Protocol):
    """What both wakers are."""

    def wait(self, timeout: float, also: Sequence[int]) -> Notice | None:
        """Return when something may have changed, one of ``also`` is readable, or time is up."""

    def watch(self, paths: Sequence[str]) -> None:
        """Wait for these paths from now on, instead of the former; patterns are among them."""

    def close(self) -> None:
        """Let go of what it holds. Safe to call twice."""


class PollWaker:
    """Wakes at a fixed interval: works anywhere."""

    def wait(self, timeout: float, also: Sequence[int]) -> Notice | None:
        readable(also, min(timeout, POLL_SECONDS))
        return None

    def watch(self, paths: Sequence[str]) -> None:
        """All are looked at anyway."""

    def close(self) -> None:
        """Nothing is held."""


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
        from fastlog.sources.inotify import InotifyWaker  # here, since other systems have none

        return InotifyWaker(paths, monotonic), None
    except (OSError, ImportError) as error:
        return PollWaker(), polling_instead(error)


def polling_instead(error: Exception) -> Notice:
    """What to tell the user who has no inotify, or no more of it."""
    number = error.errno if isinstance(error, OSError) else None
    advice = f" (raise {_LIMITS[number]})" if number in _LIMITS else ""
    return Notice(f"inotify cannot be used: {error}{advice}: looking at the files every {POLL_SECONDS} s")


def readable(descriptors: Sequence[int], timeout: float) -> set[int]:
    """Those of ``descriptors`` that can be read within ``timeout`` seconds."""
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
