"""Streams: standard input, FIFOs, terminals, what unpacks. They can only be read once, in order."""

import fcntl
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from fastlog.model.chunk import CHUNK_BYTES, LINE_LIMIT

GATHER_SECONDS = 0.02
"""A block that is not full is handed out when nothing more has come for so long."""

_F_SETPIPE_SZ = 1031
_PIPE_BYTES = 1 << 20

Wait = Callable[[Sequence[int], float | None], Sequence[int]]
"""Waits until one of the descriptors is readable (returned) or the seconds are over (none are)."""


class Cut(NamedTuple):
    """Whole lines, the offset of the first, and how many bytes were read for them; None: as many.

    ``stop`` is the offset after them, where they can be read again.
    """

    start: int
    data: bytes
    taken: int | None = None
    stop: int | None = None


class LineCutter:
    """Turns pieces of a stream into blocks of whole lines; holds no more than one line's limit."""

    def __init__(self) -> None:
        self._start = 0  # offset of the half line
        self._half = b""
        self._skipping = False

    def feed(self, piece: bytes) -> tuple[int, bytes]:
        """The offset and bytes of the lines that end in ``piece``. A line over the limit is cut."""
        if self._skipping:
            newline = piece.find(b"\n") + 1
            self._start += newline or len(piece)
            if not newline:
                return self._start, b""
            self._skipping = False
            piece = piece[newline:]
        start = self._start
        data = self._half + piece
        end = data.rfind(b"\n") + 1
        self._half = data[end:]
        self._start = start + end
        if len(self._half) < LINE_LIMIT + 2:
            return start, data[:end]
        lines = data[: end + LINE_LIMIT + 2] + b"\n"
        self._start += len(self._half)
        self._half, self._skipping = b"", True
        return start, lines

    def rest(self) -> tuple[int, bytes]:
        """At the end of the stream: the last line, which has no newline."""
        half, self._half = self._half, b""
        return self._start, half


class RangeCutter:
    """Turns pieces of a stream into the blocks that a plain file of the same bytes is read in.

    A line belongs to the block that holds its first byte, and blocks begin where
    ``files.plan_ranges`` has them, by the same ``length`` of the block at an offset:
    so nothing, not even which of too many sections are named, tells a packed log
    from a plain one. Holds no more than a block and a line's limit.
    """

    def __init__(self, length: Callable[[int], int], begun: int = 0) -> None:
        """``begun`` is where another that was cut by the same ``length`` had come."""
        self._length = length
        self._start = begun  # offset of the block
        self._offset = begun  # of the next piece
        self._pieces: list[bytes] = []
        self._line = 0  # length of the half line with which they end
        self._skipping = False

    @property
    def stop(self) -> int:
        """The offset after the last block."""
        return self._start

    def go_on(self, before: bytes) -> None:
        """What was fed to another ended with ``before``; the rest of a line that it began is not to come."""
        self._skipping = not before.endswith(b"\n")

    def feed(self, piece: bytes) -> Iterator[tuple[int, bytes]]:
        """The offset and bytes of each block that ``piece`` completes. A line over the limit is cut."""
        while piece:
            if self._skipping:
                used = piece.find(b"\n") + 1 or len(piece)
                self._skipping = piece[used - 1] != 0x0A
                self._offset = self._start = self._offset + used
                piece = piece[used:]
                continue
            length = self._length(self._start)
            room = (self._start // length + 1) * length - self._offset
            if room <= 0 and not self._line:
                yield self._block()
                continue
            used = min(room, len(piece)) if room > 0 else piece.find(b"\n") + 1 or len(piece)
            self._keep(piece[:used])
            piece = piece[used:]
            if room <= 0 and self._line >= LINE_LIMIT + 2:
                self._skipping = True
                yield self._block()

    def rest(self) -> Iterator[tuple[int, bytes]]:
        """At the end of the stream: the last block, whose last line may have no newline."""
        if self._pieces:
            yield self._block()

    def _keep(self, part: bytes) -> None:
        newline = part.rfind(b"\n")
        self._line = len(part) - newline - 1 if newline >= 0 else self._line + len(part)
        self._offset += len(part)
        self._pieces.append(part)

    def _block(self) -> tuple[int, bytes]:
        start, data = self._start, b"".join(self._pieces)
        if self._line >= LINE_LIMIT + 2:
            data = data[: len(data) - self._line + LINE_LIMIT + 2] + b"\n"
        self._start, self._pieces, self._line = self._offset, [], 0
        return start, data


def read_stream(fd: int, wait: Wait, *, prompt: bool, first: bytes = b"") -> Iterator[Cut]:
    """Blocks of whole lines of a stream that began with ``first``. Raises OSError.

    With ``prompt`` what is there is handed out soon, so that a live pipe is seen at
    once; else blocks end where they end whatever the writer's pace.
    """
    _widen(fd)
    cutter = LineCutter()
    ended = False
    while not ended:
        pieces = [first] if first else []
        size = len(first)
        first = b""
        while size < CHUNK_BYTES and wait([fd], GATHER_SECONDS if prompt and pieces else None):
            try:
                piece = os.read(fd, CHUNK_BYTES - size)
            except BlockingIOError:  # somebody else was faster
                continue
            if not piece:
                ended = True
                break
            pieces.append(piece)
            size += len(piece)
        start, lines = cutter.feed(b"".join(pieces))
        if lines:
            yield Cut(start, lines)
    start, lines = cutter.rest()
    if lines:
        yield Cut(start, lines)


def _widen(fd: int) -> None:
    """Let a pipe hold a whole block, where the system allows it: fewer, larger reads."""
    if sys.platform.startswith("linux"):
        try:
            fcntl.fcntl(fd, _F_SETPIPE_SZ, _PIPE_BYTES)
        except OSError:
            return  # not a pipe, or over the user's quota: reads are smaller
