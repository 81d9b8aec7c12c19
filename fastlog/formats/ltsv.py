"""Labeled tab-separated values: fields in any order, each behind its label.

The order of one log hardly changes, so a line that was read gives a layout by
which its neighbours are read at speed.

Source: ltsv.org, "Labels for Web server's Log"; nginx's and Apache's own names beside them.
"""

import re

from fastlog.formats.fields import END, US, Field, Layout, S
from fastlog.formats.possessive import possessive
from fastlog.formats.stamps import ANY, APACHE, EPOCH, ISO8601

_LABELS = {
    "time": ("time", "datetime", "time_local", "time_iso8601", "msec", "timestamp"),
    "request": ("req", "request"),
    "method": ("method", "request_method"),
    "target": ("uri", "request_uri", "path"),
    "status": ("status",),
    "size": ("size", "body_bytes_sent", "bytes_sent", "bytes"),
    "host": ("host", "remote_addr", "remote_host", "client_ip"),
    "duration": ("reqtime_microsec", "reqtime", "request_time", "taken_sec", "apptime", "response_time"),
}
_ROLE = {label: role for role, labels in _LABELS.items() for label in labels}
_SHAPES = {
    "time": rb"\[?[^\t\]]*+\]?",
    "status": rb"[0-9]{3}(?=\t|\Z)",
    "size": rb"(?:[0-9]{1,18}+|-)(?=\t|\Z)",
}
_LOOKS = (
    (re.compile(rb"\[?[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:"), APACHE),
    (re.compile(rb"\[?[0-9]{4}-[0-9]{2}-[0-9]{2}T"), ISO8601),
    (re.compile(rb"[0-9]{10}(?:\.[0-9]+)?\Z"), EPOCH),
)
"""How stamps begin that the native parser reads, and what they are."""
_LABEL = re.compile(rb"([0-9A-Za-z_.-]++):")


def ltsv_parts() -> tuple[tuple[str, ...], tuple[bytes, ...]]:
    """The names of the parts of the definition, and the parts: together they match one line.

    Of two labels with one meaning the first in the line counts.
    """
    labelled = rb"(?=%b\Z)" % possessive(rb"(?:[0-9A-Za-z_.-]++:[^\t]*+(?:\t|\Z))", b"+")
    found = {role: _lookahead(role) for role in _LABELS}
    request = b"(?:%b|%b(?:%b|))" % (found["request"], found["target"], found["method"])
    optional = b"(?:%b|)(?:%b|)(?:%b|)" % (found["size"], found["duration"], found["host"])
    parts = (labelled, found["time"], request, found["status"], optional)
    return ("label", "time", "request", "status", "size"), parts


def _lookahead(role: str) -> bytes:
    labels = "|".join(_LABELS[role]).encode()
    shape = _SHAPES.get(role, rb"[^\t]*+")
    label = b"?P<unit>" if role == "duration" else b"?:"
    return rb"(?=(?:[^\t]*+\t)*?(%b%b):(?P<%b>%b))" % (label, labels, role.encode(), shape)


def label_unit(label: bytes | None) -> list[int]:
    """Microseconds in a unit of the duration with that label; none where there is no label."""
    return [] if label is None else [int(_unit(label.decode()))]


def _unit(label: str) -> str:
    return US if label.endswith("_microsec") else S


def learn_labels(line: bytes) -> Layout | None:
    """The layout of lines with the labels of ``line``; None where that would not be the whole truth."""
    pairs: list[tuple[str, Field]] = []
    roles: set[str] = set()
    before = ""
    for text in line.split(b"\t"):
        found = _LABEL.match(text)
        if found is None:
            return None
        label = found[1].decode()
        role = _ROLE.get(label, "skip")
        if role in roles:
            role = "skip"
        roles.add(role)
        bracketed = role == "time" and text[found.end() : found.end() + 1] == b"["
        pairs.append((f"{before}{label}:{'[' if bracketed else ''}", _field(role, label)))
        before = "]\t" if bracketed else "\t"
    return (*pairs, (before[:-1], END))


def certain_labels(line: bytes) -> Layout | None:
    """As ``learn_labels``, with the shapes that the native parser follows: others are for the definition.

    None where it does not know what the stamp looks like.
    """
    layout = learn_labels(line)
    if layout is None:
        return None
    pairs: list[tuple[str, Field]] = []
    for (literal, field), text in zip(layout, line.split(b"\t"), strict=False):
        if field.role == "time":
            value = text.partition(b":")[2]
            looks = next((pattern for begins, pattern in _LOOKS if begins.match(value)), None)
            if looks is None:
                return None
            pairs.append((literal, field._replace(pattern=looks)))
        else:
            form = "decimal" if field.role == "duration" else "word" if field.form == "text" else field.form
            pairs.append((literal, field._replace(form=form)))
    return (*pairs, layout[-1])


def _field(role: str, label: str) -> Field:
    form = role if role in ("time", "status", "size") else "text"
    unit = _unit(label) if role == "duration" else ""
    return Field(label, role, form, ANY if role == "time" else unit)
