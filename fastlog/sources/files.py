"""Regular files, cut by offset: planning a range moves no bytes (``sources.ranges`` reads it)."""

import errno
import os
import stat
from collections.abc import Iterator
from math import ceil, log2
from typing import NamedTuple

from fastlog.errors import SourceError
from fastlog.model.chunk import CHUNK_BYTES, RANGE_BYTES, RANGE_GROWTH
from fastlog.model.printable import printable
from fastlog.sources.packings import SIGNATURE_BYTES, packing_of

STDIN = 0
HEAD_BYTES = 128 * 1024
"""More than a line may have: of one that is cut here it is known that it is oversize."""
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class OpenSource(NamedTuple):
    """An open input of a replay.

    A regular file is read from ``origin`` to ``end``, where it ended when it was
    opened; ``end`` is None for a stream (pipe, FIFO, terminal, device), whose first
    bytes only the reader sees. A ``packed`` file cannot be cut by offset.
    """

    name: str
    fd: int
    origin: int
    end: int | None
    packed: bool = False


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
        return OpenSource(shown, fd, origin, max(found.st_size, origin), _is_packed(fd, origin))
    if stat.S_ISFIFO(found.st_mode) or stat.S_ISSOCK(found.st_mode) or stat.S_ISCHR(found.st_mode):
        return OpenSource(shown, fd, 0, None)
    if fd != STDIN:
        os.close(fd)
    if stat.S_ISDIR(found.st_mode):
        raise SourceError(f"{shown}: is a directory: name the log files in it")
    raise SourceError(f"{shown}: is a block device: name a log file")


def _is_packed(fd: int, origin: int) -> bool:
    try:
        return packing_of(os.pread(fd, SIGNATURE_BYTES, origin)) is not None
    except OSError:  # whoever reads it meets that too, and says so
        return False


class Pace:
    """How long the next piece of a file is: shorter while many are read side by side.

    Pieces of one file wait until the others have come as far in time, at a cost of
    four times their size where each line has a second of its own. So those of all
    files come to ``SIDE_BY_SIDE`` whole chunks at most, up to 256 files, and the
    first of each is short, since nobody knows yet how many will overlap.

    Decision: where there are several it depends on the files alone, never on who is
    faster, so that they are always cut in the same places. A lone file is also cut
    by whether its ranges may grow.
    """

    SIDE_BY_SIDE = 16

    def __init__(self, files: int, *, growing: bool = False) -> None:
        """``growing``: ranges of a lone file may be longer far into it, see ``range_length``."""
        self._alone = files == 1
        self.growing = growing
        self.begun = 0
        """Files that have begun and not ended."""

    def length(self, offset: int, alone: int) -> int:
        """Bytes of the piece of a file that begins at its ``offset``; ``alone`` where it is the only one."""
        if self._alone:
            return alone
        share = self.begun / self.SIDE_BY_SIDE if offset else self.SIDE_BY_SIDE
        halvings = min(max(0, ceil(log2(share))) if share else 0, 4)
        return max(1, CHUNK_BYTES >> halvings)


def plan_ranges(origin: int, end: int, pace: Pace, begun: int | None = None) -> Iterator[tuple[int, int]]:
    """(start, stop) of each range, in order, without a gap, from ``begun`` on."""
    start = origin if begun is None else begun
    while start < end:
        alone = range_length(start - origin) if pace.growing else RANGE_BYTES
        length = pace.length(start - origin, alone)
        stop = min(origin + ((start - origin) // length + 1) * length, end)
        yield start, stop
        start = stop


def range_length(offset: int) -> int:
    """Bytes of the range that begins at an ``offset`` of a lone file.

    Each range costs every process the same, whatever its length. Far into a file they are longer, but a
    sixteenth of what lies before them at most: at the end no worker has long to wait for another.
    """
    length = RANGE_BYTES
    while length < RANGE_GROWTH * RANGE_BYTES and offset >= 32 * length:
        length *= 2
    return length


def read_head(source: OpenSource) -> bytes:
    """The first lines of a regular file (``head_of``). Raises OSError."""
    assert source.end is not None
    return head_of(os.pread(source.fd, min(HEAD_BYTES, source.end - source.origin), source.origin))


def head_of(data: bytes) -> bytes:
    """The whole lines with which a file begins, in its first HEAD_BYTES; a lone first line may be cut."""
    data = data[:HEAD_BYTES]
    cut = data.rfind(b"\n") + 1
    return data[:cut] if cut and len(data) == HEAD_BYTES else data


def cut_short(name: str) -> str:
    """What to say of a file that lost bytes while it was read."""
    return f"{name}: was cut short while it was read; what was left is counted: replay its copy too"


def unreadable(name: str, error: OSError) -> str:
    """What to say of a read that failed."""
    why = error.strerror or errno.errorcode.get(error.errno or 0, "error")
    what = "open it, or name a file" if error.errno == errno.EBADF else "check the disk"
    return f"{name}: cannot be read ({why}): the lines of that part are missing; {what}"
