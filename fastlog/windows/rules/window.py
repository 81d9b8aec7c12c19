"""One rule over a sliding window, evaluated every second, by key.

After second T closes, a rule looks at the seconds T - window + 1 ... T. What it sees
can change only at certain seconds: when hits arrive, when a second leaves the window,
when ``for`` has passed, when a window is full for the first time. Those are visited,
in order, and none of the years between.

::

    firing   when  broken(value)  has held for ``hold`` seconds
    resolved when  calm(value)
    neither  when  fewer than ``min_hits`` hits are in the window

Decision: ``hold`` counts from the first second that is broken: with 0 that second
fires, with 10 the tenth after it. A second without a verdict begins the count anew.

Decision: ``below`` has its first verdict once a whole window has been seen, since the
first second of the log or, of a key, since its first hit: a log does not begin with an
alert, nor does a key appear with one.

Decision: where a rule has more keys than it may keep, ``above`` drops the one that has been
without hits for longest, the busy ones being what it is after; ``below`` takes no new one (and
drops the youngest), the quiet ones being what it is after. A key that is firing is never dropped. This goes
by the closed seconds alone, so it is the same for any number of workers.

Over 300 lines, since keys, what is due and what is kept of them share one state.
"""

from bisect import bisect_left
from collections import deque
from heapq import heapify, heappop, heappush
from operator import attrgetter, itemgetter
from typing import NamedTuple

from fastlog.model.rules import LIVE_KEYS, Rule
from fastlog.windows.rules.sums import Sums, Thresholds, Total, columns_of, sums_of
from fastlog.windows.saved import State

MOST_KEPT = 500_000
"""Numbers that a rule with keys keeps of closed seconds; beyond, keys are dropped as for LIVE_KEYS."""

_ALL = b""  # the key of a rule without ``per``


class Transition(NamedTuple):
    """What a rule said of a key at a change of state. ``hits`` are those of the window."""

    at: int
    key: bytes
    firing: bool
    hits: int
    value: int | float


class _Key:
    """The state of one key."""

    __slots__ = ("born", "due", "entries", "firing", "since", "total")

    def __init__(self, born: int) -> None:
        self.born = born
        self.entries: deque[tuple[int, Sums]] = deque()  # (second, sums) of the window, by second
        self.total = Total()
        self.since: int | None = None  # broken from here on
        self.firing = False
        self.due: int | None = None  # when it must be looked at, hits or not


