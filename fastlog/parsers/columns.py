"""The hits of a chunk as columns, and how they are counted without a step of Python a line.

What is counted is counted in C: runs of lines of one second (see ``parsers.runs``), ``Counter``,
``sum``; statuses and sizes become integers in one call of orjson.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from itertools import accumulate, chain, compress, repeat
from operator import mod, not_, sub
from typing import TYPE_CHECKING, NamedTuple

from fastlog.model.partial import Partial
from fastlog.model.plan import JUMP_SECONDS, Plan
from fastlog.model.sketch import cell_of
from fastlog.parsers.cells import NO_CELL
from fastlog.parsers.hits import Details, Hit
from fastlog.parsers.integers import integers_between_commas
from fastlog.parsers.runs import merged_runs
from fastlog.parsers.segments import cut_segments, in_order
from fastlog.parsers.tables import Pane, count_pairs, count_tables

if TYPE_CHECKING:  # a run without rules loads nothing of them
    from fastlog.parsers.measure import RuleFold

_LEAST_STATUS = 100
_SIZE_END = 10**18
_STRIDE = 32


class Columns(NamedTuple):
    """The hits of a chunk, in the order of its lines.

    ``details`` is empty where no rule asks for them. ``cells`` are those of the durations in a
    sketch, NO_CELL where a line has none; empty where no line has one.
    """

    stamps: list[bytes]
    requests: list[bytes]
    statuses: list[int]
    sizes: list[int]
    details: list[Details]
    cells: list[int]

    def append(self, hit: Hit, *, detailed: bool, timed: bool) -> None:
        """One more line, with its details and the cell of its duration where they are asked for."""
        self.stamps.append(hit.stamp)
        self.requests.append(hit.request)
        self.statuses.append(int(hit.status))
        self.sizes.append(0 if hit.size == b"-" else int(hit.size))
        if detailed:
            self.details.append(hit[4:])
        if timed:
            self.cells.append(NO_CELL if hit.duration is None else cell_of(hit.duration))

    def extend(self, lines: "Columns", start: int, stop: int | None = None) -> None:
        """The lines of others from ``start`` to ``stop``."""
        self.stamps.extend(lines.stamps[start:stop])
        self.requests.extend(lines.requests[start:stop])
        self.statuses.extend(lines.statuses[start:stop])
        self.sizes.extend(lines.sizes[start:stop])
        self.details.extend(lines.details[start:stop])
        self.cells.extend(lines.cells[start:stop])

    def kept(self, which: Sequence[bool]) -> "Columns":
        """The lines for which ``which`` is true."""
        return Columns(
            list(compress(self.stamps, which)),
            list(compress(self.requests, which)),
            list(compress(self.statuses, which)),
            list(compress(self.sizes, which)),
            list(compress(self.details, which)),
            list(compress(self.cells, which)),
        )


def count_hits(
    columns: Columns,
    seconds: list[int],
    lengths: list[int],
    partial: Partial,
    plan: Plan,
    horizon: int | None,
    rules: "RuleFold | None" = None,
) -> None:
    """Count the hits into ``partial``; ``seconds``, of which no neighbours are equal, stand for ``lengths``
    lines each.

    ``rules`` are those of the plan, where it has some.
    """
    partial.total_bytes = sum(columns.sizes)
    kept: list[bool] | None = None
    if horizon is not None and max(seconds) > horizon:
        runs_kept = [second <= horizon for second in seconds]
        partial.future = sum(compress(lengths, map(not_, runs_kept)))
        kept = list(chain.from_iterable(map(repeat, runs_kept, lengths)))
        seconds, lengths = merged_runs(list(compress(seconds, runs_kept)), list(compress(lengths, runs_kept)))
    segment_of_run = _fill_rows(partial, seconds, lengths, plan.lateness)
    panes, in_pane = panes_of(segment_of_run, seconds, lengths, plan.pane) if plan.cells else ([], [])
    count_tables(partial, columns, panes, in_pane, kept)
    if plan.pairs:
        count_pairs(partial, columns)
    if rules is not None:
        if kept is not None:
            columns = columns.kept(kept)
        runs = list(zip(segment_of_run, seconds, strict=True))
        places = list(chain.from_iterable(map(repeat, runs, lengths)))
        lines = places, columns.requests, columns.statuses, columns.sizes, columns.details, columns.cells
        partial.measured = rules.measure(lines)


def integers(texts: list[bytes]) -> list[int]:
    """Statuses or sizes as integers; ``-`` is 0."""
    digits = b",".join(texts).replace(b"-", b"0")
    try:
        return integers_between_commas(digits)
    except ValueError:  # a leading zero is no JSON
        return list(map(int, digits.split(b",")))


def responses(texts: list[bytes], end: bytes) -> tuple[list[int], list[int]] | None:
    """The statuses and sizes of texts of three bytes, a space, more, and the last byte of ``end``, which is
    nowhere else in them; None where some text is not three digits, a space, 1 to 18 digits or ``-``, and
    ``end``, or has a number with a zero in front. (Of fewer digits a space may be among the three bytes.)"""
    joined = b"".join(texts)
    if b"-" in joined:
        joined = joined.replace(b" -", b" 0")
    if not joined.endswith(end):
        return None
    # Each space is a comma, and no number is empty: a text has two or more of them, and where it has a
    # space too many it has more. So there are two a text only where there are two in each.
    try:
        numbers = integers_between_commas(joined.translate(_to_commas(end))[: -len(end)])
    except ValueError:
        return None
    statuses, sizes = numbers[::2], numbers[1::2]
    if len(numbers) != 2 * len(texts) or min(statuses) < _LEAST_STATUS or max(sizes) >= _SIZE_END:
        return None
    return statuses, sizes


@cache
def _to_commas(end: bytes) -> bytes:
    """What makes JSON of texts that end so: the spaces are commas, all but these and digits is no JSON.

    Formats end them in two ways, so two are kept.
    """
    table = bytearray(byte if byte in b"0123456789" else 0 for byte in range(256))
    table[end[-1]] = b" "[0]
    table[end[0]] = table[b" "[0]] = b","[0]
    return bytes(table)


def _fill_rows(partial: Partial, seconds: list[int], lengths: list[int], lateness: int) -> Sequence[int]:
    """Rows and segments of the runs, of which no neighbours are equal; the segment of each run. A log in
    order takes the short way."""
    if not seconds:
        return []
    if seconds == sorted(seconds) and _without_leap(seconds):
        in_order(partial, seconds, lengths)
        return bytes(len(seconds))
    return cut_segments(partial, zip(seconds, lengths, strict=True), lateness)


def _without_leap(seconds: list[int]) -> bool:
    """Whether no rising second is further ahead of the one before than is believed at once."""
    for picked in (seconds[::_STRIDE] + seconds[-1:], seconds):  # few steps tell of most logs
        if max(map(sub, picked[1:], picked), default=0) <= JUMP_SECONDS:
            return True
    return False


def panes_of(
    segment_of_run: Sequence[int], seconds: list[int], lengths: list[int], size: int
) -> tuple[list[Pane], list[int]]:
    """Each stretch of runs in one pane, and its lines. In seconds that only rise panes are looked up."""
    starts = range(seconds[0] // size * size, seconds[-1] + 1, size) if seconds else range(0)
    if any(segment_of_run) or len(starts) > len(seconds) or seconds != sorted(seconds):
        start_of_run = map(sub, seconds, map(mod, seconds, repeat(size)))
        return merged_runs(list(zip(segment_of_run, start_of_run, strict=True)), lengths)
    first_runs = [*map(bisect_left, repeat(seconds), starts), len(seconds)]
    first_lines = list(map(list(accumulate(lengths, initial=0)).__getitem__, first_runs))
    lines = list(map(sub, first_lines[1:], first_lines))
    return list(compress(zip(repeat(0), starts), lines)), list(filter(None, lines))
