"""The traffic alert: average hits a second over a sliding window, evaluated every second.

    W(T) = hits in the seconds T - window + 1 ... T

fires when W(T) > threshold x window and recovers when it no longer is.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Literal, NamedTuple

from fastlog.config import hits_limit
from fastlog.model.events import Alert
from fastlog.model.rules import TRAFFIC
from fastlog.windows.saved import State

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_1 = -62_135_596_800


class Transition(NamedTuple):
    """What the window said at a change of state."""

    at: int
    hits: int
    firing: bool


class TrafficWindow:
    """W(T) over the seconds that close, empty ones included, without visiting the empty ones.

    Memory: a pair for each second of the window that had hits, and one for each second
    not yet closed.
    """

    def __init__(self, window: int, threshold: float) -> None:
        self._window = window
        self._limit = hits_limit(threshold, window)
        self._open: dict[int, int] = {}
        self._order: list[int] = []  # a heap of the seconds in _open
        self._closed: int | None = None
        self._inside: deque[tuple[int, int]] = deque()  # (second, hits) of the window, by second
        self._sum = 0
        self._unseen = False
        self.firing = False

    def state(self) -> State:
        """All that it knows; the compiled twin has the same."""
        return {
            "open": [[second, self._open[second]] for second in sorted(self._open)],
            "inside": [list(pair) for pair in self._inside],
            "closed": self._closed,
            "unseen": self._unseen,
            "firing": self.firing,
        }

    def restore(self, state: State) -> None:
        """Go on from ``state``; for a new window."""
        self._open = dict(state["open"])
        self._order = sorted(self._open)
        self._inside = deque((second, hits) for second, hits in state["inside"])
        self._sum = sum(hits for _, hits in self._inside)
        self._closed = state["closed"]
        self._unseen = state["unseen"]
        self.firing = state["firing"]

    def take(self, seconds: Sequence[int], hits: Sequence[int], rows: range) -> int:
        """Count the hits of some rows; returns how many were late, their second being closed."""
        closed = self._closed
        late = 0
        for row in rows:
            if closed is not None and seconds[row] < closed:
                late += hits[row]
            self.add(seconds[row], hits[row])
        return late

    def add(self, second: int, hits: int) -> None:
        """Count hits of a second, closed or not."""
        if self._closed is None or second >= self._closed:
            if second in self._open:
                self._open[second] += hits
            else:
                self._open[second] = hits
                heappush(self._order, second)
        elif second > self._closed - self._window:
            # Late: it cannot change what was evaluated, but is in the windows to come.
            inside = self._inside
            at = bisect_left(inside, (second, 0))
            if at < len(inside) and inside[at][0] == second:
                inside[at] = (second, inside[at][1] + hits)
            else:
                inside.insert(at, (second, hits))
            self._sum += hits
            self._unseen = True

    def close(self, end: int) -> list[Transition]:
        """Evaluate every second before ``end`` that was not yet, in order.

        W(T) can only rise with a second that has hits, and only fall with one that
        a second leaves; the seconds between are passed over.
        """
        transitions: list[Transition] = []
        arrivals: list[tuple[int, int]] = []
        while self._order and self._order[0] < end:
            second = heappop(self._order)
            arrivals.append((second, self._open.pop(second)))
        if self._closed is None:
            self._closed = arrivals[0][0] if arrivals else end
        if self._unseen and self._closed < end and (not arrivals or arrivals[0][0] > self._closed):
            arrivals.insert(0, (self._closed, 0))
        self._unseen = self._unseen and self._closed >= end
        inside, window = self._inside, self._window
        for second, hits in arrivals:
            if inside and inside[0][0] + window < second:
                self._expire(second, transitions)
            while inside and inside[0][0] + window <= second:
                self._sum -= inside.popleft()[1]
            if hits:
                inside.append((second, hits))
                self._sum += hits
            if (self._sum > self._limit) != self.firing:
                self.firing = not self.firing
                transitions.append(Transition(second, self._sum, self.firing))
        self._expire(end, transitions)
        self._closed = max(self._closed, end)
        return transitions

    def _expire(self, until: int, transitions: list[Transition]) -> None:
        """Go on to the second ``until``, which is not evaluated: no hits arrive before it."""
        inside, window = self._inside, self._window
        while inside and inside[0][0] + window < until:
            second = inside[0][0] + window
            self._sum -= inside.popleft()[1]
            if self.firing and self._sum <= self._limit:
                self.firing = False
                transitions.append(Transition(second, self._sum, firing=False))


def traffic_alert(transition: Transition, window: int, threshold: float) -> Alert:
    """The event of a transition, in the words that operators grep for."""
    at = iso_utc(transition.at)
    state: Literal["firing", "resolved"]
    if transition.firing:
        state = "firing"
        message = f"High traffic generated an alert - hits = {transition.hits}, triggered at {at}"
    else:
        state = "resolved"
        message = f"High traffic alert recovered - hits = {transition.hits}, recovered at {at}"
    rate = round(transition.hits / window, 3)
    return Alert(TRAFFIC, state, transition.at, transition.hits, rate, float(threshold), window, message)


def iso_utc(second: int) -> str:
    """ISO 8601 in UTC, as ``2018-05-09T16:02:28Z``; the year before 0001 is 0000."""
    shift = 0 if second >= _YEAR_1 else 400  # years: the calendar repeats
    moment = _EPOCH + timedelta(seconds=second, days=shift * 146_097 // 400)
    return f"{moment.year - shift:04d}{moment:-%m-%dT%H:%M:%SZ}"
