"""Hits by section, by method and by status: of a chunk, and of each of its panes.

Two ways, one result. Panes of many lines repeat their requests: each is counted by
request, and what is distinct is taken apart in Python. Panes of a few lines do not:
there sections and methods become numbers, all lines at once, and are counted as such.
"""

from array import array
from collections import Counter, _count_elements  # type: ignore[attr-defined]
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, chain, compress, count, islice, pairwise
from typing import TYPE_CHECKING, TypeVar

from fastlog.model.partial import LOW_BITS, Partial
from fastlog.parsers.cells import NO_CELL
from fastlog.parsers.integers import column

if TYPE_CHECKING:
    from fastlog.parsers.columns import Columns

_FEW = 64
"""In panes of fewer lines most requests are met once."""
_LOW = (1 << LOW_BITS) - 1

Key = TypeVar("Key")
Pane = tuple[int, int]
"""Its segment and its start, in epoch seconds."""
Hits = dict[int, int]
"""Hits by number, in order of first appearance."""
Packed = tuple["array[int]", "array[int]", "array[int]"]
"""The lengths of the tables of panes, and their numbers and hits one after the other."""


class Numbers(dict[bytes, int]):
    """Keys and their numbers, by first appearance: looking a key up numbers it."""

    def __missing__(self, key: bytes) -> int:
        number = self[key] = len(self)
        return number


class _Requests(dict[bytes, tuple[bytes, bytes]]):
    """The section and the method of requests: looking one up takes it apart. Equal names are one object,
    whose hash is known. At most BOUND requests are remembered, and so many that come to BYTES."""

    BOUND = 1 << 13
    BYTES = 1 << 23

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[bytes, bytes] = {}
        self._bytes = 0

    def __missing__(self, request: bytes) -> tuple[bytes, bytes]:
        if len(self) >= self.BOUND or self._bytes > self.BYTES:
            self.clear()
            self._names.clear()
            self._bytes = 0
        self._bytes += len(request)
        method, section = request.split(b" ", 1)
        name = self._names.setdefault
        found = self[request] = name(section, section), name(method, method)
        return found


_requests = _Requests()


def count_tables(
    partial: Partial,
    columns: "Columns",
    panes: Sequence[Pane],
    lengths: Sequence[int],
    kept: Sequence[bool] | None,
) -> None:
    """Count all lines into the tables of the chunk, and those that ``kept`` is true for (all, where it
    is None) into those of the panes, which have ``lengths`` lines each."""
    spans = list(pairwise(accumulate(lengths, initial=0)))
    lines = columns if kept is None else columns.kept(kept)
    if spans and len(lines.requests) < _FEW * len(spans):
        sections, methods = _by_line(partial, columns.requests, lengths, kept)
    else:
        sections, methods = _by_request(partial, columns.requests, lines.requests, spans)
    statuses = _tables(lines.statuses, lengths)
    all_statuses = _sums(statuses) if spans and kept is None else Counter(columns.statuses)
    partial.statuses = array("q", all_statuses)
    partial.status_hits = array("q", all_statuses.values())
    durations = _durations(columns.cells)
    partial.durations, partial.duration_hits = array("q", durations), array("q", durations.values())
    if not spans:
        return
    _fill_panes(partial, panes, lengths, [sum(lines.sizes[start:stop]) for start, stop in spans])
    partial.pane_sections, partial.section_cells, partial.section_cell_hits = _packed(sections)
    partial.pane_methods, partial.method_cells, partial.method_cell_hits = _packed(methods)
    partial.pane_statuses, partial.status_cells, partial.status_cell_hits = _packed(statuses)
    of_panes = _tables(lines.cells, lengths) if lines.cells else [{}] * len(panes)
    for table in of_panes if NO_CELL in lines.cells else ():
        table.pop(NO_CELL, None)
    partial.pane_durations, partial.duration_cells, partial.duration_cell_hits = _packed(of_panes)


def _tables(numbers: Iterable[int], lengths: Iterable[int]) -> list[Hits]:
    """Hits by number, of each of the panes.

    Decision: ``_count_elements``, the loop that fills a Counter, is called for itself. It has been in
    ``collections`` of all of Python 3, and to set a Counter up takes as long as to count twenty lines.
    """
    found = iter(numbers)
    tables: list[Hits] = []
    for lines in lengths:
        table: Hits = {}
        _count_elements(table, islice(found, lines))
        tables.append(table)
    return tables


def _durations(cells: Sequence[int]) -> dict[int, int]:
    """Hits by cell, in order of first appearance, less those that have no duration."""
    return {cell: hits for cell, hits in Counter(cells).items() if cell != NO_CELL}


