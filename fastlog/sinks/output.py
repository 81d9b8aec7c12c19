"""Where bytes go: standard output or a file, by descriptor, without a buffer that could lie about success.

Make it before anything else is opened: with standard output closed (``>&-``), the next
file that a process opens would take its place and receive the data.
"""

import errno
import os
import select
import stat
import sys
from collections.abc import Iterable

from fastlog.errors import FastlogError, UsageError
from fastlog.model.printable import printable

Path = str | os.PathLike[str]

STDOUT = 1

_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL
_FULL = "free some space, or write elsewhere"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "raise the limit on the size of a file, or write elsewhere",
    errno.EBADF: "it is closed: open it, or name a file with --output",
    errno.EISDIR: "name a file",
    errno.ENOENT: "make its directory first",
    errno.ENOTDIR: "name a file in a directory",
    errno.EACCES: "name a file that may be written",
    errno.EPERM: "name a file that may be written",
    errno.EROFS: "name a file that may be written",
}


class ClosedOutput(FastlogError):
    """Nobody reads the output any more (``| head``): the end of the run, and not worth a message."""


class Output:
    """Standard output, or the file at ``path``, created or emptied.

    ``option`` is how messages name the file; ``inputs`` are the logs, none of which may be it, nor may
    ``other``, where something else is written to.
    Opening a FIFO waits for its reader, as the shell does.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        option: str = "--output",
        inputs: Iterable[Path] = (),
        other: "Output | None" = None,
        fd: int = STDOUT,
    ) -> None:
        self.name = "standard output" if path is None else f"{option} {printable(path)}"
        self._broken = False
        self._owned = path is not None
        self._fd = fd if path is None else self._open(path)
        self._watch: select.epoll | None = None
        try:
            mode = self._check(inputs, other)
        except FastlogError:
            self._broken = True
            self.close()
            raise
        if sys.platform == "linux" and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
            self._watch = select.epoll()
            self._watch.register(self._fd, 0)  # no event but error and hang-up, which cannot be left out

    @property
    def fd(self) -> int:
        return self._fd

    @property
    def watch_fd(self) -> int | None:
        """A descriptor that becomes readable, for good, when the reader of a pipe or socket goes.

        None where there is no such reader, or no such descriptor (other systems than Linux):
        ``reader_gone`` or the next write tells. It is never readable for any other reason.
        """
        return None if self._watch is None else self._watch.fileno()

    def write(self, data: bytes) -> None:
        """Write all of ``data``, waiting for a slow reader. Raises ClosedOutput when there is none."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:  # whoever shares the pipe made it so: it stays so
                poll = select.poll()
                poll.register(self._fd, select.POLLOUT)
                poll.poll()
            except OSError as error:
                self._broken = True
                raise self._failure(error) from error

    def close(self) -> None:
        """Give the descriptor back. Raises FastlogError when what was written did not arrive."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        try:
            # Some file systems report a failed write only now. Standard output is everybody's: close a copy.
            os.close(fd if self._owned else os.dup(fd))
        except OSError as error:
            if not self._broken:
                raise self._failure(error) from error

    def _open(self, path: Path) -> int:
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY, 0o666)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            why = f"{error.strerror}: {_remedy(error)}" if isinstance(error, OSError) else "name a file"
            raise UsageError(f"{self.name}: {why}") from error

    def _check(self, inputs: Iterable[Path], other: "Output | None") -> int:
        """The mode of what is written to, which is no input, and empty where it is a file of ours."""
        try:
            # Standard output was closed when Python started: what has its number now is not it.
            if not self._owned and self._fd == STDOUT and sys.__stdout__ is None:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            mine = os.fstat(self._fd)
            if stat.S_ISREG(mine.st_mode):
                for path in inputs:
                    if _same_file(mine, path):
                        raise UsageError(f"{self.name}: it is the log {printable(path)} too: write elsewhere")
                if other is not None and os.path.samestat(mine, os.fstat(other.fd)):
                    raise UsageError(f"{self.name}: it is {other.name} too: write elsewhere")
                if self._owned:
                    os.ftruncate(self._fd, 0)
        except OSError as error:
            raise self._failure(error) from error
        return mine.st_mode

    def _failure(self, error: OSError) -> FastlogError:
        if error.errno in {errno.EPIPE, errno.ECONNRESET}:
            return ClosedOutput(f"{self.name}: its reader has gone")
        return FastlogError(f"{self.name}: {error.strerror}: {_remedy(error)}")


def reader_gone(fd: int) -> bool:
    """Whether nobody can read any more what is written to ``fd``. Always False of a regular file."""
    poll = select.poll()
    poll.register(fd, 0)
    return any(event & _GONE for _, event in poll.poll(0))


def _remedy(error: OSError) -> str:
    return _REMEDIES.get(error.errno or 0, "check the device, or write elsewhere")


def _same_file(mine: os.stat_result, path: Path) -> bool:
    try:
        other = os.fstat(0) if os.fspath(path) == "-" else os.stat(path)
    except (OSError, ValueError):
        return False  # a log that cannot be looked at has its own message, from who reads it
    return os.path.samestat(mine, other)
