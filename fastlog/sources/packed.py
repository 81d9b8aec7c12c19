"""Reading packed files and streams: one loop for every packing, in bounded memory.

However much a file unpacks to, no more of it is held than a block, a line's limit,
and the window of its packing (``packings.MEMORY_LIMIT``).

Decision: damage gives what stands before it, to the byte. A decompressor that fails
keeps what it had unpacked in that very call, so the member is unpacked once more,
its last bytes one by one. A pipe cannot go back further than ``raw.KEPT_BYTES``: there
the last ``_OUT_BYTES`` before damage far inside a member may be lost.

Decision: a bomb is what no log is, a line of ``BOMB_BYTES`` that unpacks to over
``LINE_RATIO`` times its size, or as much in all at over ``TOTAL_RATIO``. One ratio
for both would refuse logs: the same line over and over packs 300:1 in gzip, whose format
ends at 1,032:1, and 11,000:1 in zstd, while memory is bounded whatever the ratio.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress

from fastlog.errors import SourceError
from fastlog.model.chunk import CHUNK_BYTES, LINE_LIMIT
from fastlog.sources.files import HEAD_BYTES, Pace, head_of
from fastlog.sources.packings import Decoder, Decompressor, Packing, packing_of
from fastlog.sources.raw import SMALL_READ, Raw, begin
from fastlog.sources.stream import Cut, RangeCutter

BOMB_BYTES = 64 << 20
LINE_RATIO = 100
TOTAL_RATIO = 20_000

_STEP = 64 * 1024
_OUT_BYTES = 256 * 1024


class _DamagedError(Exception):
    """A decompressor could not make sense of what it was given."""


def read_packed(raw: Raw, pace: Pace, *, begun: int = 0, told: int = 0) -> Iterator[Cut]:
    """The blocks of what ``raw`` unpacks to, cut where those of the plain log would be.

    ``begun`` is the offset, unpacked, up to which another has given them out, who read ``told`` bytes of
    ``raw`` for that: as much is unpacked again and passed over. Raises SourceError with what is wrong, and
    OSError, after the last block that could be had.
    """
    cutter = RangeCutter(lambda start: pace.length(start, CHUNK_BYTES), begun)
    failure: Exception | None = None
    behind = begun
    try:
        for unpacked in unpack(raw):
            piece = unpacked[behind:]
            if 0 < behind <= len(unpacked):
                cutter.go_on(unpacked[:behind])
            behind = max(0, behind - len(unpacked))
            for start, lines in cutter.feed(piece):
                yield Cut(start, lines, raw.offset - told, cutter.stop)
                told = raw.offset
        if behind:
            raise SourceError(f"{raw.name}: unpacks to less than was counted of it: get a whole copy")
    except (SourceError, OSError) as error:
        failure = error
    for start, lines in cutter.rest():
        yield Cut(start, lines, raw.offset - told, cutter.stop)
        told = raw.offset
    if failure is not None:
        raise failure


def unpacked_before(raw: Raw, stop: int) -> bytes:
    """The lines that end before the offset ``stop``, unpacked, back as far as a block may reach."""
    data, offset = b"", 0
    with suppress(SourceError, OSError):  # met again, and told, when it is read on
        for piece in unpack(raw):
            data = (data + piece[: max(0, stop - offset)])[-CHUNK_BYTES - LINE_LIMIT :]
            offset += len(piece)
            if offset >= stop:
                break
    return data if stop <= len(data) else data[data.find(b"\n") + 1 :]


def packed_head(raw: Raw) -> bytes:
    """The first lines of what ``raw`` unpacks to (``files.head_of``), or of as much as can be unpacked."""
    data = b""
    with suppress(SourceError, OSError):  # met again, and told, when it is read
        for piece in unpack(raw):
            data += piece
            if len(data) >= HEAD_BYTES:
                break
    return head_of(data)


def unpack(raw: Raw) -> Iterator[bytes]:
    """What ``raw`` unpacks to, member by member. Raises SourceError and OSError after the last good byte."""
    packing = packing_of(begin(raw))
    guard = _Guard(raw)
    while packing is not None:
        for piece in _member(raw, packing):
            guard.check(piece)
            yield piece
        packing = _next_member(raw, packing)


def _member(raw: Raw, packing: Packing) -> Iterator[bytes]:
    """What one member unpacks to. Raises SourceError and OSError after the last good byte."""
    make, damage = _decoder(raw, packing)
    given, read_at, step = 0, raw.offset, SMALL_READ

    def grow() -> int:
        nonlocal read_at, step
        read_at, now = raw.offset, step
        step = min(2 * step, _STEP)
        return now

    decoder = make()
    raw.mark()
    try:
        for piece in _pieces(raw, decoder, damage, grow):
            given += len(piece)
            yield piece
    except EOFError:
        raise SourceError(
            f"{raw.name}: ends in the middle of its {packing.name} data, at byte {raw.offset}: "
            "what could be unpacked is counted; get a whole copy"
        ) from None
    except _DamagedError as error:
        if raw.rewind():
            yield from _salvage(raw, (make, damage), read_at, given)
        raise SourceError(_damage(raw, packing, str(error))) from error
    raw.put_back(decoder.unused_data)


def _salvage(raw: Raw, decoder: Decoder, read_at: int, given: int) -> Iterator[bytes]:
    """What a member gives after its first ``given`` bytes, up to damage in what was read at ``read_at``."""
    make, damage = decoder
    try:
        for piece in _pieces(raw, make(), damage, lambda: min(_STEP, max(1, read_at - raw.offset))):
            if len(piece) > given:
                yield piece[given:]
            given = max(0, given - len(piece))
    except (_DamagedError, EOFError):  # EOFError: somebody cut it meanwhile
        return


def _pieces(
    raw: Raw, decoder: Decompressor, damage: type[Exception], step: Callable[[], int]
) -> Iterator[bytes]:
    """What a decompressor makes of ``raw``. Raises _DamagedError, EOFError where ``raw`` ends, OSError."""
    while not decoder.eof:
        wanted = decoder.needs_input
        data = raw.read(step()) if wanted else b""
        try:
            piece = decoder.decompress(data, _OUT_BYTES)
        except damage as error:
            raise _DamagedError(str(error)) from error
        if piece:
            yield piece
        elif wanted and not data:
            raise EOFError


def _next_member(raw: Raw, packing: Packing) -> Packing | None:
    """How what follows a member is packed; None at the end. Zeros between members are padding."""
    while True:
        data = raw.read(SMALL_READ)
        if not data:
            return None
        data = data.lstrip(b"\0")
        if data:
            break
    raw.put_back(data)
    following = packing_of(begin(raw))
    if following is None:
        raise SourceError(
            f"{raw.name}: what follows its {packing.name} data from byte {raw.offset} on is not packed: "
            "it is ignored; get a whole copy if lines are missing"
        )
    return following


def _decoder(raw: Raw, packing: Packing) -> Decoder:
    try:
        return packing.decoder()
    except ImportError as error:
        raise SourceError(
            f"{raw.name}: is {packing.name}, and reading that needs {packing.needs}: install it, "
            f"or use {packing.unpack} and read standard input"
        ) from error


def _damage(raw: Raw, packing: Packing, said: str) -> str:
    if "memory" in said.lower():
        return (
            f"{raw.name}: its {packing.name} data need a window of more than 128 MiB: "
            f"use {packing.unpack} and read standard input"
        )
    return (
        f"{raw.name}: its {packing.name} data are damaged near byte {raw.offset}: "
        "what stands before is counted; get a whole copy"
    )


class _Guard:
    """Watches how much comes out of how little. Raises SourceError for a bomb."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.total = self.line = self.line_from = 0

    def check(self, piece: bytes) -> None:
        self.total += len(piece)
        newline = piece.rfind(b"\n")
        if newline >= 0:
            self.line, self.line_from = len(piece) - newline - 1, self.raw.offset
        else:
            self.line += len(piece)
        if self.line > BOMB_BYTES and self.line > LINE_RATIO * (self.raw.offset - self.line_from + _STEP):
            self._refuse(f"one line of it unpacks to over {LINE_RATIO} times its size")
        if self.total > BOMB_BYTES and self.total > TOTAL_RATIO * self.raw.offset:
            self._refuse(f"it unpacks to over {TOTAL_RATIO:,} times its size")

    def _refuse(self, why: str) -> None:
        raise SourceError(
            f"{self.raw.name}: given up at byte {self.raw.offset}: {why}, which no log does; "
            "what came before is counted; look at what it is"
        )
