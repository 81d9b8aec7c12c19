"""What a child sends, as the hub's event loop receives it: frame by frame, each where it stays."""

import asyncio
import json
from collections import deque
from typing import cast

from fastlog.errors import WireError
from fastlog.executors.wire import PREFIX, Header, lengths

_SOME = 1 << 14
_MOST = 16
"""Frames that wait to be taken before no more are read."""


class Inbox(asyncio.BufferedProtocol):
    """The frames that arrived and were not taken. Of a long one no byte is moved once its length is known."""

    def __init__(self) -> None:
        self._some = memoryview(bytearray(_SOME))  # what is read while no frame is under way
        self._held = 0
        self._frame: memoryview | None = None  # the one under way, header and payload
        self._filled = 0
        self._head = 0
        self._frames: deque[tuple[memoryview, int]] = deque()
        self._ended = False
        self._error: WireError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._paused = False

    async def receive(self) -> tuple[Header, memoryview] | None:
        """The next frame; None when the child is gone. Raises WireError for what is none."""
        while not self._frames:
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._paused = False
        frame, head = self._frames.popleft()
        header: Header = json.loads(bytes(frame[:head]))
        return header, frame[head:]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # that of uvloop says not of what class it is

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._error is not None:
            return self._some
        return self._some[self._held :] if self._frame is None else self._frame[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        if self._error is not None:
            return  # nobody knows where the next frame begins
        if self._frame is None:
            self._held += nbytes
            try:
                self._cut()
            except WireError as error:
                self._error = error
                self._wake()
            return
        self._filled += nbytes
        if self._filled == len(self._frame):
            self._add(self._frame, self._head)
            self._frame = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._wake()

    def _cut(self) -> None:
        """Take the frames out of what was read; the last may be under way. Raises WireError."""
        at, held = 0, self._held
        while held - at >= PREFIX.size:
            head, payload = lengths(self._some[at : at + PREFIX.size])
            start, stop = at + PREFIX.size, at + PREFIX.size + head + payload
            frame = memoryview(bytearray(head + payload))
            there = min(stop, held) - start
            frame[:there] = self._some[start : start + there]
            if stop > held:
                self._frame, self._filled, self._head = frame, there, head
                self._held = 0
                return
            self._add(frame, head)
            at = stop
        self._held = held - at
        self._some[: self._held] = self._some[at:held]

    def _add(self, frame: memoryview, head: int) -> None:
        self._frames.append((frame, head))
        if len(self._frames) >= _MOST and not self._paused and self._transport is not None:
            self._transport.pause_reading()
            self._paused = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
