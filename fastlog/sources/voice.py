"""What a followed path says: its lines, its positions, and what is the matter with it."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from fastlog.model.chunk import Block, Left, Notice, Placed
from fastlog.model.plan import FUTURE_SECONDS
from fastlog.model.position import FilePosition
from fastlog.model.printable import printable
from fastlog.sources.held import HeldFile

RETRY_SECONDS = 1.0
"""Pause before a file that failed is opened again; an absence shorter than this is not worth a message."""
MISSING = "no such file"


@dataclass(frozen=True, slots=True)
class Named:
    """From here on ``source`` is the file of ``path``: it was asked for, or fits a pattern."""

    source: int
    path: str


Spoken = Named | Block | Placed | Left | Notice
"""What a follower says, in the order in which it came to be."""


class Voice:
    """Speaks for one path into ``out``, which all share so that their order holds.

    Positions are told only if ``tracked``. ``unreadable_since`` is since when (by ``steady``) the path has
    led to no file that can be read, None while it leads to one. A ``passing`` path may go without a word.
    """

    def __init__(
        self,
        source: int,
        path: str,
        out: deque[Spoken],
        clock: Callable[[], float],
        steady: Callable[[], float],
        *,
        tracked: bool,
        passing: bool,
    ) -> None:
        self.unreadable_since: float | None = None
        self._source, self._path, self._out = source, path, out
        self._clock, self._steady = clock, steady
        self._tracked, self._passing = tracked, passing
        self._problem: str | None = None
        out.append(Named(source, path))

    def time_ns(self) -> int:
        """Wall clock, ns since the epoch."""
        return int(self._clock() * 1e9)

    def give(self, file: HeldFile, start: int, data: bytes) -> None:
        """Lines of a file that start at ``start``; it stands behind them.

        Decision: their stamps are held against what the wall clock shows and against what it would show
        had nobody set it, whichever is later: who writes them may have been given the new time, or not.
        """
        position = file.position(self._path) if self._tracked else None
        at = self._steady()
        horizon = int(max(at, self._clock())) + FUTURE_SECONDS
        self._out.append(Block(self._source, start, data, at, position=position, horizon=horizon))

    def place(self, file: HeldFile) -> None:
        """Where a file stands, without lines."""
        if self._tracked:
            self._out.append(Placed(self._source, file.position(self._path), file.former))
        file.former = None

    def leave(self, position: FilePosition) -> None:
        """A file at ``position`` is no longer followed under this path."""
        if self._tracked:
            self._out.append(Left(self._source, position))

    def say(self, text: str, degraded: bool = False) -> None:
        """A message about the path."""
        self._out.append(Notice(f"{printable(self._path)}: {text}", degraded))

    def unreadable(self, reason: str, now: float, at_once: bool) -> None:
        """There is no file that can be read. Said once a reason, and only when it lasts."""
        self.unreadable_since = now if self.unreadable_since is None else self.unreadable_since
        if self._passing and reason == MISSING:
            return
        if reason != self._problem and (at_once or now - self.unreadable_since >= RETRY_SECONDS):
            self._problem = reason
            self.say(f"{reason}: waiting until there is a file that can be read")

    def readable(self) -> None:
        """The file could be read."""
        if self._problem:
            self.say("has appeared" if self._problem == MISSING else "is readable again")
        self._problem = None


def reason_of(error: OSError) -> str:
    """The reason of a failure in words."""
    return (error.strerror or "cannot be read").lower()
