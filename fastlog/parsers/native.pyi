"""The compiled twin of the regex and JSON parsers: its contract.

A line is counted here, as a hit or as rejected, only when it is certain what the format's
definition makes of it; every other line, and those that are rejected and shown, go to
``RegexParser.parse`` or ``JsonParser.parse``, whose word is final. So both parsers give the same
partial for the same bytes. Not to be shared between threads.
"""

from collections.abc import Iterable

from fastlog.formats.compile import Format
from fastlog.model.partial import Partial
from fastlog.model.plan import Plan

SIMD: str
"""What the index of quotes and newlines is made with: avx2, sse2, neon or plain."""

class NativeParser:
    """Folds chunks of one format into partials; see ``parsers.select.Parser``."""

    name: str
    odd: int
    """Lines that went to the definition so far."""

    def __init__(
        self, log_format: Format, plan: Plan, *, under: Format | None = None, remembered: int = ...
    ) -> None:
        """Raises ValueError for a format without a program, or none that gives what rules ask for; see
        ``parsers.program`` and ``keys_program``. UsageError as ``check_rules``. The program is that of
        ``under``, if given: some lines of the format, which that defines alike. ``remembered`` are the
        hosts and targets kept from chunk to chunk for rules; no result depends on it."""

    def fold(self, blocks: Iterable[tuple[int, bytes | memoryview]], horizon: int | None) -> Partial:
        """As ``RegexParser.fold``. A block is read until the next is asked for, and never
        beyond its end; it is shorter than 4 GiB. The GIL is free but for the lines that go
        to the definition. Raises MemoryError."""
