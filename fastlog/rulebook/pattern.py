"""The regexes of ``=~``: searched in linear time, whatever the pattern and the text.

Targets and hosts are written by clients, so a pattern must have no text that makes it
slow. ``re`` backtracks, and a check of which patterns it can be trusted with would
refuse useful ones and still leave quadratic ones. This matcher never goes back: it keeps
the set of places in the pattern that the text so far can have led to, and remembers
what each set becomes with each byte. A byte of text costs one look-up, or, the first
time, one pass over the pattern, whose size is bounded.

The language is what patterns of this kind have in common: literals, ``.``, classes,
``\\d \\w \\s`` and their opposites, groups, ``|``, ``* + ? {m,n}``, ``^``, ``$``, and ``(?i)`` in
front. It is over bytes: ``.`` is any one byte. What cannot be had in linear time
(look-around, back-references) is refused by name. Whether a text matches is all that is
asked, so lazy repeats are those without the ``?``.

Source: R. Cox, "Regular Expression Matching Can Be Simple And Fast", 2007.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST_PATTERN = 1000
MOST_PLACES = 1100
MOST_SETS = 500
"""Sets that are remembered; on one more, all are forgotten."""

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


@dataclass(frozen=True, slots=True)
class _Byte:
    mask: int  # bit b is set where byte b fits


@dataclass(frozen=True, slots=True)
class _Edge:
    end: bool  # of the text; else its beginning


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: "list[_Node]"


@dataclass(frozen=True, slots=True)
class _Choice:
    options: "list[_Node]"


@dataclass(frozen=True, slots=True)
class _Repeat:
    body: "_Node"
    least: int
    most: int | None


_Node = _Byte | _Edge | _Sequence | _Choice | _Repeat


class _Syntax:
    """Reads a pattern into a tree. Raises PatternError."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST_PATTERN:
            raise PatternError(0, f"a pattern of over {LONGEST_PATTERN} characters: make it shorter")
        self._text = text
        self._folds = text.startswith("(?i)")
        self._at = 4 if self._folds else 0
        self._depth = 0

    def whole(self) -> _Node:
        node = self._choice()
        if self._at < len(self._text):
            raise PatternError(self._at, "this ')' closes no group: write \\) for the character")
        return node

    def _choice(self) -> _Node:
        options = [self._sequence()]
        while self._text.startswith("|", self._at):
            self._at += 1
            options.append(self._sequence())
        return options[0] if len(options) == 1 else _Choice(options)

    def _sequence(self) -> _Node:
        parts: list[_Node] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            at = self._at
            parts.append(self._repeated(self._atom(), at))
        return _Sequence(parts)

    def _repeated(self, node: _Node, at: int) -> _Node:
        match = _REPEAT.match(self._text, self._at)
        if match is None:
            return node
        if isinstance(node, _Edge):
            raise PatternError(self._at, "nothing to repeat: '^' and '$' stand for no character")
        self._at = match.end()
        if self._text.startswith("?", self._at):
            self._at += 1
        elif _REPEAT.match(self._text, self._at) or self._text.startswith("+", self._at):
            raise PatternError(self._at, "a repeat of a repeat: put what is repeated in a group")
        if match[0] in ("*", "+", "?"):
            return _Repeat(node, int(match[0] == "+"), 1 if match[0] == "?" else None)
        least = int(match[1] or 0)
        most = least if match[2] is None else None if match[3] is None else int(match[3])
        if max(least, most or 0) > _MOST_REPEATS or (most is not None and most < least):
            raise PatternError(at, f"expected a repeat {{m,n}} with m <= n <= {_MOST_REPEATS}")
        return _Repeat(node, least, most)

    def _atom(self) -> _Node:
        character = self._text[self._at]
        if character == "(":
            return self._group()
        if character == "[":
            return self._class()
        if character in "*+?" or _REPEAT.match(self._text, self._at):
            raise PatternError(self._at, f"nothing to repeat: write \\{character} for the character")
        self._at += 1
        if character in "^$":
            return _Edge(character == "$")
        if character == ".":
            return _Byte(_ALL)
        if character == "\\":
            return _Byte(self._folded(self._escape()))
        return _Sequence([_Byte(self._folded(1 << byte)) for byte in character.encode()])

    def _group(self) -> _Node:
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

    def _class(self) -> _Node:
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
        return _Byte(_ALL ^ mask if opposite else mask)

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


