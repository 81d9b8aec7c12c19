"""Latency in the statistics: every parser and either twin of the windows within 1 % of a recount."""

from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlog.formats.compile import compile_format
from fastlog.merger import Merger
from fastlog.model.chunk import Block
from fastlog.model.plan import Plan
from fastlog.model.sketch import LONGEST, RELATIVE_ERROR, cell_of
from fastlog.parsers.select import make_parser
from fastlog.sinks.ndjson import NdjsonRenderer
from fastlog.worker import Worker
from tests.properties.strategies import line
from tests.properties.test_native import canonical
from tests.reference import COMMON_US, replay

START = 1_525_881_640
WALL = START + 10_000
TWINS = [("regex", False)] + ([("native", True)] if find_spec("fastlog.parsers.native") else [])

durations = st.one_of(
    st.integers(0, 300).map(lambda micros: b"%d" % micros),
    st.integers(0, 10**7).map(lambda micros: b"%d" % micros),
    st.sampled_from(
        (
            b"-",
            b"-1",
            b"+5",
            b"0",
            b"007",
            b"12.75",
            b"1." + b"9" * 18,
            b"%d" % (LONGEST - 9),
            b"x",
            b"1.",
            b"--1",
        )
    ),
)
lines = st.tuples(st.integers(0, 70), durations, st.sampled_from((b"", b" more", b"\r")))


def written(rows: list[tuple[int, bytes, bytes]]) -> bytes:
    """A log in order, but for some seconds."""
    return b"".join(
        line(START + second).removesuffix(b"\n") + b" " + micros + end + b"\n"
        for second, micros, end in sorted(rows, key=lambda row: row[0] // 20)
    )


def plan(window: int, step: int, lateness: int, *, compiled: bool) -> Plan:
    return Plan(
        follow=False, lateness=lateness, horizon=WALL + 600, cells=True, rejects=False, stats_window=window,
        stats_every=step, alert_window=120, threshold=10, compiled=compiled,
    )  # fmt: skip


def said(chosen: Plan, parser: Any, pieces: list[bytes]) -> list[dict[str, Any]]:
    worker = Worker(chosen, parser, [])
    merger = Merger(chosen)
    merger.open(0, "log", timed=True)
    events = [
        event for piece in pieces for event in merger.commit(0, worker.fold(Block(0, 0, piece), COMMON_US)[0])
    ]
    events += [*merger.close(0), *merger.finish(), merger.summary(complete=True)]
    return [orjson.loads(text) for text in b"".join(map(NdjsonRenderer().render, events)).splitlines()]


@pytest.mark.parametrize(("parser", "compiled"), TWINS)
@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(lines, max_size=40),
    window=st.integers(1, 30),
    step=st.integers(1, 30),
    lateness=st.sampled_from((0, 5, 60)),
    data=st.data(),
)
def test_the_latency_is_that_of_a_recount(
    parser: str, compiled: bool, rows: list[Any], window: int, step: int, lateness: int, data: st.DataObject
) -> None:
    log, step = written(rows), min(step, window)
    wanted = replay(
        log, format=COMMON_US, wall=WALL, stats_window=window, stats_every=step, lateness=lateness
    )
    ends = [at + 1 for at, byte in enumerate(log) if byte == 0x0A]
    cuts = sorted(data.draw(st.lists(st.sampled_from(ends), unique=True, max_size=3))) if ends else []
    pieces = [log[start:stop] for start, stop in pairwise([0, *cuts, len(log)])]
    got = said(plan(window, step, lateness, compiled=compiled), parser, pieces)
    assert got == said(plan(window, step, lateness, compiled=compiled), parser, [log])
    for event, exact in zip(got, wanted, strict=True):
        latency, exactly = event.pop("latency_us"), exact.pop("latency_us")
        assert event == exact
        assert list(latency) == ["p50", "p95", "p99"]
        for name, micros in exactly.items():
            if micros is None:
                assert latency[name] is None
            else:
                assert abs(latency[name] - micros) <= RELATIVE_ERROR * micros


UNITS = (
    '%h %l %u %t "%r" %>s %b %D',
    '%h %l %u %t "%r" %>s %b "%{ms}T"',
    '$remote_addr [$time_local] "$request" $status $request_time $body_bytes_sent',
    '$remote_addr [$time_local] "$request" $status "$request_time"',
)
PARTS = st.one_of(
    st.from_regex(rb" {0,2}[0-9]{1,18}(\.[0-9]{1,18})?", fullmatch=True), durations, st.just(b"-")
)


@pytest.mark.skipif(find_spec("fastlog.parsers.native") is None, reason="not built")
@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(UNITS), parts=st.lists(PARTS, min_size=1, max_size=6))
def test_native_is_regex_for_durations_in_every_unit(name: str, parts: list[bytes]) -> None:
    before, part, after = {
        UNITS[0]: (b'192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 23 ', b"", b""),
        UNITS[1]: (b'192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 23 "', b"", b'"'),
        UNITS[2]: (b'192.0.2.7 [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 ', b"", b" 5"),
        UNITS[3]: (b'192.0.2.7 [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 "', b"", b'"'),
    }[name]
    log = b"".join(before + part + text + after + b"\n" for text in parts)
    chosen = plan(10, 5, 60, compiled=False)
    native, regex = (
        make_parser(parser, compile_format(name), chosen).fold([(0, log)], None)
        for parser in ("native", "regex")
    )
    assert canonical(native) == canonical(regex)


@pytest.mark.parametrize(
    ("name", "text", "micros"),
    [
        ("ltsv", b"time:10/Oct/2000:13:55:36 -0700\treq:GET /a HTTP/1.0\tstatus:200\treqtime:0.25", 250_000),
        (
            "ltsv",
            b"time:10/Oct/2000:13:55:36 -0700\treq:GET /a HTTP/1.0\tstatus:200\treqtime_microsec:25",
            25,
        ),
        ("json:t=time,r=request,d=duration_ms", b'{"t":1525881640,"r":"GET /a HTTP/1.1","d":1.5}', 1500),
        ("json:t=time,r=request,d=duration_ms", b'{"t":1525881640,"r":"GET /a HTTP/1.1","d":"x"}', None),
        ("json:t=time,r=request,d=duration_s", b'{"t":1525881640,"r":"GET /a HTTP/1.1","d":"2"}', 2_000_000),
        ("json:t=time,r=request,d=duration_s", b'{"t":1525881640,"r":"GET /a HTTP/1.1"}', None),
    ],
)
def test_labels_and_keys_tell_the_duration(name: str, text: bytes, micros: int | None) -> None:
    partial = make_parser("regex", compile_format(name), plan(10, 10, 60, compiled=False)).fold(
        [(0, (text + b"\n") * 3)], None
    )
    cells, hits = ([cell_of(micros)], [3]) if micros is not None else ([], [])
    assert (list(partial.durations), list(partial.duration_hits)) == (cells, hits)
    assert (list(partial.duration_cells), list(partial.duration_cell_hits)) == (cells, hits)
    assert list(partial.pane_durations) == [len(cells)]
