"""A snapshot as a page: conformity to the format, bounds, and names that try to break it."""

import math
from array import array
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from fastlog.config import ParserName
from fastlog.formats.compile import compile_format
from fastlog.model.partial import Partial
from fastlog.model.plan import Plan
from fastlog.model.printable import printable
from fastlog.model.sketch import RELATIVE_ERROR, Sketch
from fastlog.model.snapshot import BOUNDS, DurationHistogram, Snapshot, histogram
from fastlog.parsers.regex import RegexParser
from fastlog.parsers.select import make_parser
from fastlog.sinks.metrics import KEYS_NAMED, metrics_page
from fastlog.windows.pairs import LONGEST_SECTION, PAIRS, SECTIONS, PairTally
from tests.properties.strategies import random_log

native = pytest.mark.skipif(find_spec("fastlog.parsers.native") is None, reason="not built here")
EMPTY = Snapshot(0, {}, {}, 0, 0, 0, {})
NAMED = {
    "fastlog_lines", "fastlog_rejected", "fastlog_hits", "fastlog_response_bytes", "fastlog_late",
    "fastlog_future", "fastlog_alert_firing", "fastlog_notifications_given_up",
}  # fmt: skip


def samples(snapshot: Snapshot, name: str, now: float = 0.0) -> list[tuple[dict[str, str], float]]:
    page = metrics_page(snapshot, now).decode()
    families = text_string_to_metric_families(page)
    return [(s.labels, s.value) for family in families for s in family.samples if s.name == name]


def test_the_names() -> None:
    families = {
        family.name: family for family in text_string_to_metric_families(metrics_page(EMPTY, 0.0).decode())
    }
    assert set(families) == NAMED
    assert all(family.documentation for family in families.values())
    gauges = {name for name, family in families.items() if family.type == "gauge"}
    assert gauges == {"fastlog_alert_firing"}


def test_the_lag_is_that_of_the_watermark() -> None:
    assert samples(EMPTY, "fastlog_watermark_lag_seconds") == []
    closed = Snapshot(1, {}, {}, 0, 0, 0, {}, watermark=1000)
    assert samples(closed, "fastlog_watermark_lag_seconds", now=1002.5) == [({}, 2.5)]


def test_durations_are_a_histogram() -> None:
    durations = DurationHistogram(((0.1, 3), (1.0, 5)), hits=6, seconds=12.5)
    snapshot = Snapshot(6, {}, {}, 0, 0, 0, {}, durations=durations)
    name = "fastlog_request_duration_seconds"
    assert samples(snapshot, f"{name}_bucket") == [
        ({"le": "0.1"}, 3),
        ({"le": "1.0"}, 5),
        ({"le": "+Inf"}, 6),
    ]
    assert samples(snapshot, f"{name}_count") == [({}, 6)]
    assert samples(snapshot, f"{name}_sum") == [({}, 12.5)]


def test_the_histogram_of_a_sketch_is_within_its_error() -> None:
    sketch = Sketch()
    micros = [0, 90, 400_000, 2_000_000, 70_000_000]
    for duration in micros:
        sketch.add(duration)
    made = histogram(sketch)
    up_to = dict(made.buckets)
    assert (up_to[0.001], up_to[0.25], up_to[0.5], up_to[2.5], up_to[60.0], made.hits) == (2, 2, 3, 4, 4, 5)
    assert abs(made.seconds - sum(micros) / 1e6) <= RELATIVE_ERROR * made.seconds
    assert histogram(Sketch()).hits == 0


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_duration_that_is_a_bound_counts_under_it(bound: float) -> None:
    sketch = Sketch()
    sketch.add(round(bound * 1_000_000))
    sketch.add(round(bound * 1_000_000 * (1 + 2 * RELATIVE_ERROR)))
    assert dict(histogram(sketch).buckets)[bound] == 1


def test_keys_of_a_rule_are_bounded() -> None:
    alerts = {("errors", f"/s{n}"): n % 2 == 0 for n in range(500)} | {("traffic", ""): True}
    found = samples(Snapshot(0, {}, {}, 0, 0, 0, alerts), "fastlog_alert_firing")
    assert len(found) == KEYS_NAMED + 2
    assert ({"rule": "errors", "key": "(other)"}, (500 - KEYS_NAMED) / 2) in found
    assert ({"rule": "traffic", "key": ""}, 1) in found