def count_pairs(partial: Partial, columns: "Columns") -> None:
    """Count hits by (section, status); the tables of the chunk are there."""
    number = {section: number for number, section in enumerate(partial.sections)}
    pairs: dict[tuple[int, int], int] = {}
    for (request, status), hits in Counter(zip(columns.requests, columns.statuses, strict=True)).items():
        pair = number[request.split(b" ", 1)[1]], status
        pairs[pair] = pairs.get(pair, 0) + hits
    partial.pair_sections = array("q", [section for section, _ in pairs])
    partial.pair_statuses = array("q", [status for _, status in pairs])
    partial.pair_hits = array("q", pairs.values())


def _by_request(
    partial: Partial,
    requests: list[bytes],
    kept: list[bytes],
    spans: Sequence[tuple[int, int]],
) -> tuple[list[Hits], list[Hits]]:
    """Fill the totals of sections and methods, and give those of each pane. ``kept`` are the requests
    of the panes."""
    tables = [_split(Counter(kept[start:stop])) for start, stop in spans]
    of_sections, of_methods = [sections for sections, _ in tables], [methods for _, methods in tables]
    if spans and kept is requests:
        sections, methods = _fill_totals(partial, _sums(of_sections), _sums(of_methods))
    else:  # what is in no pane counts too
        sections, methods = _fill_totals(partial, *_split(Counter(requests)))
    return [_numbered(table, sections) for table in of_sections], [
        _numbered(table, methods) for table in of_methods
    ]


def _by_line(
    partial: Partial,
    requests: list[bytes],
    lengths: Sequence[int],
    kept: Sequence[bool] | None,
) -> tuple[list[Hits], list[Hits]]:
    """As ``_by_request``; ``kept`` says which lines are in the panes."""
    distinct = Numbers()
    numbers = list(map(distinct.__getitem__, requests))
    counted = dict(zip(distinct, Counter(numbers).values(), strict=True))
    of_section, of_method = _fill_totals(partial, *_split(counted))
    names = list(map(_requests.__getitem__, distinct))
    if kept is not None:
        numbers = list(compress(numbers, kept))
    sections = [of_section[section] for section, _ in names]
    methods = [of_method[method] for _, method in names]
    return (
        _tables(map(sections.__getitem__, numbers), lengths),
        _tables(map(methods.__getitem__, numbers), lengths),
    )


def _sums(tables: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    """All tables as one."""
    total: dict[Key, int] = {}
    for table in tables:
        for key, hits in table.items():
            total[key] = total.get(key, 0) + hits
    return total


def _split(requests: Mapping[bytes, int]) -> tuple[dict[bytes, int], dict[bytes, int]]:
    """Hits by section and by method, of hits by request."""
    sections: dict[bytes, int] = {}
    methods: dict[bytes, int] = {}
    names = map(_requests.__getitem__, requests)
    for (section, method), hits in zip(names, requests.values(), strict=True):
        sections[section] = sections.get(section, 0) + hits
        methods[method] = methods.get(method, 0) + hits
    return sections, methods


def _numbered(names: Mapping[bytes, int], numbers: Mapping[bytes, int]) -> Hits:
    """Hits by number, of hits by name."""
    return dict(zip(map(numbers.__getitem__, names), names.values(), strict=True))


def _fill_totals(
    partial: Partial, sections: dict[bytes, int], methods: dict[bytes, int]
) -> tuple[dict[bytes, int], dict[bytes, int]]:
    """The tables of the chunk; the numbers of its sections, and of its methods."""
    partial.sections, partial.section_hits = list(sections), array("q", sections.values())
    partial.methods, partial.method_hits = list(methods), array("q", methods.values())
    return dict(zip(sections, count())), dict(zip(methods, count()))


def _fill_panes(
    partial: Partial, panes: Sequence[Pane], lengths: Sequence[int], totals: Sequence[int]
) -> None:
    """What is one number of each pane; ``totals`` are their sums of bytes."""
    partial.segment_panes = array("q", bytes(8 * len(partial.segment_rows)))
    for segment, number in Counter(segment for segment, _ in panes).items():
        partial.segment_panes[segment] = number
    partial.pane_starts = array("q", [start for _, start in panes])
    partial.pane_hits = array("q", lengths)
    partial.pane_bytes = array("q", [total & _LOW for total in totals])
    partial.pane_bytes_high = array("q", [total >> LOW_BITS for total in totals])


def _packed(tables: Sequence[Hits]) -> Packed:
    """The tables one after the other."""
    numbers = list(chain.from_iterable(tables))
    hits = list(chain.from_iterable(map(dict.values, tables)))
    return array("q", map(len, tables)), column(numbers), column(hits)
