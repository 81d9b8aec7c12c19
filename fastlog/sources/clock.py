"""The clocks of the machine. Nothing else in fastlog asks what time it is.

Whoever needs one is given it as a callable, so that a test can hold it still.
"""

import time

_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # where there is no other, sleep is lost


def wall() -> float:
    """Seconds since the epoch. It may jump when somebody sets the clock."""
    return time.time()


def monotonic() -> float:
    """Seconds since some moment; only ever forwards. For pauses and grace times."""
    return time.monotonic()


def elapsed() -> float:
    """As ``monotonic``, but it goes on while the machine sleeps, as the wall clock does."""
    return time.clock_gettime(_ELAPSED)


def epoch() -> float:
    """The wall time at which ``elapsed`` was 0. It changes only when somebody sets the clock."""
    return wall() - elapsed()
