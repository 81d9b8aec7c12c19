"""From a layout to regular expressions and to the field program.

Every repetition is possessive or bounded, and no two neighbours compete for the same
byte; a look at what follows a candidate end is bounded by the fields that have bounds.
So no line costs more than linear time.

Past 300 lines, since the definition, the quick pattern and the program of a field must
say the same, and are read side by side.

Source of what a quoted field may hold: Apache HTTP Server 2.4, mod_log_config,
"Custom Log Formats"; nginx, ngx_http_log_module, ``escape``.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from fastlog.formats.fields import DURATION_ROLES, END, Field, Layout, Step
from fastlog.formats.plain import LINE_END, QUOTED, REQUEST, STAMP, USER
from fastlog.formats.possessive import possessive
from fastlog.formats.stamps import (
    ANY,
    APACHE,
    CLOCK,
    DATE,
    EPOCH,
    EPOCH_MS,
    ISO8601,
    ROLES,
    anonymous,
    stamp_regex,
)

_BRACKETED = rb"[^\[\]]*+"
_SIZE = rb"[0-9]{1,18}+|-"
_NUMBER = {
    "status": rb"[0-9]{3}",
    "code": rb"[0-9]{3}|-1|-|0",
    "size": _SIZE,
    "padded": rb" *+-?[0-9]{1,18}+",
    "decimal": rb"[+-]?[0-9]{1,18}+" + possessive(rb"(?:\.[0-9]{1,18}+)", b"?") + b"|-",
}
_DASH = rb"|-"
ABSOLUTE = "absolute"
"""The pattern of a request or target that mostly names its scheme and authority."""

_DEEP = 2  # so many quoted fields are looked at beyond a bare "-"


_TOLD = ("user", "protocol", "vhost", "referrer", "agent")
"""Roles that are in the program, but in no pattern: nothing asks a line for them yet."""


def best_fields(fields: Sequence[Field], roles: Sequence[str]) -> dict[int, str]:
    """For each role that some field has, the place of the one that counts: of the highest rank, of
    equals the first."""
    best: dict[int, str] = {}
    for role in roles:
        places = [at for at, field in enumerate(fields) if field.role == role]
        if places:
            best[max(places, key=lambda at: (fields[at].rank, -at))] = role
    return best


class Patterns(NamedTuple):
    """What a layout compiles to; ``parts`` are the definition field by field, ``probes`` the same without
    a look ahead, to see how far a line fits. ``rows`` is None where fields are in no order that a quick
    pattern could capture."""

    parts: tuple[bytes, ...]
    probes: tuple[bytes, ...]
    rows: bytes | None
    groups: tuple[str, ...]


class Compiler:
    """Builds the patterns of one layout.

    ``used`` gives the group's name for each place whose field counts. ``closed``
    says that nothing may follow the last field.
    """

    def __init__(self, layout: Layout, used: dict[int, str], *, closed: bool = False) -> None:
        self._closed = closed
        self._literals = [literal.encode() for literal, _ in layout]
        self._fields = [field for _, field in layout]
        if self._fields[-1] is not END:
            self._literals.append(b"")
            self._fields.append(END)
        self._used = used
        text = b"".join(self._literals)
        self.tail = b"\t" if b"\t" in text and b" " not in text else b" "
        self._end = rb"(?:%b|\Z)" % re.escape(self.tail)

    def patterns(self) -> Patterns:
        rows, groups = self._rows()
        return Patterns(
            tuple(self._part(at, deep=True) for at in range(len(self._fields))),
            tuple(self._part(at, deep=False) for at in range(len(self._fields))),
            rows,
            groups,
        )

    def program(self) -> tuple[Step, ...]:
        """The steps for the native parser."""
        told = self._used | best_fields(self._fields, _TOLD)
        return tuple(
            Step(literal, self._kind(at), self._role(field, told.get(at)), self._ends(at))
            for at, (literal, field) in enumerate(zip(self._literals, self._fields, strict=True))
        )

    # -- the shape of one field ----------------------------------------------------------------

    def _after(self, at: int) -> bytes:
        """The text that stands behind field ``at``; empty at the end of the line."""
        return self._literals[at + 1] if at + 1 < len(self._literals) else b""

    def _is_quoted(self, at: int) -> bool:
        return self._literals[at].endswith(b'"') and self._after(at).startswith(b'"')

    def _is_bracketed(self, at: int) -> bool:
        return self._literals[at].endswith(b"[") and self._after(at).startswith(b"]")

    def _opening(self, at: int) -> bytes:
        """The literal before field ``at`` less a quote that belongs to a quoted neighbour."""
        literal = self._literals[at]
        if at and self._is_quoted(at - 1):
            literal = literal[1:]
        return literal[:-1] if self._is_quoted(at) and literal else literal

    def _gap(self, at: int) -> bytes:
        """The pattern of what stands before field ``at``: Jetty writes two spaces before its last one."""
        opening = self._opening(at)
        return rb" ++" if opening == b" " and self._fields[at].role == "duration" else re.escape(opening)

    def _part(self, at: int, *, deep: bool) -> bytes:
        """The definition of field ``at`` with the literal before it."""
        field = self._fields[at]
        opening = self._gap(at)
        if field is END:
            return opening + (rb"(?=%b|\Z)" % re.escape(self.tail) if self._unquoted_end() else b"")
        if self._is_quoted(at):
            return opening + self._quoted(at, deep=deep)
        whole = self._named(at, self._shape(at, deep=deep))
        if not deep and field.form in _NUMBER:  # "20x" is no number that stops too early
            whole += rb"(?=%b|\Z)" % re.escape(self._after(at)[:1] or self.tail)
        return opening + whole

    def _unquoted_end(self) -> bool:
        return (
            len(self._fields) < 2 or self._literals[-1] != b'"' or not self._is_quoted(len(self._fields) - 2)
        )

    def _named(self, at: int, shape: bytes) -> bytes:
        role = self._used.get(at)
        return b"(?P<%b>%b)" % (role.encode(), shape) if role else b"(?:%b)" % shape

    def _quoted(self, at: int, *, deep: bool) -> bytes:
        rest = self._look(at, quote=True) if deep else re.escape(self._after(at)[1:2])
        text = possessive(rb'(?:[^"\\]++|\\(?s:.)|"(?!' + rest + rb"))", b"*")
        if self._fields[at].form in _NUMBER:
            text = _NUMBER[self._fields[at].form]
        bare = b"|-"
        ending = (
            rb"(?=%b|\Z)" % re.escape(self.tail)
            if self._fields[at + 1] is END and not self._after(at)[1:]
            else b""
        )
        return b'(?:"' + self._named(at, text) + b'"' + bare + b")" + ending

    def _shape(self, at: int, *, deep: bool) -> bytes:
        """The definition of an unquoted field."""
        field = self._fields[at]
        after = self._after(at)
        if field.form in _NUMBER:
            return _NUMBER[field.form]
        if self._is_bracketed(at):
            return _BRACKETED if field.role == "time" else rb"[^\]]*+"
        if field.form == "time":
            return self._time(field, after)
        if field.form == "mark":
            return rb"\??"
        if field.form == "tail":
            return field.pattern.encode()
        stops = self._stops(at)
        if field.form == "query":
            return possessive(rb"(?:\?[^ %b]*+)" % _in_class(stops), b"?")
        spaces = b"" if field.form == "text" else self._spaces
        byte = b"[^%b]" % _in_class(spaces + stops)
        word, any_word = byte + b"++", byte + b"*+"
        if '"' in stops.decode():
            byte = rb"(?:[^%b\\]|\\.)" % _in_class(spaces + stops)
            word, any_word = possessive(byte, b"+"), possessive(byte, b"*")
        if field.form == "list":
            return word + possessive(rb"(?:(?<=,) %b| : %b)" % (word, word), b"*")
        if field.form == "word" and stops in (b" ", b"\t"):
            return word + (b"(?! - )" if self._names_host_next(at) else b"")
        if not self._opening(at + 1) or (field.form == "word" and field.role not in ("host", "vhost")):
            return any_word
        look = self._look(at, quote=False) if deep else re.escape(after[1:2])
        least = b"+" if stops[:1] in (b" ", b"\t") else b"*"
        return possessive(rb"(?:%b|%b(?!%b))" % (word, re.escape(stops[:1]), look), least)

    @property
    def _spaces(self) -> bytes:
        return b"" if self.tail == b"\t" else b" "

    def _stops(self, at: int) -> bytes:
        """The bytes that end an unquoted field: what stands behind it, or what its neighbour begins with."""
        after = self._after(at)[:1]
        if after or self._fields[at + 1] is END:
            return after or self.tail
        return self._starts(at + 1) + self._stops(at + 1)

    def _time(self, field: Field, after: bytes) -> bytes:
        if after[:1] in (b" ", b"\t") or not after:
            if field.pattern == ANY:
                return rb"[^\t]++"
            if field.pattern == ISO8601:
                return rb"[^ \t]++"
            words = field.pattern.count(" ")
            if field.pattern in (APACHE, EPOCH, EPOCH_MS, DATE, CLOCK):
                return rb"[^ \t]++" + rb" [^ \t]++" * words
        return anonymous(stamp_regex(field.pattern))

    def _names_host_next(self, at: int) -> bool:
        """Whether a virtual host stands before a host: in front of an ident of "-" stands a host, so the
        line names no virtual host."""
        return (
            self._fields[at].role == "vhost"
            and self._after(at) == b" "
            and self._fields[at + 1].role == "host"
            and self._after(at + 1) == b" "
        )

    def _starts(self, at: int) -> bytes:
        """The byte with which a field must begin, where it has one."""
        field = self._fields[at]
        if field.role == "target":
            return b"/"
        return b"?" if field.form in ("query", "mark") else b""

    def _look(self, at: int, *, quote: bool, depth: int = 0) -> bytes:
        """What must follow behind the first byte after field ``at``, as far as it has bounds."""
        rest = self._gap(at + 1) if quote else re.escape(self._opening(at + 1)[1:])
        return rest + self._begin(at + 1, depth)

    def _begin(self, at: int, depth: int) -> bytes:
        """What field ``at`` begins with; of numbers all, and what comes after them."""
        field = self._fields[at]
        if field is END or field.form == "tail":
            return self._end
        if self._is_quoted(at):
            following = self._end if depth >= _DEEP else self._following(at, depth + 1)
            return rb'(?:"|-' + following + b")"
        if field.form in _NUMBER:
            return b"(?:%b)" % _NUMBER[field.form] + self._following(at, depth, number=True)
        if self._is_bracketed(at) and field.role == "time":
            return _BRACKETED + rb"\]" + re.escape(self._opening(at + 1)[1:]) + self._begin(at + 1, depth)
        return rb"[^ \t]" if self._literals[at] else b""

    def _following(self, at: int, depth: int, *, number: bool = False) -> bytes:
        """What stands behind field ``at``: the next numbers, or else its delimiter alone."""
        after = self._opening(at + 1)
        if self._fields[at + 1].form in _NUMBER:
            return re.escape(after) + self._begin(at + 1, depth)
        if not after or after[:1] == self.tail:
            return self._end
        return re.escape(after[:1])

    # -- the quick pattern ---------------------------------------------------------------------

    def _rows(self) -> tuple[bytes | None, tuple[str, ...]]:
        """A pattern of whole lines that accepts only what the definition accepts, with the same fields."""
        if "time2" in self._used.values() and not self._pairs_time():
            return None, ()
        parts = [b"(?m)^"]
        groups: list[str] = []
        at = 0
        while at < len(self._fields):
            literal = re.escape(self._literals[at])
            role = self._used.get(at)
            if self._fields[at] is END:
                parts.append(literal)
            elif role == "method" and self._after(at) == b" " and self._used.get(at + 1) == "target":
                absolute = self._fields[at + 1].pattern == ABSOLUTE
                shape, captured = self._quick_request(self._stops(at + 1), absolute=absolute)
                parts.append(literal + shape)
                groups += captured
                at += 1
            elif role == "time" and self._used.get(at + 1) == "time2":
                between = re.escape(self._after(at))
                parts.append(literal + rb"([^ \t\n]++" + between + rb"[^ \t\r\n]++)")
                groups.append("time")
                at += 1
            else:
                shape, captured = self._quick(at, role)
                parts.append(literal + self._behind_close(at) + shape)
                groups += captured
            at += 1
        if self.tail == b" " and not self._closed:
            return b"".join(parts) + LINE_END, tuple(groups)
        more = b"" if self._closed else rb"|%b.*+\n" % re.escape(self.tail)
        return b"".join(parts) + rb"(?:\n|\r\n%b)" % more, tuple(groups)

    def _pairs_time(self) -> bool:
        """Whether date and time are two words that stand side by side."""
        at = {role: at for at, role in self._used.items()}
        words = [self._fields[at[role]].pattern for role in ("time", "time2")]
        beside = at["time2"] == at["time"] + 1 and self._after(at["time"]) in (b" ", b"\t")
        return beside and "time3" not in at and not any(" " in word for word in words)

    def _quick_request(self, stops: bytes, *, absolute: bool = False) -> tuple[bytes, list[str]]:
        """A request line up to its section; where targets are mostly absolute, in two groups."""
        if stops == b'"' and not absolute:
            return REQUEST, ["request"]
        inner = rb'" \\\n' if stops == b'"' else rb" %b\r\n" % _in_class(stops)
        rest = QUOTED if stops == b'"' else rb"[^ %b\r\n]*+" % _in_class(stops)
        if absolute:
            authority = possessive(rb"(?:[a-z]{1,8}+://[^/?#" + inner + rb"]*+)", b"?")
            return rb"([A-Z]{1,32}+) " + authority + rb"(/[^/?#" + inner + rb"]*+)" + rest, [
                "method",
                "target",
            ]
        return rb"([A-Z]{1,32}+ /[^/?#" + inner + rb"]*+)" + rest, ["request"]

    def _behind_close(self, at: int) -> bytes:
        """What the definition looks for behind a quote or a bracket, where a shape would let a space in."""
        closed = at > 0 and (self._is_quoted(at - 1) or self._is_bracketed(at - 1))
        alone = self._is_quoted(at) or self._is_bracketed(at)
        loose = self._fields[at].form in ("word", "text", "list", "time") and not alone
        return rb"(?![ \t])" if closed and loose else b""

    def _quick(self, at: int, role: str | None) -> tuple[bytes, list[str]]:
        field = self._fields[at]
        stop = self._stops(at)
        stops = _in_class(stop)
        if role == "request":
            if not self._is_quoted(at) and self.tail == b"\t":
                return rb"([A-Z]{1,32}+ /[^/?# \t\r\n]*+)[^\t\r\n]*+", ["request"]
            if not self._is_quoted(at):  # where it ends is for the definition to say
                return rb"(?!)()", ["request"]
            return self._quick_request(b'"', absolute=field.pattern == ABSOLUTE)
        if role == "target":
            stops += rb"\\" if b'"' in stop else b""
            return rb"(/[^/?# %b\r\n]*+)[^ %b\r\n]*+" % (stops, stops), ["target"]
        if role == "method":
            return rb"([A-Z]{1,32}+)", ["method"]
        if role in ("status", "size"):
            return b"(%b)" % _NUMBER[field.form], [role]
        if role in ("time", "time2", "time3"):
            return self._quick_time(at, field), [role]
        if role is not None and role.startswith("duration"):
            shape, _ = self._quick(at, None)
            return b"(%b)" % shape, [role]
        if self._is_quoted(at):
            return (b"(?:%b)" % _NUMBER[field.form] if field.form in _NUMBER else QUOTED), []
        if field.form in _NUMBER:
            return b"(?:%b)" % _NUMBER[field.form], []
        if self._is_bracketed(at):
            return rb"[^\[\]\n]*+", []
        if field.form == "time":
            return b"(?:%b)" % self._time(field, self._after(at)).replace(rb"\t]", rb"\t\r\n]"), []
        if field.form == "mark":
            return rb"\??", []
        if field.form == "query":
            return possessive(rb"(?:\?[^ %b\r\n]*+)" % stops, b"?"), []
        if field.role == "user" and stop == b" ":
            return USER, []
        if self.tail == b"\t" and field.form == "text":
            return rb"[^\t\r\n]++", []
        if b'"' in stop:
            spaces = b"" if field.form == "text" else self._spaces
            return rb"[^%b\\\n]*+" % _in_class(spaces + stop), []
        if field.form == "text" and stop == b" " and self._after(at)[1:]:
            return possessive(rb"(?:[^ \n]++| (?!%b))" % re.escape(self._after(at)[1:2]), b"+"), []
        if field.form == "list":  # of one word: where it has more, a comma or a colon goes on
            return rb"[^ %b\r\n]++(?<!,)(?! : )" % stops, []
        if field.form == "text" or stop not in (b" ", b"\t"):
            return rb"[^ %b\r\n]++" % stops, []
        ident = b"(?! - )" if self._names_host_next(at) else b""
        last = rb"\r" if not self._after(at) else b""
        spaces = b"\t" if self.tail == b"\t" else b" "
        return rb"[^%b%b\n]++" % (spaces, last) + ident, []

    def _quick_time(self, at: int, field: Field) -> bytes:
        if self._is_bracketed(at):
            # Of other brackets in 26 bytes the stamp is none, and the line is looked at by itself.
            return STAMP if field.pattern == APACHE else rb"([^\[\]\n]++)"
        shape = self._time(field, self._after(at)).replace(rb"\t]", rb"\t\r\n]")
        return b"(%b)" % shape

    # -- the program ---------------------------------------------------------------------------

    def _kind(self, at: int) -> str:
        """The kind of a step: a case for each of ``_quoted`` and ``_shape``, in their order."""
        field = self._fields[at]
        if field is END:
            return "end"
        if field.form in _NUMBER:
            return "digits" if field.form == "size" else field.form
        if self._is_quoted(at):
            return "quoted"
        if self._is_bracketed(at):
            return "bracketed"
        if field.form == "time":
            return "word" if self._is_spare_time(at) else "stamp"
        if field.form in ("mark", "query", "list"):
            return field.form
        if field.form == "word" and self._stops(at) in (b" ", b"\t"):
            return "name" if self._names_host_next(at) else "word"
        plain = field.form == "word" and field.role not in ("host", "vhost")
        return "until" if plain or not self._opening(at + 1) else "text"

    def _is_spare_time(self, at: int) -> bool:
        """Whether a stamp that does not count is defined as one word."""
        return at not in self._used and self._time(self._fields[at], self._after(at)) == rb"[^ \t]++"

    def _ends(self, at: int) -> bytes:
        """The bytes at which an unquoted field may end, and a backslash where it escapes them."""
        if self._kind(at) not in ("word", "name", "list", "until", "text", "query"):
            return b""
        stops = self._stops(at)
        if self._fields[at].form == "time":
            return b" \t"
        if self._fields[at].form == "query":
            return _once(b" " + stops)
        spaces = b"" if self._fields[at].form == "text" else self._spaces
        return _once(spaces + stops + (b"\\" if b'"' in stops else b""))

    @staticmethod
    def _role(field: Field, role: str | None) -> str:
        if role is None:
            return "skip"
        if role.startswith("time"):
            return ROLES.get(field.pattern, "time:" + field.pattern)
        if role.startswith("duration"):
            return DURATION_ROLES.get(field.pattern, "skip")
        return role


def _once(text: bytes) -> bytes:
    """Each byte once."""
    return bytes(dict.fromkeys(text))


def _in_class(text: bytes) -> bytes:
    """Bytes as members of a character class."""
    return re.sub(rb"([\\\]^-])", rb"\\\1", _once(text))