@given(st.dictionaries(st.tuples(st.text(), st.text()), st.integers(0, 1 << 70), max_size=5))
def test_names_survive_the_page(hits: dict[tuple[str, str], int]) -> None:
    hits = {(printable(section), printable(status)): count for (section, status), count in hits.items()}
    rule = dict.fromkeys(hits, True)
    given_up = {section: 1 for section, _ in hits}
    snapshot = Snapshot(0, {}, hits, 0, 0, 0, rule, given_up=given_up)
    found = samples(snapshot, "fastlog_hits_total")
    assert {(labels["section"], labels["status"]): value for labels, value in found} == {
        names: float(count) for names, count in hits.items()
    }
    assert all(math.isfinite(value) for _, value in found)
    assert len(samples(snapshot, "fastlog_alert_firing")) == len(rule)
    assert {
        labels["target"] for labels, _ in samples(snapshot, "fastlog_notifications_given_up_total")
    } == set(given_up)


@given(
    st.lists(
        st.tuples(st.binary(max_size=3) | st.just(b"x" * 300), st.integers(0, 999), st.integers(1, 9)),
        max_size=60,
    )
)
def test_pairs_add_up_and_only_grow(hits: list[tuple[bytes, int, int]]) -> None:
    pairs = PairTally()
    total = 0
    before: dict[tuple[str, str], int] = {}
    for section, status, count in hits:
        pairs.add(section, status, count)
        total += count
        table = pairs.table()
        assert sum(table.values()) == total
        assert all(table[names] >= value for names, value in before.items())
        before = table


@pytest.mark.parametrize("parser", ["regex", pytest.param("native", marks=native)])
@pytest.mark.parametrize("seed", range(6))
def test_pairs_are_those_of_the_lines(parser: ParserName, seed: int) -> None:
    """Those of the future are among them; so is what a parser has learnt of another chunk."""
    compiled = compile_format("common")
    plan = Plan(
        follow=False, lateness=5, horizon=1_300_000_000, cells=False, rejects=False, stats_window=10,
        stats_every=10, alert_window=7, threshold=0.3, pairs=True,
    )  # fmt: skip
    folding = make_parser(parser, compiled, plan)
    one_by_one = RegexParser(compiled, plan)
    for log in (random_log(seed), random_log(seed + 100)):
        expected: dict[tuple[bytes, int], int] = {}
        for text in log.split(b"\n"):
            hit = one_by_one.parse(text)
            if not isinstance(hit, str):
                pair = hit.request.split(b" ", 1)[1], int(hit.status)
                expected[pair] = expected.get(pair, 0) + 1
        partial = folding.fold([(0, log if log.endswith(b"\n") else log + b"\n")], plan.horizon)
        partial += Partial()
        sections = [partial.sections[number] for number in partial.pair_sections]
        assert len(sections) == len(expected)
        assert dict(
            zip(zip(sections, partial.pair_statuses, strict=True), partial.pair_hits, strict=True)
        ) == (expected)


def test_pairs_of_a_sum_keep_their_sections() -> None:
    first = Partial(sections=[b"/a", b"/b"], section_hits=array("q", [1, 2]))
    first.pair_sections, first.pair_statuses, first.pair_hits = (
        array("q", c) for c in ([0, 1], [200, 404], [1, 2])
    )
    second = Partial(sections=[b"/b", b"/c"], section_hits=array("q", [3, 4]))
    second.pair_sections, second.pair_statuses, second.pair_hits = (
        array("q", c) for c in ([0, 1], [404, 500], [3, 4])
    )
    total = first + second
    assert [total.sections[number] for number in total.pair_sections] == [b"/a", b"/b", b"/b", b"/c"]
    assert list(total.pair_statuses) == [200, 404, 404, 500]
    assert list(total.pair_hits) == [1, 2, 3, 4]


def test_pairs_are_bounded() -> None:
    pairs = PairTally()
    for number in range(100_000):
        pairs.add(b"/s%d" % (number // 999), number % 999, 1)
    table = pairs.table()
    assert sum(table.values()) == 100_000
    assert PAIRS <= len(table) <= PAIRS + 1
    few = PairTally()
    for number in range(1000):
        few.add(b"/s%d" % number, 200, 1)
    few.add(b"/" + b"x" * LONGEST_SECTION, 200, 1)
    few.add(b"/new", 404, 2)
    table = few.table()
    assert len({section for section, _ in table}) == SECTIONS + 1
    assert table["(other)", "200"] == 1000 - SECTIONS + 1
    assert table["(other)", "404"] == 2
    assert table["/s0", "200"] == 1


def test_sections_that_print_alike_are_one() -> None:
    pairs = PairTally()
    for section in (b"/\x1b", b"/\\x1b", b"/\\x1b"):
        pairs.add(section, 7, 1)
    assert pairs.table() == {("/\\x1b", "007"): 3}
