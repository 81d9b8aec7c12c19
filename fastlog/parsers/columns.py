"""The hits of a chunk as columns, and how they are counted without a step of Python a line.

What is counted is counted in C: ``Counter``, ``compress`` to the ends of runs of
equal stamps, ``sum``; the sizes become integers in one call of orjson.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, compress, count, islice, repeat
from operator import ne, not_, sub
from typing import NamedTuple

import orjson

from fastlog.model.partial import Partial
from fastlog.model.plan import JUMP_SECONDS, Plan
from fastlog.parsers.segments import cut_segments

_FUTURE = -1
_FEW_STATUSES = 24


class Columns(NamedTuple):
    """The hits of a chunk, in the order of its lines."""

    stamps: list[bytes]
    requests: list[bytes]
    statuses: list[bytes]
    sizes: list[bytes]


def count_hits(
    columns: Columns,
    seconds: list[int],
    lengths: list[int],
    partial: Partial,
    plan: Plan,
    horizon: int | None,
    known: set[bytes],
) -> None:
    """Count the hits into ``partial``; ``seconds`` stand for ``lengths`` lines each.

    ``known`` are the statuses seen before; it is no more than a hint, and grows.
    """
    sizes = _integers(columns.sizes)
    partial.total_bytes = sum(sizes)
    _count_totals(columns, partial, known)
    sums = _sums(sizes, lengths) if plan.cells else None
    kept = None
    if horizon is not None and max(seconds) > horizon:
        kept = [second <= horizon for second in seconds]
        partial.future = sum(compress(lengths, map(not_, kept)))
        seconds = list(compress(seconds, kept))
    believed = lengths if kept is None else list(compress(lengths, kept))
    row_of_run = _fill_rows(partial, seconds, believed, plan.lateness)
    if sums is not None:
        _fill_sums(partial, row_of_run, sums if kept is None else compress(sums, kept))
        if kept is not None:
            row = iter(row_of_run)
            row_of_run = [next(row) if keep else _FUTURE for keep in kept]
        _fill_cells(partial, row_of_run, lengths, columns)


def _integers(sizes: list[bytes]) -> list[int]:
    """The sizes as integers; ``-`` is 0."""
    digits = b",".join(sizes).replace(b"-", b"0")
    try:
        numbers: list[int] = orjson.loads(b"[" + digits + b"]")
    except orjson.JSONDecodeError:  # a leading zero is no JSON
        numbers = list(map(int, digits.split(b",")))
    return numbers


def runs_of(stamps: list[bytes]) -> tuple[list[bytes], list[int]]:
    """The stamps without their repetitions, and how often each stood in a row."""
    if not stamps:
        return [], []
    ends = [*compress(count(1), map(ne, stamps, islice(stamps, 1, None))), len(stamps)]
    return [stamps[end - 1] for end in ends], list(map(sub, ends, chain((0,), ends)))


def _sums(sizes: list[int], lengths: list[int]) -> list[int]:
    """The sum of each run of ``lengths`` sizes."""
    ends = list(accumulate(lengths))
    return [sum(sizes[end - length : end]) for end, length in zip(ends, lengths, strict=True)]


def _count_totals(columns: Columns, partial: Partial, known: set[bytes]) -> None:
    """Count sections, methods and statuses."""
    sections: dict[bytes, int] = {}
    methods: dict[bytes, int] = {}
    for request, hits in Counter(columns.requests).items():
        method, section = request.split(b" ", 1)
        sections[section] = sections.get(section, 0) + hits
        methods[method] = methods.get(method, 0) + hits
    partial.sections, partial.section_hits = list(sections), array("q", sections.values())
    partial.methods, partial.method_hits = list(methods), array("q", methods.values())
    statuses = _count_statuses(columns.statuses, known)
    partial.statuses, partial.status_hits = array("q", map(int, statuses)), array("q", statuses.values())


def _count_statuses(statuses: list[bytes], known: set[bytes]) -> dict[bytes, int]:
    """Hits by status. They are few and alike in length: to search for those that are known
    beats hashing each; ``known`` grows by what it lacked."""
    joined = b" ".join(statuses)
    counts = {status: joined.count(status) for status in known}
    if sum(counts.values()) < len(statuses):
        counts = dict(Counter(statuses))
        known.update(list(counts)[: _FEW_STATUSES - len(known)])
    return {status: hits for status, hits in counts.items() if hits}


def _fill_rows(partial: Partial, seconds: list[int], lengths: list[int], lateness: int) -> Sequence[int]:
    """Rows and segments of the runs; the row of each run. A log in order takes the short way."""
    if not seconds:
        return []
    steps = list(map(sub, seconds[1:], seconds))
    if not steps or (min(steps) > 0 and max(steps) <= JUMP_SECONDS):
        partial.seconds = array("q", seconds)
        partial.hits = array("q", lengths)
        partial.segment_rows.append(len(seconds))
        partial.segment_first.append(seconds[0])
        return range(len(seconds))
    return cut_segments(partial, zip(seconds, lengths, strict=True), lateness)


def _fill_sums(partial: Partial, row_of_run: Sequence[int], sums: Iterable[int]) -> None:
    if isinstance(row_of_run, range):
        partial.row_bytes = list(sums)
        return
    partial.row_bytes = [0] * len(partial.seconds)
    for row, size in zip(row_of_run, sums, strict=True):
        partial.row_bytes[row] += size


def _fill_cells(partial: Partial, row_of_run: Sequence[int], lengths: list[int], columns: Columns) -> None:
    rows = chain.from_iterable(map(repeat, row_of_run, lengths))
    cells = Counter(zip(rows, columns.requests, columns.statuses, strict=True))
    if _FUTURE in row_of_run:
        cells = Counter({cell: hits for cell, hits in cells.items() if cell[0] != _FUTURE})
        if not cells:
            return
    section_number = {section: number for number, section in enumerate(partial.sections)}
    method_number = {method: number for number, method in enumerate(partial.methods)}
    section_of: dict[bytes, int] = {}
    method_of: dict[bytes, int] = {}
    for request in set(columns.requests):
        method, section = request.split(b" ", 1)
        section_of[request], method_of[request] = section_number[section], method_number[method]
    row_column, requests, statuses = zip(*cells, strict=True)
    partial.cell_rows = array("q", row_column)
    partial.cell_sections = array("q", map(section_of.__getitem__, requests))
    partial.cell_methods = array("q", map(method_of.__getitem__, requests))
    partial.cell_statuses = array("q", map(int, statuses))
    partial.cell_hits = array("q", cells.values())
