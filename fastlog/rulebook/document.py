"""A TOML file whose faults can be pointed at.

``tomllib`` reads it, and has the last word on what is TOML, but does not say where a
value stood. A scan of the text finds that: since the text is known to be TOML by then,
it need only tell strings and comments from brackets, signs and line ends.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fastlog.errors import RuleError
from fastlog.model.printable import printable
from fastlog.rulebook.spelling import did_you_mean

MAX_FAULTS = 20
_WIDEST = 160

_TOKEN = re.compile(
    r'''"""(?s:\\.|[^\\])*?"{3,5}|\'\'\'(?s:.)*?\'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*\''''
    r"""|\#[^\n]*|[\[\]{}=,\n]|[^\[\]{}=,\n"'#\s]+"""
)
# Of errors alone: compiled where there is one.
_UNIT = r"(?s:\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2}|.)|.)"
_JOIN = r"\\[ \t]*\n\s*"
_LONG_NUMBER = r"[0-9][0-9_]{4000,}"
_AT = r" \(at (?:line (\d+), column (\d+)|end of document)\)$"


class Fault(NamedTuple):
    """What is wrong, and the offset of the character that shows it."""

    at: int
    message: str


@dataclass(slots=True)
class Pair:
    """One ``key = value`` of a table: offsets of the key and the value, and the value as written."""

    key: int
    value: int
    raw: str

    def inside(self, index: int) -> int:
        """The offset of character ``index`` of a string value."""
        if self.raw[:1] not in ('"', "'"):
            return self.value
        quotes = 3 if self.raw[:3] in ('"""', "'''") else 1
        at = quotes + (quotes == 3 and self.raw[3:4] == "\n")
        escapes = self.raw[0] == '"'
        while at < len(self.raw) - quotes:
            joined = re.compile(_JOIN).match(self.raw, at) if escapes and quotes == 3 else None
            if joined is not None:  # a backslash at the end of a line stands for nothing
                at = joined.end()
                continue
            if not index:
                break
            unit = re.compile(_UNIT).match(self.raw, at) if escapes else None
            at = at + 1 if unit is None else unit.end()
            index -= 1
        return self.value + at


@dataclass(slots=True)
class Table:
    """One ``[[kind]]``: its values, where its header stands, and where its keys do."""

    values: dict[str, Any]
    at: int
    pairs: dict[str, Pair] = field(default_factory=dict)

    def key_at(self, key: str) -> int:
        return self.pairs[key].key if key in self.pairs else self.at

    def value_at(self, key: str, index: int | None = None) -> int:
        """Where the value of a key begins, or its character ``index``."""
        pair = self.pairs.get(key)
        if pair is None:
            return self.at
        return pair.value if index is None else pair.inside(index)


