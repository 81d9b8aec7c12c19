"""The processors that there are for us."""

import os


def usable_cpus() -> int:
    """CPUs that this process may run on, at least 1."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        return os.cpu_count() or 1
