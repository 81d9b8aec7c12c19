"""Labelled lines: the compiled parser makes of them what the definition does, whatever their labels."""

import random
from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlog.formats.catalog import CATALOG
from fastlog.formats.compile import compile_format
from fastlog.formats.ltsv import certain_labels
from fastlog.model.plan import Plan
from fastlog.model.rules import Rule
from fastlog.parsers.regex import RegexParser
from fastlog.parsers.select import make_parser
from tests.properties.test_measured import entries, rule
from tests.properties.test_native import HORIZON, canonical

pytestmark = pytest.mark.skipif(find_spec("fastlog.parsers.native") is None, reason="not built here")

LTSV = compile_format("ltsv")
TIMES = ("28/Feb/2013:12:00:0%d +0900", "[28/Feb/2013:12:00:0%d +0900]", "2013-02-28T12:00:0%dZ",
         "2013-02-28T12:00:0%d", "[2013-02-28T12:00:0%d.5+01:00]", "136202040%d", "136202040%d.250",
         "2013-02-28 12:00:0%d")  # fmt: skip
USUAL = {
    "host": ("192.0.2.1", "a b", "::1"),
    "req": ("GET /list HTTP/1.1", "POST /a/b?c=\"d\" HTTP/1.1", "-", "GET  /x"),
    "method": ("GET", "PUT"),
    "uri": ("/list", "/a/b?c", "http://h/x"),
    "status": ("200", "404"),
    "size": ("5316", "-", "0"),
    "bytes": ("7",),
    "ua": ("Mozilla/5.0 (X11; \\x22)", "-"),
    "reqtime": ("0.126", "-", "3"),
    "reqtime_microsec": ("12", "9999999"),
}  # fmt: skip
ODD = (
    "",
    " ",
    "-",
    "20",
    "2000",
    "2 0",
    " /x",
    "1e3",
    "+1",
    "0.",
    "]",
    "[",
    "\u00e9",
    "9" * 19,
    "a\tb",
    "a:b\tsize:1",
)


def log_of(seed: int) -> bytes:
    """Lines with the labels of one log, but for some: another order, a label more or less, odd values."""
    draw = random.Random(seed)
    labels = ["time", "status", "req", *(label for label in USUAL if draw.random() < 0.5)]
    draw.shuffle(labels)
    labels = list(dict.fromkeys(labels))
    times = draw.choice(TIMES)
    lines = []
    for _ in range(draw.randint(1, 12)):
        parts = []
        for label in draw.sample(labels, len(labels)) if draw.random() < 0.1 else labels:
            value = times % draw.randint(0, 9) if label == "time" else draw.choice(USUAL[label])
            parts.append(f"{label}:{draw.choice(ODD) if draw.random() < 0.03 else value}")
        if draw.random() < 0.1:
            parts.append(draw.choice(("more:1", "size:9", "no label", "", "time:[x]")))
        lines.append("\t".join(parts) + draw.choice(("\n", "\n", "\n", "\r\n", "\n\n")))
    return "".join(lines).encode()


seeds = st.integers(0, (1 << 64) - 1)


def plan(log_tz: str = "UTC", rules: tuple[Rule, ...] = ()) -> Plan:
    return Plan(
        follow=False, lateness=5, horizon=HORIZON, cells=True, rejects=True, stats_window=10, stats_every=10,
        alert_window=7, threshold=0.3, pairs=True, log_tz=log_tz, rules=rules,
    )  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(first=seeds, second=seeds, log_tz=st.sampled_from(("UTC", "Asia/Tokyo")))
def test_native_is_the_definition(first: int, second: int, log_tz: str) -> None:
    """What the first chunk has taught changes nothing in the second."""
    parser = make_parser("native", LTSV, plan(log_tz))
    for data in map(log_of, (first, second, first)):
        wanted = RegexParser(LTSV, plan(log_tz)).fold([(0, data)], HORIZON)
        assert canonical(parser.fold([(0, data)], HORIZON)) == canonical(wanted)


@settings(max_examples=80, deadline=None)
@given(seed=seeds, rules=st.lists(rule(timed=True), min_size=1, max_size=3))
def test_so_it_is_for_rules(seed: int, rules: list[Rule]) -> None:
    data = log_of(seed)
    chosen = plan(rules=tuple(rules))
    folded = make_parser("native", LTSV, chosen).fold([(0, data)], HORIZON)
    wanted = RegexParser(LTSV, chosen).fold([(0, data)], HORIZON)
    assert entries(folded.measured) == entries(wanted.measured)


@pytest.mark.parametrize("times", TIMES[:-1])
def test_lines_with_the_labels_of_the_first_are_for_the_compiled_parser(times: str) -> None:
    from fastlog.parsers.labels import LabelsParser

    example = CATALOG["ltsv"].example.replace("28/Feb/2013:12:00:00 +0900", times % 5)
    parser = LabelsParser(LTSV, plan())
    assert parser.fold([(0, f"{example}\n".encode() * 50)], HORIZON).parsed == 50
    assert parser.odd == 0


def test_labels_that_change_are_learnt_anew() -> None:
    from fastlog.parsers.labels import LabelsParser

    example = CATALOG["ltsv"].example
    other = "\t".join(reversed(example.split("\t")))
    parser = LabelsParser(LTSV, plan())
    assert parser.fold([(0, f"{example}\n".encode() * 50)], HORIZON).parsed == 50
    assert parser.fold([(0, f"{other}\n".encode() * 50)], HORIZON).parsed == 50
    assert parser.odd == 50
    assert parser.fold([(0, f"{other}\n".encode() * 50)], HORIZON).parsed == 50
    assert parser.odd == 50


def test_a_tab_ends_a_stamp_in_brackets() -> None:
    """Found here: the quick pattern took both parts for a stamp, which is no time."""
    good = b"time:[28/Feb/2013:12:00:04 +0900]\treq:GET /x\tstatus:404\n"
    bad = good.replace(b" +0900", b"\t+0900")
    assert RegexParser(LTSV, plan()).fold([(0, good + bad)], HORIZON).rejected == [0, 1, 0, 0]


def test_a_stamp_of_no_known_look_is_for_the_definition() -> None:
    assert certain_labels(b"time:2013-02-28 12:00:00\treq:GET / HTTP/1.1\tstatus:200") is None
