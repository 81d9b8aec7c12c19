"""How far a reader has come, as seen from what it handed out: where another one goes on after it.

``Trail`` for a replay, ``Followed`` for a follow. The hub keeps one of what it was handed, for another
reader, and the record of ``--state`` one of what is counted, for another run.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from fastlog.model.chunk import (
    Block,
    ByteRange,
    Closed,
    Item,
    Left,
    Opened,
    Placed,
    Relayed,
    Switched,
    Tick,
)
from fastlog.model.position import FilePosition
from fastlog.sources.files import OpenSource


class Reached(NamedTuple):
    """Of one source: its format, the offset after its last chunk (None: there was none) and that chunk's low.

    The offset is one of the log; of a packed file, ``taken`` is how much of it was read for that.
    ``streamed`` when blocks of it were handed out that cannot be read again.
    """

    format: str
    stop: int | None = None
    low: int | None = None
    closed: bool = False
    streamed: bool = False
    taken: int = 0


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
            if item.stop is None:
                self._move(item.source, streamed=True)
            else:
                taken = self._reached[item.source].taken + (item.taken or 0)
                self._move(item.source, stop=item.stop, low=item.low, taken=taken)
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


class Followed:
    """What the items of a follow leave behind: where each file stands, and the format of each source.

    ``begun`` once each file that was there at the start has its place: only then can another go on
    from these places, and read what has none from its start.
    """

    def __init__(
        self, positions: Iterable[FilePosition] = (), formats: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """With what a run before has left behind."""
        self._positions: dict[tuple[str, int, int], FilePosition] = {}
        self._formats = {-1 - place: named for place, named in enumerate(formats.items())}
        for position in positions:
            self._place(position)
        self.begun = bool(self._positions)

    @property
    def positions(self) -> list[FilePosition]:
        """In the order in which they were last told."""
        return list(self._positions.values())

    @property
    def formats(self) -> dict[str, str]:
        """Of each source, by its name."""
        return dict(self._formats.values())

    def passes(self, item: Item) -> None:
        """Take note of an item."""
        if isinstance(item, Opened):
            for source, (name, _) in list(self._formats.items()):
                if name == item.name:
                    del self._formats[source]
            self._formats[item.source] = item.name, item.format
        elif isinstance(item, Switched):
            self._formats[item.source] = self._formats[item.source][0], item.format
        elif isinstance(item, Relayed):
            self._formats = {-1 - place: named for place, named in enumerate(self._formats.values())}
        elif isinstance(item, Placed):
            if item.former is not None:
                self._remove(item.former)
            self._place(item.position)
        elif isinstance(item, Left):
            self._remove(item.position)
        elif isinstance(item, Block):
            self.begun = True
            if item.position is not None:
                self._place(item.position)
        elif isinstance(item, Tick):
            self.begun = True

    def _place(self, position: FilePosition) -> None:
        self._remove(position)
        self._positions[position.path, *position.key] = position

    def _remove(self, position: FilePosition) -> None:
        self._positions.pop((position.path, *position.key), None)
