"""What the compiled parser measures for rules is what the regex parser measures, for any log cut anywhere."""

from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlog.formats.compile import compile_format
from fastlog.model.measured import NO_CELLS, Entry, Measured
from fastlog.model.plan import Plan
from fastlog.model.rules import MEASURES, PERCENTILES, PERS, Rule
from fastlog.parsers.json_lines import JsonParser
from fastlog.parsers.program import program_of
from fastlog.parsers.regex import RegexParser
from fastlog.parsers.select import make_parser
from tests.properties.strategies import Format, formats, logs
from tests.properties.test_json import EXAMPLES, LOOSE, names_of, objects
from tests.properties.test_native import HORIZON, blocks, canonical
from tests.properties.test_rules_fields import WRITERS, Line
from tests.properties.test_rules_fields import lines as some_lines

pytestmark = pytest.mark.skipif(find_spec("fastlog.parsers.native") is None, reason="not built here")

WHERE = (
    "", "status >= 500", "status in (200, 404)", "not status == 200", "method == 'GET'", "section =~ 'a'",
    "section starts_with '/api' and bytes > 150", "bytes == 5 or bytes >= 999999999999999999", "bytes < 100",
    "host starts_with '192'", "host == '192.0.2.1' and status > 300", "target =~ '[?]'", "target == '/a'",
    "not (target starts_with '/api' or host =~ ':')",
)  # fmt: skip
TIMED = ("duration >= 250ms", "not duration < 0.5", "duration != 0.1", "duration < 99999999999999s")


@st.composite
def rule(draw: st.DrawFn, *, timed: bool = False) -> Rule:
    wheres = st.sampled_from(WHERE + TIMED if timed else WHERE)
    measures = [name for name in MEASURES if timed or name not in PERCENTILES]
    measure = draw(st.sampled_from(measures))
    return Rule(
        name="x", measure=measure, window=10, above=1.0, where=draw(wheres),
        of=draw(wheres) if measure == "share" else "", per=draw(st.sampled_from((None, *PERS))),
    )  # fmt: skip


def plan(rules: list[Rule], lateness: int = 5) -> Plan:
    return Plan(
        follow=False, lateness=lateness, horizon=HORIZON, cells=True, rejects=True, stats_window=10,
        stats_every=10, alert_window=7, threshold=0.3, pairs=True, rules=tuple(rules),
    )  # fmt: skip


def entries(measured: Measured) -> list[tuple[Any, ...]]:
    """The entries; those of one rule and segment in their order, which is all that has a meaning."""
    found = [(*entry[:7], list(entry.cells), list(entry.counts)) for entry in measured.entries()]
    assert [row[1] for row in found] == sorted(row[1] for row in found)
    return sorted(found, key=lambda row: (row[1], row[0]))


def assert_measured_alike(name: str, chosen: Plan, data: bytes, cuts: list[int], remembered: int) -> None:
    """Twice with one parser: what it remembers of a chunk changes nothing in the next."""
    from fastlog.parsers.native import NativeParser

    compiled = compile_format(name)
    parser = NativeParser(compiled, chosen, remembered=remembered)
    definition = RegexParser if compiled.keys is None else JsonParser
    wanted = definition(compiled, chosen).fold([(0, data)], HORIZON)
    for _ in range(2):
        folded = parser.fold(blocks(data, cuts), HORIZON)
        assert entries(folded.measured) == entries(wanted.measured)
        folded.measured = wanted.measured
        assert canonical(folded) == canonical(wanted)


@settings(max_examples=90, deadline=None)
@given(
    data=st.data(),
    format=formats,
    rules=st.lists(rule(), min_size=1, max_size=4),
    lateness=st.sampled_from((0, 5, 60)),
    remembered=st.sampled_from((0, 1, 1 << 16)),
)
def test_native_measures_what_the_regex_does(
    data: st.DataObject, format: Format, rules: list[Rule], lateness: int, remembered: int
) -> None:
    log = data.draw(logs(format))
    cuts = data.draw(st.lists(st.integers(0, len(log)), max_size=3))
    assert_measured_alike(format, plan(rules, lateness), log, cuts, remembered)


@settings(max_examples=90, deadline=None)
@given(
    data=st.data(),
    name=st.sampled_from([*EXAMPLES, LOOSE]),
    remembered=st.sampled_from((0, 1, 1 << 16)),
)
def test_so_do_the_keys_of_json(data: st.DataObject, name: str, remembered: int) -> None:
    compiled = compile_format(name)
    timed, hosted = compiled.gives("duration"), compiled.gives("host")
    rules = data.draw(st.lists(rule(timed=timed), min_size=1, max_size=4))
    if not hosted:
        rules = [rule for rule in rules if "host" not in f"{rule.where} {rule.of} {rule.per}"]
    lines = data.draw(st.lists(objects(names_of(name)), min_size=1, max_size=6))
    assert_measured_alike(name, plan(rules), "\n".join(lines).encode(), [70, 200], remembered)


