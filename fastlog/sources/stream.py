"""Streams: standard input, FIFOs, terminals. They can only be read once, in order."""

import fcntl
import os
import sys
from collections.abc import Callable, Iterator, Sequence

from fastlog.model.chunk import CHUNK_BYTES, LINE_LIMIT

GATHER_SECONDS = 0.02
"""A block that is not full is handed out when nothing more has come for so long."""

_F_SETPIPE_SZ = 1031
_PIPE_BYTES = 1 << 20

Wait = Callable[[Sequence[int], float | None], Sequence[int]]
"""Waits until one of the descriptors is readable (returned) or the seconds are over (none are)."""


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


def read_stream(fd: int, wait: Wait, *, prompt: bool) -> Iterator[tuple[int, bytes]]:
    """Blocks of whole lines of a stream, with their offsets. Raises OSError.

    With ``prompt`` what is there is handed out soon, so that a live pipe is seen at
    once; else blocks end where they end whatever the writer's pace.
    """
    _widen(fd)
    cutter = LineCutter()
    ended = False
    while not ended:
        pieces: list[bytes] = []
        size = 0
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
            yield start, lines
    start, lines = cutter.rest()
    if lines:
        yield start, lines


def _widen(fd: int) -> None:
    """Let a pipe hold a whole block, where the system allows it: fewer, larger reads."""
    if sys.platform.startswith("linux"):
        try:
            fcntl.fcntl(fd, _F_SETPIPE_SZ, _PIPE_BYTES)
        except OSError:
            return  # not a pipe, or over the user's quota: reads are smaller
