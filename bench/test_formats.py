"""What a line of each format costs: the fold of the catalogue's examples, stamps and targets varied."""

import re
from typing import TYPE_CHECKING

import pytest

from bench.conftest import plan
from fastlog.formats.catalog import CATALOG, SPELLINGS
from fastlog.formats.compile import compile_format
from fastlog.parsers.select import make_parser, parser_name

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

EXAMPLES = {name: entry.example for name, entry in CATALOG.items()} | SPELLINGS
BYTES = 8 << 20


def log_of(example: str) -> bytes:
    """A log of lines like ``example``, ten to a second, of a thousand sections."""
    lines: list[str] = []
    size = 0
    while size < BYTES:
        number = len(lines)
        line = re.sub(r"(?<=\d):\d\d([. \]Z+\t\"-])", rf":{number // 10 % 60:02d}\1", example, count=1)
        line = re.sub(r"(?<=[A-Z/] |\"/)/|(?<=com)/", f"/s{number * 7919 % 1000}/", line, count=1)
        lines.append(line)
        size += len(line) + 1
    return "\n".join(lines).encode() + b"\n"


@pytest.mark.parametrize("parser", dict.fromkeys(["regex", parser_name("auto")]))
@pytest.mark.parametrize("cells", [False, True], ids=["totals", "cells"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_format(benchmark: "BenchmarkFixture", name: str, cells: bool, parser: str) -> None:
    data = log_of(EXAMPLES[name])
    folds = make_parser(parser, compile_format(name), plan(cells=cells))
    partial = benchmark(lambda: folds.fold([(0, data)], None))
    assert partial.parsed == data.count(b"\n")
    benchmark.extra_info["lines"] = partial.lines
    benchmark.extra_info["bytes"] = len(data)
