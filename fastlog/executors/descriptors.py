"""What must hold of this process's file descriptors before it opens any."""

import os
import resource
from contextlib import suppress

_MANY_FILES = 16_384


def occupy_standard_streams() -> None:
    """Let no file of ours get the number of a standard stream that is closed.

    A log opened as 0 would not reach the children, an output opened as 2 would
    receive the messages. The stand-in can be neither read nor written to for what
    the stream is for, so that using it is still an error.
    """
    for number, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, since those below it are taken by now.
            os.set_inheritable(os.open(os.devnull, flags), True)


def allow_many_files() -> None:
    """Raise the soft limit on open files to the hard one: a rotated set can have hundreds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, _MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # then the old limit holds, and opening says so
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
