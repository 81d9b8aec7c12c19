"""Partials add up, travel, and do not depend on where a log was cut; the quick patterns only ever agree."""

import re
import socket
from array import array
from collections import Counter
from itertools import accumulate, chain, pairwise, repeat
from operator import ne
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastlog.errors import WireError
from fastlog.executors.wire import (
    PREFIX,
    Channel,
    frame,
    lengths,
    pack_item,
    pack_partial,
    unpack_chunk,
    unpack_item,
    unpack_partial,
)
from fastlog.formats.compile import compile_format
from fastlog.merger import Merger
from fastlog.model.chunk import Block, ByteRange, Closed, Item, Notice, Opened, Tick
from fastlog.model.events import Event, Reject
from fastlog.model.partial import LOW_BITS, REASONS, Partial
from fastlog.model.plan import Plan
from fastlog.model.sketch import CELLS
from fastlog.parsers import tables
from fastlog.parsers.columns import panes_of, responses
from fastlog.parsers.plain import plain_lines
from fastlog.parsers.regex import RegexParser, request_key
from fastlog.parsers.timestamps import Seconds, apache_second
from tests.properties.strategies import FORMATS, Format, formats, line, logs, mutated, seconds, stamp, stamps

HORIZON = 1_525_890_000
WORD = st.integers(-(2**63), 2**63 - 1)
COUNT = st.integers(0, 2**40)
HUGE = st.integers(0, 2**120)


def column(values: list[int]) -> "array[int]":
    return array("q", values)


