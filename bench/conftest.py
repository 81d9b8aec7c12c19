"""What the benchmarks share: chunks of a seeded log, and where ratios are shown."""

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from bench.corpus import RATES, START, Corpus, LogFormat, Shape
from fastlog.formats.compile import compile_format
from fastlog.model.chunk import CHUNK_BYTES
from fastlog.model.partial import Partial
from fastlog.model.plan import Plan
from fastlog.parsers.regex import RegexParser

Chunks = Callable[[LogFormat, Shape, float], list[bytes]]
Partials = Callable[[Shape, bool], list[Partial]]

_CHUNKS = 8
_RATIOS = pytest.StashKey[list[str]]()


def plan(*, cells: bool) -> Plan:
    """A replay's plan, as the command makes it with and without ``--stats``."""
    return Plan(
        follow=False,
        lateness=60,
        horizon=START + 10**9,
        cells=cells,
        rejects=False,
        stats_window=10,
        stats_every=10,
        alert_window=120,
        threshold=10.0,
    )


@cache
def _chunks(log_format: LogFormat, shape: Shape, odd: float) -> list[bytes]:
    corpus = Corpus(rate=RATES[shape], format=log_format, lines=1 << 30, odd=odd)
    return list(_cut(corpus.blocks()))


def _cut(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The first whole lines, in chunks as long as those that a worker gets."""
    rest = b""
    for _ in range(_CHUNKS):
        while len(rest) <= CHUNK_BYTES:
            rest += next(blocks)
        end = rest.rindex(b"\n", 0, CHUNK_BYTES) + 1
        yield rest[:end]
        rest = rest[end:]


@cache
def _partials(shape: Shape, cells: bool) -> list[Partial]:
    parser = RegexParser(compile_format("common"), plan(cells=cells))
    return [parser.fold([(0, chunk)], None) for chunk in _chunks("common", shape, 0.0)]


@pytest.fixture(scope="session")
def chunks() -> Chunks:
    """``chunks(format, shape, odd)``: eight chunks of a log."""
    return _chunks


@pytest.fixture(scope="session")
def partials() -> Partials:
    """``partials(shape, cells)``: what those of a CLF log fold to. Not to be changed."""
    return _partials


@pytest.fixture
def ratio(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """``ratio(text)``: a line to show beneath the table."""
    return request.config.stash.setdefault(_RATIOS, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the ratios: they are of runs in turn, which the table's rows are not."""
    lines = config.stash.get(_RATIOS, [])
    if lines:
        terminalreporter.section("fold beside a bare findall, in turn, median")
        for line in lines:
            terminalreporter.line(line)
