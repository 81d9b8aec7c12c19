"""From the name of a format, or a format string, to what reads its lines.

Over 300 lines, since the definition, the quick patterns and the program of a format come of one layout.
"""

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache

from fastlog.errors import FormatError
from fastlog.formats.caret import format_error
from fastlog.formats.catalog import CATALOG
from fastlog.formats.fields import Field, Layout, Step
from fastlog.formats.json_keys import JsonKeys, parse_keys
from fastlog.formats.layout import Compiler, Patterns, best_fields
from fastlog.formats.plain import Plain, plain_rows
from fastlog.formats.stamps import ANY, is_whole

_FORMATS_KEPT = 256


class Format:
    """A compiled format. What is costly to make is made when it is first asked for.

    ``kind`` says who reads it: ``text`` (by ``line``, ``rows`` and ``program``), ``labels``
    (``line`` alone, until a layout is learnt), ``fields`` (the fields stand in the log),
    ``json`` (``keys``). ``stamp`` is the pattern of the stamp, see ``formats.stamps``;
    several parts are joined by one space. ``comment`` is what a comment line begins
    with, if there are such lines. ``fields`` are the names of the fields, in order.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        layout: Layout = (),
        stamp: str = ANY,
        *,
        comment: bytes | None = None,
        keys: JsonKeys | None = None,
        certain: Layout = (),
        closed: bool = False,
    ) -> None:
        self.name, self.kind, self.layout, self.stamp = name, kind, layout, stamp
        self.comment, self.keys, self.certain, self.closed = comment, keys, certain, closed

    @property
    def bare_stamp(self) -> bool:
        """Whether the brackets around the stamp belong to the format."""
        places = _times(self.layout)
        after = self.layout[places[0] + 1 :] if places else ()
        return bool(after) and self.layout[places[0]][0].endswith("[") and after[0][0].startswith("]")

    @property
    def fields(self) -> tuple[str, ...]:
        if self.keys is not None:
            return tuple(role for path, role in self.keys.paths)
        if self.kind == "labels":
            return _labels()[0]
        return tuple(field.name for _, field in self.layout if field.form != "end")

    @cached_property
    def line(self) -> re.Pattern[bytes]:
        """The definition: matched at the start of one line without its line end.

        Its groups are those of ``time``, ``time2`` ..., ``request``, ``method``, ``target``,
        ``status``, ``size``, ``host``, ``duration``, ``duration2`` ... that the format has; a
        group is None where a bare ``-`` stands for a quoted field.
        """
        if not self.layout and self.kind != "labels":
            return re.compile(rb"(?!)")
        return re.compile(b"".join(self._parts()))

    @property
    def rows(self) -> re.Pattern[bytes] | None:
        """A part of the same lines in a whole buffer, at the speed that ``re`` can reach.

        Its groups are ``groups``. It is right only where the buffer holds no backslash
        and every newline of the buffer ends a match, since its quoted fields do not
        exclude the newline (a class of one byte is scanned five times as fast as a
        class of two); ``rows_strict`` is right anywhere. Both are linear: a quoted field
        is scanned to the next quote, which no other line's field of that place passes,
        and the words before it never leave their line.
        """
        return self._rows[0]

    @property
    def rows_strict(self) -> re.Pattern[bytes] | None:
        """See ``rows``."""
        return self._rows[1]

    @cached_property
    def plain(self) -> Plain | None:
        """All of a buffer, where it holds only lines of the usual kind; see ``formats.plain``."""
        strict = self.rows_strict
        if strict is None or self.groups != ("time", "request", "status", "size"):
            return None
        user = next((at for at, (_, field) in enumerate(self.layout) if field.role == "user"), 0)
        return plain_rows(strict.pattern, ident=user > 0 and self.layout[user - 1][1].name == "ident")

    @property
    def groups(self) -> tuple[str, ...]:
        """What the groups of ``rows`` are: ``time``, ``request`` (``METHOD /section``), or ``method`` and
        ``target`` (``/section``), ``status``, ``size``, ``duration``, ``duration2`` ..., in the order of the
        line."""
        return self._quick_patterns.groups

    @cached_property
    def program(self) -> tuple[Step, ...] | None:
        """The steps for the native parser; None where there are none."""
        layout = self.certain or self.layout
        if (
            self.kind not in ("text", "fields")
            or not layout
            or any(field.form == "tail" for _, field in layout)
        ):
            return None
        return Compiler(layout, used_fields(layout)).program()

    @cached_property
    def tail(self) -> bytes:
        """What separates fields: behind the last one it may stand, with anything after it."""
        return Compiler(self.layout, {}).tail

    def durations(self) -> list[int]:
        """Microseconds in a unit of each group ``duration``, ``duration2`` ..."""
        used = used_fields(self.layout)
        return [int(self.layout[at][1].pattern) for at in sorted(used) if used[at].startswith("duration")]

    def gives(self, role: str) -> bool:
        """Whether lines of the format may have a ``host``, or a ``duration``. Labels may be any."""
        if self.keys is not None:
            return any(named.startswith(role) for _, named in self.keys.paths)
        return not self.layout or role in used_fields(self.layout).values()

    def reach(self, line: bytes) -> int:
        """How many fields of the format the line fits before it stops fitting."""
        if self.keys is not None:
            return _reach_of_keys(self.keys, line)
        for count in range(len(self._probes), 0, -1):
            if self._probes[count - 1].match(line):
                return min(count, len(self.fields))
        return 0

    def fits(self, line: bytes) -> bool:
        """Whether a line, without its line end, is of the format; its stamp may be wrong."""
        if self.keys is not None:
            record = self.keys.read(line)
            return record is not None and record.time is not None and _has_request(self.keys, record)
        return self.line.match(line) is not None

    def _parts(self) -> Sequence[bytes]:
        return _labels()[1] if self.kind == "labels" else self._patterns.parts

    @cached_property
    def _patterns(self) -> Patterns:
        return Compiler(self.layout, used_fields(self.layout), closed=self.closed).patterns()

    @cached_property
    def _quick_patterns(self) -> Patterns:
        if not self.certain:
            return self._patterns
        return Compiler(self.certain, used_fields(self.certain)).patterns()

    @cached_property
    def _rows(self) -> tuple[re.Pattern[bytes] | None, re.Pattern[bytes] | None]:
        if not self.layout or self._quick_patterns.rows is None:
            return None, None
        strict = self._quick_patterns.rows
        if self.comment is not None:
            strict = strict.replace(b"(?m)^", b"(?m)^(?!%b)" % re.escape(self.comment), 1)
        return re.compile(strict.replace(rb"\\\n]", rb"]")), re.compile(strict)

    @cached_property
    def _probes(self) -> list[re.Pattern[bytes]]:
        parts = _labels()[1] if self.kind == "labels" else self._patterns.probes if self.layout else ()
        return [re.compile(b"".join(parts[:count])) for count in range(1, len(parts) + 1)]


def _labels() -> tuple[tuple[str, ...], tuple[bytes, ...]]:
    from fastlog.formats.ltsv import ltsv_parts

    return ltsv_parts()


def _has_request(keys: JsonKeys, record: tuple[object, ...]) -> bool:
    _, request, _, target, status, *_ = record
    return (request is not None or target is not None) and (status is not None or not keys.wants("status"))


def _reach_of_keys(keys: JsonKeys, line: bytes) -> int:
    record = keys.read(line)
    return 0 if record is None else sum(value is not None for value in record)


def used_fields(layout: Layout) -> dict[int, str]:
    """The places of the fields that count, each with its group's name."""
    fields = [field for _, field in layout]
    used = best_fields(fields, ("request", "target", "method", "status", "size", "duration", "host"))
    if "request" in used.values():
        used = {at: role for at, role in used.items() if role not in ("target", "method")}
    parts = [at for at, field in enumerate(fields) if field.role == "part"]
    if "duration" not in used.values():
        used |= _numbered("duration", parts)
    return used | _numbered("time", _times(layout))


