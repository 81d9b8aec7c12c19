"""The compiled parser gives the partial that the regex parser gives, for any bytes cut anywhere."""

import os
import re
from array import array
from copy import copy
from importlib.util import find_spec

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastlog.errors import UsageError
from fastlog.formats.compile import compile_format
from fastlog.model.partial import Partial
from fastlog.model.plan import Plan
from fastlog.parsers.regex import RegexParser
from fastlog.parsers.select import parser_name
from tests.properties.strategies import FORMATS, Format, formats, line, logs, mutated, random_log

HORIZON = 1_525_890_000
REJECTED = b"no line of a log\n" * 3
"""As many as are shown of a chunk."""
native = pytest.mark.skipif(find_spec("fastlog.parsers.native") is None, reason="not built here")


def plan(*, lateness: int = 5, cells: bool = True, step: int = 5) -> Plan:
    return Plan(
        follow=False, lateness=lateness, horizon=HORIZON, cells=cells, rejects=True, stats_window=10,
        stats_every=step, alert_window=7, threshold=0.3, pairs=cells,
    )  # fmt: skip


def blocks(data: bytes, cuts: list[int]) -> list[tuple[int, bytes]]:
    """The lines of ``data`` in blocks that end with the first line after each cut."""
    ends = sorted({data.find(b"\n", cut) + 1 or len(data) for cut in cuts} | {len(data)})
    starts = [0, *ends]
    return [(start, data[start:end]) for start, end in zip(starts, ends, strict=False) if start < end]


def canonical(partial: Partial) -> Partial:
    """With the statuses and the cells of durations in their order, which has no meaning."""
    hits = dict(sorted(zip(partial.statuses, partial.status_hits, strict=True)))
    durations = dict(sorted(zip(partial.durations, partial.duration_hits, strict=True)))
    ordered = copy(partial)
    ordered.statuses, ordered.status_hits = array("q", hits), array("q", hits.values())
    ordered.durations, ordered.duration_hits = array("q", durations), array("q", durations.values())
    return ordered


def assert_alike(
    format: str, chosen: Plan, data: bytes, cuts: list[int], horizon: int | None = HORIZON
) -> None:
    from fastlog.parsers.native import NativeParser

    compiled = compile_format(format)
    for every in (True, False):  # rejected lines: all are shown, or the first are and the others counted
        shown = chosen._replace(rejects=every)
        parser, regex = NativeParser(compiled, shown), RegexParser(compiled, shown)
        other = data if every else REJECTED + data
        # The segments of the regex parser begin anew with each block: it gets the whole.
        wanted = {log: canonical(regex.fold([(0, log)], horizon)) for log in {data, other}}
        for log in (data, data, other):  # a chunk teaches nothing that counts
            assert canonical(parser.fold(blocks(log, cuts), horizon)) == wanted[log]


def test_the_parser_in_use_is_the_one_that_was_built() -> None:
    """``FASTLOG_NATIVE`` says what an installation was made to be, where it says anything."""
    wanted = {"1": "native", "0": "regex"}.get(os.environ.get("FASTLOG_NATIVE", ""), parser_name("auto"))
    assert parser_name("auto") == wanted


@pytest.mark.skipif(find_spec("fastlog.parsers.native") is not None, reason="built here")
def test_a_parser_that_was_not_built_is_refused() -> None:
    with pytest.raises(UsageError, match="--parser is 'native': it is not built"):
        parser_name("native")


@native
@settings(max_examples=110, deadline=None)
@given(data=st.data(), format=formats, lateness=st.sampled_from((0, 1, 5, 60, 5000)), cells=st.booleans())
def test_native_is_regex_on_hostile_logs(
    data: st.DataObject, format: Format, lateness: int, *, cells: bool
) -> None:
    log = data.draw(logs(format))
    cuts = data.draw(st.lists(st.integers(0, len(log)), max_size=3))
    assert_alike(format, plan(lateness=lateness, cells=cells), log, cuts)


@native
@settings(max_examples=110, deadline=None)
@given(data=st.data(), format=formats, end=st.sampled_from((b"", b"\n", b"\r\n")))
def test_native_is_regex_on_mutated_lines(data: st.DataObject, format: Format, end: bytes) -> None:
    lines = data.draw(st.lists(mutated(format), min_size=1, max_size=6))
    assert_alike(
        format, plan(), b"\n".join(lines) + end, data.draw(st.lists(st.integers(0, 200), max_size=2))
    )


