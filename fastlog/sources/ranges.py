"""Ranges of regular files, read piece by piece into one buffer.

A log may be truncated or replaced by others while it is read, so it is read with
``pread`` and never mapped: touching a mapped page that is gone kills the process.
"""

import os
from collections.abc import Iterator

from fastlog.model.chunk import LINE_LIMIT

PIECE_BYTES = 1 << 18
"""Read and parsed at a time: so much stays in a core's own cache in between."""

_LONGEST = LINE_LIMIT + 2
"""Of a line over the limit, so many bytes are kept: one more than could pass."""


class RangeReader:
    """Reads ranges, one after the other. ``whole`` is False when the last one was cut short by others."""

    def __init__(self) -> None:
        self._buffer = bytearray(_LONGEST + PIECE_BYTES)
        self.whole = True

    def lines(
        self, fd: int, start: int, stop: int, origin: int, end: int
    ) -> Iterator[tuple[int, memoryview]]:
        """The lines whose first byte lies in ``start`` to ``stop`` of a file from ``origin`` to ``end``.

        Blocks of them, each with its offset, and good until the next is asked for. A
        line over the limit is cut to one byte more than could pass. Raises OSError.
        """
        self.whole = True
        buffer, view = self._buffer, memoryview(self._buffer)
        # The byte before the range tells whether its first line begins with it.
        at = start if start == origin else start - 1
        skipping = at < start
        base, held = at, 0  # offset of the buffer, and bytes in it of a line that has not ended
        while at < stop or (held and at < end):
            inside = at < stop
            wanted = min(PIECE_BYTES, (stop if inside else end) - at)
            got = os.preadv(fd, [view[held : held + wanted]], at)
            if not got:
                self.whole = False
                break
            at += got
            filled, first = held + got, 0
            if skipping:
                first = buffer.find(b"\n", 0, filled) + 1
                if not first:
                    base, held = at, 0
                    continue
                skipping = False
            newline = buffer.rfind if inside else buffer.find  # behind the range one line ends, no more
            cut = max(newline(b"\n", max(held, first), filled) + 1, first)
            if cut > first:
                yield base + first, view[first:cut]
                if not inside:
                    return
            held = filled - cut
            base += cut
            view[:held] = view[cut:filled]
            if held >= _LONGEST:
                buffer[_LONGEST] = ord("\n")
                yield base, view[: _LONGEST + 1]
                base, held, skipping = at, 0, True
        if held and not skipping:
            yield base, view[:held]
