"""W3C extended logs, of IIS and of CloudFront too: the fields stand in the log, in ``#Fields`` lines.

Source: W3C, Extended Log File Format (WD-logfile-960323); IIS, W3C Logging; Amazon
CloudFront, Log file fields.
"""

from fastlog.formats.fields import END, MS, Field, Layout, S
from fastlog.formats.stamps import CLOCK, DATE

DIRECTIVE = b"#Fields:"

_NAMES = {
    "date": Field("date", "time", "time", DATE),
    "time": Field("time", "time", "time", CLOCK),
    "c-ip": Field("host", "host", rank=2),
    "c-dns": Field("host", "host"),
    "cs-username": Field("user", "user"),
    "cs-method": Field("method", "method"),
    "cs-uri-stem": Field("target", "target", rank=2),
    "cs-uri": Field("target", "target"),
    "cs-version": Field("protocol", "protocol"),
    "cs-protocol-version": Field("protocol", "protocol"),
    "sc-status": Field("status", "status", "code"),
    "sc-bytes": Field("size", "size", "size", rank=2),
    "bytes": Field("size", "size", "size"),
    "cs-host": Field("virtual host", "vhost"),
    "cs(Host)": Field("virtual host", "vhost"),
    "cs(Referer)": Field("referrer", "referrer"),
    "cs(User-Agent)": Field("user agent", "agent"),
}
_TIME_TAKEN = {"w3c": MS, "cloudfront": S}
"""IIS counts milliseconds, CloudFront seconds."""


def fields_of(line: bytes) -> str | None:
    """The names that a ``#Fields`` line gives, with one space between them; None where it is no such line."""
    if not line.startswith(DIRECTIVE):
        return None
    return " ".join(line[len(DIRECTIVE) :].decode("latin-1").split())


def fields_format(name: str, names: str) -> str:
    """The format in force below a ``#Fields`` line with these names, in a log of format ``name``."""
    kind = name.partition(":")[0]
    return f"{kind}:{names}" if names else kind


def last_fields(data: bytes) -> str | None:
    """The names that the last whole ``#Fields`` line of ``data`` gives; None where there is none.

    ``data`` is whole lines; the last may lack its newline.
    """
    at = data.rfind(b"\n" + DIRECTIVE) + 1
    if not at and not data.startswith(DIRECTIVE):
        return None
    stop = data.find(b"\n", at)
    return fields_of(data[at : stop if stop >= 0 else len(data)].removesuffix(b"\r"))


def parse_fields(kind: str, names: str) -> Layout:
    """The layout of the lines that follow ``#Fields: names`` in a log of that kind."""
    separator = "\t" if kind == "cloudfront" else " "
    pairs: list[tuple[str, Field]] = []
    for name in names.split():
        field = _NAMES.get(name, Field(name))
        if name == "time-taken":
            field = Field("duration", "duration", "decimal", _TIME_TAKEN[kind])
        pairs.append((separator if pairs else "", field))
    return (*pairs, ("", END))
