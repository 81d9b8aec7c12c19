"""Which format of the catalogue fits the first lines of a log."""

from collections.abc import Sequence

from fastlog.errors import FormatError
from fastlog.formats.catalog import CATALOG
from fastlog.formats.compile import Format, compile_format
from fastlog.model.printable import printable

SAMPLE_LINES = 100
"""First lines that are looked at, blank ones not counted."""

_SHOWN = 160


def sample(data: bytes) -> list[bytes]:
    r"""The first lines of ``data`` that are not blank, at most SAMPLE_LINES, without ``\n``."""
    lines = []
    for line in data.split(b"\n"):
        if line.strip(b" \t\r"):
            lines.append(line)
            if len(lines) == SAMPLE_LINES:
                break
    return lines


def detect(lines: Sequence[bytes]) -> Format | None:
    """The format that fits most of ``lines``, of equals the one with more fields; None if none fits."""
    best: tuple[int, int, Format | None] = (0, 0, None)
    for name in CATALOG:
        candidate = compile_format(name)
        fits = sum(candidate.line.match(line.removesuffix(b"\r")) is not None for line in lines)
        if fits and (fits, len(candidate.fields)) > best[:2]:
            best = (fits, len(candidate.fields), candidate)
    return best[2]


def undetected(file: str, line: bytes) -> FormatError:
    """What to say when no format fits ``line``, the first of ``file``: how far each came."""
    line = line.removesuffix(b"\r")
    reached = sorted(
        ((compile_format(name).reach(line), compile_format(name)) for name in CATALOG),
        key=lambda pair: -pair[0],
    )
    said = "; ".join(
        f"{fmt.name} fits {count} of {len(fmt.fields)} fields, then wants {fmt.fields[count].name}"
        for count, fmt in reached[:3]
    )
    shown = printable(line[:_SHOWN]) + ("..." if len(line) > _SHOWN else "")
    return FormatError(
        f"{file}: no known format fits; the first line is: {shown} | {said} | name one with --format"
    )
