"""What runs in a child process: the reader or a worker, behind one end of a socket pair.

A child never writes to the terminal and never outlives the hub (see ``guard``).
What it cannot help it says as its last words, and dies of: the hub knows how to go
on without it.
"""

import gc
import os
import select
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

from fastlog.errors import FastlogError
from fastlog.executors.guard import GONE, leave_with_hub, start_timer, stop_timer, take_signals_as_they_are
from fastlog.executors.job import Job
from fastlog.executors.wire import Channel, Header, pack_item, pack_partial, receive_descriptors, unpack_chunk
from fastlog.model.chunk import Block, ByteRange, Item
from fastlog.reader.link import Stopped

_BROKEN = 2
_WATCH_SECONDS = 0.5


def main(role: str, fd: int, lifeline: int, parent: int, *, rules: bool = False) -> None:
    """Run a role until the hub has had enough.

    ``parent`` is the hub's process id, ``rules`` whether it is known that the job will have some.
    """
    gc.enable()  # a copy of the command begins without
    name_process(role)
    take_signals_as_they_are()
    leave_with_hub(lifeline, parent)
    channel = Channel(socket.socket(fileno=fd))
    try:
        load(role, rules=rules)
        handed = receive_descriptors(channel.sock)
        first = channel.receive()
        if first is not None:
            job = Job.from_header(first[0]).with_descriptors(handed)
            if role == "reader":
                _read(job, channel)
            else:
                _work(job, channel)
    except (BrokenPipeError, ConnectionResetError):
        os._exit(GONE)  # the hub is gone: there is nobody to tell
    except FastlogError as error:
        _tell(channel, {"kind": "Failed", "message": str(error), "error": type(error).__name__})
    except Exception as error:  # noqa: BLE001 - told by the hub in one line: no traceback reaches the user
        _tell(channel, {"kind": "LastWords", "text": f"{type(error).__name__}: {error}"})
        os._exit(_BROKEN)
    _linger(channel)
    os._exit(0)


def load(role: str, *, rules: bool = False) -> None:
    """Import what the role will need. The hub is still loading too: once the job is here, it waits."""
    if role == "worker":
        from fastlog.parsers.select import load_parser

        load_parser()
        if rules:
            from fastlog.parsers import measure  # noqa: F401 - for the parser


def name_process(role: str) -> None:
    """Let ``ps -o comm`` and ``top`` tell who is who, where the kernel lets a process name itself."""
    with suppress(OSError), open("/proc/self/comm", "wb") as comm:
        comm.write(f"fastlog-{role}".encode())


def _linger(channel: Channel) -> None:
    """Wait for the hub to hang up: what it still writes must not fail before it has read the last word."""
    try:
        while channel.receive() is not None:
            pass
    except OSError:
        return


def _tell(channel: Channel, header: Header) -> None:
    try:
        channel.send(header)
    except (OSError, MemoryError):
        os._exit(_BROKEN)


def _work(job: Job, channel: Channel) -> None:
    from fastlog.worker import Worker

    worker = Worker(job.plan, job.parser, list(job.sources))
    channel.send({"kind": "Ready"})
    while (received := channel.receive()) is not None:
        header, payload = received
        log_format = header.pop("format")
        number = header.pop("number")
        chunk = unpack_chunk(header, payload)
        start_timer(chunk)
        try:
            partial, whole = worker.fold(chunk, log_format)
        except OSError as error:
            channel.send({"kind": "Unread", "number": number, "errno": error.errno or 0})
            continue
        finally:
            stop_timer()
        packed, columns = pack_partial(partial)
        channel.send({"kind": "Partial", "number": number, "whole": whole, **packed}, columns)


def _read(job: Job, channel: Channel) -> None:
    link = _ChildLink(channel)
    channel.send({"kind": "Ready"})
    try:
        if job.paths:
            from fastlog.reader.follow import follow_sources

            follow_sources(
                job.paths,
                from_start=job.from_start,
                log_format=job.format,
                link=link,
                positions=job.positions,
                formats=job.formats,
                epoch=job.epoch,
            )
        else:
            from fastlog.reader.replay import replay_sources

            replay_sources(job.sources, job.format, job.plan, link, job.reached)
    except Stopped:
        pass  # the ordinary end of a replay that was interrupted
    channel.send({"kind": "End"})


def _nothing() -> None:
    """What most readers have to do while they wait."""


class _ChildLink:
    """The reader's end: items out, credit and the word to stop in."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._credit = 0
        self._stopping = False
        self.light = False
        self.meanwhile: Callable[[], object] = _nothing

    def fileno(self) -> int:
        return self._channel.sock.fileno()

    def emit(self, item: Item) -> None:
        if isinstance(item, ByteRange | Block):
            while self._credit < 1:
                self._await_credit()
            self._credit -= 1
        self._channel.send(*pack_item(item))

    def wait(self, descriptors: Sequence[int], seconds: float | None) -> Sequence[int]:
        poll = select.poll()
        for descriptor in (*descriptors, self.fileno()):
            poll.register(descriptor, select.POLLIN)
        while True:
            if self._stopping:
                self._stopping = False  # said once: what is left to do may still wait
                raise Stopped
            ready = [descriptor for descriptor, _ in poll.poll(None if seconds is None else seconds * 1000)]
            if self.fileno() not in ready:
                return ready
            self._listen(self._channel.receive())
            if len(ready) > 1 and not self._stopping:
                return [descriptor for descriptor in ready if descriptor != self.fileno()]

    def _await_credit(self) -> None:
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        while not poll.poll(_WATCH_SECONDS * 1000):
            self.meanwhile()
        self._listen(self._channel.receive())

    def _listen(self, received: tuple[Header, bytes] | None) -> None:
        if received is None:
            os._exit(GONE)
        header = received[0]
        if header["kind"] == "Credit":
            self._credit += header["chunks"]
            self.light = header["light"]
        else:
            self._stopping = True
