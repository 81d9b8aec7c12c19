"""The clocks of the machine. Nothing else in fastlog asks what time it is.

Whoever needs one is given it as a callable, so that a test can hold it still.
"""

import time


def wall() -> float:
    """Seconds since the epoch. It may jump when somebody sets the clock."""
    return time.time()


def monotonic() -> float:
    """Seconds since some moment; only ever forwards. For pauses and grace times."""
    return time.monotonic()
