"""Processes for the reader and the workers: fresh interpreters, with one end of a socket pair each.

It stands apart from ``children``, where the hub speaks with them, since it is loaded before all else: what it
starts loads on another processor while the hub itself does.
"""

import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

import fastlog
from fastlog.errors import WorkerError

FEWER = "use fewer --workers or files, or raise the limits (ulimit -n, -u)"

_START = (
    "import sys;"
    "sys.path[:] = sys.argv[5].split(sys.argv[6]);"
    "from fastlog.executors.child import main;"
    "main(sys.argv[1], *map(int, sys.argv[2:5]))"
)


class Launched(NamedTuple):
    """A process that lives as long as ``lifeline``, the write end of a pipe, is open here."""

    role: str
    process: "subprocess.Popen[bytes]"
    sock: socket.socket
    lifeline: int


_spare: deque[Launched] = deque()


def start_early() -> None:
    """Start a reader and a worker that wait for a hub.

    Where that fails, the hub will meet the same and say so.
    """
    try:
        _spare.extend([_launch("reader"), _launch("worker")])
    except WorkerError:
        return


def end_spare() -> None:
    """End those that were started early and that no hub took."""
    while _spare:
        spare = _spare.popleft()
        spare.sock.close()
        spare.process.kill()
        spare.process.wait()
        os.close(spare.lifeline)


def launch(role: str) -> Launched:
    """A process of that role: one that was started early, if there is one left. Raises WorkerError."""
    spare = next((spare for spare in _spare if spare.role == role), None)
    if spare is None:
        return _launch(role)
    _spare.remove(spare)
    return spare


def _launch(role: str) -> Launched:
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
            raise WorkerError(f"cannot start a {role}: {error.strerror}: {FEWER}") from error
        ours.pop_all()
    return Launched(role, process, sock, lifeline)


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