class RuleWindow:
    """One rule, its keys, and their windows.

    Memory: LIVE_KEYS keys for each second not yet closed, LIVE_KEYS keys, and for each
    of them the seconds of the window with hits, MOST_KEPT numbers together.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.dropped = 0
        self._thresholds = Thresholds(rule)
        self._open: dict[int, dict[bytes, Sums]] = {}
        self._order: list[int] = []  # a heap of the seconds in _open
        self._closed: int | None = None
        self._begun = False
        self._keys: dict[bytes, _Key] = {}  # the one without hits for longest first
        self._due: list[tuple[int, bytes]] = []  # a heap; true where the key's ``due`` says so
        self._kept = 0
        self._firing = 0  # keys that are: where all of them are, none is looked for to be dropped
        self._falls = rule.measure in ("hits", "rate", "bytes")  # when hits leave the window

    def states(self) -> dict[bytes, bool]:
        """Whether each key that is remembered is firing, by key."""
        return {key: self._keys[key].firing for key in sorted(self._keys)}

    def state(self) -> State:
        """All that it knows of windows to come; the compiled twin has the same."""
        opened = []
        for second in sorted(self._open):
            keys = sorted(self._open[second])
            sums = [self._open[second][key] for key in keys]
            opened.append([second, [key.decode("latin-1") for key in keys], *columns_of(self.rule, sums)])
        kept = []
        for key, state in self._keys.items():
            entries = [entry for entry in state.entries if self._is_seen(entry[0])]
            seconds = [second for second, _ in entries]
            columns = columns_of(self.rule, [sums for _, sums in entries])
            what = [state.born, state.since, state.firing, state.due]
            kept.append([key.decode("latin-1"), *what, seconds, *columns])
        return {
            "dropped": self.dropped,
            "closed": self._closed,
            "begun": self._begun,
            "open": opened,
            "keys": kept,
        }

    def _is_seen(self, second: int) -> bool:
        """Whether hits are in a window that is still to be looked at."""
        return self._closed is None or second > self._closed - self.rule.window

    def restore(self, state: State) -> None:
        """Go on from ``state``; for a new window."""
        self.dropped, self._closed, self._begun = state["dropped"], state["closed"], state["begun"]
        for second, keys, *columns in state["open"]:
            sums = sums_of(self.rule, columns)
            self._open[second] = dict(zip((key.encode("latin-1") for key in keys), sums, strict=True))
        self._order = sorted(self._open)
        for key, born, since, firing, due, seconds, *columns in state["keys"]:
            name = key.encode("latin-1")
            known = self._keys[name] = _Key(born)
            known.since, known.firing = since, firing
            self._firing += firing
            for second, one in zip(seconds, sums_of(self.rule, columns), strict=True):
                known.entries.append((second, one))
                known.total.add(one)
                self._kept += one.weight
            self._look_at(name, known, due)

    def add(self, second: int, key: bytes, sums: Sums) -> None:
        """Count a key's hits of a second, closed or not. ``sums`` is the window's from here on."""
        if self._closed is not None and second < self._closed:
            if second > self._closed - self.rule.window:
                self._add_late(second, key, sums)
            return
        keys = self._open.get(second)
        if keys is None:
            keys = self._open[second] = {}
            heappush(self._order, second)
        known = keys.get(key)
        if known is not None:
            known.add(sums)
        elif len(keys) < LIVE_KEYS:
            keys[key] = sums
        else:
            self.dropped += 1

    def close(self, end: int, first: int) -> list[Transition]:
        """Evaluate every second before ``end`` that was not yet, in order.

        ``first`` is the first second of the log, as far as is known.
        """
        if self._closed is not None and end <= self._closed:
            return []
        if not self._begun and first < end:
            self._begun = True
            if self.rule.per is None and _ALL not in self._keys:
                state = self._keys[_ALL] = _Key(first)
                self._schedule(_ALL, state, first - 1)
            elif self.rule.per is None:  # late hits came before the first second was known
                state = self._keys[_ALL]
                state.born = min(state.born, first)
                self._look_at(_ALL, state, self._closed)
        transitions: list[Transition] = []
        at = self._next()
        while at is not None and at < end:
            transitions += self._visit(at)
            at = self._next()
        self._closed = end
        return transitions

    def _next(self) -> int | None:
        """The next second at which something can change."""
        due = self._due
        while due and ((state := self._keys.get(due[0][1])) is None or state.due != due[0][0]):
            heappop(due)
        if self._order and (not due or self._order[0] <= due[0][0]):
            return self._order[0]
        return due[0][0] if due else None

    def _visit(self, at: int) -> list[Transition]:
        """Take in the hits of a second, and look at every key that has some or is due."""
        transitions: list[Transition] = []
        if self._order and self._order[0] == at:
            heappop(self._order)
            arrived = self._open.pop(at)
            for key in sorted(arrived):
                state = self._admit(key, at, at)
                if state is not None:
                    sums = arrived[key]
                    state.entries.append((at, sums))
                    state.total.add(sums)
                    self._kept += sums.weight
                    self._look(key, state, at, transitions)
        while self._due and self._due[0][0] == at:
            key = heappop(self._due)[1]
            state = self._keys.get(key)
            if state is not None and state.due == at:
                self._look(key, state, at, transitions)
        transitions.sort(key=attrgetter("key"))
        if self._kept > MOST_KEPT:  # of what is in no window, nothing is to go for it
            for state in self._keys.values():
                self._expire(state, at)
        drop = self._drop_one if self.rule.below is None else self._drop_youngest
        while self._kept > MOST_KEPT and drop(at):
            pass
        return transitions

    def _look(self, key: bytes, state: _Key, at: int, transitions: list[Transition]) -> None:
        self._expire(state, at)
        if self._judge(state, at):
            transitions.append(self._transition(key, state, at))
        self._schedule(key, state, at)

    def _judge(self, state: _Key, at: int) -> bool:
        """Take the verdict of a second; whether the state changed."""
        rule, total = self.rule, state.total
        if rule.below is not None and at < state.born + rule.window - 1:
            return False
        if total.base < rule.min_hits:
            state.since = None
            return False
        value = total.value(rule)
        if state.firing:
            state.firing = not self._thresholds.calm(value)
            self._firing -= not state.firing
            return not state.firing
        if not self._thresholds.broken(value):
            state.since = None
            return False
        if state.since is None:
            state.since = at
        if at - state.since < rule.hold:
            return False
        state.firing, state.since = True, None
        self._firing += 1
        return True

    def _transition(self, key: bytes, state: _Key, at: int) -> Transition:
        number, parts = state.total.value(self.rule)
        value = number if parts == 1 else round(number / parts, 6)
        return Transition(at, key, state.firing, state.total.hits, value)

    def _expire(self, state: _Key, at: int) -> None:
        """Take what is no longer in the window that ends with ``at`` out of it."""
        entries = state.entries
        while entries and entries[0][0] <= at - self.rule.window:
            sums = entries.popleft()[1]
            state.total.subtract(sums)
            self._kept -= sums.weight

    def _schedule(self, key: bytes, state: _Key, at: int) -> None:
        """Note when a key must be looked at next, after ``at``; forget one that is as if never seen.

        A key that is far from firing need not be: what leaves the window can make a sum only
        smaller, and a share of no hits stays one. Its next hits, or its being dropped, come first.
        """
        rule = self.rule
        if rule.above is not None and not state.firing and state.since is None:
            if not state.entries:
                del self._keys[key]
                return
            if self._falls or not state.total.hits:
                state.due = None
                return
        moments = []
        if state.entries:
            moments.append(state.entries[0][0] + rule.window)
        if state.since is not None:
            moments.append(state.since + rule.hold)
        if rule.below is not None:
            moments.append(state.born + rule.window - 1)
        due = min((moment for moment in moments if moment > at), default=None)
        self._look_at(key, state, due if due is None or self._closed is None else max(due, self._closed))

    def _look_at(self, key: bytes, state: _Key, due: int | None) -> None:
        if due == state.due:
            return
        state.due = due
        if due is not None:
            heappush(self._due, (due, key))
        if len(self._due) > 4 * len(self._keys) + 64:  # most of it is out of date
            self._due = [(key.due, name) for name, key in self._keys.items() if key.due is not None]
            heapify(self._due)

    def _admit(self, key: bytes, second: int, at: int) -> _Key | None:
        """The state of a key with hits of a second, at ``at``; None when there is no room for it."""
        state = self._keys.pop(key, None)
        if state is None:
            if len(self._keys) >= LIVE_KEYS and not self._drop_one(at):
                self.dropped += 1
                return None
            state = _Key(second)
        self._keys[key] = state  # the last to have hits
        return state

    def _drop_one(self, at: int) -> bool:
        """Drop the key that has been without hits for longest; whether there was one to drop."""
        if self.rule.per is None or self.rule.below is not None or self._firing == len(self._keys):
            return False
        for _ in range(len(self._keys)):
            key = next(iter(self._keys))
            if not self._keys[key].firing:
                self._drop(key, at)
                return True
            self._keys[key] = self._keys.pop(key)
        return False

    def _drop_youngest(self, at: int) -> bool:
        """Drop the key that came last; whether there was one to drop."""
        quiet = [(state.born, key) for key, state in self._keys.items() if not state.firing]
        if self.rule.per is None or not quiet:
            return False
        self._drop(max(quiet)[1], at)
        return True

    def _drop(self, key: bytes, at: int) -> None:
        entries = self._keys.pop(key).entries
        self._kept -= sum(sums.weight for _, sums in entries)
        if entries and entries[-1][0] > at - self.rule.window:  # else it was as if never seen
            self.dropped += 1

    def _add_late(self, second: int, key: bytes, sums: Sums) -> None:
        """Count hits of a closed second: what was evaluated stands, but the windows to come have them."""
        assert self._closed is not None
        state = self._keys.get(key) or self._admit(key, second, self._closed)
        if state is None:
            return
        state.born = min(state.born, second)
        state.total.add(sums)
        entries = state.entries
        at = bisect_left(entries, second, key=itemgetter(0))
        if at < len(entries) and entries[at][0] == second:
            self._kept -= entries[at][1].weight
            entries[at][1].add(sums)
        else:
            entries.insert(at, (second, sums))
        self._kept += entries[at][1].weight
        self._look_at(key, state, self._closed)
