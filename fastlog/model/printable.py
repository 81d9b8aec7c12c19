"""Text from a log, made safe to show: on a terminal, in JSON, in a message.

Invalid UTF-8, control characters, line separators and bidirectional marks are
written out (``\\x1b``, ``\\xff``, ``\\u202e``), so that no log line can move the
cursor, forge a line of output or reverse what stands beside it (CWE-150,
CVE-2003-0020, RUSTSEC-2025-0055).
"""

import os
import re

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def _written_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def printable(raw: bytes | str | os.PathLike[str]) -> str:
    """The text of ``raw`` with everything that is not plain text written out."""
    if not isinstance(raw, bytes):
        raw = os.fspath(raw).encode("utf-8", "surrogateescape")  # a message is UTF-8, whatever the locale
    return _UNSAFE.sub(_written_out, raw.decode("utf-8", "surrogateescape"))
