"""From a row of the catalogue to the regular expressions that read its lines."""

import re
from dataclasses import dataclass
from functools import cache

from fastlog.errors import FormatError
from fastlog.formats.catalog import CATALOG
from fastlog.formats.directives import FIELDS, Field


@dataclass(frozen=True, slots=True)
class Format:
    """A compiled format.

    ``line`` is the definition: matched at the start of one line without its line
    end, with the groups ``time``, ``request`` (None for a bare ``-``), ``status``
    and ``size``. ``rows`` accepts a part of the same lines in a whole buffer, at
    the speed that ``re`` can reach: its groups are the stamp, ``METHOD /section``,
    the status and the size. It is right only where the buffer holds no backslash
    and where every newline of the buffer ends a match, since its quoted fields do
    not exclude the newline (a class of one byte is scanned five times as fast as a
    class of two); ``rows_strict`` is right anywhere. Both are linear: a quoted field
    is scanned to the next quote, which no other line's field of that place passes,
    and the words before it never leave their line.
    """

    name: str
    fields: tuple[Field, ...]
    line: re.Pattern[bytes]
    rows: re.Pattern[bytes]
    rows_strict: re.Pattern[bytes]

    def reach(self, line: bytes) -> int:
        """How many fields of the format the line fits before it stops fitting."""
        shapes = [field.shape for field in self.fields]
        for count in range(len(shapes), 0, -1):
            if re.match(b" ".join(shapes[:count]), line):
                return count
        return 0


@cache
def compile_format(name: str) -> Format:
    """The named format, compiled. Raises FormatError where the catalogue has no such name."""
    entry = CATALOG.get(name)
    if entry is None:
        raise FormatError(f"--format is {name!r}: give one of {', '.join(CATALOG)}, or auto")
    fields = tuple(FIELDS[directive] for directive in entry.directives)
    strict = rb"(?m)^" + b" ".join(field.quick for field in fields) + rb"(?:\n|\r\n| .*+\n)"
    loose = strict.replace(rb"\\\n]", rb"]")
    return Format(
        name,
        fields,
        re.compile(b" ".join(field.shape for field in fields)),
        re.compile(loose),
        re.compile(strict),
    )
