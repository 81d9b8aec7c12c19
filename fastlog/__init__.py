"""fastlog: follow or replay HTTP access logs at the speed of the machine.

>>> import fastlog
>>> report = fastlog.replay("access.log", threshold=10)    # doctest: +SKIP
>>> report.summary.hits                                    # doctest: +SKIP
"""

from fastlog.errors import (
    FastlogError,
    FormatError,
    RuleError,
    SourceError,
    UsageError,
    WireError,
    WorkerError,
)
from fastlog.version import __version__

TYPE_CHECKING = False  # of our own: until the command answers Ctrl-C, it loads as little as it can
if TYPE_CHECKING:
    from typing import Any

    from fastlog.api import Report, follow, replay
    from fastlog.config import Config
    from fastlog.model.events import Alert, Event, Reject, Stats, Summary

_LAZY = {
    "Report": "fastlog.api",
    "follow": "fastlog.api",
    "replay": "fastlog.api",
    "Config": "fastlog.config",
    "Alert": "fastlog.model.events",
    "Event": "fastlog.model.events",
    "Reject": "fastlog.model.events",
    "Stats": "fastlog.model.events",
    "Summary": "fastlog.model.events",
}


def __getattr__(name: str) -> "Any":
    # On first use: a worker, or ``fastlog --version``, need not load what it does not run.
    if name in _LAZY:
        from importlib import import_module

        value = globals()[name] = getattr(import_module(_LAZY[name]), name)
        return value
    raise AttributeError(f"module 'fastlog' has no attribute {name!r}")


__all__ = [
    "Alert",
    "Config",
    "Event",
    "FastlogError",
    "FormatError",
    "Reject",
    "Report",
    "RuleError",
    "SourceError",
    "Stats",
    "Summary",
    "UsageError",
    "WireError",
    "WorkerError",
    "__version__",
    "follow",
    "replay",
]
