"""The table of fields: what each directive of a log format may hold.

``shape`` is the field's definition, matched against one line without its end.
``quick`` accepts a part of that which is certain at a glance, anywhere in a
buffer of many lines; what it does not accept goes to ``shape``. Every
repetition is possessive or bounded, and no two neighbours compete for the same
byte, so that no line costs more than linear time.

Source: Apache HTTP Server 2.4, mod_log_config, "Custom Log Formats".
"""

from dataclasses import dataclass

_STAMP = rb"[^\[\]]*+"
_SIZE = rb"[0-9]{1,18}+|-"
_END = rb"(?: |\Z)"
_STATUS_AND_SIZE = rb" [0-9]{3} (?:" + _SIZE + rb")" + _END


def _quoted(closing: bytes) -> bytes:
    """Text up to the first quote that ``closing`` follows and no odd backslash precedes."""
    return rb'(?:[^"\\]++|\\(?s:.)|"(?!' + closing + rb"))*+"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a format: its directive, its name, and the patterns that match it."""

    directive: str
    name: str
    shape: bytes
    quick: bytes


_WORD = rb"[^ ]++"
_QUICK_WORD = rb"[^ \n]++"

FIELDS = {
    field.directive: field
    for field in (
        # In front of an ident of "-" stands a host: the line names no virtual host.
        Field("%v", "virtual host", _WORD + rb"(?! - )", _QUICK_WORD + rb"(?! - )"),
        Field("%h", "host", _WORD, _QUICK_WORD),
        Field("%l", "ident", _WORD, _QUICK_WORD),
        # The user name may hold spaces and brackets: it ends where a space, a stamp
        # and a request follow.
        Field(
            "%u",
            "user",
            rb"(?:[^ ]++| (?!\[" + _STAMP + rb'\] (?:"|-' + _STATUS_AND_SIZE + rb")))++",
            rb"[^ \[\n]++",
        ),
        Field("%t", "time", rb"\[(?P<time>" + _STAMP + rb")\]", rb"\[(.{26})\]"),
        Field(
            '"%r"',
            "request",
            rb'(?:"(?P<request>' + _quoted(_STATUS_AND_SIZE) + rb')"|-)',
            rb'"([A-Z]{1,32}+ /[^/?#" \\\n]*+)[^"\\\n]*+"',
        ),
        Field("%>s", "status", rb"(?P<status>[0-9]{3})", rb"([0-9]{3})"),
        Field("%b", "size", rb"(?P<size>" + _SIZE + rb")(?= |\Z)", rb"([0-9]{1,18}+|-)"),
        Field(
            '"%{Referer}i"',
            "referrer",
            rb'(?:"' + _quoted(rb' (?:"|-' + _END + rb")") + rb'"|-)',
            rb'"[^"\\\n]*+"',
        ),
        Field(
            '"%{User-Agent}i"',
            "user agent",
            rb'(?:"' + _quoted(_END) + rb'"|-)(?= |\Z)',
            rb'"[^"\\\n]*+"',
        ),
    )
}
