"""What ends a child from outside of Python: the hub's death, and a fold that does not end.

Both are left to the kernel, since a child that is deep in C holds the interpreter's
lock, and no thread or handler of its own would ever get its turn.
"""

import fcntl
import os
import select
import signal
import sys
import threading

from fastlog.model.chunk import RANGE_BYTES, Block, Chunk

GONE = 1
"""Exit status of a child that found the hub gone."""
CPU_SECONDS = 60.0
"""Processor time in which a whole range must be folded, which takes a second at the most; a smaller chunk has
its share of it. Being stopped, or waiting for a disk, costs none."""
LEAST_CPU_SECONDS = 5.0

_WATCH_SECONDS = 0.5


def leave_with_hub(lifeline: int, parent: int) -> None:
    """Let this process end when the hub does.

    ``lifeline`` is the read end of a pipe of which the hub alone holds the other
    end, and never writes: its end of file is the hub's death. On Linux the kernel
    answers that with SIGKILL, which also ends a child that is stopped. ``prctl``
    (PR_SET_PDEATHSIG) would not do: it is about the thread that started the child.

    The thread is for other systems, and for a hub that has been forked since: then
    the copy holds the pipe open.
    """
    if sys.platform == "linux":
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    threading.Thread(target=_watch, args=(lifeline, parent), daemon=True).start()


def _watch(lifeline: int, parent: int) -> None:
    while os.getppid() == parent:
        if select.select([lifeline], [], [], _WATCH_SECONDS)[0]:
            break
    os._exit(GONE)


def take_signals_as_they_are() -> None:
    """Ctrl-C and SIGTERM are the hub's to answer; what the timer sends must end this process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # it may have been ignored by who started us
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGPROF})


def start_timer(chunk: Chunk) -> None:
    """SIGPROF ends this process unless ``stop_timer`` comes before the chunk's time is over."""
    size = len(chunk.data) if isinstance(chunk, Block) else chunk.stop - chunk.start
    signal.setitimer(signal.ITIMER_PROF, max(CPU_SECONDS * size / RANGE_BYTES, LEAST_CPU_SECONDS))


def stop_timer() -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)
