"""Rules by line: what the worker looks at where a cell does not tell all.

A rule that needs the host, the size, the duration or the target is evaluated here, on
each line; what comes out is as small as its keys are few. Rules that cells tell all about
cost nothing here.
"""

from collections.abc import Sequence

from fastlog.model.measured import Entry, Measured
from fastlog.model.rules import PERCENTILES, Rule
from fastlog.model.sketch import Sketch
from fastlog.rulebook.watch import Hit, Watch


class LineRules:
    """The rules of a plan that need lines, by their number in it."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._watches = [
            (number, watch, watch.rule.measure in PERCENTILES)
            for number, watch in enumerate(map(Watch, rules))
            if not watch.by_cell
        ]

    @property
    def needs(self) -> frozenset[str]:
        """The fields of a line that they look at; empty where there is no such rule."""
        return frozenset().union(*(watch.needs for _, watch, _ in self._watches))

    def measure(self, rows: Sequence[int], hits: Sequence[Hit]) -> Measured:
        """The entries of a chunk's hits, in the order of its lines; ``rows`` are those of its partial."""
        sums: dict[tuple[int, int, bytes], list[int]] = {}
        sketches: dict[tuple[int, int, bytes], Sketch] = {}
        for row, hit in zip(rows, hits, strict=True):
            for number, watch, sketched in self._watches:
                place = watch.place(hit)
                if place is None:
                    continue
                key, counts = place
                entry = sums.setdefault((number, row, key), [0, 0, 0])
                entry[0] += counts
                entry[1] += 1
                entry[2] += hit.size
                if sketched and hit.duration is not None:
                    sketches.setdefault((number, row, key), Sketch()).add(hit.duration)
        return _columns(sums, sketches)


def _columns(
    sums: dict[tuple[int, int, bytes], list[int]], sketches: dict[tuple[int, int, bytes], Sketch]
) -> Measured:
    measured = Measured()
    numbers: dict[bytes, int] = {}
    for place, (hits, base, size) in sums.items():
        number = numbers.setdefault(place[2], len(numbers))
        cells, counts = sketches.get(place, _NONE).columns()
        measured.append(Entry(*place, hits, base, size, cells, counts), number)
    measured.key_names = list(numbers)
    return measured


_NONE = Sketch()
