"""Rules over whole logs: random rules and random logs against a count, however the log is cut."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastlog as package
from fastlog.executors.wire import pack_partial, unpack_partial
from fastlog.formats.compile import compile_format
from fastlog.merger import Merger
from fastlog.model.events import Alert, Summary
from fastlog.model.plan import Plan
from fastlog.model.rules import Rule
from fastlog.parsers.regex import RegexParser
from fastlog.rulebook.file import parse_rules
from fastlog.sinks.ndjson import NdjsonRenderer
from tests.properties.recount import Recount, Taken

START = 1_525_881_600
LATENESS = 60

# second after START, method, section, status, bytes
hits = st.tuples(
    st.integers(0, 50),
    st.sampled_from(("GET", "POST")),
    st.sampled_from(("/", "/api", "/img")),
    st.sampled_from((200, 304, 404, 500, 503)),
    st.integers(0, 300),
)
Line = tuple[int, str, str, int, int]
Fits = Callable[[Line], bool]

comparisons: list[tuple[str, Fits]] = [
    ("status >= 500", lambda hit: hit[3] >= 500),
    ("status in (200, 304)", lambda hit: hit[3] in (200, 304)),
    ("status != 404", lambda hit: hit[3] != 404),
    ("method == 'GET'", lambda hit: hit[1] == "GET"),
    ("section starts_with '/a'", lambda hit: hit[2].startswith("/a")),
    ("section =~ '^/(api|img)$'", lambda hit: hit[2] in ("/api", "/img")),
    ("bytes > 150", lambda hit: hit[4] > 150),
]


def _joined(parts: st.SearchStrategy[tuple[str, Fits]]) -> st.SearchStrategy[tuple[str, Fits]]:
    two = st.tuples(parts, parts)
    return st.one_of(
        parts.map(lambda one: (f"not ({one[0]})", lambda hit: not one[1](hit))),
        two.map(lambda both: (f"({both[0][0]}) and {both[1][0]}", lambda h: both[0][1](h) and both[1][1](h))),
        two.map(lambda both: (f"({both[0][0]} or {both[1][0]})", lambda h: both[0][1](h) or both[1][1](h))),
    )


expressions = st.recursive(st.sampled_from(comparisons), _joined, max_leaves=4)


@st.composite
def written(draw: st.DrawFn) -> tuple[str, Fits, Fits]:
    """A rule of a file, without its name, and what its `where` and its `of` want."""
    measure = draw(st.sampled_from(("hits", "rate", "bytes", "share")))
    where, of = draw(expressions), draw(expressions)
    limits = {"hits": ("1", "2.5", "4"), "rate": ("0.1", "0.29", "1"), "bytes": ("100", "400")}
    threshold = draw(st.sampled_from(limits.get(measure, ("0.05", "0.5", "1"))))
    lines = [
        f'measure = "{measure}"',
        f'where = "{where[0]}"',
        f"window = {draw(st.integers(1, 15))}",
        f"{draw(st.sampled_from(('above', 'below')))} = {threshold}",
    ]
    if measure == "share":
        lines.append(f'of = "{of[0]}"')
    if draw(st.booleans()):
        lines.append(f'per = "{draw(st.sampled_from(("section", "status", "method")))}"')
    lines += draw(st.lists(st.sampled_from(("for = 3", "for = 1")), max_size=1))
    lines += draw(st.lists(st.sampled_from(("min_hits = 1", "min_hits = 3")), max_size=1))
    return "\n".join(lines), where[1], of[1]


def line(hit: Line) -> bytes:
    second, method, section, status, size = hit
    stamp = datetime.fromtimestamp(START + second, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'192.0.2.1 - - [{stamp}] "{method} {section} HTTP/1.1" {status} {size}\n'.encode()


def plan(rules: tuple[Rule, ...]) -> Plan:
    return Plan(
        follow=False, lateness=LATENESS, horizon=None, cells=False, rejects=False, stats_window=10,
        stats_every=10, alert_window=120, threshold=1e6, rules=rules,
    )  # fmt: skip


def replayed(rules: tuple[Rule, ...], chunks: list[bytes]) -> tuple[list[Alert], Summary]:
    made = plan(rules)
    parser, merger = RegexParser(compile_format("common"), made), Merger(made)
    merger.open(0, "x")
    events: list[Any] = []
    for chunk in chunks:
        header, payload = pack_partial(parser.fold([(0, chunk)], None))
        events += merger.commit(0, unpack_partial(header, payload))
    return [*events, *merger.finish()], merger.summary(complete=True)


def counted(rule: Rule, lines: list[Line], wanted: Fits, of: Fits) -> list[tuple[Any, ...]]:
    recount = Recount(rule)
    for hit in lines:
        share = rule.measure == "share"
        if of(hit) if share else wanted(hit):
            field = {"section": hit[2], "status": f"{hit[3]}", "method": hit[1]}
            key = field[rule.per].encode() if rule.per else b""
            recount.add(Taken(START + hit[0], key, wanted(hit), hit[4], 0))
    first, last = START + min(lines)[0], START + max(lines)[0]
    return [
        (
            it.at,
            it.key.decode() if rule.per else None,
            "firing" if it.firing else "resolved",
            it.hits,
            it.value,
        )
        for it in recount.close(last + 1, first)
    ]


@settings(max_examples=70, deadline=None)
@given(
    several=st.lists(written(), min_size=1, max_size=4),
    lines=st.lists(hits, min_size=1, max_size=60),
    cuts=st.sets(st.integers(0, 60)),
)
def test_rules_agree_with_a_count(
    several: list[tuple[str, Fits, Fits]], lines: list[Line], cuts: set[int]
) -> None:
    """Lines come in any order within the lateness; where the log is cut into chunks does not show."""
    text = "".join(f'[[rule]]\nname = "{number}"\n{rule}\n' for number, (rule, _, _) in enumerate(several))
    rules = parse_rules("r.toml", text.encode()).rules
    log = [line(hit) for hit in lines]
    edges = sorted({0, *(cut for cut in cuts if cut < len(log)), len(log)})
    chunks = [b"".join(log[start:stop]) for start, stop in pairwise(edges)]
    alerts, summary = replayed(rules, chunks)
    for number, (rule, (_, wanted, of)) in enumerate(zip(rules, several, strict=True)):
        mine = [alert for alert in alerts if alert.rule == str(number)]
        got = [(alert.at, alert.key, alert.state, alert.hits, alert.value) for alert in mine]
        assert got == counted(rule, lines, wanted, of)
        assert all(alert.threshold == rule.threshold and alert.window == rule.window for alert in mine)
        assert all(alert.rate == round(alert.hits / rule.window, 3) for alert in mine)
    order = [(alert.at, int(alert.rule), alert.key or "") for alert in alerts]
    assert order == sorted(order)
    assert summary.alerts == sum(alert.state == "firing" for alert in alerts)
    left: dict[str, bool] = {}
    for alert in alerts:
        left[alert.rule if alert.key is None else f"{alert.rule}: {alert.key}"] = alert.state == "firing"
    assert sorted(summary.open_alerts) == sorted(name for name, firing in left.items() if firing)
    assert replayed(rules, [b"".join(log)]) == (alerts, summary)


RULES = """\
[[rule]]
name = "errors"
where = "status >= 500"
measure = "share"
per = "section"
window = 5
above = 0.5

