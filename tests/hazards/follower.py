"""A follower with clocks of its own, and what it has given out so far."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from fastlog.model.chunk import Block, Left, Notice, Placed
from fastlog.model.position import FilePosition
from fastlog.sources.follow import Follower
from fastlog.sources.voice import Spoken


class Rig:
    """Follows ``paths``; ``positions`` are those of an earlier run, None where nobody asks for them."""

    def __init__(
        self, *paths: Path, from_start: bool = True, positions: Sequence[FilePosition] | None = None
    ) -> None:
        self.now = 1000.0
        self.notices: list[Notice] = []
        self.blocks: list[Block] = []
        self.positions: dict[tuple[str, int, int], FilePosition] = {}
        for position in positions or ():
            self._note(position)
        self.follower = Follower(
            [str(path) for path in paths],
            from_start=from_start,
            clock=lambda: self.now,
            steady=lambda: self.now,
            positions=positions,
        )

    def poll(self, after: float = 0.0) -> bytes:
        """Let ``after`` seconds pass; the bytes that then come, of all files."""
        self.now += after
        return b"".join(block.data for block in self.take(self.follower.poll()))

    def take(self, items: Iterator[Spoken]) -> list[Block]:
        """The blocks among ``items``; what else they say is kept."""
        blocks = []
        for item in items:
            if isinstance(item, Notice):
                self.notices.append(item)
            elif isinstance(item, Block):
                assert item.data.endswith(b"\n")
                assert item.at == self.now
                blocks.append(item)
            if isinstance(item, Placed) and item.former:
                del self.positions[item.former.path, *item.former.key]
            if isinstance(item, Block | Placed | Left) and item.position:
                self._note(item.position)
                if isinstance(item, Left):
                    del self.positions[item.position.path, *item.position.key]
        self.blocks += blocks
        return blocks

    def _note(self, position: FilePosition) -> None:
        self.positions.pop((position.path, *position.key), None)
        self.positions[position.path, *position.key] = position

    def said(self, text: str) -> int:
        """How many notices hold ``text``."""
        return sum(text in notice.text for notice in self.notices)

    def again(self, *paths: Path) -> "Rig":
        """Killed, and started again from what was on record, as text would keep it."""
        self.follower.close()
        kept = [FilePosition.from_dict(position.to_dict()) for position in self.positions.values()]
        return Rig(*paths, positions=kept)


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
