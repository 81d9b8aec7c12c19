"""The field program of a format, made ready for the compiled parser: see program.h.

What is not known there, or could be taken to mean something else than the definition
means, is refused here, once a format: its lines are for the regex.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from fastlog.formats.compile import Format
from fastlog.formats.fields import DURATION_ROLES, WITH_PORT, Step

MOST_STEPS = 96
"""FL_STEPS of program.h."""

KINDS = ("word", "name", "list", "until", "text", "quoted", "bracketed", "digits", "status", "decimal",
         "padded", "query", "mark", "stamp", "end")  # fmt: skip
"""By their numbers in program.h. A status that may be a code is three digits there."""
_NUMBERS = ("digits", "status", "decimal", "padded")

ROLES = ("skip", "request", "method", "target", "status", "size", "duration", "host")
"""By their numbers in program.h."""

_UNITS = {role: int(unit) for unit, role in DURATION_ROLES.items()}

STAMPS = {
    "time:apache": 0,
    "time:%d/%b/%Y:%H:%M:%S": 1,
    "time:iso8601": 2,
    "time:epoch": 3,
    "time:epoch_ms": 4,
    "time:%K": 5,
    "time:date": 6,
}
"""Forms of a stamp by their numbers in program.h; ``time:date`` has ``time:clock`` behind it."""
_OTHER_STAMP = 7

_MORE_OF_A_STAMP = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,+-:"
"""What stands behind a stamp must be none of these, else it could go on."""
_MORE_OF_A_NUMBER = b"0123456789+-."


class Op(NamedTuple):
    """A step in numbers: the kind is ``stamp`` wherever the time stands, and ``stops`` are at most four.

    ``behind`` is the byte behind the number that the next step is, where a look at it tells if a
    ``text`` ends; else -1. ``after_text`` says that the field before may go on past where it seems
    to end. ``words`` stand side by side, of which none counts. ``unit`` is that of a duration, in
    microseconds; a line may have several, which are summed.
    """

    literal: bytes
    kind: int
    role: int
    stops: bytes
    behind: int = -1
    after_text: bool = False
    words: int = 1
    unit: int = 0


class Shape(NamedTuple):
    """A line of the family of the Common Log Format: see ``fl_shape`` in line.h."""

    words: int
    vhost: bool
    quoted: int
    dash: bool
    tail: int
    host: int


class Program(NamedTuple):
    """A field program in numbers; ``shape`` is there where line.h reads the same lines faster.

    ``tail`` is what may follow the last step, ``quotes`` are how many a usual line has. ``plain`` says
    that lines whose quoted fields hold escapes are not of this program, ``closed`` that a line ends
    behind the last step. ``comment`` is what a comment begins with, a newline where there are none.
    """

    ops: tuple[Op, ...]
    stamp: int
    tail: int
    quotes: int
    plain: bool
    comment: int
    shape: Shape | None
    closed: bool = False


def program_of(log_format: Format, needs: Collection[str] = ()) -> Program | None:
    """The program of a format's lines; None where only the regex reads them.

    ``needs`` are the fields that rules look at: what they do not is skipped.
    """
    steps = log_format.program
    if steps is None or len(steps) > MOST_STEPS:
        return None
    if any(b"\r" in step.literal or b"\n" in step.literal for step in steps):
        return None  # a line's end is no part of a field
    if "host" in needs:
        if log_format.certain or not _has_plain_host(log_format, steps):
            return None
    else:
        steps = tuple(step._replace(role="skip") if step.role == "host" else step for step in steps)
    steps = tuple(step._replace(kind="status") if step.kind == "code" else step for step in steps)
    stamp = _stamp(steps)
    if stamp is None or not all(_is_certain(steps, at) for at in range(len(steps))):
        return None
    ops = _joined([_op(steps, at, log_format.tail) for at in range(len(steps))], log_format.tail)
    quotes = sum(step.literal.count(b'"') for step in steps)
    plain = bool(log_format.certain)  # its older lines are defined by patterns that know no escapes
    comment = (log_format.comment or b"\n")[0]
    shape = (
        None
        if plain or log_format.comment or log_format.closed
        else _shape(log_format.program or (), log_format.tail)
    )
    return Program(ops, stamp, log_format.tail[0], quotes, plain, comment, shape, log_format.closed)


def _has_plain_host(log_format: Format, steps: Sequence[Step]) -> bool:
    """Whether the host is a word that is taken as it stands."""
    ported = any(field.role == "host" and field.pattern == WITH_PORT for _, field in log_format.layout)
    return not ported and [step.kind in ("word", "name") for step in steps if step.role == "host"] == [True]


def _op(steps: Sequence[Step], at: int, tail: bytes) -> Op:
    step = steps[at]
    is_time = step.role.startswith("time:")
    role = "duration" if step.role in _UNITS else step.role
    return Op(
        step.literal,
        KINDS.index("stamp" if is_time else step.kind),
        ROLES.index(role) if role in ROLES else 0,
        b"]" if step.kind == "bracketed" else step.stops,
        _behind(steps, at, tail),
        bool(at) and steps[at - 1].kind in ("text", "quoted", "bracketed"),
        unit=_UNITS.get(step.role, 0),
    )


def _joined(ops: Sequence[Op], tail: bytes) -> tuple[Op, ...]:
    """The steps with words that stand side by side, and are skipped, as one."""
    word = Op(tail, KINDS.index("word"), ROLES.index("skip"), tail)
    joined: list[Op] = []
    for op in ops:
        if op == word and joined and joined[-1]._replace(words=1) == word:
            joined[-1] = word._replace(words=joined[-1].words + 1)
        else:
            joined.append(op)
    return tuple(joined)


def _stamp(steps: Sequence[Step]) -> int | None:
    """The form of the stamp; None where it comes in parts that the compiled parser does not join."""
    times = [step.role for step in steps if step.role.startswith("time:")]
    if times == ["time:date", "time:clock"]:
        return STAMPS["time:date"]
    if len(times) != 1 or times[0] in ("time:date", "time:clock", "time:any"):
        return None
    return STAMPS.get(times[0], _OTHER_STAMP)


def _is_certain(steps: Sequence[Step], at: int) -> bool:
    """Whether a step that is followed byte by byte ends where the definition ends the field."""
    step = steps[at]
    if step.kind not in KINDS or len(step.stops) > 4:
        return False
    if step.kind == "end":
        return True
    follows = steps[at + 1].literal
    is_last = steps[at + 1].kind == "end"
    if step.kind == "stamp":
        known = step.role.startswith("time:")
        return known and ((is_last and not follows) or _is_apart(follows, _MORE_OF_A_STAMP))
    if step.role.startswith("time:") and step.kind not in ("quoted", "bracketed"):
        return False
    if step.kind in _NUMBERS and not is_last and not step.literal.endswith(b'"'):
        return follows not in (b"", b'"')  # a look ahead takes that for the end of the line
    return step.role not in ("status", "size") or step.kind in ("status", "digits", "quoted")


def _is_apart(text: bytes, more: bytes) -> bool:
    return bool(text) and text[0] not in more


def _behind(steps: Sequence[Step], at: int, tail: bytes) -> int:
    """See ``Op.behind``."""
    if steps[at].kind != "text" or steps[at + 1].kind not in _NUMBERS[:-1]:
        return -1
    if steps[at + 1].literal.endswith(b'"'):
        return -1
    behind = steps[at + 2].literal or tail
    return behind[0] if _is_apart(behind, _MORE_OF_A_NUMBER) else -1


def _shape(steps: Sequence[Step], tail: bytes) -> Shape | None:
    """The shape of lines of the CLF family: words, a user, the stamp, the request, status and size, and
    perhaps two quoted fields, a space or a tab between them; None for any other."""
    words = next((at for at, step in enumerate(steps) if step.kind not in ("name", "word")), 0)
    head, rest = steps[:words], [(step.literal, step.kind) for step in steps[words:]]
    roles = [step.role for step in steps[words:]]
    user, quoted = rest[0], (len(rest) - 6) // 2 * 2
    answer = [
        (tail + b"[", "bracketed"), (b"]" + tail + b'"', "quoted"), (b'"' + tail, "status"), (tail, "digits"),
    ]  # fmt: skip
    agents = [(tail + b'"', "quoted"), (b'"' + tail + b'"', "quoted"), (b'"', "end")]
    if (
        not words
        or rest[1:5] != answer
        or rest[5:] not in ([(b"", "end")], agents)
        or roles[1:5] != ["time:apache", "request", "status", "size"]
        or user not in ((tail, "text"), (b" - ", "text"))
        or [step.literal for step in head] != [b"", *[tail] * (words - 1)]
        or any(step.kind == "name" for step in head[1:])
        or any(step.stops != tail for step in steps[: words + 1])
    ):
        return None
    dash = user[0] == b" - "
    if dash and (words != 1 or tail != b" "):
        return None
    host = next((at for at, step in enumerate(head) if step.role == "host"), 0)
    return Shape(words + dash, head[0].kind == "name", quoted, dash, tail[0], host)
