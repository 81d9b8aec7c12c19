"""The reorder buffer: workers finish chunks in any order, and the hub commits them in that of the log."""

from collections import deque
from collections.abc import Callable, Sequence

from fastlog.model.chunk import Block, ByteRange, Chunk, Item, Tick
from fastlog.model.partial import Partial


class Slot:
    """A chunk on its way: ``partial`` once it is folded, ``deaths`` the workers that it outlived.

    ``credit`` is what its commit gives back to the reader: one a chunk that the
    reader sent, whatever that was cut into. ``part`` when it was cut. ``light``: it came down to few bytes.
    """

    def __init__(
        self,
        chunk: Chunk,
        log_format: str,
        *,
        whole: bool = True,
        deaths: int = 0,
        credit: int = 1,
        part: bool = False,
    ) -> None:
        self.chunk, self.format = chunk, log_format
        self.partial: Partial | None = None
        self.light = False
        self.whole, self.deaths, self.credit, self.part = whole, deaths, credit, part


class ReorderBuffer:
    """The items that the reader sent and that are not committed yet, in its order: chunks that wait for a
    worker, that are with one, or that are folded, and what stands between them.

    Bounded by the reader's credit: one slot a chunk or part of one, and of the
    ticks between two of them only the last, which says all that they said.
    """

    def __init__(self) -> None:
        self._items: deque[Slot | Item] = deque()
        self._waiting: deque[Slot] = deque()

    def __bool__(self) -> bool:
        return bool(self._items)

    @property
    def begins_with_chunk(self) -> bool:
        """Whether a chunk is what is to be committed next."""
        return bool(self._items) and isinstance(self._items[0], Slot)

    @property
    def credit(self) -> int:
        """Chunks of the reader that are under way."""
        return sum(item.credit for item in self._items if isinstance(item, Slot))

    def add(self, item: Item, format_of: Callable[[int], str]) -> None:
        """The next item of the reader; ``format_of`` gives the format of a source."""
        if isinstance(item, ByteRange | Block):
            slot = Slot(item, format_of(item.source))
            self._items.append(slot)
            self._waiting.append(slot)
        elif isinstance(item, Tick) and self._items and isinstance(self._items[-1], Tick):
            self._items[-1] = item
        else:
            self._items.append(item)

    def next_waiting(self) -> Slot | None:
        """A chunk for a worker, the first in the order of the log."""
        return self._waiting.popleft() if self._waiting else None

    def give_back(self, slots: Sequence[Slot]) -> None:
        """Chunks that a worker did not do, in order: they come before all others."""
        self._waiting.extendleft(reversed(slots))

    def replace(self, slot: Slot, parts: Sequence[Slot]) -> None:
        """Put ``parts`` where ``slot`` stands; they wait for a worker before all others."""
        at = self._items.index(slot)
        del self._items[at]
        for part in reversed(parts):
            self._items.insert(at, part)
        self.give_back(parts)

    def pop_ready(self) -> Slot | Item | None:
        """The head of the buffer, taken off once it can be committed; None before."""
        if not self._items or (isinstance(self._items[0], Slot) and self._items[0].partial is None):
            return None
        return self._items.popleft()
