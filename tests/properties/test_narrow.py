"""Columns on their way between the processes: whatever they hold comes out again, by either twin."""

import importlib
import importlib.util
import sys
from array import array
from types import ModuleType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastlog.errors import WireError
from fastlog.executors.wire import pack_partial, unpack_partial
from fastlog.model import narrow
from fastlog.model.measured import Entry, Measured, Packed
from fastlog.model.partial import Partial


def in_python() -> ModuleType:
    """The module as it is where nothing is compiled."""
    real, known = narrow.find_spec, sys.modules.pop("fastlog.model.narrow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        made = importlib.import_module("fastlog.model.narrow")
    sys.modules["fastlog.model.narrow"] = known
    assert narrow.find_spec is real
    return made


PYTHON = in_python()
columns = st.one_of(
    st.lists(st.integers(-5, 300)),
    st.lists(st.integers(1_525_881_600, 1_525_981_600)),
    st.lists(st.integers(0, 1 << 33)),
    st.lists(st.integers(-(1 << 63), (1 << 63) - 1)),
    st.lists(st.just(7)),
)


@pytest.mark.skipif(importlib.util.find_spec("fastlog.model.native") is None, reason="not built here")
def test_the_compiled_twins_are_taken_where_they_are_built() -> None:
    native = importlib.import_module("fastlog.model.native")
    assert (narrow.narrowed, narrow.widened) == (native.narrowed, native.widened)
    assert PYTHON.narrowed is not native.narrowed


@given(columns)
@example([1 << 62, -(1 << 63)])
@example([7, 3, 300])
def test_what_is_narrowed_is_widened(values: list[int]) -> None:
    column = array("q", values)
    for one, other in ((narrow, PYTHON), (PYTHON, narrow)):
        width, least, data = one.narrowed(column)
        assert (width, least, data) == other.narrowed(column)
        assert other.widened(width, least, len(column), data) == column
    assert len(data) <= 8 * len(column)


@pytest.mark.parametrize("twin", [narrow, PYTHON])
@pytest.mark.parametrize(
    ("width", "count", "data"), [(1, 2, b"a"), (3, 1, b"abc"), (0, 1, b"a"), (8, 1, b"")]
)
def test_a_column_that_does_not_fill_its_bytes(twin: ModuleType, width: int, count: int, data: bytes) -> None:
    with pytest.raises(ValueError, match="does not fill"):
        twin.widened(width, 0, count, data)


def entry(second: int, key: bytes, hits: int, size: int, cells: list[int]) -> Entry:
    return Entry(0, 0, second, key, hits, hits, size, array("q", cells), array("q", [1] * len(cells)))


entries = st.builds(
    entry,
    st.integers(-(1 << 40), 1 << 40),
    st.binary(max_size=20),
    st.integers(0, 1 << 62),
    st.integers(0, 1 << 124),
    st.lists(st.integers(0, 2_000), max_size=3, unique=True).map(sorted),
)


@given(st.lists(entries, max_size=8))
def test_what_was_measured_comes_out_of_a_frame(found: list[Entry]) -> None:
    entries = Measured.of(found)
    partial = Partial(lines=3, sections=[b"/a"], rejects=[(5, "format", b"no line")], measured=entries)
    partial.section_hits = array("q", [3])
    assert unpack_partial(*pack_partial(partial)) == partial


@pytest.mark.parametrize("column", [[1, 3, 0], [1, -1, 0], [1 << 40, 1, 0]])
def test_a_frame_whose_columns_are_none(column: list[int]) -> None:
    found = Measured.of([Entry(0, 0, 0, b"", 1, 1, 0, array("q"), array("q"))])
    header, payload = pack_partial(Partial(measured=found))
    header["measured"][4] = column
    with pytest.raises(WireError):
        unpack_partial(header, payload)


@given(st.lists(entries, min_size=1, max_size=8))
def test_what_is_packed_is_the_same_as_before(found: list[Entry]) -> None:
    before = Measured.of(found)
    packed = Packed(before.narrow(), before.key_text)
    assert len(packed) == len(before) == len(found)
    assert packed == before
    assert list(packed.entries()) == list(before.entries())
    assert packed.followed_by(before, 1) == before.followed_by(packed, 1)
    with pytest.raises(AttributeError):
        packed.nothing  # noqa: B018
