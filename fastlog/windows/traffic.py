"""The traffic alert: average hits a second over a sliding window, evaluated every second.

    W(T) = hits in the seconds T - window + 1 ... T

fires when W(T) > threshold x window and recovers when it no longer is.
"""

from bisect import insort
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from fastlog.config import hits_limit
from fastlog.model.events import Alert

RULE = "traffic"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_1 = -62_135_596_800


@dataclass(frozen=True, slots=True)
class Transition:
    """What the window said at a change of state."""

    at: int
    hits: int
    firing: bool


class TrafficWindow:
    """W(T) over the seconds that close, empty ones included, without visiting the empty ones.

    Memory: one counter for each second of the window that had hits, and one for
    each second not yet closed.
    """

    def __init__(self, window: int, threshold: float) -> None:
        self._window = window
        self._limit = hits_limit(threshold, window)
        self._open: dict[int, int] = {}
        self._closed: int | None = None
        self._seconds: deque[int] = deque()
        self._hits: dict[int, int] = {}
        self._sum = 0
        self._unseen = False
        self.firing = False

    def add(self, second: int, hits: int) -> None:
        """Count hits of a second, closed or not."""
        if self._closed is None or second >= self._closed:
            self._open[second] = self._open.get(second, 0) + hits
        elif second > self._closed - self._window:
            # Late: it cannot change what was evaluated, but is in the windows to come.
            if second in self._hits:
                self._hits[second] += hits
            else:
                self._hits[second] = hits
                insort(self._seconds, second)
            self._sum += hits
            self._unseen = True

    def close(self, end: int) -> list[Transition]:
        """Evaluate every second before ``end`` that was not yet, in order."""
        transitions: list[Transition] = []
        arrivals = sorted(second for second in self._open if second < end)
        if self._closed is None:
            self._closed = arrivals[0] if arrivals else end
        next_arrival = 0
        while True:
            at = arrivals[next_arrival] if next_arrival < len(arrivals) else end
            if self._seconds:
                at = min(at, self._seconds[0] + self._window)
            if self._unseen:
                at = self._closed
            if at >= end:
                break
            self._unseen = False
            self._expire(at)
            if next_arrival < len(arrivals) and arrivals[next_arrival] == at:
                hits = self._open.pop(at)
                self._seconds.append(at)
                self._hits[at] = hits
                self._sum += hits
                next_arrival += 1
            self._closed = at + 1
            if (self._sum > self._limit) != self.firing:
                self.firing = not self.firing
                transitions.append(Transition(at, self._sum, self.firing))
        if self._closed < end:
            self._expire(end - 1)
            self._closed = end
        return transitions

    def _expire(self, at: int) -> None:
        """Drop the seconds that are not in the window that ends with ``at``."""
        first = at - self._window + 1
        while self._seconds and self._seconds[0] < first:
            self._sum -= self._hits.pop(self._seconds.popleft())


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
    return Alert(RULE, state, transition.at, transition.hits, rate, float(threshold), window, message)


def iso_utc(second: int) -> str:
    """ISO 8601 in UTC, as ``2018-05-09T16:02:28Z``; the year before 0001 is 0000."""
    shift = 0 if second >= _YEAR_1 else 400  # years: the calendar repeats
    moment = _EPOCH + timedelta(seconds=second, days=shift * 146_097 // 400)
    return f"{moment.year - shift:04d}{moment:-%m-%dT%H:%M:%SZ}"