[[rule]]
name = "died"
measure = "hits"
window = 10
below = 1
"""


@pytest.fixture
def logged(tmp_path: Path) -> Path:
    (tmp_path / "rules.toml").write_text(RULES)
    lines = [(second, "GET", "/api", 503 if second > 3 else 200, 1) for second in range(10)]
    (tmp_path / "a.log").write_bytes(b"".join(map(line, [*lines, (40, "GET", "/\x1b", 500, 1)])))
    return tmp_path


@pytest.mark.parametrize("executor", ["inline", "processes"])
@pytest.mark.parametrize("parser", ["auto", "regex"])
def test_a_program_gets_the_alerts_of_rules(logged: Path, executor: str, parser: str) -> None:
    report = package.replay(
        logged / "a.log", rules=logged / "rules.toml", executor=executor, parser=parser, workers=2
    )
    assert [(a.rule, a.key, a.state, a.at - START, a.hits, a.value) for a in report.alerts] == [
        ("errors", "/api", "firing", 6, 3, 0.6),
        ("errors", "/api", "resolved", 14, 0, 0.0),
        ("died", None, "firing", 19, 0, 0),
        ("errors", r"/\x1b", "firing", 40, 1, 1.0),
        ("died", None, "resolved", 40, 1, 1),
    ]
    assert report.summary.alerts == 3
    assert report.summary.open_alerts == [r"errors: /\x1b"]
    assert report.alerts[0].message == (
        "errors fired for section /api - share = 0.6 over 5 s, above 0.5, triggered at 2018-05-09T16:00:06Z"
    )
    assert NdjsonRenderer().render(report.alerts[0]).decode() == (
        '{"event":"alert","rule":"errors","key":"/api","state":"firing","at":1525881606,"hits":3,"rate":0.6,'
        '"value":0.6,"threshold":0.5,"window":5,"message":"errors fired for section /api - share = 0.6 over '
        '5 s, above 0.5, triggered at 2018-05-09T16:00:06Z"}\n'
    )


def test_the_command_prints_them_and_can_fail_for_them(logged: Path, fastlog: Callable[..., Any]) -> None:
    done = fastlog("--rules", "rules.toml", "--fail-on-alert", "-q", "--tz", "UTC", "a.log")
    assert (done.returncode, done.stderr) == (3, b"")
    assert done.stdout.decode().split("\n")[:3] == [
        "2018-05-09 16:00:06 UTC  ALERT      errors fired for section /api - share = 0.6 over 5 s, "
        "above 0.5, triggered at 2018-05-09T16:00:06Z",
        "2018-05-09 16:00:14 UTC  RECOVERED  errors recovered for section /api - share = 0 over 5 s, "
        "recovered at 2018-05-09T16:00:14Z",
        "2018-05-09 16:00:19 UTC  ALERT      died fired - hits = 0 over 10 s, below 1, "
        "triggered at 2018-05-09T16:00:19Z",
    ]
    assert b"still open: errors: /\\x1b" in done.stdout


def test_who_is_named_in_the_rules_file_is_told(logged: Path, fastlog: Callable[..., Any]) -> None:
    """In order, once each, and only of the rules that they asked for."""
    with (logged / "rules.toml").open("a") as file:
        file.write('[[notify]]\nexec = ["sh", "-c", "cat >> told.ndjson"]\nrules = ["err*"]\n')
    done = fastlog("--rules", "rules.toml", "--json", "-q", "a.log")
    assert (done.returncode, done.stderr) == (0, b"")
    lines = [text for text in done.stdout.splitlines(keepends=True) if b'"rule":"errors"' in text]
    assert len(lines) == 3
    assert (logged / "told.ndjson").read_bytes() == b"".join(lines)


def test_a_dropped_key_is_told_once(logged: Path) -> None:
    (logged / "rules.toml").write_text(
        '[[rule]]\nname = "many"\nmeasure = "hits"\nper = "section"\nwindow = 5\nabove = 100\n'
    )
    lines = [(second, "GET", f"/{second}-{number}", 200, 1) for second in range(4) for number in range(1500)]
    (logged / "a.log").write_bytes(b"".join(map(line, lines)))
    report = package.replay(logged / "a.log", rules=logged / "rules.toml", executor="inline", format="common")
    assert len(report.notices) == 1
    assert "rule 'many' meets more sections than the 2,000" in report.notices[0]
