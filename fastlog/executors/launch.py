"""Processes for the reader and the workers, with one end of a socket pair each.

They are copies of the command, or fresh interpreters: see the package for which, and why.

It stands apart from ``children``, where the hub speaks with them, since it is loaded before all else: what it
starts is at work while the hub still loads.
"""

import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import NamedTuple

import fastlog
from fastlog.cpus import usable_cpus
from fastlog.errors import WorkerError
from fastlog.executors.forked import Forked, fork, preload

FEWER = "use fewer --workers or files, or raise the limits (ulimit -n, -u)"

_START = (
    "import sys;"
    "sys.path[:] = sys.argv[5].split(sys.argv[6]);"
    "from fastlog.executors.child import main;"
    "main(sys.argv[1], *map(int, sys.argv[2:5]))"
)


_Starter = Callable[[str, Sequence[int]], "subprocess.Popen[bytes] | Forked"]


class Launched(NamedTuple):
    """A process that lives as long as ``lifeline``, the write end of a pipe, is open here."""

    role: str
    process: "subprocess.Popen[bytes] | Forked"
    sock: socket.socket
    lifeline: int


_MOST_COPIES = 8
"""Workers that are copied before it is known whether the log keeps so many busy."""
_SENT_BYTES = 1 << 20
"""What a child may have sent that the hub has not read, where the system allows so much: most partials are
within it, so that a worker goes on to its next chunk while the hub still counts."""
_spare: deque[Launched] = deque()


def start_early(workers: int | None, *, copies: bool, rules: bool) -> None:
    """Start a reader and workers that wait for a hub: ``workers`` is how many are asked for, None by default;
    ``copies`` whether they are copies of this process, ``rules`` whether they will get any.

    Where that fails, the hub will meet the same and say so.
    """
    start: _Starter = _start
    count = 1
    if copies:
        preload()
        start, count = partial(_copy, rules=rules), min(workers or usable_cpus(), _MOST_COPIES)
    try:
        _spare.extend(_launch(role, start) for role in ("reader", *["worker"] * count))
    except WorkerError:
        return


def end_spare() -> None:
    """End those that were started early and that no hub took."""
    spares = list(_spare)
    _spare.clear()
    for spare in spares:
        spare.sock.close()
        spare.process.kill()
    for spare in spares:
        spare.process.wait()
        os.close(spare.lifeline)


def launch(role: str) -> Launched:
    """A process of that role: one that was started early, if there is one left. Raises WorkerError."""
    spare = next((spare for spare in _spare if spare.role == role), None)
    if spare is None:
        return _launch(role, _start)
    _spare.remove(spare)
    return spare


def _launch(role: str, start: "_Starter") -> Launched:
    with ExitStack() as theirs, ExitStack() as ours:
        try:
            sock, far_end = socket.socketpair()
            ours.callback(sock.close)
            theirs.callback(far_end.close)
            with suppress(OSError):  # refused, children wait longer
                far_end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENT_BYTES)
            tied, lifeline = os.pipe()
            ours.callback(os.close, lifeline)
            theirs.callback(os.close, tied)
            process = start(role, [far_end.fileno(), tied])
        except OSError as error:
            raise WorkerError(f"cannot start a {role}: {error.strerror}: {FEWER}") from error
        ours.pop_all()
    return Launched(role, process, sock, lifeline)


def _copy(role: str, own: Sequence[int], *, rules: bool) -> Forked:
    """A copy of this process as a child that gets ``own``, and perhaps rules. Raises OSError."""
    from fastlog.executors import child

    # As for a fresh one, signals are blocked: it answers none before it has said that it ignores them.
    fd, tied = own
    return fork(partial(child.main, role, fd, tied, os.getpid(), rules=rules), own)


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