def _numbered(role: str, places: Sequence[int]) -> dict[int, str]:
    """Names for the groups of one role: ``time``, ``time2``, ``time3``."""
    return {at: role if number == 1 else f"{role}{number}" for number, at in enumerate(places, 1)}


def _times(layout: Layout) -> list[int]:
    """The places of the time: of the first field that is one alone, or of all that make one together."""
    places = [at for at, (_, field) in enumerate(layout) if field.role == "time"]
    return next(([at] for at in places if is_whole(layout[at][1].pattern, zoned=True)), places)


def _stamp(layout: Layout) -> str:
    return " ".join(layout[at][1].pattern for at in _times(layout))


@lru_cache(maxsize=_FORMATS_KEPT)
def compile_format(name: str) -> Format:
    """The format of that name, or that the string stands for. Raises FormatError."""
    entry = CATALOG.get(name)
    if entry is not None:
        return _of_kind(name, entry.kind, entry.text, entry.certain)
    kind, _, names = name.partition(":")
    if kind in CATALOG and CATALOG[kind].kind == "fields" and names:
        return _of_kind(name, "fields", names)
    if kind == "json":
        return Format(name, "json", keys=parse_keys(names, "json:"))
    if "%" in name or "$" in name:
        layout = parse_string(name)
        _check(name, layout)
        return Format(name, "text", layout, _stamp(layout))
    raise FormatError(
        f"--format is {name!r}: give a name (--format list shows them), json:KEY=FIELD,..., "
        "an Apache LogFormat with %, an nginx log_format with $, or auto"
    )


