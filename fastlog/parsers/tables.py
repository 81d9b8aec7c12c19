"""Hits by section, by method and by status: of a chunk, and of each of its panes.

Two ways, one result. Panes of many lines repeat their requests: each is counted by
request, and what is distinct is taken apart in Python. Panes of a few lines do not:
there sections and methods become numbers, all lines at once, and are counted as such.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, chain, compress, pairwise
from typing import TYPE_CHECKING, TypeVar

from fastlog.model.partial import LOW_BITS, Partial
from fastlog.parsers.cells import NO_CELL

if TYPE_CHECKING:
    from fastlog.parsers.columns import Columns

_FEW = 64
"""In panes of fewer lines most requests are met once."""
_LOW = (1 << LOW_BITS) - 1

Key = TypeVar("Key")
Pane = tuple[int, int]
"""Its segment and its start, in epoch seconds."""
Hits = Mapping[int, int]
"""Hits by number, in order of first appearance."""


class Numbers(dict[bytes, int]):
    """Keys and their numbers, by first appearance: looking a key up numbers it."""

    def __missing__(self, key: bytes) -> int:
        number = self[key] = len(self)
        return number


class _Names(dict[bytes, tuple[int, int]]):
    """The numbers of the section and of the method of a request: looking one up numbers them."""

    def __init__(self) -> None:
        super().__init__()
        self.sections, self.methods = Numbers(), Numbers()

    def __missing__(self, request: bytes) -> tuple[int, int]:
        method, section = request.split(b" ", 1)
        pair = self[request] = self.sections[section], self.methods[method]
        return pair


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
    names = _Names()
    if spans and len(lines.requests) < _FEW * len(spans):
        sections, methods = _by_line(partial, names, columns.requests, spans, kept)
    else:
        sections, methods = _by_request(partial, names, columns.requests, lines.requests, spans)
    statuses = [Counter(lines.statuses[start:stop]) for start, stop in spans]
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
    of_panes = [_durations(lines.cells[start:stop]) for start, stop in spans]
    partial.pane_durations, partial.duration_cells, partial.duration_cell_hits = _packed(of_panes)


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
    names: _Names,
    requests: list[bytes],
    kept: list[bytes],
    spans: Sequence[tuple[int, int]],
) -> tuple[list[Hits], list[Hits]]:
    """Fill the totals of sections and methods, and give those of each pane. ``kept`` are the requests
    of the panes."""
    if not spans or kept is not requests:  # what is in no pane is numbered with the others
        _fill_totals(partial, names, *_split(names, Counter(requests)))
    tables = [_split(names, Counter(kept[start:stop])) for start, stop in spans]
    of_sections, of_methods = [sections for sections, _ in tables], [methods for _, methods in tables]
    if spans and kept is requests:
        _fill_totals(partial, names, _sums(of_sections), _sums(of_methods))
    return of_sections, of_methods


def _by_line(
    partial: Partial,
    names: _Names,
    requests: list[bytes],
    spans: Sequence[tuple[int, int]],
    kept: Sequence[bool] | None,
) -> tuple[list[Hits], list[Hits]]:
    """As ``_by_request``; ``kept`` says which lines are in the panes."""
    distinct = Numbers()
    numbers = list(map(distinct.__getitem__, requests))
    _fill_totals(partial, names, *_split(names, dict(zip(distinct, Counter(numbers).values(), strict=True))))
    pairs = list(map(names.__getitem__, distinct))
    if kept is not None:
        numbers = list(compress(numbers, kept))
    sections = list(map([section for section, _ in pairs].__getitem__, numbers))
    methods = list(map([method for _, method in pairs].__getitem__, numbers))
    return (
        [Counter(sections[start:stop]) for start, stop in spans],
        [Counter(methods[start:stop]) for start, stop in spans],
    )


def _sums(tables: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    """All tables as one."""
    total: dict[Key, int] = {}
    for table in tables:
        for key, hits in table.items():
            total[key] = total.get(key, 0) + hits
    return total


def _split(names: _Names, requests: Mapping[bytes, int]) -> tuple[Hits, Hits]:
    """Hits by section and by method, of hits by request."""
    sections: dict[int, int] = {}
    methods: dict[int, int] = {}
    for request, hits in requests.items():
        section, method = names[request]
        sections[section] = sections.get(section, 0) + hits
        methods[method] = methods.get(method, 0) + hits
    return sections, methods


def _fill_totals(partial: Partial, names: _Names, sections: Hits, methods: Hits) -> None:
    """The tables of the chunk, which has numbered the names."""
    partial.sections, partial.section_hits = list(names.sections), array("q", sections.values())
    partial.methods, partial.method_hits = list(names.methods), array("q", methods.values())


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


def _packed(tables: Sequence[Hits]) -> tuple["array[int]", "array[int]", "array[int]"]:
    """The lengths of tables, and their numbers and hits one after the other."""
    return (
        array("q", map(len, tables)),
        array("q", list(chain.from_iterable(tables))),
        array("q", list(chain.from_iterable(table.values() for table in tables))),
    )
