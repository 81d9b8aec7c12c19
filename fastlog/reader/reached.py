"""How far a reader has come, as seen from what it handed out: where another one goes on after it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from fastlog.model.chunk import Block, ByteRange, Closed, Item, Opened, Switched
from fastlog.sources.files import OpenSource


class Reached(NamedTuple):
    """Of one source: its format, the offset after its last range (None: there was none) and that range's low.

    ``streamed`` when blocks of it were handed out: bytes that cannot be read again.
    """

    format: str
    stop: int | None = None
    low: int | None = None
    closed: bool = False
    streamed: bool = False


class Trail:
    """What the items of a replay leave behind: the next range of a file begins where its last one ended."""

    def __init__(self, reached: Sequence[Reached] = ()) -> None:
        """``reached`` is what readers before have left behind."""
        self._reached = dict(enumerate(reached))

    def passes(self, item: Item) -> bool:
        """Take note of an item. False for what an earlier reader has already said."""
        if isinstance(item, Opened):
            if item.source in self._reached:
                return False
            self._reached[item.source] = Reached(item.format)
        elif isinstance(item, Switched):
            self._move(item.source, format=item.format)
        elif isinstance(item, ByteRange):
            self._move(item.source, stop=item.stop, low=item.low)
        elif isinstance(item, Block):
            self._move(item.source, streamed=True)
        elif isinstance(item, Closed):
            self._move(item.source, closed=True)
        return True

    def _move(self, source: int, **reached: Any) -> None:
        self._reached[source] = self._reached[source]._replace(**reached)

    def reached(self, sources: Sequence[OpenSource]) -> list[Reached]:
        """One entry a source; none at all when a reader had not got so far as to open them."""
        if len(self._reached) < len(sources):
            return []
        return [self._reached[source] for source in range(len(sources))]

    def lost(self, sources: Sequence[OpenSource]) -> str | None:
        """The name of a stream that is not at its end: what a dead reader had read of it is gone."""
        for index, source in enumerate(sources):
            reached = self._reached.get(index, Reached(""))
            if (source.end is None or reached.streamed) and not reached.closed:
                return source.name
        return None
