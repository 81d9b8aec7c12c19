"""How far the log's own clock has come in each source, and whom to believe.

Replay believes a second that lies more than JUMP_SECONDS after all that its
source has shown only when the very next hit lies beyond that gap too, or when
the log ends there. Follow believes all that is not ahead of the wall clock,
which the parsers have seen to.
"""

from typing import Generic, TypeVar

from fastlog.model.plan import JUMP_SECONDS

Held = TypeVar("Held")


class SourceClock(Generic[Held]):
    """The clock of one source: ``greatest`` is the greatest credible second it has shown.

    ``suspect`` is a single hit (its second, and what the caller keeps of it) that
    leapt ahead and waits for the next one to confirm it. ``seen_at`` is the time of its
    last lines, in follow.
    """

    def __init__(
        self,
        greatest: int | None = None,
        suspect: tuple[int, Held] | None = None,
        seen_at: float | None = None,
    ) -> None:
        self.greatest, self.suspect, self.seen_at = greatest, suspect, seen_at

    def leaps(self, second: int) -> bool:
        """Whether ``second`` is too far ahead to be believed on its own."""
        return self.greatest is not None and second > self.greatest + JUMP_SECONDS

    def advance(self, second: int) -> None:
        """Believe ``second``."""
        if self.greatest is None or second > self.greatest:
            self.greatest = second

    def now(self, time: float | None) -> float | None:
        """Where the clock stands at ``time``: it goes on while no line comes."""
        if self.greatest is None or time is None or self.seen_at is None:
            return self.greatest
        return self.greatest + max(0.0, time - self.seen_at)