def parse_string(text: str) -> Layout:
    """The layout of an Apache or nginx format string, whatever it lacks. Raises FormatError."""
    if "%" in text:
        from fastlog.formats.apache import parse_apache

        return parse_apache(text)
    from fastlog.formats.nginx import parse_nginx

    return parse_nginx(text)


def format_of(name: str, layout: Layout, *, closed: bool = False) -> Format:
    """The text format of a layout."""
    return Format(name, "text", layout, _stamp(layout), closed=closed)


def _of_kind(name: str, kind: str, text: str, certain: str = "") -> Format:
    if kind == "json":
        return Format(name, "json", keys=parse_keys(text))
    if kind == "labels":
        return Format(name, "labels")
    if kind == "fields":
        return _of_fields(name, text)
    if kind == "template":
        from fastlog.formats.template import parse_template

        layout = parse_template(text)
        return Format(
            name, "text", layout, _stamp(layout), certain=parse_template(certain) if certain else ()
        )
    layout = parse_string(text)
    return Format(name, "text", layout, _stamp(layout))


def _of_fields(name: str, names: str) -> Format:
    from fastlog.formats.w3c import parse_fields

    layout = parse_fields(name.partition(":")[0], names) if names else ()
    used = set(used_fields(layout).values())
    if not ("time" in used and used & {"target", "request"}):
        layout = ()  # without a time or a target no line is a hit
    return Format(name, "fields", layout, _stamp(layout), comment=b"#")


def _check(text: str, layout: Layout) -> None:
    """Whether a format string names what a hit needs, and its fields can be told apart."""
    roles = {field.role for _, field in layout}
    letters = ("%t", "%r, or %U") if "%" in text else ("$time_local", "$request, or $request_uri")
    times = _times(layout)
    if not times:
        raise format_error(text, len(text), f"no field is the time: add {letters[0]}")
    if not is_whole(_stamp(layout)):
        why = "the time lacks its day or its hours and minutes: add them"
        raise format_error(text, _place(text, times[-1]), why)
    if not roles & {"request", "target"}:
        raise format_error(text, len(text), f"no field is the request: add {letters[1]}")
    for at in range(1, len(layout)):
        literal, field = layout[at]
        before = layout[at - 1][1]
        if not literal and not _told_apart(before, field):
            raise format_error(
                text,
                _place(text, at),
                f"nothing stands between {before.name} and {field.name}: put a space there",
            )


def _told_apart(before: Field, field: Field) -> bool:
    ends_alone = before.form in ("time", "mark", "query", "status")
    return ends_alone or field.form in ("query", "mark", "end") or field.role == "target"


def _place(text: str, at: int) -> int:
    """Where field ``at`` of a format string stands."""
    pattern = (
        r"%(?!%)[^%A-Za-z{]*(?:\{[^}]*\})?[^%A-Za-z]*\^?[A-Za-z]" if "%" in text else r"\$\{?[A-Za-z0-9_]+"
    )
    found = [match.start() for match in re.finditer(pattern, text.replace("%%", "  "))]
    return found[at] if at < len(found) else len(text)
