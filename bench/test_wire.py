"""Partials to frames and back: what each chunk costs between a worker and the hub."""

from typing import TYPE_CHECKING

import pytest

from bench.conftest import Partials
from bench.corpus import Shape
from fastlog.executors.wire import frame, pack_partial, unpack_partial
from fastlog.model.partial import Partial

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

pytestmark = [
    pytest.mark.parametrize("cells", [False, True], ids=["totals", "cells"]),
    pytest.mark.parametrize("shape", ["dense", "sparse"]),
]


def test_pack(benchmark: "BenchmarkFixture", partials: Partials, shape: Shape, cells: bool) -> None:
    todo = partials(shape, cells)

    def pack() -> int:
        return sum(sum(map(len, frame(*pack_partial(partial)))) for partial in todo)

    benchmark.group = "wire, partials of 8 MiB"
    size = benchmark(pack)
    assert size > sum(len(column) for partial in todo for column in (partial.seconds, partial.hits)) * 8
    benchmark.extra_info["bytes"] = size


def test_unpack(benchmark: "BenchmarkFixture", partials: Partials, shape: Shape, cells: bool) -> None:
    packed = [pack_partial(partial) for partial in partials(shape, cells)]

    def unpack() -> list[Partial]:
        return [unpack_partial(header, payload) for header, payload in packed]

    assert unpack() == partials(shape, cells)
    benchmark.group = "wire, partials of 8 MiB"
    benchmark(unpack)
