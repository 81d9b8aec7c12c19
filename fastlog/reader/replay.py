"""Replay: the chunks of files and streams, in the order of their time."""

import heapq
import os
from collections.abc import Iterator, Sequence
from itertools import islice

from fastlog.errors import SourceError
from fastlog.formats.detect import detect, sample, undetected
from fastlog.model.chunk import (
    RANGE_BYTES,
    RANGE_GROWTH,
    Block,
    ByteRange,
    Chunk,
    Closed,
    Notice,
    Opened,
    Switched,
)
from fastlog.model.plan import JUMP_SECONDS, Plan
from fastlog.reader.fields import LineClock, fields_below, names_fields, switched
from fastlog.reader.link import AUTO, FALLBACK, Link
from fastlog.reader.reached import Reached
from fastlog.sources.files import OpenSource, Pace, plan_ranges, read_head, unreadable
from fastlog.sources.packed import packed_head, read_packed, unpacked_before
from fastlog.sources.packings import packing_of
from fastlog.sources.raw import RawFile, RawStream, begin
from fastlog.sources.stream import Cut, read_stream

_PEEK_BYTES = 16 * 1024


class _Input:
    """One input of a replay on its way: what was read of a stream to look at its first lines is kept.

    ``blocks`` is None where ranges of the file will do. ``begun`` is the offset of its
    next range where an earlier reader has handed out some.
    """

    def __init__(self, index: int, source: OpenSource, *, begun: int | None = None) -> None:
        self.index, self.source, self.begun = index, source, begun
        self.blocks: Iterator[Cut] | None = None
        self.head = b""
        self.ahead: Cut | None = None
        self.format = FALLBACK
        self.low: int | None = None
        self.error: OSError | SourceError | None = None


def replay_sources(
    sources: Sequence[OpenSource],
    log_format: str,
    plan: Plan,
    link: Link,
    reached: Sequence[Reached] = (),
) -> None:
    """Hand out the chunks of all sources, merged by time. Raises FormatError and Stopped.

    ``reached`` is how far another reader had come, to go on from there.
    """
    alone = len(sources) == 1
    pace = Pace(len(sources))
    if reached:
        inputs = [
            _resumed(index, source, before, pace, link)
            for index, (source, before) in enumerate(zip(sources, reached, strict=True))
            if not before.closed
        ]
    else:
        inputs = [_look_at(index, source, pace, link, prompt=alone) for index, source in enumerate(sources)]
        notice = _choose_formats(inputs, log_format)
        if notice:
            link.emit(notice)
    clock = LineClock(plan)
    if not alone:
        for entry in inputs:
            if entry.begun is None:
                entry.low = next(clock.seconds(entry.format, sample(entry.head)), None)
    if not reached:
        for entry in inputs:
            link.emit(Opened(entry.index, entry.source.name, entry.format, entry.low))
    if alone:
        for entry in inputs:
            _emit_all(entry, pace, link)
    else:
        _emit_by_time(inputs, clock, pace, link)


def _resumed(index: int, source: OpenSource, reached: Reached, pace: Pace, link: Link) -> _Input:
    """An input as it was when the reader before this one died."""
    if reached.stop is None:
        entry = _look_at(index, source, pace, link, prompt=False)
        entry.format, entry.low = reached.format, reached.low
        return entry
    entry = _Input(index, source, begun=reached.stop)
    entry.format, entry.low = reached.format, reached.low
    if source.packed:
        entry.blocks = read_packed(RawFile(source), pace, begun=reached.stop, told=reached.taken)
        if names_fields(entry.format):
            _switch(entry, Block(index, 0, unpacked_before(RawFile(source), reached.stop)), link)
        return entry
    try:  # its last range may have named other fields, with no time left to say so
        start = max(source.origin, reached.stop - RANGE_GROWTH * RANGE_BYTES)
        _switch(entry, ByteRange(index, start, reached.stop), link)
    except OSError as error:
        entry.error = error
    return entry


def _switch(entry: _Input, chunk: Chunk, link: Link) -> None:
    """Tell under which ``#Fields`` stands what follows a chunk, where that is news. Raises OSError."""
    if names_fields(entry.format):
        lines = chunk.data if isinstance(chunk, Block) else fields_below(entry.source.fd, chunk)
        log_format = switched(entry.format, lines)
        if log_format != entry.format:
            entry.format = log_format
            link.emit(Switched(entry.index, log_format))


def _look_at(index: int, source: OpenSource, pace: Pace, link: Link, *, prompt: bool) -> _Input:
    """The first lines of a source.

    Those of a packed file are unpacked once more when its turn comes: until then
    it holds neither block nor window, so a hundred files cost no more than one.
    """
    entry = _Input(index, source)
    try:
        if source.end is None:
            entry.blocks = _stream_blocks(source, pace, link, prompt=prompt)
            entry.ahead = next(entry.blocks, None)
            entry.head = entry.ahead.data if entry.ahead else b""
        elif source.packed:
            entry.blocks = read_packed(RawFile(source), pace)
            entry.head = packed_head(RawFile(source))
        else:
            entry.head = read_head(source)
    except (OSError, SourceError) as error:
        entry.error = error
    return entry


def _stream_blocks(source: OpenSource, pace: Pace, link: Link, *, prompt: bool) -> Iterator[Cut]:
    """The blocks of a stream, packed or not. Raises OSError."""
    raw = RawStream(source, link.wait)
    first = begin(raw)
    if packing_of(first) is not None:
        return read_packed(raw, pace)
    return read_stream(source.fd, link.wait, prompt=prompt, first=first)


