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
        fits = sum(map(candidate.fits, lines))
        if not fits:
            continue
        if candidate.comment is not None:
            fits += sum(line.startswith(candidate.comment) for line in lines)
        if (fits, len(candidate.fields)) > best[:2]:
            best = (fits, len(candidate.fields), name)
    return compile_format(best[2]) if best[2] else None


def _candidates(lines: Sequence[bytes]) -> Iterator[tuple[str, Format]]:
    """The formats that lines with these looks can be of, each with its name in the catalogue."""
    for name, entry in CATALOG.items():
        if entry.kind == "fields":
            for candidate in _under_their_fields(entry, lines):
                yield name, candidate
        elif any(_may_be(entry, line) for line in lines):
            yield name, compile_format(name)


def _may_be(entry: Entry, line: bytes) -> bool:
    """Whether a line can be of a format, at a glance: what is not compiled costs nothing."""
    if entry.kind == "json":
        return line.lstrip(b" \t").startswith(b"{")
    if entry.kind == "labels":
        return b"\t" in line
    candidate = compile_format(entry.name)
    looks = _LOOKS.get(candidate.stamp)
    if looks is not None and looks.search(line) is None:
        return False
    return all(literal.strip('" ').encode() in line for literal, _ in candidate.layout)


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
