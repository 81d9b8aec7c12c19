"""The hits of a chunk as columns, and how they are counted without a step of Python a line.

What is counted is counted in C: ``Counter``, ``compress`` to the ends of runs of
equal stamps, ``sum``; the sizes become integers in one call of orjson.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, compress, count, groupby, islice, repeat
from operator import eq, itemgetter, ne, not_, sub
from typing import TYPE_CHECKING, NamedTuple

import orjson

from fastlog.model.partial import LOW_BITS, Partial
from fastlog.model.plan import JUMP_SECONDS, Plan
from fastlog.model.sketch import cell_of
from fastlog.parsers.hits import Details, Hit
from fastlog.parsers.segments import cut_segments, in_order

if TYPE_CHECKING:  # a run without rules loads nothing of them
    from fastlog.parsers.measure import RuleFold

_FEW_STATUSES = 24
_LOW = (1 << LOW_BITS) - 1


class Columns(NamedTuple):
    """The hits of a chunk, in the order of its lines.

    ``details`` is empty where no rule asks for them. ``cells`` are those of the durations in a
    sketch, None where a line has none; empty where no line has one.
    """

    stamps: list[bytes]
    requests: list[bytes]
    statuses: list[bytes]
    sizes: list[bytes]
    details: list[Details]
    cells: list[int | None]

    def append(self, hit: Hit, *, detailed: bool, timed: bool) -> None:
        """One more line, with its details and the cell of its duration where they are asked for."""
        self.stamps.append(hit.stamp)
        self.requests.append(hit.request)
        self.statuses.append(hit.status)
        self.sizes.append(hit.size)
        if detailed:
            self.details.append(hit[4:])
        if timed:
            self.cells.append(None if hit.duration is None else cell_of(hit.duration))

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
    known: set[bytes],
    rules: "RuleFold | None" = None,
) -> None:
    """Count the hits into ``partial``; ``seconds`` stand for ``lengths`` lines each.

    ``rules`` are those of the plan, where it has some. ``known`` are the statuses seen
    before; it is no more than a hint, and grows.
    """
    sizes = _integers(columns.sizes)
    partial.total_bytes = sum(sizes)
    _count_totals(columns, partial, known)
    if plan.pairs:
        _count_pairs(columns, partial)
    if horizon is not None and max(seconds) > horizon:
        kept = [second <= horizon for second in seconds]
        partial.future = sum(compress(lengths, map(not_, kept)))
        if plan.cells or rules is not None:
            of_line = list(chain.from_iterable(map(repeat, kept, lengths)))
            columns = columns.kept(of_line)
            sizes = list(compress(sizes, of_line))
        seconds, lengths = list(compress(seconds, kept)), list(compress(lengths, kept))
    segment_of_run = _fill_rows(partial, seconds, lengths, plan.lateness)
    if plan.cells:
        _fill_panes(partial, _panes(segment_of_run, seconds, lengths, plan.pane), columns, sizes)
    if rules is not None:
        runs = list(zip(segment_of_run, seconds, strict=True))
        places = list(chain.from_iterable(map(repeat, runs, lengths)))
        lines = places, columns.requests, columns.statuses, sizes, columns.details, columns.cells
        partial.measured = rules.measure(lines)


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


def merged_runs(seconds: list[int | None], lengths: list[int]) -> tuple[list[int | None], list[int]]:
    """Runs of equal seconds, of runs of stamps: those with fractions differ within a second."""
    if not any(map(eq, seconds, islice(seconds, 1, None))):
        return seconds, lengths
    ends = [*compress(count(1), map(ne, seconds, islice(seconds, 1, None))), len(seconds)]
    starts = [0, *ends[:-1]]
    sums = [0, *accumulate(lengths)]
    return [seconds[start] for start in starts], [
        sums[end] - sums[start] for start, end in zip(starts, ends, strict=True)
    ]


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
    durations = _counted(columns.cells)
    partial.durations, partial.duration_hits = array("q", durations), array("q", durations.values())


def _counted(cells: list[int | None]) -> dict[int, int]:
    """Hits by cell, in order of first appearance, less those that have no duration."""
    return {cell: hits for cell, hits in Counter(cells).items() if cell is not None}


def _count_pairs(columns: Columns, partial: Partial) -> None:
    """Count hits by (section, status)."""
    number = {section: number for number, section in enumerate(partial.sections)}
    pairs: dict[tuple[int, int], int] = {}
    for (request, status), hits in Counter(zip(columns.requests, columns.statuses, strict=True)).items():
        pair = number[request.split(b" ", 1)[1]], int(status)
        pairs[pair] = pairs.get(pair, 0) + hits
    partial.pair_sections = array("q", [section for section, _ in pairs])
    partial.pair_statuses = array("q", [status for _, status in pairs])
    partial.pair_hits = array("q", pairs.values())


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
    """Rows and segments of the runs; the segment of each run. A log in order takes the short way."""
    if not seconds:
        return []
    steps = list(map(sub, seconds[1:], seconds))
    if not steps or (min(steps) > 0 and max(steps) <= JUMP_SECONDS):
        in_order(partial, seconds, lengths)
        return bytes(len(seconds))
    return cut_segments(partial, zip(seconds, lengths, strict=True), lateness)


def _panes(
    segment_of_run: Sequence[int], seconds: list[int], lengths: list[int], size: int
) -> Iterator[tuple[int, int, int]]:
    """(segment, start of the pane in epoch seconds, lines) of each stretch of runs in one pane."""
    runs = zip(segment_of_run, (second - second % size for second in seconds), lengths, strict=True)
    for (segment, pane), stretch in groupby(runs, itemgetter(0, 1)):
        yield segment, pane, sum(run[2] for run in stretch)


def _fill_panes(
    partial: Partial, panes: Iterable[tuple[int, int, int]], columns: Columns, sizes: list[int]
) -> None:
    """The tables of each pane; the columns hold the lines of the panes and no others."""
    section_number = {section: number for number, section in enumerate(partial.sections)}
    method_number = {method: number for number, method in enumerate(partial.methods)}
    partial.segment_panes = array("q", bytes(8 * len(partial.segment_rows)))
    at = 0
    for segment, pane, lines in panes:
        stop = at + lines
        sections: dict[int, int] = {}
        methods: dict[int, int] = {}
        for request, hits in Counter(columns.requests[at:stop]).items():
            method_key, section_key = request.split(b" ", 1)
            section, method = section_number[section_key], method_number[method_key]
            sections[section] = sections.get(section, 0) + hits
            methods[method] = methods.get(method, 0) + hits
        statuses = Counter(map(int, columns.statuses[at:stop]))
        partial.segment_panes[segment] += 1
        partial.pane_starts.append(pane)
        partial.pane_hits.append(lines)
        total = sum(sizes[at:stop])
        partial.pane_bytes.append(total & _LOW)
        partial.pane_bytes_high.append(total >> LOW_BITS)
        partial.pane_sections.append(len(sections))
        partial.section_cells.extend(sections)
        partial.section_cell_hits.extend(sections.values())
        partial.pane_methods.append(len(methods))
        partial.method_cells.extend(methods)
        partial.method_cell_hits.extend(methods.values())
        partial.pane_statuses.append(len(statuses))
        partial.status_cells.extend(statuses)
        partial.status_cell_hits.extend(statuses.values())
        durations = _counted(columns.cells[at:stop])
        partial.pane_durations.append(len(durations))
        partial.duration_cells.extend(durations)
        partial.duration_cell_hits.extend(durations.values())
        at = stop
