"""Regular files, cut by offset: planning a range moves no bytes (``sources.ranges`` reads it)."""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from fastlog.errors import SourceError
from fastlog.model.chunk import RANGE_BYTES
from fastlog.model.printable import printable

STDIN = 0
HEAD_BYTES = 64 * 1024
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class OpenSource:
    """An open input of a replay.

    A regular file is read from ``origin`` to ``end``, where it ended when it was
    opened; ``end`` is None for a stream (pipe, FIFO, terminal, device).
    """

    name: str
    fd: int
    origin: int
    end: int | None


def open_source(path: str | os.PathLike[str]) -> OpenSource:
    """Open one input; ``-`` is standard input. Raises SourceError with what is wrong.

    The descriptor is looked at after it was opened, so that nothing can be swapped
    in between; a FIFO without a writer does not block.
    """
    name = os.fspath(path)
    shown = "standard input" if name == "-" else printable(name)
    try:
        fd = STDIN if name == "-" else os.open(name, _FLAGS)
        found = os.fstat(fd)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = error.strerror if isinstance(error, OSError) else str(error)
        limit = isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)
        remedy = "raise the limit (ulimit -n)" if limit else "name a log file that can be read"
        raise SourceError(f"{shown}: {why}: {remedy}") from error
    if stat.S_ISREG(found.st_mode):
        origin = os.lseek(fd, 0, os.SEEK_CUR)
        return OpenSource(shown, fd, origin, max(found.st_size, origin))
    if stat.S_ISFIFO(found.st_mode) or stat.S_ISSOCK(found.st_mode) or stat.S_ISCHR(found.st_mode):
        return OpenSource(shown, fd, 0, None)
    if fd != STDIN:
        os.close(fd)
    if stat.S_ISDIR(found.st_mode):
        raise SourceError(f"{shown}: is a directory: name the log files in it")
    raise SourceError(f"{shown}: is a block device: name a log file")


def plan_ranges(origin: int, end: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of each range, in order, without a gap."""
    for start in range(origin, end, RANGE_BYTES):
        yield start, min(start + RANGE_BYTES, end)


def read_head(source: OpenSource) -> bytes:
    """The first whole lines of a regular file, at most HEAD_BYTES; a lone first line may be cut."""
    assert source.end is not None
    data = os.pread(source.fd, min(HEAD_BYTES, source.end - source.origin), source.origin)
    cut = data.rfind(b"\n") + 1
    return data[:cut] if cut and len(data) == HEAD_BYTES else data


def cut_short(name: str) -> str:
    """What to say of a file that lost bytes while it was read."""
    return f"{name}: was cut short while it was read; what was left is counted: replay its copy too"


def unreadable(name: str, error: OSError) -> str:
    """What to say of a read that failed."""
    why = error.strerror or errno.errorcode.get(error.errno or 0, "error")
    return f"{name}: cannot be read ({why}): the lines of that part are missing; check the disk"