@st.composite
def partials(draw: st.DrawFn) -> Partial:
    """Any partial that holds together, sums beyond 64 bits and keys of any bytes included."""

    def counted(keys: list[Any]) -> "array[int]":
        return column([draw(COUNT) for _ in keys])

    sections = draw(st.lists(st.binary(max_size=6), unique=True, max_size=4))
    methods = draw(st.lists(st.binary(max_size=6), unique=True, max_size=3))
    statuses = draw(st.lists(st.integers(0, 999), unique=True, max_size=4))
    durations = draw(st.lists(st.integers(0, CELLS - 1), unique=True, max_size=4))
    segments = draw(st.lists(st.integers(1, 3), max_size=3))
    seconds = [draw(WORD) for _ in range(sum(segments))]
    panes = [draw(st.integers(0, 2)) for _ in segments] if draw(st.booleans()) else []
    of_pane = st.lists(st.integers(0, 2), min_size=sum(panes), max_size=sum(panes))
    sections_of, methods_of, statuses_of = draw(of_pane), draw(of_pane), draw(of_pane)
    durations_of = draw(of_pane)
    if not sections:
        sections_of = [0] * sum(panes)
    if not methods:
        methods_of = [0] * sum(panes)

    def cells(counts: list[int], last: int) -> "array[int]":
        return column([draw(st.integers(0, last)) for _ in range(sum(counts))])

    def of_cells(counts: list[int]) -> "array[int]":
        return column([draw(COUNT) for _ in range(sum(counts))])

    return Partial(
        lines=draw(COUNT),
        rejected=[draw(COUNT) for _ in REASONS],
        future=draw(COUNT),
        total_bytes=draw(HUGE),
        sections=sections,
        section_hits=counted(sections),
        methods=methods,
        method_hits=counted(methods),
        statuses=column(statuses),
        status_hits=counted(statuses),
        durations=column(durations),
        duration_hits=counted(durations),
        segment_rows=column(segments),
        segment_panes=column(panes),
        segment_hits=counted(segments),
        segment_first=column([draw(WORD) for _ in segments]),
        segment_least=column([draw(WORD) for _ in segments]),
        segment_greatest=column([draw(WORD) for _ in segments]),
        seconds=column(seconds),
        hits=counted(seconds),
        pane_starts=column([draw(WORD) for _ in range(sum(panes))]),
        pane_hits=counted(sections_of),
        pane_bytes=counted(sections_of),
        pane_bytes_high=counted(sections_of),
        pane_sections=column(sections_of),
        pane_methods=column(methods_of),
        pane_statuses=column(statuses_of),
        pane_durations=column(durations_of),
        section_cells=cells(sections_of, len(sections) - 1),
        section_cell_hits=of_cells(sections_of),
        method_cells=cells(methods_of, len(methods) - 1),
        method_cell_hits=of_cells(methods_of),
        status_cells=cells(statuses_of, 999),
        status_cell_hits=of_cells(statuses_of),
        duration_cells=cells(durations_of, CELLS - 1),
        duration_cell_hits=of_cells(durations_of),
        rejects=draw(
            st.lists(
                st.tuples(st.integers(0, 2**53), st.sampled_from(REASONS), st.binary(max_size=9)), max_size=3
            )
        ),
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(first=partials(), second=partials(), third=partials())
def test_addition_is_associative_and_has_a_unit(first: Partial, second: Partial, third: Partial) -> None:
    assert (first + second) + third == first + (second + third)
    assert Partial() + first == first == first + Partial()


@settings(max_examples=100, deadline=None)
@given(first=partials(), second=partials())
def test_a_sum_keeps_every_cell_under_its_own_keys(first: Partial, second: Partial) -> None:
    def cells(partial: Partial) -> list[tuple[str, bytes | int, int]]:
        return [
            *(
                ("section", partial.sections[key], hits)
                for key, hits in zip(partial.section_cells, partial.section_cell_hits, strict=True)
            ),
            *(
                ("method", partial.methods[key], hits)
                for key, hits in zip(partial.method_cells, partial.method_cell_hits, strict=True)
            ),
            *(
                ("status", key, hits)
                for key, hits in zip(partial.status_cells, partial.status_cell_hits, strict=True)
            ),
            *(
                ("duration", key, hits)
                for key, hits in zip(partial.duration_cells, partial.duration_cell_hits, strict=True)
            ),
        ]

    total = first + second
    assert Counter(cells(total)) == Counter(cells(first) + cells(second))
    assert named(total) == named(first) + named(second)


def named(partial: Partial) -> Counter[Any]:
    """Hits by section, method and status."""
    counts: Counter[Any] = Counter()
    for kind, keys, hits in (
        ("section", partial.sections, partial.section_hits),
        ("method", partial.methods, partial.method_hits),
        ("status", partial.statuses, partial.status_hits),
        ("duration", partial.durations, partial.duration_hits),
    ):
        for key, count in zip(keys, hits, strict=True):
            counts[kind, key] += count
    return counts


class Pieces:
    """One end of a connection on which the bytes come in pieces of any size."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.data = data
        self.sizes = sizes

    def recv_into(self, view: memoryview) -> int:
        size = min(len(view), self.sizes.pop(0) if self.sizes else 1 << 20)
        piece, self.data = self.data[:size], self.data[size:]
        view[: len(piece)] = piece
        return len(piece)


def channel(data: bytes, sizes: list[int]) -> Channel:
    return Channel(cast(socket.socket, Pieces(data, sizes)))


@settings(max_examples=100, deadline=None)
@given(partial=partials(), sizes=st.lists(st.integers(1, 40), max_size=60))
def test_a_partial_comes_out_of_the_wire_as_it_went_in(partial: Partial, sizes: list[int]) -> None:
    sent = b"".join(frame(*pack_partial(partial)))
    end = channel(sent + sent, sizes)
    for _ in range(2):
        received = end.receive()
        assert received is not None
        assert unpack_partial(*received) == partial
    assert end.receive() is None


@settings(max_examples=100, deadline=None)
@given(partial=partials(), data=st.data())
def test_a_frame_that_is_cut_short_is_no_frame(partial: Partial, data: st.DataObject) -> None:
    sent = b"".join(frame(*pack_partial(partial)))
    assert channel(sent[: data.draw(st.integers(0, len(sent) - 1))], []).receive() is None
    header, payload = pack_partial(partial)
    if payload:
        with pytest.raises(WireError):
            unpack_partial(header, payload[: data.draw(st.integers(0, len(payload) - 1))])
    with pytest.raises(WireError):
        unpack_partial(header, payload + b"x")


names = st.text(st.characters(codec="utf-8"), max_size=9)
items: st.SearchStrategy[Item] = st.one_of(
    st.builds(ByteRange, COUNT, COUNT, COUNT, st.none() | WORD),
    st.builds(
        Block,
        COUNT,
        COUNT,
        st.binary(max_size=20),
        st.none() | st.floats(0, 2**40),
        st.none() | WORD,
        position=st.none(),  # of a named tuple, what is not given is made up
        taken=st.none() | COUNT,
    ),
    st.builds(Opened, COUNT, names, names),
    st.builds(Closed, COUNT),
    st.builds(Tick, st.floats(0, 2**40)),
    st.builds(Notice, names, st.booleans()),
)


@settings(max_examples=100, deadline=None)
@given(item=items, sizes=st.lists(st.integers(1, 9), max_size=20))
def test_an_item_comes_out_of_the_wire_as_it_went_in(item: Item, sizes: list[int]) -> None:
    received = channel(b"".join(frame(*pack_item(item))), sizes).receive()
    assert received is not None
    assert unpack_item(*received) == item
    if isinstance(item, ByteRange | Block):
        assert unpack_chunk(*received) == item
    else:
        with pytest.raises(WireError):
            unpack_chunk(*received)


def test_frames_that_are_not_believable_are_refused() -> None:
    with pytest.raises(WireError):
        lengths(PREFIX.pack((1 << 26) + 1, 0))
    with pytest.raises(WireError):
        lengths(PREFIX.pack(0, (1 << 30) + 1))
    with pytest.raises(WireError):
        unpack_item({"kind": "Partial"}, b"")


# -- a log, cut anywhere -----------------------------------------------------------------------


def plan(*, lateness: int = 5, rejects: bool = True) -> Plan:
    return Plan(
        follow=False, lateness=lateness, horizon=HORIZON, cells=True, rejects=rejects, stats_window=10,
        stats_every=5, alert_window=7, threshold=0.3,
    )  # fmt: skip


def totals(partial: Partial) -> tuple[Any, ...]:
    """What a partial says that does not depend on its segments."""
    hits: Counter[int] = Counter()
    panes: Counter[tuple[int, int | None, Any]] = Counter()
    for second, count in zip(partial.seconds, partial.hits, strict=True):
        hits[second] += count
    tables = (
        (partial.sections, partial.pane_sections, partial.section_cells, partial.section_cell_hits),
        (partial.methods, partial.pane_methods, partial.method_cells, partial.method_cell_hits),
        (range(1000), partial.pane_statuses, partial.status_cells, partial.status_cell_hits),
        (range(CELLS), partial.pane_durations, partial.duration_cells, partial.duration_cell_hits),
    )
    for table, (keys, counts, cells, cell_hits) in enumerate(tables):
        at = 0
        for start, of_pane in zip(partial.pane_starts, counts, strict=True):
            for cell in range(at, at + of_pane):
                panes[start, table, keys[cells[cell]]] += cell_hits[cell]
            at += of_pane
    for start, count, low, high in zip(
        partial.pane_starts, partial.pane_hits, partial.pane_bytes, partial.pane_bytes_high, strict=True
    ):
        panes[start, None, "hits"] += count
        panes[start, None, "bytes"] += low + (high << LOW_BITS)
    return (
        partial.lines, partial.rejected, partial.future, partial.total_bytes, named(partial), hits, panes,
        partial.rejects,
    )  # fmt: skip


def said(parts: list[Partial], lateness: int) -> list[Event]:
    merger = Merger(plan(lateness=lateness))
    merger.open(0, "access.log")
    events = [event for part in parts for event in merger.commit(0, part)]
    return [*events, *merger.close(0), *merger.finish(), merger.summary(complete=True)]


@settings(max_examples=130, deadline=None)
@given(data=st.data(), format=formats, lateness=st.sampled_from((0, 1, 5, 60)))
def test_where_a_log_is_cut_changes_nothing(data: st.DataObject, format: Format, lateness: int) -> None:
    log = data.draw(logs(format))
    ends = [at + 1 for at, byte in enumerate(log) if byte == 0x0A]
    cuts = data.draw(st.lists(st.sampled_from(ends), unique=True)) if ends else []
    bounds = [0, *sorted(cuts), len(log)]
    parser = RegexParser(compile_format(format), plan(lateness=lateness))
    parts = [parser.fold([(start, log[start:stop])], HORIZON) for start, stop in pairwise(bounds)]
    whole = parser.fold([(0, log)], HORIZON)
    total = Partial()
    for part in parts:
        total += part
    assert totals(total) == totals(whole)

    def without_rejects(events: list[Event]) -> list[Event]:
        return [event for event in events if not isinstance(event, Reject)]

    events = said(parts, lateness)
    assert without_rejects(events) == without_rejects(said([whole], lateness))
    assert without_rejects(events) == without_rejects(said([total], lateness))
    assert [event for event in events if isinstance(event, Reject)] == [
        Reject("access.log", *reject) for reject in whole.rejects
    ]


# -- the quick patterns ------------------------------------------------------------------------


def assert_definition_agrees(text: bytes, format: Format) -> bool:
    """Whether the quick patterns took a line; where they did, the definition must say the same of it."""
    compiled = compile_format(format)
    taken = False
    for pattern in (compiled.rows_strict, compiled.rows):
        if pattern is compiled.rows and b"\\" in text:
            continue  # it is not asked of such lines
        between, *rest = pattern.split(text + b"\n")
        if not rest or between or any(rest[4::5]) or len(rest) != 5:
            continue
        stamp, request, status, size, _ = rest
        if apache_second(stamp) is None:
            continue  # then the parser asks the definition, or rejects the time
        taken = True
        match = compiled.line.match(text.removesuffix(b"\r"))
        assert match is not None
        definition = (match["time"], request_key(match["request"]), match["status"], match["size"])
        assert definition == (stamp, request, status, size)
    assert_plain_agrees([text], format)
    return taken


PLAIN_LINES = 11
"""Two matches of the pattern for a whole buffer, and three lines more."""


def assert_plain_agrees(texts: list[bytes], format: Format, at: int = 5) -> bool:
    """Whether the pattern for a whole buffer took lines among others, see ``assert_definition_agrees``."""
    compiled = compile_format(format)
    log = [line(1_525_881_600 + second, format=format)[:-1] for second in range(PLAIN_LINES)]
    log[at : at + len(texts)] = texts
    if compiled.plain is None or b'\\"' in b"".join(texts):
        return False
    found = plain_lines(compiled.plain, b"\n".join(log) + b"\n", len(log))
    seconds = Seconds(bare=True)
    if found is None or any(seconds[stamp] is None for stamp in found.stamps):
        return False
    many = len(found.stamps)
    assert log[many:] == found.rest
    for text, *columns in zip(log[:many], *found[:4], strict=True):
        match = compiled.line.match(text)
        assert match is not None
        status, size = int(match["status"]), 0 if match["size"] == b"-" else int(match["size"])
        assert columns == [match["time"], request_key(match["request"]), status, size]
    return at < many


TORN = b'h - - [09/May/2018:16:00:00 +0000] "GET /a HTTP/1.1" 200 5 "x'


@settings(max_examples=150, deadline=None)
@given(data=st.data(), format=formats, at=st.integers(0, PLAIN_LINES - 1))
def test_the_plain_pattern_takes_only_what_the_definition_takes(
    data: st.DataObject, format: Format, at: int
) -> None:
    assert_plain_agrees(data.draw(st.lists(mutated(format), min_size=1, max_size=3)), format, at)


@pytest.mark.parametrize("at", range(PLAIN_LINES - 1))
@pytest.mark.parametrize(
    "texts",
    [
        [TORN, b'" "y"'],
        [TORN.replace(b" HTTP", b'"\n HTTP') + b'" "y"'],
        [TORN + b'" "y', b'"'],
        [b"h -", b'- [09/May/2018:16:00:00 +0000] "GET /a HTTP/1.1" 200 5 "x" "y"'],
        [TORN.replace(b"[", b"[[") + b'" "y"'],
        [TORN.replace(b"[09", b"[[9") + b'" "y"'],
        [TORN.replace(b"]", b"]]") + b'" "y"'],
        [TORN.replace(b"200", b"20") + b'" "y"', TORN.replace(b"200", b"2000") + b'" "y"'],
        [TORN.replace(b" 5 ", b" 5") + b'" "y"', TORN.replace(b" 5 ", b" 5  ") + b'" "y"'],
        [TORN.replace(b" 5 ", b" ") + b'" "y"', TORN.replace(b" 5 ", b" 404 6 ") + b'" "y"'],
        [TORN.replace(b"- -", b"-  -") + b'" "y"'],
    ],
)
def test_the_plain_pattern_takes_no_line_that_only_fits_with_others(texts: list[bytes], at: int) -> None:
    log = b"\n".join(texts).split(b"\n")
    assert not assert_plain_agrees(log, "combined", at)


@pytest.mark.parametrize(
    "text",
    [
        b"200  1", b"200 1 ", b"200 ", b" 00 1", b"200 -1", b"200 --", b"- - 1", b"200 1,5",
        b"200,1", b"200 1e5", b"200 +1", b"012 1", b"200 01", b"200 1000000000000000000",
        b"200 12345678901234567890",
    ],
)  # fmt: skip
def test_what_is_no_status_and_size_is_not_taken_for_it(text: bytes) -> None:
    for end in (b"\n", b' "'):
        assert responses([b"200 7" + end, text + end, b"404 -" + end], end) is None
        assert responses([b"200 7" + end, b"404 -" + end], end) == ([200, 404], [7, 0])
        most = [b"200 999999999999999999" + end] * 2
        assert responses(most, end) == ([200] * 2, [10**18 - 1] * 2)
    assert responses([b'200 1"', b'200  1 "'], b' "') is None
    assert responses([b'200 7 "', b'2 5 "'], b' "') is None


@settings(max_examples=150, deadline=None)
@given(data=st.data(), end=st.sampled_from((b"\n", b' "')))
def test_statuses_and_sizes_are_taken_only_where_each_text_is_both(data: st.DataObject, end: bytes) -> None:
    byte = st.sampled_from([b"2", b" ", b'"', b"\n", b"-", b"0"])
    first, more = st.lists(byte, min_size=3, max_size=3), st.lists(byte, min_size=1, max_size=4)
    odd = st.tuples(first, more).map(lambda pair: b"".join(pair[0]) + b" " + b"".join(pair[1]))
    bare = odd.map(lambda text: text[:4] + (text[4:].replace(end[-1:], b"") or b"2") + end[-1:])
    texts = data.draw(st.lists(st.one_of(bare, st.just(b"200 7" + end)), min_size=1, max_size=4))
    fits = re.compile(rb"[1-9][0-9]{2} (?:0|[1-9][0-9]*|-)" + end).fullmatch
    assert (responses(texts, end) is not None) == all(map(fits, texts))


def test_hits_around_one_of_the_future_are_of_one_second() -> None:
    now, future = line(HORIZON), line(HORIZON + 1)
    partial = RegexParser(compile_format("common"), plan(lateness=0)).fold([(0, now + future + now)], HORIZON)
    assert (list(partial.seconds), list(partial.hits)) == ([HORIZON], [2])
    assert (partial.future, list(partial.segment_rows)) == (1, [1])


@settings(max_examples=100, deadline=None)
@given(log=logs(), cut=st.integers(0, 3))
def test_panes_of_many_and_of_few_lines_are_counted_alike(log: bytes, cut: int) -> None:
    """By request and line by line, with hits beyond the horizon and without."""
    horizon = None if cut == 3 else 1_525_881_600 + cut * 30
    parser = RegexParser(compile_format("common"), plan(rejects=False)._replace(pairs=True))
    partials = []
    for few in (0, 1 << 40):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tables, "_FEW", few)
            partials.append(parser.fold([(0, log)], horizon))
    assert partials[0] == partials[1]


@settings(max_examples=130, deadline=None)
@given(data=st.data(), format=formats)
def test_a_quick_pattern_takes_only_what_the_definition_takes(data: st.DataObject, format: Format) -> None:
    assert_definition_agrees(data.draw(mutated(format)), format)


@settings(max_examples=50, deadline=None)
@given(lines=st.lists(mutated("combined"), min_size=1, max_size=5))
@example(lines=[line(1_525_881_600, format="combined")[:-1]] * 3)
@example(lines=[b"a", line(1_525_881_600, format="combined")[:-1]])
def test_in_a_buffer_of_many_lines_none_reaches_into_the_next(lines: list[bytes]) -> None:
    """Folded together or one by one: the same counts, with the same parser or with another."""
    log = b"".join(text + b"\n" for text in lines)
    parser = RegexParser(compile_format("combined"), plan())
    total = Partial()
    for text in lines:
        total += RegexParser(compile_format("combined"), plan(rejects=False)).fold(
            [(0, text + b"\n")], HORIZON
        )
    for _ in range(2):
        whole = parser.fold([(0, log)], HORIZON)
        assert totals(whole)[:-1] == totals(total)[:-1]


@pytest.mark.parametrize("format", FORMATS)
def test_an_ordinary_line_is_taken_quickly(format: Format) -> None:
    """Else all of the above says nothing."""
    text = line(1_525_881_600, format=format)[:-1]
    assert assert_definition_agrees(text, format)
    assert assert_plain_agrees([text], format)


@settings(max_examples=100, deadline=None)
@given(
    found=st.lists(st.one_of(seconds.map(stamp), stamps), max_size=4),
    start=st.one_of(st.integers(1_525_881_500, 1_525_881_600), st.sampled_from((1_525_823_950, -50))),
    rate=st.sampled_from((1, 2, 5, 40)),
    bare=st.booleans(),
)
@example(found=[b"09/May/2018:16:00:60 +0000"], start=1_525_881_500, rate=1, bare=False)
@example(found=[b"09/May/2018:16:00:0x +0000"], start=1_525_881_500, rate=1, bare=False)
@example(found=[b"[9/May/2018:16:00:00 +0000"], start=1_525_881_500, rate=1, bare=False)
@example(found=[b"9/May/2018:16:00:00.5 +0000"], start=1_525_881_500, rate=1, bare=False)
@example(found=[b"09/May/2018:23:59:59 +0000"], start=1_525_881_500, rate=2, bare=False)
@example(found=[b"09/May/2018:24:00:00 +0000"], start=1_525_881_500, rate=2, bare=False)
@example(found=[b"31/Dec/1969:23:59:59 +0000", b"01/Jan/1970:01:59:59 +0200"], start=-50, rate=2, bare=True)
def test_many_stamps_are_read_as_each_alone(found: list[bytes], start: int, rate: int, *, bare: bool) -> None:
    many = [*(stamp(start + line // rate) for line in range(100)), *found]
    alone = [Seconds(bare=bare)[each] for each in many]
    together = Seconds(bare=bare)
    for _ in range(2):
        runs = together.runs(many)
        each = None if runs is None else list(chain.from_iterable(map(repeat, *runs)))
        assert each == (None if None in alone else alone)
        assert runs is None or all(map(ne, runs[0], runs[0][1:]))


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(st.integers(1, 30), max_size=20), size=st.integers(1, 12), start=st.integers(-9, 9))
def test_panes_of_a_log_in_order_are_those_of_any_other(steps: list[int], size: int, start: int) -> None:
    seconds = list(accumulate(steps, initial=start))
    lines = [second % 5 + 1 for second in seconds]
    expected: Counter[tuple[int, int]] = Counter()
    for second, hits in zip(seconds, lines, strict=True):
        expected[0, second - second % size] += hits
    assert panes_of(bytes(len(seconds)), seconds, lines, size) == (
        list(expected),
        list(expected.values()),
    )