@pytest.mark.parametrize("name", EXAMPLES)
def test_rules_leave_an_example_to_the_compiled_parser(name: str) -> None:
    from fastlog.parsers.native import NativeParser

    several = [Rule(name="x", measure="hits", window=5, above=0.5, per=per) for per in PERS]
    chosen = plan([rule for rule in several if rule.per != "host" or compile_format(name).gives("host")])
    parser = make_parser("native", compile_format(name), chosen)
    assert isinstance(parser, NativeParser)
    assert parser.fold([(0, (EXAMPLES[name] + "\n").encode() * 50)], None).parsed == 50
    assert parser.odd == 0


PROGRAMS = [name for name in WRITERS if program_of(compile_format(name), {"host", "target"}) is not None]


@pytest.mark.parametrize("name", PROGRAMS)
@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    log=st.lists(some_lines, min_size=1, max_size=40),
    noise=st.sets(st.integers(0, 40), max_size=3),
    remembered=st.sampled_from((0, 1, 1 << 16)),
)
def test_so_does_a_field_program(
    data: st.DataObject, name: str, log: list[Line], noise: set[int], remembered: int
) -> None:
    timed = program_of(compile_format(name), {"host", "duration"}) is not None
    rules = data.draw(st.lists(rule(timed=timed), min_size=1, max_size=4))
    rows = [WRITERS[name](line) + "\nno such line" * (at in noise) for at, line in enumerate(log)]
    assert_measured_alike(name, plan(rules), ("\n".join(rows) + "\n").encode(), [70, 200], remembered)


@pytest.mark.parametrize("measure", ["hits", "bytes", "share"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_host_has_one_entry_a_second(name: str, measure: str) -> None:
    """Though seconds go back, and what is made of its hits changes."""
    rows = [
        WRITERS[name](Line(second, host, "/a", status, 7, 0))
        for status in (200, 500, 200)
        for second in (0, 1, 0, 2, 1)
        for host in ("192.0.2.1", "192.0.2.2")
    ]
    rule = Rule(name="x", measure=measure, window=5, above=0.5, where="status >= 500", per="host")
    for several in ([rule], [rule._replace(where="status > 0")]):
        assert_measured_alike(name, plan(several), ("\n".join(rows) + "\n").encode(), [70, 200], 1 << 16)


@pytest.mark.parametrize("name", PROGRAMS)
def test_rules_send_no_line_to_the_regex(name: str) -> None:
    """Nor are any but the first of its kind asked about."""
    log = [
        WRITERS[name](Line(second % 7, f"192.0.2.{second}", f"/{second % 5}", 200, second, 0))
        for second in range(100)
    ]
    rules = [
        Rule(name="a", measure="hits", window=5, above=1.0, per="host"),
        Rule(name="b", measure="bytes", window=5, above=1.0, where="target == '/3' and bytes > 9"),
    ]
    parser: Any = make_parser("native", compile_format(name), plan(rules))
    if hasattr(parser, "_parser"):  # fields that stand in the log
        parser = parser._parser(name)
    parser.fold([(0, "\n".join(log).encode())], HORIZON)
    assert parser.name == "native"
    assert parser.odd <= 1


def test_a_name_that_stands_twice_among_the_keys_has_one_number_in_the_whole() -> None:
    """A host that two rules know has a number for each natively: those of other keys were shifted."""
    several = [Rule(name=name, measure="hits", window=5, above=0.5, per="host") for name in "ab"]
    parts = []
    for at, host in enumerate((b"1.1.1.1", b"2.2.2.2", b"1.1.1.1")):
        part = Measured.of([Entry(0, 0, at, host, 1, 1, 0, NO_CELLS, NO_CELLS)])
        part.rules.append(1), part.segments.append(0), part.seconds.append(at), part.keys.append(1)
        part.hits.append(1), part.base.append(1), part.sizes.append(0), part.sizes_high.append(0)
        part.sketched.append(0)
        part.name_keys([host, host])
        parts.append(part)
    whole = parts[0].followed_by(parts[1], 1).followed_by(parts[2], 2)
    assert len(several) == len(set(whole.rules))
    found = [(entry.rule, entry.segment, entry.key) for entry in whole.entries()]
    hosts = (b"1.1.1.1", b"2.2.2.2", b"1.1.1.1")
    assert found == [(rule, segment, hosts[segment]) for segment in range(3) for rule in range(2)]
    assert len(whole.key_ends) == 2


@pytest.mark.parametrize("cut", [60, 130, 230])
def test_hosts_of_several_rules_under_fields_that_are_named_again(cut: int) -> None:
    fields = "#Fields: date time c-ip cs-method cs-uri-stem sc-status"
    hosts = ("1.1.1.1", "2.2.2.2", "-", "1.1.1.1")
    hits = [f"2018-05-09 12:00:0{second} {host} GET /a 404" for second, host in enumerate(hosts)]
    data = "\n".join([fields, *hits[:2], fields, *hits[2:], hits[0]]).encode()
    several = [
        Rule(name="a", measure="hits", window=5, above=0.5, per="host"),
        Rule(name="b", measure="hits", window=5, above=0.5, per="host", where="status >= 400"),
        Rule(name="c", measure="hits", window=5, above=0.5, per="section"),
    ]
    found = []
    for parser in ("native", "regex"):
        made = make_parser(parser, compile_format("w3c"), plan(several))
        entries = made.fold(blocks(data, [cut]), HORIZON).measured.entries()
        found.append(sorted((entry.rule, entry.second, entry.key, entry.hits) for entry in entries))
    assert found[0] == found[1]
