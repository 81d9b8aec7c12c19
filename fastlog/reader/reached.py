"""How far a reader has come, as seen from what it handed out: where another one goes on after it."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastlog.model.chunk import Block, ByteRange, Closed, Item, Opened, Switched
from fastlog.sources.files import OpenSource


@dataclass(slots=True)
class Reached:
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

    def __init__(self) -> None:
        self._reached: dict[int, Reached] = {}

    def passes(self, item: Item) -> bool:
        """Take note of an item. False for what an earlier reader has already said."""
        if isinstance(item, Opened):
            if item.source in self._reached:
                return False
            self._reached[item.source] = Reached(item.format)
        elif isinstance(item, Switched):
            self._reached[item.source].format = item.format
        elif isinstance(item, ByteRange):
            reached = self._reached[item.source]
            reached.stop, reached.low = item.stop, item.low
        elif isinstance(item, Block):
            self._reached[item.source].streamed = True
        elif isinstance(item, Closed):
            self._reached[item.source].closed = True
        return True

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
