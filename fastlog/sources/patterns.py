"""Patterns of file names that are followed, such as ``logs/*.log``, and the files that fit them."""

import glob
import os
import re
from collections.abc import Sequence

_PACKED = re.compile(r"\.(?:gz|bz2|xz|zst|lz4|Z|zip)$")
_WILD = re.compile(r"[*?]|\[[^/\]]+\]")


def is_pattern(path: str) -> bool:
    """Whether a path is to be expanded: it has a wildcard, and no file bears it as its very name."""
    return _WILD.search(path) is not None and not os.path.lexists(path)


def matches(patterns: Sequence[str]) -> list[str]:
    """The paths that fit any of the patterns, each once, sorted. ``**`` goes through directories.

    Directories are left out, and so are packed files: a rotator makes them of what was followed.
    """
    found = {path for pattern in patterns for path in glob.iglob(pattern, recursive=True)}
    return sorted(path for path in found if not _PACKED.search(path) and not os.path.isdir(path))


def fixed_directory(pattern: str) -> str:
    """The deepest directory above all that a pattern can fit."""
    wild = _WILD.search(pattern)
    return os.path.abspath(os.path.dirname(pattern[: wild.start() if wild else len(pattern)]))