def _choose_formats(inputs: Sequence[_Input], log_format: str) -> Notice | None:
    """Settle each input's format; what to say of it. Raises FormatError when none fits."""
    if log_format != AUTO:
        for entry in inputs:
            entry.format = log_format
        return None
    unknown: list[tuple[_Input, bytes]] = []
    found: dict[str, list[_Input]] = {}
    for entry in inputs:
        lines = sample(entry.head)
        fmt = detect(lines)
        if fmt is not None:
            entry.format = fmt.name
            found.setdefault(fmt.name, []).append(entry)
        elif lines:
            unknown.append((entry, lines[0]))
    if unknown and not found:
        raise undetected(unknown[0][0].source.name, unknown[0][1])
    for entry, _ in unknown:
        entry.format = next(iter(found))
        found[entry.format].append(entry)
    if not found:
        return None
    said = "; ".join(f"{name} ({_named(entries)})" for name, entries in found.items())
    return Notice(f"format detected: {said}")


def _named(entries: Sequence[_Input]) -> str:
    first = entries[0].source.name
    return first if len(entries) == 1 else f"{first} and {len(entries) - 1} more"


def _chunks(entry: _Input, pace: Pace, link: Link) -> Iterator[Chunk]:
    """All chunks of one input, and before each what ``#Fields`` it stands under.

    Raises OSError and SourceError.
    """
    for chunk in _pieces(entry, pace):
        yield chunk
        _switch(entry, chunk, link)


def _pieces(entry: _Input, pace: Pace) -> Iterator[Chunk]:
    """All chunks of one input. Raises OSError and SourceError."""
    source = entry.source
    if entry.ahead:
        yield _block(entry, entry.ahead)
        entry.ahead = None
    if entry.error is not None:
        raise entry.error
    if entry.blocks is not None:
        for cut in entry.blocks:
            yield _block(entry, cut)
        return
    assert source.end is not None
    for start, stop in plan_ranges(source.origin, source.end, pace, entry.begun):
        yield ByteRange(entry.index, start, stop)


def _block(entry: _Input, cut: Cut) -> Block:
    return Block(entry.index, cut.start, cut.data, taken=cut.taken, stop=cut.stop)


def _emit_all(entry: _Input, pace: Pace, link: Link) -> None:
    chunks = _chunks(entry, pace, link)
    while (chunk := _next(entry, chunks, link)) is not None:
        link.emit(chunk)
        pace.growing = link.light
    link.emit(Closed(entry.index))


def _next(entry: _Input, chunks: Iterator[Chunk], link: Link) -> Chunk | None:
    """The next chunk of an input; None at its end, also one that it should not have had, which is told."""
    try:
        return next(chunks, None)
    except OSError as error:
        link.emit(Notice(unreadable(entry.source.name, error), degraded=True))
    except SourceError as error:
        link.emit(Notice(str(error), degraded=True))
    return None


def _emit_by_time(inputs: Sequence[_Input], clock: LineClock, pace: Pace, link: Link) -> None:
    """Chunks of all inputs in the order of the time with which they begin.

    The merger relies on it that ``low`` never decreases. An input of unknown time
    goes first, so that the others need not be held for it.
    """
    chunks = {entry.index: _chunks(entry, pace, link) for entry in inputs}
    by_index = {entry.index: entry for entry in inputs}
    turns: list[tuple[float, int, Chunk | None]] = []  # None: not looked for yet

    def queue(entry: _Input, chunk: Chunk | None) -> None:
        heapq.heappush(turns, (-1.0e30 if entry.low is None else entry.low, entry.index, chunk))

    def go_on(entry: _Input) -> None:
        """Queue what follows of an input that has begun, by the time with which that begins."""
        chunk = _next(entry, chunks[entry.index], link)
        if chunk is None:
            pace.begun -= 1
            link.emit(Closed(entry.index))
            return
        seconds = clock.seconds(entry.format, _first_lines(entry.source, chunk))
        entry.low = _raised(entry.low, list(islice(seconds, 2)))
        queue(entry, chunk)

    begun = [entry for entry in inputs if entry.begun is not None]
    pace.begun = len(begun)
    for entry in inputs:
        if entry.begun is None:
            queue(entry, None)
    for entry in begun:  # in its place, as if the reader before had gone on
        go_on(entry)
    while turns:
        _, index, chunk = heapq.heappop(turns)
        entry = by_index[index]
        if chunk is None:
            pace.begun += 1
            chunk = _next(entry, chunks[index], link)
        if chunk is not None:
            link.emit(chunk._replace(low=entry.low))
        go_on(entry)


def _first_lines(source: OpenSource, chunk: Chunk) -> list[bytes]:
    """Some whole lines from the start of a chunk; of a range those after its first newline."""
    if isinstance(chunk, Block):
        data = chunk.data[:_PEEK_BYTES]
        return sample(data if len(data) == len(chunk.data) else data[: data.rfind(b"\n") + 1])
    try:
        data = os.pread(source.fd, min(_PEEK_BYTES, chunk.stop - chunk.start + 1), chunk.start - 1)
    except OSError:  # the worker meets it too, and says so
        return []
    return sample(data[data.find(b"\n") + 1 : data.rfind(b"\n") + 1])


def _raised(low: int | None, first_hits: Sequence[int]) -> int | None:
    """The greatest bound that is safe for a chunk with these first hits, one or two.

    The first hit counts if it is credible, and its successor if it is not; a lone
    one may be a leap that nothing confirms.
    """
    if not first_hits:
        return low
    second = min(first_hits)
    if low is None or (low < second and (len(first_hits) > 1 or second <= low + JUMP_SECONDS)):
        return second
    return low
