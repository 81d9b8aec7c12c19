"""Tables as plain data, so that a run can be taken up again: what both twins of the windows write and read.

Keys of a log are bytes; as latin-1 text each byte is one character, and every one comes back. Sums that
may pass 64 bits are text. The order of keys is kept, since it says which are named.
"""

from collections.abc import Iterable
from typing import Any

from fastlog.model.sketch import Sketch
from fastlog.windows.tables import Tally

State = dict[str, Any]
"""Texts, numbers, booleans, None, and lists and dicts of these: JSON can hold it."""


def tally_state(pairs: Iterable[tuple[bytes, int]], other: int) -> State:
    """A table of ``pairs`` (key, hits) and the hits of the keys that it does not name."""
    return {"counts": {key.decode("latin-1"): hits for key, hits in pairs}, "other": other}


def restore_tally(tally: Tally, state: State) -> None:
    """Fill a new table from ``tally_state``."""
    tally.counts = {key.encode("latin-1"): hits for key, hits in state["counts"].items()}
    tally.other = state["other"]


def sketch_state(sketch: Sketch) -> list[list[int]]:
    """A sketch as pairs of cell and hits, ascending."""
    return [list(pair) for pair in zip(*sketch.columns(), strict=True)]


def restore_sketch(sketch: Sketch, state: list[list[int]]) -> None:
    """Fill a new sketch from ``sketch_state``."""
    sketch.add_cells([cell for cell, _ in state], [hits for _, hits in state])
