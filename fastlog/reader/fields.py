"""Where the reader looks into lines: which ``#Fields`` a chunk stands under, which second it begins with."""

import os
from collections.abc import Iterator, Sequence

from fastlog.formats.compile import compile_format
from fastlog.formats.w3c import fields_format, fields_of, last_fields
from fastlog.model.chunk import LINE_LIMIT, ByteRange
from fastlog.model.plan import Plan
from fastlog.parsers.select import LineReader, make_line_reader

_MARK = b"#Fields:"


def names_fields(log_format: str) -> bool:
    """Whether logs of a format name their fields themselves."""
    return compile_format(log_format).kind == "fields"


def switched(log_format: str, lines: bytes) -> str:
    """The format of what follows ``lines``, themselves of ``log_format``."""
    if not names_fields(log_format):
        return log_format
    names = last_fields(lines)
    return log_format if names is None else fields_format(log_format, names)


def fields_below(fd: int, chunk: ByteRange) -> bytes:
    """The last ``#Fields`` line that begins in a range, whole; empty where there is none. Raises OSError."""
    begin = max(0, chunk.start - 1)
    # A line that begins with the last byte of the range shows its mark behind it.
    data = os.pread(fd, chunk.stop + len(_MARK) - 1 - begin, begin)
    at = (b"\n" + data if not chunk.start else data).rfind(b"\n" + _MARK)
    if at < 0:
        return b""
    return os.pread(fd, LINE_LIMIT, begin + at + (1 if chunk.start else 0)).partition(b"\n")[0]


class LineClock:
    """Tells the seconds of a few lines, of whatever format they are."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._parsers: dict[str, LineReader] = {}

    def seconds(self, log_format: str, lines: Sequence[bytes]) -> Iterator[int]:
        """The seconds of those of ``lines`` that are hits and not in the future."""
        for line in lines:
            if len(line.removesuffix(b"\r")) > LINE_LIMIT:  # whatever it begins with, it is no hit
                continue
            names = fields_of(line)
            if names is not None and names_fields(log_format):
                log_format = fields_format(log_format, names)
            second = self._parser(log_format).second(line)
            if second is not None and (self._plan.horizon is None or second <= self._plan.horizon):
                yield second

    def _parser(self, log_format: str) -> LineReader:
        if log_format not in self._parsers:
            self._parsers[log_format] = make_line_reader(compile_format(log_format), self._plan)
        return self._parsers[log_format]
