"""Follow: what is appended to files that are known by name, and the ticks of idle time."""

from collections.abc import Collection, Sequence

from fastlog.formats.detect import detect, sample, undetected
from fastlog.model.chunk import Block, Notice, Opened, Switched, Tick
from fastlog.model.printable import printable
from fastlog.reader.fields import switched
from fastlog.reader.link import AUTO, FALLBACK, Link, Stopped
from fastlog.sources import clock
from fastlog.sources.follow import Follower
from fastlog.sources.wake import Waker, waker


def follow_sources(paths: Sequence[str], *, from_start: bool, log_format: str, link: Link) -> None:
    """Hand out what comes, until the hub wants no more. Raises FormatError.

    ``link.wait`` raising Stopped is the ordinary end: what is there by then is still
    read.
    """
    feed = _Feed([printable(path) for path in paths], log_format, link)
    follower = Follower(paths, from_start=from_start, clock=clock.wall, monotonic=clock.monotonic)
    link.meanwhile = follower.look  # so that a file that is rotated twice meanwhile is not lost
    wake, notice = waker(paths)
    try:
        if notice:
            link.emit(notice)
        try:
            _follow(feed, follower, wake, link, len(paths))
        except Stopped:
            for item in follower.drain():
                feed.give(item)
            feed.settle(clock.wall(), at_once=True)
    finally:
        wake.close()
        follower.close()


def _follow(feed: "_Feed", follower: Follower, wake: Waker, link: Link, sources: int) -> None:
    for source in range(sources):
        feed.look_back(source, follower.head(source))
    tick = 0.0
    while True:
        for item in follower.poll():
            feed.give(item)
        now = clock.wall()
        feed.settle(now)
        if now >= tick:
            link.emit(Tick(now))
        tick = next_tick(feed.seen_at.values(), clock.wall())
        pause = max(0.0, tick - clock.wall())
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

    def __init__(self, names: Sequence[str], log_format: str, link: Link) -> None:
        self._names = names
        self._link = link
        self._held: dict[int, list[Block]] = {}
        self._known: dict[int, str] = {}
        self.seen_at: dict[int, float] = {}
        if log_format != AUTO:
            for source in range(len(names)):
                self._open(source, log_format)

    def look_back(self, source: int, head: bytes) -> None:
        """Tell the format by lines that are in the file already."""
        if source in self._known:
            self._switch(source, head)
        else:
            found = detect(sample(head))
            if found is not None:
                self._link.emit(Notice(f"format detected: {found.name} ({self._names[source]})"))
                self._open(source, found.name)
                self._switch(source, head)

    def give(self, item: Block | Notice) -> None:
        """Pass an item on, or hold it. Raises FormatError when no format fits."""
        if isinstance(item, Notice):
            self._link.emit(item)
            return
        if item.at is not None:
            self.seen_at[item.source] = item.at
        if item.source in self._known:
            self._link.emit(item)
            self._switch(item.source, item.data)
            return
        self._held.setdefault(item.source, []).append(item)
        self.settle(item.at or 0.0)

    def settle(self, now: float, *, at_once: bool = False) -> None:
        """Decide the formats that have waited long enough."""
        for source, blocks in list(self._held.items()):
            lines = sample(b"".join(block.data for block in blocks))
            waited = now - (blocks[0].at or now)
            if not lines and not at_once and len(blocks) < 4:
                continue
            if not at_once and len(lines) < 100 and waited < self.SETTLE_SECONDS:
                continue
            found = detect(lines)
            if found is None and lines:
                raise undetected(self._names[source], lines[0])
            name = found.name if found else FALLBACK
            if lines:
                self._link.emit(Notice(f"format detected: {name} ({self._names[source]})"))
            del self._held[source]
            self._open(source, name)
            for block in blocks:
                self._link.emit(block)
                self._switch(source, block.data)

    @property
    def waiting(self) -> bool:
        """Whether lines are held."""
        return bool(self._held)

    def _switch(self, source: int, lines: bytes) -> None:
        """Say under which fields the next lines of a source stand, when ``lines`` before them named some."""
        log_format = switched(self._known[source], lines)
        if log_format != self._known[source]:
            self._known[source] = log_format
            self._link.emit(Switched(source, log_format))

    def _open(self, source: int, log_format: str) -> None:
        self._known[source] = log_format
        self._link.emit(Opened(source, self._names[source], log_format))


def next_tick(seen_at: Collection[float], now: float) -> float:
    """When a second closes next by wall time alone: a whole number of seconds after some source's lines."""
    if not seen_at:
        return now + 1.0
    if len(seen_at) > 8:  # they close at any moment
        return now + 0.1
    return min(at + max(1.0, (now - at) // 1 + 1.0) for at in seen_at)
