"""Columns in as few bytes as their values need: the compiled twin of ``narrow``."""

from array import array

def narrowed(column: array[int]) -> tuple[int, int, bytes]:
    """See ``fastlog.model.narrow``."""

def widened(width: int, least: int, count: int, data: bytes | memoryview) -> array[int]:
    """See ``fastlog.model.narrow``. Raises ValueError."""
