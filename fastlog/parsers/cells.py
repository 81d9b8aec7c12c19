"""The cells of a sketch for the durations of a chunk, with as little Python a line as can be."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastlog.model.sketch import cell_of

_KEPT = 1 << 14


class Cells(dict[Any, int | None]):
    """The cell of each text (or tuple of texts, or number) that a log has for a duration; None where it is none.

    ``read`` gives the microseconds of one. At most _KEPT are remembered.
    """

    def __init__(self, read: Callable[[Any], int | None]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, value: Any) -> int | None:
        if len(self) >= _KEPT:
            self.clear()
        duration = self._read(value)
        cell = self[value] = None if duration is None else cell_of(duration)
        return cell

    def of(self, columns: Sequence[Iterable[Any]]) -> list[int | None]:
        """The cells of lines whose durations stand in one column, or in several that are summed."""
        return list(map(self.__getitem__, columns[0] if len(columns) == 1 else zip(*columns, strict=True)))
