"""Writes ``programs.h`` for fuzz_fold.c: the field programs of the formats, each with an example line.

python tests/fuzz/programs.py DIRECTORY
"""

import sys
from pathlib import Path

from fastlog.formats.compile import compile_format
from fastlog.parsers.program import Op, program_of
from tests.properties.test_program import EXAMPLES, PROGRAMS


def quoted(text: bytes) -> str:
    """A literal of C; written in octal, since a hexadecimal escape has no end of its own."""
    return (
        '"'
        + "".join(f"\\{byte:03o}" if byte in b'"\\?' or not 32 <= byte < 127 else chr(byte) for byte in text)
        + '"'
    )


def an_op(op: Op) -> str:
    literal = f"{quoted(op.literal)}, {len(op.literal)}"
    stops = f"{quoted(op.stops)}, {len(op.stops)}"
    return f"{{{literal}, {op.kind}, {op.role}, {stops}, {op.behind}, {int(op.after_text)}, {op.words}}}"


def header() -> str:
    programs = {name: program_of(compile_format(name)) for name in PROGRAMS}
    walked = {
        name: program for name, program in programs.items() if program is not None and program.shape is None
    }
    rows = [
        f"    {{{program.tail}, {int(program.plain)}, {program.quotes}, {program.stamp}, {len(program.ops)},\n"
        f"     {{{', '.join(map(an_op, program.ops))}}}}},\n"
        for program in walked.values()
    ]
    lines = [f"    {quoted(EXAMPLES[name].encode() + bytes([10]))},\n" for name in walked]
    return (
        f"static const listed PROGRAMS[] = {{\n{''.join(rows)}}};\n"
        f"static const char *const EXAMPLES[] = {{\n{''.join(lines)}}};\n"
    )


if __name__ == "__main__":
    (Path(sys.argv[1]) / "programs.h").write_text(header())
