"""Child processes as the hub holds them: one socket pair each, and nothing else shared."""

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from fastlog.errors import WorkerError
from fastlog.executors.launch import FEWER, Launched, launch
from fastlog.executors.wire import PREFIX, Header, frame, lengths, send_descriptors

if TYPE_CHECKING:
    import asyncio

_BUFFER = 1 << 21


class Child:
    """A started child. ``receive`` gives None when it is gone.

    ``ready`` once it has begun its work; ``last_words`` say what it died of, where it knew.
    """

    def __init__(self, launched: Launched) -> None:
        self.role, self.process, self._sock, self._lifeline = launched
        self.ready = False
        self.last_words = ""
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self) -> None:
        import asyncio

        self._reader, self._writer = await asyncio.open_connection(sock=self._sock, limit=_BUFFER)

    def hand(self, descriptors: Sequence[int]) -> None:
        """Let the child have files that are open here. Before ``connect``. Raises OSError."""
        try:
            send_descriptors(self._sock, descriptors)
        except (BrokenPipeError, ConnectionResetError):
            return  # dead already: that is found out, and said, when it is asked

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, header: Header, payload: bytes = b"") -> None:
        """Queue a frame; what is under way is bounded by the hub's credit. A dead child takes none."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.writelines(frame(header, payload))

    async def receive(self) -> tuple[Header, bytes] | None:
        try:
            head, payload = lengths(await self._reader.readexactly(PREFIX.size))
            header: Header = json.loads(await self._reader.readexactly(head))
            return header, await self._reader.readexactly(payload) if payload else b""
        except EOFError:  # asyncio.IncompleteReadError is one
            return None
        except OSError:
            # The writer was given the error too, and it is printed as lost if nobody takes it there.
            if self._writer is not None:
                with suppress(OSError):
                    await self._writer.wait_closed()
            return None

    def fate(self) -> str:
        """How the child ended, for a message."""
        try:
            code = self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if -code == signal.SIGPROF:
            return "it found no end"  # see guard.start_timer
        if code < 0:
            return (
                f"killed by {signal.Signals(-code).name}"
                if -code in set(signal.Signals)
                else f"signal {-code}"
            )
        return self.last_words or f"exit status {code}"

    def kill(self) -> None:
        """End the child now and collect it."""
        if self._writer is not None:
            self._writer.close()
        else:
            self._sock.close()
        self.process.kill()
        self.process.wait()
        os.close(self._lifeline)


def start_child(role: str, descriptors: Sequence[int]) -> Child:
    """A child that holds ``descriptors`` of ours too, in this order. Raises WorkerError."""
    child = Child(launch(role))
    try:
        child.hand(descriptors)
    except OSError as error:
        child.kill()
        raise WorkerError(f"cannot start a {role}: {error.strerror}: {FEWER}") from error
    return child
