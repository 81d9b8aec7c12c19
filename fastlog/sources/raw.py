"""The bytes of a packed file or stream as they are stored, which can be gone back in."""

import os
from typing import Protocol

from fastlog.errors import SourceError
from fastlog.sources.files import OpenSource, cut_short
from fastlog.sources.packings import is_undecided
from fastlog.sources.stream import Wait

SMALL_READ = 4 * 1024
"""First read of a member: it may be tiny, and what is behind it is copied."""
KEPT_BYTES = 1 << 20
"""How far a stream can be gone back in."""


class Raw(Protocol):
    """Packed bytes in order. ``offset`` is how many have been read."""

    name: str
    offset: int

    def read(self, size: int) -> bytes:
        """The next bytes, at most ``size``; empty at the end. Raises OSError."""

    def put_back(self, data: bytes) -> None:
        """Have ``data``, the last that was read, be read again."""

    def mark(self) -> None:
        """A member starts here."""

    def rewind(self) -> bool:
        """Go back to where the member starts. False where that is too far."""


class RawFile:
    """A regular file, up to where it ended when it was opened."""

    def __init__(self, source: OpenSource) -> None:
        assert source.end is not None
        self.name = source.name
        self.offset = self._mark = 0
        self._fd, self._origin, self._size = source.fd, source.origin, source.end - source.origin

    def read(self, size: int) -> bytes:
        data = os.pread(self._fd, min(size, self._size - self.offset), self._origin + self.offset)
        if not data and self.offset < self._size:
            raise SourceError(cut_short(self.name))
        self.offset += len(data)
        return data

    def put_back(self, data: bytes) -> None:
        self.offset -= len(data)

    def mark(self) -> None:
        self._mark = self.offset

    def rewind(self) -> bool:
        self.offset = self._mark
        return True


class RawStream:
    """A pipe, FIFO or terminal: keeps the first ``KEPT_BYTES`` of a member, to go back to."""

    def __init__(self, source: OpenSource, wait: Wait) -> None:
        self.name = source.name
        self.offset = 0
        self._fd, self._wait = source.fd, wait
        self._next = b""
        self._kept: list[bytes] | None = []
        self._kept_size = 0

    def read(self, size: int) -> bytes:
        data = self._next[:size] or self._receive(size)
        self._next = self._next[len(data) :]
        self.offset += len(data)
        self._kept_size += len(data)
        if self._kept_size > KEPT_BYTES:
            self._kept = None
        elif self._kept is not None:
            self._kept.append(data)
        return data

    def _receive(self, size: int) -> bytes:
        while True:
            self._wait([self._fd], None)
            try:
                return os.read(self._fd, size)
            except BlockingIOError:  # somebody else was faster
                continue

    def put_back(self, data: bytes) -> None:
        self.offset -= len(data)
        self._next = data + self._next

    def mark(self) -> None:
        self._kept, self._kept_size = [], 0

    def rewind(self) -> bool:
        if self._kept is None:
            return False
        self.put_back(b"".join(self._kept))
        self.mark()
        return True


def begin(raw: Raw) -> bytes:
    """The first bytes, as many as tell how the rest is packed; they are read again. Raises OSError."""
    head = b""
    while not head or is_undecided(head):
        more = raw.read(SMALL_READ)
        if not more:
            break
        head += more
    raw.put_back(head)
    return head