def tabbed(log: bytes) -> bytes:
    """The log with tabs for the spaces between fields."""
    log = re.sub(rb"\t([+-]\d{4}\])", rb" \1", log.replace(b" ", b"\t"))
    return re.sub(rb'"([A-Z]+)\t([^"\t\n]*)\t', rb'"\1 \2 ', log)


@native
@settings(max_examples=110, deadline=None)
@given(data=st.data(), format=formats, end=st.sampled_from((b"", b"\n", b"\r\n")))
def test_native_is_regex_between_tabs(data: st.DataObject, format: Format, end: bytes) -> None:
    lines = data.draw(st.lists(mutated(format), min_size=1, max_size=6))
    assert_alike(f"{format}_tab", plan(), tabbed(b"\n".join(lines)) + end, [100])


@native
@pytest.mark.parametrize("format", FORMATS)
def test_native_is_regex_between_tabs_on_hostile_logs(format: Format) -> None:
    for seed in range(40, 48):
        assert_alike(f"{format}_tab", plan(), tabbed(random_log(seed, format=format)), [3000])
    assert_alike(f"{format}_tab", plan(), tabbed(b"\n".join(HARD)), [])


@native
@pytest.mark.parametrize("format", FORMATS)
def test_native_is_regex_at_every_boundary(format: Format) -> None:
    log = random_log(7, format=format)[:2500]
    for cut in range(0, len(log), 7):
        assert_alike(format, plan(), log, [cut])


HEAD = b"192.0.2.1 - - [09/May/2018:16:00:00 +0000] "
REQUESTS = [
    b"", b"-", b"GET", b"GET ", b"GET  /a/b", b'GET /a"b HTTP/1.1', b"\\\\", b'a\\"b /x', b'GET /\\" 200 5 ',
    b"GET http://h/a/b HTTP/1.1", b"GET http:///a", b"GET h:443", b"OPTIONS *", b"GET //x", b"GET /a?/b",
    b"A" * 32 + b" /a", b"A" * 33 + b" /a", b"PROPFIND /dav/x", b"LONGEST /x", b"M-SEARCH /", b"G3T /x",
    b"GET /" + b"s" * 14 + b"/x", b"GET /" + b"s" * 15 + b"/x", b"GET /" + b"s" * 16 + b" x",
    b"GET /" + b"s" * 300 + b"?x", b"GET /" + b"s" * 102_200, b"GET /" + b"s" * 103_000,
]  # fmt: skip
AGENTS = [
    rb'"-" "a\"b"', rb'"a" - "b" "c"', rb'- "-"', rb'"" ""', rb'"a"b" "c"d" x', rb'"-" "cut', rb'"-"  "-"',
    rb'"-" "-" "further" fields', rb'"-" "\\"', rb'"\\" "\"',
]  # fmt: skip
STAMPS = [
    b"09/may/2018:16:00:60 -0130", b"29/Feb/2000:16:00:00 +0000", b"29/Feb/1900:16:00:00 +0000",
    b"31/Dec/0001:23:59:59 +2359", b"01/Jan/0000:00:00:00 +0000", b"01/Jan/0001:00:00:00 +2359",
    b"31/Dec/9999:23:59:59 -2359", b"31/Apr/2018:16:00:00 +0000", b"09/May/2018:24:00:00 +0000",
    b"09/May/2018:16:00:00 +2400", b"9/May/2018:16:00:00 +0000", b"09/May/2018:16:00:00  0000",
]  # fmt: skip
BRACKETED = [
    b"09/May/2018:16:00:00 ]0000", b"[9/May/2018:16:00:00 +0000", b"9/May/2018:16:00:00 +0000]", b"[" * 26,
]  # fmt: skip
ANSWERS = [
    b"2x0 1", b"999 1234567", b"200 -", b"200 999999999999999999", b"200 0000000000000000001", b"20 1",
    b"200  1", b"200 1\r", b"200 12 34", b"200 123456789", b"200 -1", b"200 1x",
]  # fmt: skip
USERS = [b"- a b", b"-  ", b" - -", b"- [1] [", b"-"]
HARD = [
    *(HEAD + b'"' + request + b'" 200 5 "-" "curl"' for request in REQUESTS),
    *(HEAD + b'"GET /a" 200 5 ' + agents for agents in AGENTS),
    *(b"h - - [" + stamp + b'] "GET /a" 200 5 "-" "-"' for stamp in STAMPS),
    *(HEAD + b'"GET /a" ' + answer for answer in ANSWERS),
    *(HEAD.replace(b"- -", user) + b'"GET /a" 200 5 "-" "-"' for user in USERS),
    b"\0" * 60 + b'"GET /a" 200 5 "-" "-"',
    HEAD + b'"' + b'\\"' * 20_000 + b'" 200 x' * 5_000 + b'" 200 5 "-" "-"',
    *(b"h - - [" + text + b'] "GET /a" 200 5 "-" "-"' for text in BRACKETED),
    b"", b" \t", b'"', b'"""', b"x" * 102_400, b"x" * 102_401,
]  # fmt: skip


