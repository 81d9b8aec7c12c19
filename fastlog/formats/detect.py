"""Which format of the catalogue fits the first lines of a log."""

import re
from collections.abc import Iterator, Sequence

from fastlog.errors import FormatError
from fastlog.formats.catalog import CATALOG, Entry
from fastlog.formats.compile import Format, compile_format
from fastlog.formats.stamps import APACHE, EPOCH, ISO8601
from fastlog.model.printable import printable

SAMPLE_LINES = 100
"""First lines that are looked at, blank ones not counted."""

_LOOKS = {
    APACHE: re.compile(rb" [+-]\d{4}\]"),
    ISO8601: re.compile(rb"\d{4}-?\d\d-?\d\d[Tt ]"),
    EPOCH: re.compile(rb"\A\d{5,}"),
}
"""What a line with such a stamp holds somewhere, in the formats of the catalogue."""

_SHOWN = 160
_NEAREST = 3


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
    lines = [line.removesuffix(b"\r") for line in lines]
    best: tuple[int, int, str] = (0, 0, "")
    for name, candidate in _candidates(lines):
        all_fit = best[0] == len(lines)  # then a misfit is enough to know that another is no better
        fits = 0
        for line in lines if not all_fit or len(candidate.fields) > best[1] else ():
            if _fits(candidate, line):
                fits += 1
            elif all_fit:
                break
        if (fits, len(candidate.fields)) > best[:2] and any(map(candidate.fits, lines)):
            best = (fits, len(candidate.fields), name)
    return compile_format(best[2]) if best[2] else None


def _fits(candidate: Format, line: bytes) -> bool:
    if candidate.comment is not None and line.startswith(candidate.comment):
        return True
    return (not candidate.layout or _looks_like(candidate, line)) and candidate.fits(line)


def _looks_like(candidate: Format, line: bytes) -> bool:
    """Whether a line holds, in this order, what stands between the fields.

    A format that no line looks like is not compiled: that takes longer than all else here.
    """
    at = 0
    for literal, _ in candidate.layout:
        between = literal.replace('"', "").encode()  # a bare - may stand for what is quoted
        at = line.find(between, at) + len(between)
        if at < len(between):
            return False
    return True


def _candidates(lines: Sequence[bytes]) -> Iterator[tuple[str, Format]]:
    """The formats of the catalogue that lines may be of, each with its name there."""
    stamps = {stamp for stamp, look in _LOOKS.items() if any(map(look.search, lines))}
    for name, entry in CATALOG.items():
        if entry.kind == "fields":
            for candidate in _under_their_fields(entry, lines):
                yield name, candidate
        elif entry.kind == "json":
            if any(line.lstrip(b" \t").startswith(b"{") for line in lines):
                yield name, compile_format(name)
        elif entry.kind == "labels":
            if any(b"\t" in line for line in lines):
                yield name, compile_format(name)
        elif (candidate := compile_format(name)).stamp in stamps or candidate.stamp not in _LOOKS:
            yield name, candidate


def _under_their_fields(entry: Entry, lines: Sequence[bytes]) -> Iterator[Format]:
    """The formats of the first lines of a log that names its fields, one for each list of them.

    The last list may stand before its first line, after a server was started anew.
    """
    from fastlog.formats.w3c import fields_format, fields_of

    named = [names for line in lines if line.startswith(b"#") and (names := fields_of(line)) is not None]
    for names in dict.fromkeys(reversed(named)):
        if ("x-edge-location" in names.split()) == (entry.name == "cloudfront"):
            yield compile_format(fields_format(entry.name, names))
    if not named and any(b"\t" in line for line in lines) == (entry.name == "cloudfront"):
        yield compile_format(entry.name)


def undetected(file: str, line: bytes) -> FormatError:
    """What to say when no format fits ``line``, the first of ``file``: how far each came."""
    line = line.removesuffix(b"\r")
    reached = sorted(
        ((candidate.reach(line), candidate) for _, candidate in _candidates([line])),
        key=lambda pair: -pair[0],
    )
    said = "; ".join(
        f"{fmt.name} fits {count} of {len(fmt.fields)} fields, then wants {fmt.fields[count]}"
        for count, fmt in reached[:_NEAREST]
        if count < len(fmt.fields)
    )
    shown = printable(line[:_SHOWN]) + ("..." if len(line) > _SHOWN else "")
    return FormatError(
        f"{file}: no known format fits; the first line is: {shown} | {said or 'none came near'} | "
        "name one with --format"
    )
