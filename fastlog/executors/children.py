"""Child processes as the hub holds them: one socket pair each, and nothing else shared."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Sequence

from fastlog.errors import WorkerError
from fastlog.executors.inbox import Inbox
from fastlog.executors.launch import FEWER, Launched, launch
from fastlog.executors.wire import Header, frame, send_descriptors


class Child:
    """A started child. ``receive`` gives None when it is gone.

    ``ready`` once it has begun its work; ``last_words`` say what it died of, where it knew.
    """

    def __init__(self, launched: Launched) -> None:
        self.role, self.process, self._sock, self._lifeline = launched
        self.ready = False
        self.last_words = ""
        self._inbox: Inbox
        self._transport: asyncio.Transport | None = None

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, self._inbox = await loop.create_connection(Inbox, sock=self._sock)

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
        if self._transport is not None and not self._transport.is_closing():
            self._transport.writelines(frame(header, payload))

    async def receive(self) -> tuple[Header, memoryview] | None:
        """Its next frame. Raises WireError for what is none."""
        return await self._inbox.receive()

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
        if self._transport is not None:
            self._transport.close()
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
