"""What the reader hands out: chunks of log, and what happened between them.

The reader's output is one ordered stream of items. Its order is part of the
result (a tick that follows a block was taken after it was read), so the hub
commits items in the order in which the reader sent them, whichever worker is
first to finish.

Decision: what a child loads holds named tuples and plain classes. Making a frozen dataclass runs code that is
compiled then and there: five times the price, and each process pays it anew.
"""

from typing import NamedTuple

from fastlog.model.position import FilePosition

RANGE_BYTES = 1 << 22
"""Length of a range of a regular file at its start. A constant of the program: cutting a log elsewhere
must not change a result, and deriving it from the number of workers would hide it where
it did."""

RANGE_GROWTH = 4
"""How many times as long ranges may be far into a file: see ``sources.files.range_length``."""

CHUNK_BYTES = 1 << 20
"""Most bytes in a block: less than in a range, since it travels. Ranges are no longer where
several files are read, so that pieces of them all are cut alike, packed or not."""

LINE_LIMIT = 100 * 1024
"""Longest line in bytes, without its line end; a longer one is ``oversize``."""


class ByteRange(NamedTuple):
    """Bytes ``start`` to ``stop`` of a regular file; the worker reads them itself.

    A line belongs to the range that holds its first byte. ``low`` is a lower
    bound, in epoch seconds, of the running maximum that the range's first hit
    will have within its file; None where the order of files does not matter.
    """

    source: int
    start: int
    stop: int
    low: int | None = None


class Block(NamedTuple):
    """Whole lines that only the reader could have: followed, piped, unpacked.

    ``start`` is the offset of the first byte in its source. The last line may
    lack its newline only where the source ends with it. A line longer than
    ``LINE_LIMIT`` arrives cut to one byte more than that, so that it is counted
    without being held. ``at`` is when the bytes were read from a live source: epoch seconds, but of
    a clock that nobody sets, since silence is measured by it; ``horizon`` is the last second that is
    believed of them. Both are None in replay. ``position`` is that of the
    followed file after this block, None where positions are not asked for. ``taken``
    is how many bytes of the source were read for it, for those who watch the progress;
    None: as many as it has. ``stop`` is the offset at which reading goes on after it, None where what was
    read cannot be read again: of a pipe, and of a followed file, which has its position.
    """

    source: int
    start: int
    data: bytes
    at: float | None = None
    low: int | None = None
    position: FilePosition | None = None
    taken: int | None = None
    stop: int | None = None
    horizon: int | None = None


Chunk = ByteRange | Block


class Opened(NamedTuple):
    """A source begins: its number, its name for messages, and its format.

    ``low`` is the second of its first hit, where several files are merged and it is among the first lines.
    """

    source: int
    name: str
    format: str
    low: int | None = None


class Switched(NamedTuple):
    """The further chunks of a source begin with lines of another format: a log can say so in its midst."""

    source: int
    format: str


class Closed(NamedTuple):
    """A source has ended: no further chunk of it follows."""

    source: int


class Tick(NamedTuple):
    """Nothing more was there to read at ``now``: epoch seconds, of the clock of ``Block.at``."""

    now: float


class Placed(NamedTuple):
    """Reading of a followed file goes on at ``position``: it was opened, truncated, or bytes were skipped.

    Positions (here and in blocks) are of use in the order of the items: the last one
    of each path, device and inode holds. ``former`` is the one that the file had under
    another name, which does not hold any more: both in one item, so that there is no
    moment at which the file has two positions or none.
    """

    source: int
    position: FilePosition
    former: FilePosition | None = None


class Left(NamedTuple):
    """A followed file is done with under that name: its position, the last, is needed no more."""

    source: int
    position: FilePosition


class Relayed(NamedTuple):
    """Another reader of a follow goes on where the one before died: it opens all sources anew,
    perhaps under other numbers. The hub says so, since no reader can."""


class Notice(NamedTuple):
    """One line for stderr. ``degraded`` when it means that the result is incomplete."""

    text: str
    degraded: bool = False


Item = ByteRange | Block | Opened | Switched | Closed | Tick | Placed | Left | Relayed | Notice
