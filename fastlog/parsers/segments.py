"""Cutting the runs of a chunk into segments, in which order has no effect."""

from array import array
from collections.abc import Iterable

from fastlog.model.partial import Partial
from fastlog.model.plan import JUMP_SECONDS


def cut_segments(partial: Partial, runs: Iterable[tuple[int, int]], lateness: int) -> "array[int]":
    """Fill the rows and segments of ``partial`` from runs of lines of one second.

    ``runs`` are (second, lines) in the order of the log. Returns the number
    of the row that each run went to. The rules are those of the module ``partial``.
    """
    seconds, hits = partial.seconds, partial.hits
    row_of_run = array("q")
    rows: dict[int, int] = {}
    base = len(seconds)
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
            row = rows.get(second)
            if row is not None:
                hits[row] += lines
                row_of_run.append(row)
                continue
        else:
            if rows:
                partial.segment_rows.append(len(rows))
                rows = {}
            partial.segment_first.append(second)
            greatest = second
            single = second if lines == 1 else None
        rows[second] = base
        row_of_run.append(base)
        base += 1
        seconds.append(second)
        hits.append(lines)
    if rows:
        partial.segment_rows.append(len(rows))
    return row_of_run
