"""One followed file that is held open: its lines, each once, and whether they are still the same file's.

A file is known by the device and inode of the descriptor that is held, so neither can be given to
another file meanwhile; the bytes before the place that reading got to tell whether it was cut and grew
again. No half line is held: a position is the start of the first unfinished line, and its bytes are read
again once more have come.
"""

import errno
import os
import stat
from dataclasses import dataclass

from fastlog.model.chunk import CHUNK_BYTES, LINE_LIMIT
from fastlog.model.position import WITNESS_BYTES, FilePosition, digest, digest_length

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

FileKey = tuple[int, int]
"""Device and inode: of a file that is held, its identity."""


_KINDS = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}


class TruncatedError(Exception):
    """What had been read of a file is no longer in it."""


class NotRegularError(Exception):
    """A path leads to a directory, a FIFO, a device. Says to what."""


def key_of(info: os.stat_result) -> FileKey:
    """The identity of a file; raises NotRegularError where it is not a regular one."""
    if not stat.S_ISREG(info.st_mode):
        kind = _KINDS.get(stat.S_IFMT(info.st_mode), "a device")
        raise NotRegularError(f"is {kind}, not a regular file")
    return info.st_dev, info.st_ino


def open_regular(path: str) -> tuple[int, os.stat_result]:
    """A descriptor of a regular file, looked at after it was opened: nothing can be swapped in between.

    Raises OSError and NotRegularError. A FIFO without a writer does not block.
    """
    fd = os.open(path, _FLAGS)
    try:
        info = os.fstat(fd)
        key_of(info)
    except BaseException:
        os.close(fd)
        raise
    return fd, info


