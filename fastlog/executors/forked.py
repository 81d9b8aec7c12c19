"""Children as copies of the command's own process, made before it has a thread, a loop or a file of its own.

What a child has to load is then loaded once for all, and the hub loads the rest beside children that are
ready: loading is most of what a short log takes. Linux alone, where ``fork`` and ``pidfd_open`` are sound.
"""

import gc
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

_BROKEN = 2


class Forked:
    """A copy of this process, with what is asked of a ``subprocess.Popen``."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def kill(self) -> None:
        """SIGKILL, unless it has been waited for."""
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, negative for a signal. Raises TimeoutExpired after ``timeout`` seconds."""
        if self._status is None:
            if timeout is not None:
                self._await_end(timeout)
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._status

    def _await_end(self, timeout: float) -> None:
        fd = os.pidfd_open(self.pid)
        try:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            if not poll.poll(timeout * 1000):
                raise subprocess.TimeoutExpired("fastlog", timeout)
        finally:
            os.close(fd)


def can_fork() -> bool:
    """Whether this process has but one thread, and a kernel that tells of the end of a process."""
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


def preload() -> None:
    """Load what all children need, and leave it to no collector: that would copy every page it looks at."""
    from fastlog import worker  # noqa: F401 - for the child
    from fastlog.executors import child
    from fastlog.reader import replay  # noqa: F401 - for the child

    child.load("worker")
    gc.freeze()


def fork(run: Callable[[], object], keep: Sequence[int]) -> Forked:
    """A child that does ``run`` and ends, with the descriptors ``keep`` and streams that lead nowhere.

    Raises OSError.
    """
    pid = os.fork()
    if not pid:
        _be_child(run, keep)
    return Forked(pid)


def _be_child(run: Callable[[], object], keep: Sequence[int]) -> NoReturn:
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nowhere, stream)
        below = 3
        for fd in sorted(keep):
            os.closerange(below, fd)
            below = fd + 1
        os.closerange(below, os.sysconf("SC_OPEN_MAX"))
        with suppress(Exception):  # it has said what it could: a copy must not go on as the command
            run()
    finally:
        os._exit(_BROKEN)