@native
@settings(max_examples=60, deadline=None)
@example(lines=HARD)
@given(lines=st.lists(st.sampled_from([*HARD, line(1_525_881_600, format="combined")[:-1]]), max_size=12))
def test_native_is_regex_on_what_is_hard(lines: list[bytes]) -> None:
    log = b"\n".join(lines)
    for name in FORMATS:
        assert_alike(name, plan(), log, [len(log) // 2])


@native
@pytest.mark.parametrize(
    "text",
    [
        b"", b" \t\r", b"\0" * 60, b"#Fields: date", b"x" * 102_401, HEAD[:30], HEAD + b'"GET /',
        HEAD + b'"GET /a" 20', HEAD + b'"GET /a" 200 x "-" "-"', HEAD + b'"GET /a" 200 5 "-" "cut',
        HEAD + b'"GET /a" 200 5 "-" "cut\\"', HEAD.replace(b"- -", b"- a [b] c") + b'"GET /a" 200 5 "" ""',
        *(b"h - - [" + stamp + b'] "GET /a" 200 5 "-" "-"' for stamp in STAMPS[:10]),
        b'h - - [] "GET /a" 200 5 "-" "-"', b'h - - [2018-05-09T16:00:00+00:00] "GET /a" 200 5 "-" "-"',
        b'h - - [31/Apr/2018:16:00:00 +0000] "GET /a" 200 5 "-" "-"b',
    ],
)  # fmt: skip
def test_an_odd_line_of_which_only_the_reason_counts_is_not_read_by_the_regex(text: bytes) -> None:
    from fastlog.parsers.native import NativeParser

    parser = NativeParser(compile_format("combined"), plan()._replace(rejects=False))
    parser.fold([(0, REJECTED + text + b"\n")], HORIZON)
    assert parser.odd == REJECTED.count(b"\n")


@native
def test_more_keys_than_a_table_remembers_are_all_counted() -> None:
    text = b'h - - [09/May/2018:16:00:00 +0000] "GET /%d" 200 1\n'
    log = b"".join(text % number for number in range(70_000))
    assert_alike("common", plan(cells=False), log, [])


@native
@pytest.mark.parametrize("method", [b"A", b"ABCDEFG", b"ABCDEFGH"])
def test_more_methods_than_are_remembered_by_their_word(method: bytes) -> None:
    text = b'h - - [09/May/2018:16:00:00 +0000] "%b%b /" 200 1\n'
    log = b"".join(text % (method[: 7 - number % 7], b"_" * (number % 7)) for number in range(200))
    assert_alike("common", plan(), log, [])


@native
def test_a_run_in_the_future_is_in_no_window() -> None:
    log = b"".join(line(second) for second in (HORIZON, HORIZON + 1, HORIZON + 1, HORIZON, HORIZON - 3))
    assert_alike("common", plan(), log, [])


@native
@pytest.mark.parametrize("every", [False, True])
def test_a_reject_is_named_once_where_another_stamp_is_not_what_it_seemed(*, every: bool) -> None:
    """Found by tests/fuzz: the brackets in the stamp had the first rejects gathered twice."""
    log = b'3 1 1 \\ [02/Oct/2018:18:03:28 ]0000] "P /" 500 6\n"\n'
    chosen = plan()._replace(rejects=every)
    assert_alike("vhost_common", chosen, log, [])
    folded = RegexParser(compile_format("vhost_common"), chosen).fold([(0, log)], HORIZON)
    assert [offset for offset, _, _ in folded.rejects] == [0, 49]
