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

from collections.abc import Iterable

from fastlog.rulebook.syntax import Byte, Choice, Edge, Node, PatternError, Sequence, Syntax

MOST_PLACES = 1100
MOST_SETS = 500
"""Sets that are remembered; on one more, all are forgotten."""


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
        self._first = self._place(Syntax(text).whole(), self._add(_FOUND, []))
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

    def _place(self, node: Node, then: int) -> int:
        """Add the places of a node in front of place ``then``; the first of them."""
        if isinstance(node, Byte):
            return self._add(node.mask, [then]) if node.mask else self._add(0, [])
        if isinstance(node, Edge):
            return self._add(_END if node.end else _BEGIN, [then])
        if isinstance(node, Sequence):
            for part in reversed(node.parts):
                then = self._place(part, then)
            return then
        if isinstance(node, Choice):
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
