"""Follow: what is appended to files that are known by name, and the ticks of idle time."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from fastlog.formats.detect import detect, sample, undetected
from fastlog.model.chunk import Block, Left, Notice, Opened, Placed, Switched, Tick
from fastlog.model.position import FilePosition
from fastlog.model.printable import printable
from fastlog.reader.fields import switched
from fastlog.reader.link import AUTO, FALLBACK, Link, Stopped
from fastlog.sources import clock
from fastlog.sources.follow import Follower
from fastlog.sources.voice import Named, Spoken
from fastlog.sources.wake import Waker, waker


def follow_sources(
    paths: Sequence[str],
    *,
    from_start: bool,
    log_format: str,
    link: Link,
    epoch: float,
    positions: Sequence[dict[str, Any]] = (),
    formats: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Hand out what comes, until the hub wants no more. Raises FormatError.

    ``positions`` are those of the files of a run or reader before, and ``formats`` what they had, by name.
    Those of this one are handed out. ``epoch`` is what ``clock.epoch`` said when the run began: readers that
    take one another's place share it, so that silence is not told by how the clock was set meanwhile.

    ``link.wait`` raising Stopped is the ordinary end: what is there by then is still
    read.
    """

    def steady() -> float:
        return epoch + clock.elapsed()

    follower = Follower(
        paths,
        from_start=from_start,
        clock=clock.wall,
        steady=steady,
        positions=[FilePosition.from_dict(plain) for plain in positions],
    )
    feed = _Feed(follower, log_format, link, formats)
    link.meanwhile = follower.look  # so that a file that is rotated twice meanwhile is not lost
    wake, notice = waker([*follower.paths, *follower.patterns])
    try:
        if notice:
            link.emit(notice)
        try:
            _follow(feed, follower, wake, link, steady)
        except Stopped:
            feed.read(follower.drain())
            feed.settle(steady(), at_once=True)
    finally:
        wake.close()
        follower.close()


def _follow(feed: "_Feed", follower: Follower, wake: Waker, link: Link, steady: Callable[[], float]) -> None:
    tick = 0.0
    while True:
        if feed.read(follower.poll()):
            wake.watch([*follower.paths, *follower.patterns])
        now = steady()
        feed.settle(now)
        if now >= tick:
            link.emit(Tick(now))
        tick = next_tick(feed.seen_at.values(), steady())
        pause = max(0.0, tick - steady())
        notice = wake.wait(min(pause, 0.1) if feed.waiting else pause, [link.fileno()])
        if notice:
            link.emit(notice)
        link.wait([], 0.0)


class _Feed:
    """Gives the blocks of followed files to the hub, once the format of each is known.

    A file's first lines are held until there are enough of them to tell the
    format by, or for one second.
    """

    SETTLE_SECONDS = 1.0

    def __init__(self, follower: Follower, log_format: str, link: Link, formats: Mapping[str, str]) -> None:
        self._follower = follower
        self._format = log_format
        self._link = link
        self._names: dict[int, str] = {}
        self._before = dict(formats)
        self._held: dict[int, list[Block | Placed | Left]] = {}  # each list has a block at least
        self._formats: dict[int, str] = {}
        self.seen_at: dict[int, float] = {}

    def read(self, items: Iterator[Spoken]) -> bool:
        """Pass on all that comes; whether a file was added. Raises FormatError when no format fits."""
        added = False
        for item in items:
            if isinstance(item, Named):
                self._begin(item)
                added = True
            elif isinstance(item, Block):
                self._give(item)
            elif isinstance(item, Placed | Left) and self._held:
                self._keep(item)
            else:
                self._link.emit(item)
        return added

    def _begin(self, named: Named) -> None:
        """A file of that number begins: another one may have borne it. Its format may be there to be seen."""
        source = named.source
        if source in self._held:
            self._settle(source)
        self._names[source] = printable(named.path)
        self._formats.pop(source, None)
        self.seen_at.pop(source, None)
        before = self._before.pop(self._names[source], None)
        if before is not None:  # it may have changed on the way here, and its head not say it
            self._open(source, before)
            return
        if self._format != AUTO:
            self._open(source, self._format)
            self._switch(source, self._follower.head(source))
            return
        found = detect(sample(self._follower.head(source)))
        if found is not None:
            self._link.emit(Notice(f"format detected: {found.name} ({self._names[source]})"))
            self._open(source, found.name)
            self._switch(source, self._follower.head(source))

    def _give(self, block: Block) -> None:
        if block.at is not None:
            self.seen_at[block.source] = block.at
        if block.source in self._formats:
            self._link.emit(block)
            self._switch(block.source, block.data)
            return
        self._held.setdefault(block.source, []).append(block)
        self.settle(block.at or 0.0)

    def _keep(self, item: Placed | Left) -> None:
        """A position: it may not overtake the blocks that are held, which have others of the same file."""
        if isinstance(item, Placed) and item.former is not None:
            self.settle(0.0, at_once=True)  # the other position may be among those of another source
        if item.source in self._held:
            self._held[item.source].append(item)
        else:
            self._link.emit(item)

    def settle(self, now: float, *, at_once: bool = False) -> None:
        """Decide the formats that have waited long enough. Raises FormatError."""
        for source, held in list(self._held.items()):
            blocks = _blocks(held)
            lines = sample(b"".join(block.data for block in blocks))
            waited = now - (blocks[0].at or now)
            if not lines and not at_once and len(blocks) < 4:
                continue
            if not at_once and len(lines) < 100 and waited < self.SETTLE_SECONDS:
                continue
            self._settle(source)

    def _settle(self, source: int) -> None:
        """Tell the format by the lines that are held, and pass them on."""
        held = self._held.pop(source)
        lines = sample(b"".join(block.data for block in _blocks(held)))
        found = detect(lines)
        others = list(self._formats.values())
        if found is None and lines and not others:
            raise undetected(self._names[source], lines[0])
        name = found.name if found else (others or [FALLBACK])[0]
        if lines:
            told = "detected" if found else "not told by its lines, read as the others"
            self._link.emit(Notice(f"format {told}: {name} ({self._names[source]})"))
        self._open(source, name)
        for item in held:
            self._link.emit(item)
            if isinstance(item, Block):
                self._switch(source, item.data)

    @property
    def waiting(self) -> bool:
        """Whether lines are held."""
        return bool(self._held)

    def _switch(self, source: int, lines: bytes) -> None:
        """Say under which fields the next lines of a source stand, when ``lines`` before them named some."""
        log_format = switched(self._formats[source], lines)
        if log_format != self._formats[source]:
            self._formats[source] = log_format
            self._link.emit(Switched(source, log_format))

    def _open(self, source: int, log_format: str) -> None:
        self._formats[source] = log_format
        self._link.emit(Opened(source, self._names[source], log_format))


def _blocks(held: Sequence[Block | Placed | Left]) -> list[Block]:
    return [item for item in held if isinstance(item, Block)]


def next_tick(seen_at: Collection[float], now: float) -> float:
    """When a second closes next by silence alone: a whole number of seconds after some source's lines."""
    if not seen_at:
        return now + 1.0
    if len(seen_at) > 8:  # they close at any moment
        return now + 0.1
    return min(at + max(1.0, (now - at) // 1 + 1.0) for at in seen_at)
