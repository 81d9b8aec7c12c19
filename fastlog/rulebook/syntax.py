"""The regexes of ``=~`` as trees: what of their language there is, and what is refused by name."""

import re
from typing import NamedTuple

LONGEST_PATTERN = 1000

_ALL = (1 << 256) - 1
_REPEAT = re.compile(r"[*+?]|\{(?=[0-9,])([0-9]{1,9})?(?:(,)([0-9]{1,9})?)?\}")
_MOST_REPEATS = 1000
_DEEPEST = 50
_CONTROLS = {"t": 9, "n": 10, "r": 13, "f": 12, "v": 11, "0": 0}


class PatternError(Exception):
    """What is wrong with a pattern, and the index of the character that shows it."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at = at
        self.message = message


def _mask(characters: str) -> int:
    return sum(1 << ord(character) for character in set(characters))


_DIGITS = _mask("0123456789")
_WORD = _DIGITS | _mask("_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": _mask(" \t\n\r\f\v")}
_CLASSES |= {name.upper(): _ALL ^ mask for name, mask in _CLASSES.items()}


class Byte(NamedTuple):
    """One byte of a set: bit b of ``mask`` is set where byte b fits."""

    mask: int


class Edge(NamedTuple):
    """``$``, where ``end`` is true, else ``^``: takes no byte."""

    end: bool


class Sequence(NamedTuple):
    """All parts, one behind the other."""

    parts: "list[Node]"


class Choice(NamedTuple):
    """One of the options, which ``|`` separates."""

    options: "list[Node]"


class Repeat(NamedTuple):
    """The body ``least`` to ``most`` times; None is any number."""

    body: "Node"
    least: int
    most: int | None


Node = Byte | Edge | Sequence | Choice | Repeat


class Syntax:
    """Reads a pattern into a tree. Raises PatternError."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST_PATTERN:
            raise PatternError(0, f"a pattern of over {LONGEST_PATTERN} characters: make it shorter")
        self._text = text
        self._folds = text.startswith("(?i)")
        self._at = 4 if self._folds else 0
        self._depth = 0

    def whole(self) -> Node:
        """The tree of the pattern."""
        node = self._choice()
        if self._at < len(self._text):
            raise PatternError(self._at, "this ')' closes no group: write \\) for the character")
        return node

    def _choice(self) -> Node:
        options = [self._sequence()]
        while self._text.startswith("|", self._at):
            self._at += 1
            options.append(self._sequence())
        return options[0] if len(options) == 1 else Choice(options)

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            at = self._at
            parts.append(self._repeated(self._atom(), at))
        return Sequence(parts)

    def _repeated(self, node: Node, at: int) -> Node:
        match = _REPEAT.match(self._text, self._at)
        if match is None:
            return node
        if isinstance(node, Edge):
            raise PatternError(self._at, "nothing to repeat: '^' and '$' stand for no character")
        self._at = match.end()
        if self._text.startswith("?", self._at):
            self._at += 1
        elif _REPEAT.match(self._text, self._at) or self._text.startswith("+", self._at):
            raise PatternError(self._at, "a repeat of a repeat: put what is repeated in a group")
        if match[0] in ("*", "+", "?"):
            return Repeat(node, int(match[0] == "+"), 1 if match[0] == "?" else None)
        least = int(match[1] or 0)
        most = least if match[2] is None else None if match[3] is None else int(match[3])
        if max(least, most or 0) > _MOST_REPEATS or (most is not None and most < least):
            raise PatternError(at, f"expected a repeat {{m,n}} with m <= n <= {_MOST_REPEATS}")
        return Repeat(node, least, most)

    def _atom(self) -> Node:
        character = self._text[self._at]
        if character == "(":
            return self._group()
        if character == "[":
            return self._class()
        if character in "*+?" or _REPEAT.match(self._text, self._at):
            raise PatternError(self._at, f"nothing to repeat: write \\{character} for the character")
        self._at += 1
        if character in "^$":
            return Edge(character == "$")
        if character == ".":
            return Byte(_ALL)
        if character == "\\":
            return Byte(self._folded(self._escape()))
        return Sequence([Byte(self._folded(1 << byte)) for byte in character.encode()])

    def _group(self) -> Node:
        at = self._at
        self._depth += 1
        if self._depth > _DEEPEST:
            raise PatternError(at, f"groups over {_DEEPEST} deep: write it flatter")
        self._at += 1
        if self._text.startswith("?:", self._at):
            self._at += 2
        elif self._text.startswith("?", self._at):
            raise PatternError(
                at, "expected (...) or (?:...): look-around and flags are not known, but for (?i) in front"
            )
        node = self._choice()
        if not self._text.startswith(")", self._at):
            raise PatternError(at, "this group is not closed: expected ')'")
        self._at += 1
        self._depth -= 1
        return node

    def _escape(self) -> int:
        """What follows a backslash, as a mask."""
        at = self._at - 1
        character = self._text[self._at : self._at + 1]
        self._at += 1
        if character in _CLASSES:
            return _CLASSES[character]
        if character == "x":
            digits = self._text[self._at : self._at + 2]
            if not re.fullmatch("[0-9A-Fa-f]{2}", digits):
                raise PatternError(at, "expected two hexadecimal digits after \\x")
            self._at += 2
            return 1 << int(digits, 16)
        if character in _CONTROLS and character:
            return 1 << _CONTROLS[character]
        if not character or character.isalnum() or not character.isascii():
            raise PatternError(
                at, f"\\{character} is not known: expected \\d \\w \\s \\xHH, or a sign such as \\."
            )
        return 1 << ord(character)

    def _class(self) -> Node:
        at = self._at
        self._at += 1
        opposite = self._text.startswith("^", self._at)
        self._at += opposite
        mask, first = 0, True
        while first or not self._text.startswith("]", self._at):
            if self._at >= len(self._text):
                raise PatternError(at, "this class is not closed: expected ']'")
            low_at = self._at
            low = self._member(at)
            if re.match(r"-[^\]]", self._text[self._at :]):
                self._at += 1
                high = self._member(at)
                if low.bit_count() != 1 or high.bit_count() != 1 or high < low:
                    raise PatternError(low_at, "expected a range such as a-z")
                low = (high << 1) - low
            mask |= low
            first = False
        self._at += 1
        mask = self._folded(mask)
        return Byte(_ALL ^ mask if opposite else mask)

    def _member(self, at: int) -> int:
        if self._at >= len(self._text):
            raise PatternError(at, "this class is not closed: expected ']'")
        character = self._text[self._at]
        self._at += 1
        if character == "\\":
            return self._escape()
        if not character.isascii():
            raise PatternError(
                self._at - 1, f"{character!r} is more than one byte: use (...|...) instead of a class"
            )
        return 1 << ord(character)

    def _folded(self, mask: int) -> int:
        if self._folds:
            for upper in range(65, 91):
                if mask >> upper & 1 or mask >> (upper + 32) & 1:
                    mask |= 1 << upper | 1 << (upper + 32)
        return mask
