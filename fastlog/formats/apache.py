"""Apache's LogFormat strings: every directive, and the layout that a string stands for.

Source: Apache HTTP Server 2.4, mod_log_config, "Custom Log Formats", "Modifiers";
mod_ssl and mod_logio for ``%{...}x``, ``%{...}c``, ``%I``, ``%O`` and ``%S``.
"""

import re

from fastlog.formats.caret import format_error
from fastlog.formats.fields import END, MS, US, Field, Layout, S
from fastlog.formats.stamps import APACHE, EPOCH, EPOCH_MS, EPOCH_US, spelled_out

_DIRECTIVES = {
    "a": Field("client address", "host"),
    "A": Field("local address"),
    "B": Field("size", "size", "size", rank=3),
    "b": Field("size", "size", "size", rank=3),
    "C": Field("cookie", form="text"),
    "D": Field("duration", "duration", "size", US, rank=3),
    "e": Field("environment variable", form="text"),
    "f": Field("file name", form="text"),
    "h": Field("host", "host", rank=2),
    "H": Field("protocol", "protocol"),
    "i": Field("request header", form="text"),
    "I": Field("bytes received", form="size"),
    "k": Field("keepalive requests", form="size"),
    "l": Field("ident"),
    "L": Field("log id"),
    "m": Field("method", "method"),
    "n": Field("note", form="text"),
    "o": Field("reply header", form="text"),
    "O": Field("size", "size", "size", rank=2),
    "p": Field("port", form="size"),
    "P": Field("process id"),
    "q": Field("query", "query", "query"),
    "r": Field("request", "request", "text"),
    "R": Field("handler", form="text"),
    "s": Field("status", "status", "status", rank=2),
    "S": Field("bytes transferred", form="size"),
    "t": Field("time", "time", "time", APACHE),
    "T": Field("duration", "duration", "size", S),
    "u": Field("user", "user", "text"),
    "U": Field("target", "target"),
    "v": Field("virtual host", "vhost", rank=2),
    "V": Field("virtual host", "vhost"),
    "X": Field("connection status"),
    "^ti": Field("request trailer", form="text"),
    "^to": Field("reply trailer", form="text"),
    "x": Field("TLS variable", form="text"),
    "c": Field("TLS variable", form="text"),
}
_HEADERS = {
    "referer": Field("referrer", "referrer", "text"),
    "user-agent": Field("user agent", "agent", "text"),
    "host": Field("virtual host", "vhost"),
    "x-forwarded-for": Field("forwarded addresses", form="list"),
}
_DURATIONS = {
    "us": Field("duration", "duration", "size", US, rank=3),
    "ms": Field("duration", "duration", "size", MS, rank=2),
    "s": Field("duration", "duration", "size", S),
}
_TIMES = {"sec": EPOCH, "msec": EPOCH_MS, "usec": EPOCH_US, "msec_frac": "%L", "usec_frac": "%L"}
_RANK = {"<": -1, ">": 1}

_DIRECTIVE = re.compile(r"%([!0-9,<>]*)(?:\{([^}]*)\})?([!0-9,<>]*)(\^t[io]|[A-Za-z])")
_ESCAPES = {r"\"": '"', r"\t": "\t", r"\n": "", r"\\": "\\"}


def parse_apache(text: str) -> Layout:
    """The layout of a LogFormat string. Raises FormatError, with a caret at the place."""
    pairs: list[tuple[str, Field]] = []
    literal = ""
    at = 0
    while at < len(text):
        if text[at] == "\\" and text[at : at + 2] in _ESCAPES:
            literal += _ESCAPES[text[at : at + 2]]  # as the string stands in httpd.conf
            at += 2
        elif text.startswith("%%", at):
            literal += "%"
            at += 2
        elif text[at] == "%":
            found = _DIRECTIVE.match(text, at)
            if found is None:
                raise format_error(
                    text, at, "no directive of LogFormat begins here: write %% for a percent sign"
                )
            field = _field(text, found)
            if found[4] == "t" and field.pattern == APACHE and not found[2]:
                pairs.append((literal + "[", field))
                literal = "]"
            else:
                pairs.append((literal, field))
                literal = ""
            at = found.end()
        else:
            literal += text[at]
            at += 1
    return (*pairs, (literal, END)) if literal else tuple(pairs)


def _field(text: str, found: "re.Match[str]") -> Field:
    conditions, argument, more, letter = found.groups()
    field = _DIRECTIVES.get(letter)
    if field is None:
        raise format_error(text, found.end() - 1, f"%{letter} is no directive of LogFormat")
    if letter == "i":
        field = _HEADERS.get((argument or "").lower(), field)
    elif letter == "t" and argument:
        field = _time(text, found, argument)
    elif letter == "T" and argument:
        if argument not in _DURATIONS:
            raise format_error(text, found.start(2), "the unit of %T is us, ms or s")
        field = _DURATIONS[argument]
    elif letter == "P" and argument:
        field = Field("thread id")
    modifier = (conditions + more).strip("!0123456789,")
    return field._replace(rank=field.rank + _RANK.get(modifier[-1:], 0))


def _time(text: str, found: "re.Match[str]", argument: str) -> Field:
    argument = re.sub(r"\A(?:begin|end):?", "", argument)
    if not argument:
        return Field("time", "time", "time", APACHE)
    try:
        return Field("time", "time", "time", _TIMES.get(argument) or spelled_out(argument, strict=True))
    except KeyError as error:
        place = found.start(2) + found[2].find(error.args[0])
        raise format_error(
            text, place, f"{error.args[0]} is no letter of strftime that is known here"
        ) from None
