"""Cutting the runs of a chunk into segments, in which order has no effect."""

from collections.abc import Iterable, Iterator

from fastlog.model.chunk import CHUNK_BYTES, LINE_LIMIT
from fastlog.model.partial import Partial
from fastlog.model.plan import JUMP_SECONDS
from fastlog.parsers.integers import column


def united(blocks: Iterable[tuple[int, bytes | memoryview]]) -> Iterator[tuple[int, bytes]]:
    """Blocks that follow on each other as one, each with its offset: up to a chunk and its last line.

    A block ends a segment, and files that overlap are merged by segments: so where a chunk was cut to be
    read, which the compiled parser goes on over, must not end one where there are several.
    """
    held: list[bytes] = []
    start = size = 0
    for at, data in blocks:
        if held and (at != start + size or size + len(data) > CHUNK_BYTES + LINE_LIMIT):
            yield start, b"".join(held)
            held, size = [], 0
        if not held:
            start = at
        held.append(bytes(data))  # a view is good until the next is asked for
        size += len(data)
    if held:
        yield start, b"".join(held)


def cut_segments(partial: Partial, runs: Iterable[tuple[int, int]], lateness: int) -> list[int]:
    """Fill the rows and segments of ``partial`` from runs of lines of one second.

    ``runs`` are (second, lines) in the order of the log. Returns the number of the
    segment that each run went to. The rules are those of the module ``partial``.
    """
    seconds, hits = partial.seconds, partial.hits
    segment_of_run = []
    rows: dict[int, int] = {}
    segment = -1
    greatest: int | None = None
    single: int | None = None
    for second, lines in runs:
        if (
            greatest is not None
            and greatest - lateness <= second <= greatest + JUMP_SECONDS
            and (single is None or second >= single)
        ):
            single = None
            greatest = max(greatest, second)
        else:
            segment += 1
            rows = {}
            partial.segment_first.append(second)
            partial.segment_rows.append(0)
            partial.segment_hits.append(0)
            partial.segment_least.append(second)
            partial.segment_greatest.append(second)
            greatest = second
            single = second if lines == 1 else None
        segment_of_run.append(segment)
        partial.segment_hits[segment] += lines
        partial.segment_least[segment] = min(partial.segment_least[segment], second)
        partial.segment_greatest[segment] = greatest
        row = rows.get(second)
        if row is None:
            rows[second] = len(seconds)
            partial.segment_rows[segment] += 1
            seconds.append(second)
            hits.append(lines)
        else:
            hits[row] += lines
    return segment_of_run


def in_order(partial: Partial, seconds: list[int], lines: list[int]) -> None:
    """As ``cut_segments`` for runs whose seconds only rise, by no leap: one segment."""
    partial.seconds = column(seconds)
    partial.hits = column(lines)
    partial.segment_rows.append(len(seconds))
    partial.segment_hits.append(sum(lines))
    partial.segment_first.append(seconds[0])
    partial.segment_least.append(seconds[0])
    partial.segment_greatest.append(seconds[-1])