class Document:
    """A TOML file in memory, and the faults found in it so far.

    Raises RuleError for text that is not TOML.
    """

    def __init__(self, name: str, raw: bytes) -> None:
        self.name = name
        self.faults: list[Fault] = []
        try:
            self.text = raw.decode().replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            self.text = raw.decode("utf-8", "replace").replace("\r\n", "\n")
            at = len(raw[: error.start].decode().replace("\r\n", "\n"))
            raise self._fatal(at, "this is not UTF-8: save the file as UTF-8") from None
        try:
            self.values = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            message, place = str(error), re.search(_AT, str(error))
            if place is not None:
                message = message[: place.start()]
            at = self._offset(place[1], place[2]) if place is not None and place[1] else len(self.text)
            raise self._fatal(at, f"not TOML: {message[:1].lower()}{message[1:]}") from None
        except ValueError:  # Python's own limit
            place = re.search(_LONG_NUMBER, self.text)
            at = place.start() if place is not None else 0
            raise self._fatal(at, "a number of too many digits: expected one of fewer than 20") from None
        except RecursionError:
            raise self._fatal(0, "not TOML that can be read: it is nested too deeply") from None
        self._top, self._arrays = _scan(self.text)

    def tables(self, kind: str) -> list[Table]:
        """The ``[[kind]]`` tables in order. Notes a fault when ``kind`` is something else."""
        values = self.values.get(kind, [])
        top = self._top.get(kind)
        found = self._arrays.get(kind, [])
        at = top.key if top is not None else found[0].at if found else 0
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            self.fault(at, f"{kind} is no list of tables: begin each with [[{kind}]] on a line of its own")
            return []
        if len(found) != len(values):  # written as one inline array: all stand where that does
            return [Table(value, at) for value in values]
        for table, value in zip(found, values, strict=True):
            table.values = value
        return found

    def only(self, kinds: Sequence[str]) -> None:
        """Note a fault for every name at the top that is none of ``kinds``."""
        for name in self.values:
            if name not in kinds:
                places = [table.at for table in self._arrays.get(name, [])]
                at = self._top[name].key if name in self._top else places[0] if places else 0
                known = " or ".join(f"[[{kind}]]" for kind in kinds)
                self.fault(at, f"{name!r} is not known here: expected {known}{did_you_mean(name, kinds)}")

    def fault(self, at: int, message: str) -> None:
        """Note what is wrong at an offset."""
        self.faults.append(Fault(at, message))

    def check(self) -> None:
        """Raises RuleError, with every fault noted, if there is one."""
        if self.faults:
            raise self.error()

    def error(self) -> RuleError:
        """The faults as one error, in the order of the file."""
        faults = sorted(self.faults)
        first, *others = faults[:MAX_FAULTS]
        error = RuleError(self._said(first))
        for line in self._shown(first.at):
            error.add_note(line)
        for fault in others:
            error.add_note(self._said(fault))
            for line in self._shown(fault.at):
                error.add_note(line)
        if len(faults) > MAX_FAULTS:
            error.add_note(f"{self.name}: {len(faults) - MAX_FAULTS} more like these")
        return error

    def _fatal(self, at: int, message: str) -> RuleError:
        self.fault(at, message)
        return self.error()

    def _said(self, fault: Fault) -> str:
        start = self.text.rfind("\n", 0, fault.at) + 1
        line = self.text.count("\n", 0, fault.at) + 1
        return f"{self.name}:{line}:{fault.at - start + 1}: {fault.message}"

    def _shown(self, at: int) -> Iterator[str]:
        """The line around an offset, and a caret under it."""
        start = self.text.rfind("\n", 0, at) + 1
        stop = self.text.find("\n", at)
        line = self.text[start : stop if stop >= 0 else None].replace("\t", " ")
        cut = max(0, at - start - _WIDEST // 2)
        yield f"    {printable(line[cut : cut + _WIDEST])}"
        yield f"    {' ' * len(printable(line[cut : at - start]))}^"

    def _offset(self, line: str, column: str) -> int:
        start = 0
        for _ in range(int(line) - 1):
            start = self.text.find("\n", start) + 1
        return min(start + int(column) - 1, len(self.text))


def _scan(text: str) -> tuple[dict[str, Pair], dict[str, list[Table]]]:
    """Where the keys stand: those at the top, and those of each ``[[name]]``, in order."""
    top: dict[str, Pair] = {}
    arrays: dict[str, list[Table]] = {}
    pairs = top
    for words, pair in _statements(text):
        if pair is not None:
            pairs.setdefault(words[0], pair)
            continue
        at, names = int(words[0]), words[1:]
        if names[:2] == ["[", "["]:
            table = Table({}, at)
            arrays.setdefault(names[2], []).append(table)
            pairs = table.pairs
        else:  # [name], or [name.key], which is a key of the last [[name]]
            owner = arrays.get(names[1].split(".")[0])
            key = names[1].partition(".")[2].split(".")[0]
            if owner and key:
                owner[-1].pairs.setdefault(key, Pair(at, at, ""))
            else:
                top.setdefault(names[1].split(".")[0], Pair(at, at, ""))
            pairs = {}
    return top, arrays


def _statements(text: str) -> Iterator[tuple[list[str], Pair | None]]:
    """Each ``key = value`` as the words of its key and its place; each header as its offset and words."""
    words: list[str] = []
    start = value = end = depth = 0
    in_value = False
    for token in _TOKEN.finditer(text + "\n"):
        sign = token[0]
        if sign[0] == "#":
            continue
        if sign == "\n" and not depth:
            if in_value:
                yield words, Pair(start, value, text[value:end])
            elif words:
                yield [str(start), *words], None
            words, in_value, value = [], False, 0
        elif sign == "=" and not in_value:
            in_value = True
        elif in_value:
            value = value or token.start()
            end = token.end()
            depth += (sign in "[{") - (sign in "]}")
        else:
            start = start if words else token.start()
            word = sign.strip("\"'")
            words.append(
                word if sign[0] in "\"'" or word in "[]" else word.split(".")[0] if not words else word
            )
