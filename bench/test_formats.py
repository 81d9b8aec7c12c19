"""What a line of each format costs: the fold of the rows of :mod:`bench.formats`, and with windows."""

from typing import TYPE_CHECKING

import pytest

from bench.conftest import plan
from bench.formats import log_of, rows
from fastlog.formats.compile import compile_format
from fastlog.parsers.select import make_parser, parser_name

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

ROWS = rows()


@pytest.mark.parametrize("parser", dict.fromkeys(["regex", parser_name("auto")]))
@pytest.mark.parametrize("cells", [False, True], ids=["totals", "cells"])
@pytest.mark.parametrize("title", ROWS)
def test_format(benchmark: "BenchmarkFixture", title: str, cells: bool, parser: str) -> None:
    name, example = ROWS[title]
    data = log_of(example)
    folds = make_parser(parser, compile_format(name), plan(cells=cells))
    partial = benchmark(lambda: folds.fold([(0, data)], None))
    assert partial.parsed == data.count(b"\n")
    benchmark.extra_info["lines"] = partial.lines
    benchmark.extra_info["bytes"] = len(data)