class _Set:
    """Places that the text so far can have led to: what each byte makes of them."""

    __slots__ = ("becomes", "ends", "found", "places")

    def __init__(self, places: frozenset[int], *, found: bool, ends: bool) -> None:
        self.places = places
        self.found = found  # already matched, whatever follows
        self.ends = ends  # matched if the text ends here
        self.becomes: list[_Set | None] = [None] * 256


_BEGIN, _END, _FOUND = -1, -2, -3


class Pattern:
    """A pattern, ready to search. Raises PatternError."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._kind: list[int] = []  # a place's mask, 0 for a fork, or _BEGIN, _END, _FOUND
        self._then: list[list[int]] = []
        self._first = self._place(_Syntax(text).whole(), self._add(_FOUND, []))
        self._sets: dict[frozenset[int], _Set] = {}
        self._always = self._reached([self._first], begin=False, end=False)
        self._start = _Set(
            self._reached([self._first], begin=True, end=False),
            found=self._finds([self._first], begin=True, end=False),
            ends=self._finds([self._first], begin=True, end=True),
        )

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def search(self, subject: bytes) -> bool:
        """Whether the pattern fits somewhere in ``subject``."""
        state = self._start
        for byte in subject:
            if state.found:
                return True
            after = state.becomes[byte]
            state = self._step(state, byte) if after is None else after
        return state.found or state.ends

    def _add(self, kind: int, then: list[int]) -> int:
        if len(self._kind) >= MOST_PLACES:
            raise PatternError(0, "this pattern is too large: its repeats, written out, are too many")
        self._kind.append(kind)
        self._then.append(then)
        return len(self._kind) - 1

    def _place(self, node: _Node, then: int) -> int:
        """Add the places of a node in front of place ``then``; the first of them."""
        if isinstance(node, _Byte):
            return self._add(node.mask, [then]) if node.mask else self._add(0, [])
        if isinstance(node, _Edge):
            return self._add(_END if node.end else _BEGIN, [then])
        if isinstance(node, _Sequence):
            for part in reversed(node.parts):
                then = self._place(part, then)
            return then
        if isinstance(node, _Choice):
            return self._add(0, [self._place(option, then) for option in node.options])
        if node.most is None:
            fork = self._add(0, [then])
            self._then[fork].append(self._place(node.body, fork))
            then = fork
        else:
            after = then
            for _ in range(node.most - node.least):
                then = self._add(0, [self._place(node.body, then), after])
        for _ in range(node.least):
            before, then = then, self._place(node.body, then)
            if then == before:  # of nothing, any number is nothing
                break
        return then

    def _reached(self, places: Iterable[int], *, begin: bool, end: bool) -> frozenset[int]:
        """The places that are reached from these without a byte."""
        reached: set[int] = set()
        waiting = list(places)
        while waiting:
            place = waiting.pop()
            if place in reached:
                continue
            reached.add(place)
            kind = self._kind[place]
            if kind == 0 or (kind == _BEGIN and begin) or (kind == _END and end):
                waiting += self._then[place]
        return frozenset(reached)

    def _finds(self, places: Iterable[int], *, begin: bool, end: bool) -> bool:
        return any(self._kind[place] == _FOUND for place in self._reached(places, begin=begin, end=end))

    def _set(self, places: frozenset[int]) -> _Set:
        known = self._sets.get(places)
        if known is None:
            if len(self._sets) >= MOST_SETS:
                for old in (self._start, *self._sets.values()):
                    old.becomes = [None] * 256  # lets go of the others
                self._sets.clear()
            known = self._sets[places] = _Set(
                places,
                found=self._finds(places, begin=False, end=False),
                ends=self._finds(places, begin=False, end=True),
            )
        return known

    def _step(self, state: _Set, byte: int) -> _Set:
        places = [
            self._then[place][0]
            for place in state.places
            if self._kind[place] > 0 and self._kind[place] >> byte & 1
        ]
        after = self._set(self._reached(places, begin=False, end=False) | self._always)
        state.becomes[byte] = after
        return after
