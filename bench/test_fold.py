"""The fold of both parsers, beside a bare ``re.findall`` over the same bytes.

The bare one finds time, section, status and size and counts nothing: it is what the
standard library's regex costs. The goal of the regex parser is 0.6 of its rate.
"""

import re
from collections.abc import Callable
from statistics import median
from time import process_time
from typing import TYPE_CHECKING

import pytest

from bench.conftest import Chunks, plan
from bench.corpus import LogFormat, Shape
from fastlog.formats.compile import compile_format
from fastlog.parsers.select import Parser, make_parser, parser_name

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

TURNS = 5
PARSERS = ["regex", "native"] if parser_name("auto") == "native" else ["regex"]

find = re.compile(rb'\[([^\]]+)\] "[A-Z]+ (/[^/? "]*)[^"]*" (\d+) (\d+|-)').findall


def bare(data: list[bytes]) -> int:
    """How many hits a bare regex finds."""
    return sum(len(find(chunk)) for chunk in data)


def fold(parser: Parser, data: list[bytes]) -> tuple[int, int]:
    """How many lines and hits the parser counts."""
    done = [parser.fold([(0, chunk)], None) for chunk in data]
    return sum(partial.lines for partial in done), sum(partial.parsed for partial in done)


def seconds(work: Callable[[], object]) -> float:
    """How much CPU time it takes, once."""
    begin = process_time()
    work()
    return process_time() - begin


@pytest.mark.parametrize("shape", ["dense", "sparse"])
@pytest.mark.parametrize("log_format", ["common", "combined"])
def test_bare(benchmark: "BenchmarkFixture", chunks: Chunks, log_format: LogFormat, shape: Shape) -> None:
    data = chunks(log_format, shape, 0.0)
    assert bare(data) == b"".join(data).count(b"\n")
    benchmark.group = f"8 MiB, {log_format} {shape}"
    benchmark(bare, data)


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("cells", [False, True], ids=["totals", "cells"])
@pytest.mark.parametrize("shape", ["dense", "sparse"])
@pytest.mark.parametrize("log_format", ["common", "combined"])
def test_fold(
    benchmark: "BenchmarkFixture",
    chunks: Chunks,
    ratio: Callable[[str], None],
    log_format: LogFormat,
    shape: Shape,
    cells: bool,
    name: str,
) -> None:
    data = chunks(log_format, shape, 0.0)
    parser = make_parser(name, compile_format(log_format), plan(cells=cells))
    lines, parsed = fold(parser, data)
    assert lines == parsed == bare(data)
    benchmark.group = f"8 MiB, {log_format} {shape}"
    benchmark(fold, parser, data)

    def fresh() -> tuple[int, int]:  # a log names each second once: one that was read before knows them all
        return fold(make_parser(name, compile_format(log_format), plan(cells=cells)), data)

    turns = [(seconds(lambda: bare(data)), seconds(fresh)) for _ in range(TURNS)]
    of_bare, of_fold = (median(column) for column in zip(*turns, strict=True))
    title = f"{name}, {log_format} {shape}{', cells' * cells}"
    ratio(
        f"{title:32} bare {lines / of_bare / 1e6:5.2f}  fold {lines / of_fold / 1e6:5.2f} M lines/s"
        f"  ratio {of_bare / of_fold:4.2f}"
    )


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("cells", [False, True], ids=["totals", "cells"])
def test_odd(benchmark: "BenchmarkFixture", chunks: Chunks, cells: bool, name: str) -> None:
    """One line in twenty is hostile: most of those are looked at one by one."""
    data = chunks("common", "dense", 0.05)
    parser = make_parser(name, compile_format("common"), plan(cells=cells))
    lines, parsed = fold(parser, data)
    assert lines == b"".join(data).count(b"\n")
    assert 0.95 * lines < parsed < lines
    benchmark.group = "8 MiB, common dense, 5 % odd"
    benchmark(fold, parser, data)