@dataclass(slots=True, eq=False)
class HeldFile:
    """``line`` is where the first line not given out starts, ``seen`` where reading got to."""

    fd: int
    key: FileKey
    place: str  # the path that it was opened by, links resolved
    touched: float  # monotonic time of its last bytes, or of the loss of its name
    goal: int = 0  # where this round of reading ends, so that a round does end
    base: int = 0  # where its first line starts
    line: int = 0
    seen: int = 0
    head: bytes = b""  # its first bytes, as they were read
    mark: bytes = b""  # the bytes before ``line``
    tail: bytes = b""  # the bytes before ``seen``
    looked: int = 0  # ns since the epoch when its name last led to it, and it was whole
    skipping: bool = False  # inside a line of which nothing more is given out
    former: FilePosition | None = None  # under the name that it was taken over from, until that is said
    hole: bool = False  # NUL bytes may stand before the first line: those of a truncation

    @classmethod
    def resumed(cls, fd: int, place: str, now: float, position: FilePosition) -> "HeldFile | None":
        """The file of ``position``, read on from there; None when its content is another. Raises OSError."""
        head = os.pread(fd, digest_length(position.fingerprint), 0)
        length = digest_length(position.marker)
        mark = os.pread(fd, length, position.offset - length)
        if digest(head) != position.fingerprint or digest(mark) != position.marker:
            return None
        file = cls(fd, key_of(os.fstat(fd)), place, now, head=head, mark=mark, tail=mark)
        file.line = file.seen = position.offset
        file.looked = position.looked
        file.skipping, file.hole = position.skipping, position.hole
        return file

    def position(self, path: str) -> FilePosition:
        """How far its lines have been given out."""
        return FilePosition(
            path=path,
            place=self.place,
            device=self.key[0],
            inode=self.key[1],
            fingerprint=digest(self.head),
            offset=self.line,
            marker=digest(self.mark),
            looked=self.looked,
            skipping=self.skipping,
            hole=self.hole,
        )

    def start_at_end(self) -> None:
        """Leave out what is there, and the rest of a line that is being written."""
        start = max(0, os.fstat(self.fd).st_size - WITNESS_BYTES)
        self.tail = self.mark = os.pread(self.fd, WITNESS_BYTES, start)
        self.line = self.seen = start + len(self.tail)
        self.head = os.pread(self.fd, min(WITNESS_BYTES, self.seen), 0)
        self.skipping = bool(self.tail) and not self.tail.endswith(b"\n")

    def start_over(self) -> None:
        """Read from the first byte: the file was truncated."""
        self.base = self.line = self.seen = 0
        self.head = self.mark = self.tail = b""
        self.skipping, self.hole = False, True
        self.aim()

    def aim(self) -> None:
        """Read up to what is there now in this round."""
        try:
            self.goal = os.fstat(self.fd).st_size
        except OSError:  # the read that follows fails too, and is told
            self.goal = self.seen

    def intact(self) -> bool:
        """Whether the bytes before ``seen`` are those that were read. Size and mtime cannot tell that."""
        return os.pread(self.fd, len(self.tail), self.seen - len(self.tail)) == self.tail

    def links(self) -> int:
        """How many names it has."""
        try:
            return os.fstat(self.fd).st_nlink
        except OSError:  # stale: as good as deleted
            return 0

    def read(self) -> bytes | None:
        """Whole lines that start at ``line`` as it was; empty when bytes were skipped; None at the goal.

        Raises TruncatedError, and OSError.
        """
        if self.hole and self.goal > self.seen:
            first = os.pread(self.fd, 1, self.seen)
            if first in (b"", b"\0"):
                return self._pass_hole() if first else None
            self.hole = False
        wanted = min(CHUNK_BYTES, self.goal - self.line) if self.goal > self.seen else 0
        raw = os.pread(self.fd, wanted, self.line)
        if not self.intact():  # asked after reading: then ``raw`` is of the same content too
            raise TruncatedError
        if self.line + len(raw) <= self.seen:
            return None
        if self.skipping:
            end = raw.find(b"\n") + 1
            self.skipping = not end
            self._advance(raw, end or len(raw), end or len(raw))
            return b""
        return self._whole_lines(raw)

    def half(self) -> bytes:
        """The line that has not ended."""
        return b"" if self.skipping or self.hole else os.pread(self.fd, self.seen - self.line, self.line)

    def _whole_lines(self, raw: bytes) -> bytes:
        """The lines that end in ``raw``, up to and with the first that is too long, which is cut."""
        end = 0
        while (found := raw.rfind(b"\n", end, end + LINE_LIMIT + 2)) >= 0:  # a line, "\r\n"
            end = found + 1
        if len(raw) - end < LINE_LIMIT + 2:
            self._advance(raw, end, len(raw))
            return raw[:end]
        # One byte past the limit says that it is too long, unless that byte could pass for a line end.
        keep = end + LINE_LIMIT + (2 if raw[end + LINE_LIMIT] == 0x0D else 1)
        self.skipping = True
        self._advance(raw, end + LINE_LIMIT + 2, end + LINE_LIMIT + 2)
        return raw[:keep] + b"\n"

    def _advance(self, raw: bytes, used: int, looked_at: int) -> None:
        """``raw``, which starts at ``line``, was read up to ``looked_at``, and given out up to ``used``."""
        if len(self.head) < WITNESS_BYTES and self.line <= len(self.head):
            self.head = (self.head[: self.line] + raw[:looked_at])[:WITNESS_BYTES]
        fresh = raw[max(self.seen - self.line, looked_at - WITNESS_BYTES) : looked_at]
        self.tail = (self.tail + fresh)[-WITNESS_BYTES:]
        self.mark = (self.mark + raw[max(0, used - WITNESS_BYTES) : used])[-WITNESS_BYTES:]
        self.seen = self.line + looked_at
        self.line += used

    def _pass_hole(self) -> bytes | None:
        """Go past the NUL bytes that a writer leaves who goes on at its old offset after a truncation."""
        if not self.intact():
            raise TruncatedError
        at = self.seen
        try:
            at = min(os.lseek(self.fd, at, os.SEEK_DATA), self.goal)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but hole so far
                return None
        raw = os.pread(self.fd, min(CHUNK_BYTES, self.goal - at), at)
        if not raw:
            return None
        nuls = len(raw) - len(raw.lstrip(b"\0"))
        self.base = self.line = self.seen = at + nuls
        self.tail = self.mark = raw[max(0, nuls - WITNESS_BYTES) : nuls]
        self.head = b"\0" * min(WITNESS_BYTES, self.seen)
        self.hole = nuls == len(raw)
        return b""
