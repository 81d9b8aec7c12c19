"""The merger: partials in order become events. It is one process, whatever the number of workers."""

from typing import TYPE_CHECKING

import pytest

from bench.conftest import Partials, plan
from bench.corpus import Shape
from fastlog.merger import Merger
from fastlog.model.events import Event, Summary
from fastlog.model.partial import Partial

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture


def merge(todo: list[Partial], cells: bool) -> list[Event]:
    """All events of a log of these partials."""
    merger = Merger(plan(cells=cells))
    merger.open(0, "access.log")
    events = [event for partial in todo for event in merger.commit(0, partial)]
    events += merger.close(0)
    events += merger.finish()
    return [*events, merger.summary(complete=True)]


@pytest.mark.parametrize("cells", [False, True], ids=["totals", "cells"])
@pytest.mark.parametrize("shape", ["dense", "sparse"])
def test_merge(benchmark: "BenchmarkFixture", partials: Partials, shape: Shape, cells: bool) -> None:
    todo = partials(shape, cells)
    summary = merge(todo, cells)[-1]
    assert isinstance(summary, Summary)
    assert summary.hits == sum(partial.parsed for partial in todo)
    assert summary.late == summary.future == 0
    benchmark.group = "merge, partials of 8 MiB"
    benchmark(merge, todo, cells)
