"""Child processes as the hub holds them: one socket pair each, and nothing else shared."""

import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import orjson

import fastlog
from fastlog.errors import WorkerError
from fastlog.executors.wire import PREFIX, Header, frame, lengths, send_descriptors

if TYPE_CHECKING:
    import asyncio

_START = (
    "import sys;"
    "sys.path[:] = sys.argv[5].split(sys.argv[6]);"
    "from fastlog.executors.child import main;"
    "main(sys.argv[1], *map(int, sys.argv[2:5]))"
)
_BUFFER = 1 << 21
_FEWER = "use fewer --workers or files, or raise the limits (ulimit -n, -u)"


class Child:
    """A started child. ``receive`` gives None when it is gone.

    It lives as long as ``lifeline``, the write end of a pipe, is open here. ``ready``
    once it has begun its work; ``last_words`` say what it died of, where it knew.
    """

    def __init__(
        self, role: str, process: "subprocess.Popen[bytes]", sock: socket.socket, lifeline: int
    ) -> None:
        self.role = role
        self.process = process
        self.ready = False
        self.last_words = ""
        self._sock = sock
        self._lifeline = lifeline
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
            header: Header = orjson.loads(await self._reader.readexactly(head))
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


_spare: deque[Child] = deque()


def start_early() -> None:
    """Start a reader and a worker that wait for a hub: they load while the hub itself does.

    Where that fails, the hub will meet the same and say so. What it does not take ends with this process.
    """
    try:
        _spare.extend([_launch("reader"), _launch("worker")])
    except WorkerError:
        return


def start_child(role: str, descriptors: Sequence[int]) -> Child:
    """A child that holds ``descriptors`` of ours too, in this order. Raises WorkerError."""
    child = next((spare for spare in _spare if spare.role == role), None)
    if child is None:
        child = _launch(role)
    else:
        _spare.remove(child)
    try:
        child.hand(descriptors)
    except OSError as error:
        child.kill()
        raise WorkerError(f"cannot start a {role}: {error.strerror}: {_FEWER}") from error
    return child


def _launch(role: str) -> Child:
    with ExitStack() as theirs, ExitStack() as ours:
        try:
            sock, far_end = socket.socketpair()
            ours.callback(sock.close)
            theirs.callback(far_end.close)
            tied, lifeline = os.pipe()
            ours.callback(os.close, lifeline)
            theirs.callback(os.close, tied)
            process = _start(role, [far_end.fileno(), tied])
        except OSError as error:
            raise WorkerError(f"cannot start a {role}: {error.strerror}: {_FEWER}") from error
        ours.pop_all()
    return Child(role, process, sock, lifeline)


def _start(role: str, own: Sequence[int]) -> "subprocess.Popen[bytes]":
    """The process of a child that gets ``own``, its socket and the end of its lifeline. Raises OSError."""
    # The parent's path, where it found fastlog, is the child's: installed, editable or from a checkout.
    path = [*sys.path, os.path.dirname(os.path.dirname(os.path.abspath(fastlog.__file__)))]
    places = [os.path.abspath(place) for place in dict.fromkeys(path)]
    separator = "\n"
    arguments = [role, *map(str, own), str(os.getpid()), separator.join(places), separator]
    # A signal for the whole group must not catch the child before it has said that it ignores it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        return subprocess.Popen(
            [sys.executable, "-S", "-P", "-c", _START, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=own,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
