"""Rules on what each line says for itself (host, target, duration, bytes), in formats of every kind."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastlog as package
from fastlog.errors import UsageError
from fastlog.executors.wire import pack_partial, unpack_partial
from fastlog.formats.compile import compile_format
from fastlog.merger import Merger
from fastlog.model.events import Alert
from fastlog.model.plan import Plan
from fastlog.model.rules import PERCENTILES, Rule
from fastlog.parsers.select import make_parser
from fastlog.rulebook.file import parse_rules
from tests.properties.recount import Recount, Taken

START = 1_525_881_600


class Line(NamedTuple):
    """What a server logs of a request; ``millis`` is None where it does not know."""

    second: int
    host: str
    target: str
    status: int
    size: int
    millis: int | None


lines = st.builds(
    Line,
    second=st.integers(0, 40),
    host=st.sampled_from(("192.0.2.1", "192.0.2.2", "2001:db8::1")),
    target=st.sampled_from(("/", "/api/login?next=/", "/api/list", "/img/a.png", "/slow")),
    status=st.sampled_from((200, 404, 503)),
    size=st.integers(0, 300),
    millis=st.none() | st.integers(0, 900),
)


def utc(line: Line, pattern: str) -> str:
    return datetime.fromtimestamp(START + line.second, UTC).strftime(pattern)


def apache(line: Line) -> str:
    micros = "-" if line.millis is None else line.millis * 1000
    stamp = utc(line, "%d/%b/%Y:%H:%M:%S +0000")
    return f'{line.host} - - [{stamp}] "GET {line.target} HTTP/1.1" {line.status} {line.size} {micros}'


def nginx(line: Line) -> str:
    seconds = "-" if line.millis is None else f"{line.millis / 1000:.3f}"
    request = f"GET {line.target} HTTP/1.1"
    return (
        f'{seconds} {utc(line, "%Y-%m-%dT%H:%M:%S+00:00")} "{request}" {line.status} {line.size} {line.host}'
    )


def w3c(line: Line) -> str:
    taken = "-" if line.millis is None else line.millis
    return f"{utc(line, '%Y-%m-%d %H:%M:%S')} {line.host} GET {line.target} {line.status} {line.size} {taken}"


def ltsv(line: Line) -> str:
    taken = "" if line.millis is None else f"\treqtime_microsec:{line.millis * 1000}"
    front = f"host:{line.host}\ttime:{START + line.second}\treq:GET {line.target} HTTP/1.1"
    return f"{front}\tstatus:{line.status}\tsize:{line.size}{taken}"


def keys(line: Line) -> str:
    request = {"ip": line.host, "uri": line.target, "m": "GET"}
    return json.dumps(
        {"t": START + line.second, "r": request, "s": line.status, "b": line.size, "d": line.millis}
    )


WRITERS: dict[str, Callable[[Line], str]] = {
    '%h %l %u %t "%r" %>s %b %D': apache,
    '$request_time $time_iso8601 "$request" $status $body_bytes_sent $remote_addr': nginx,
    "w3c:date time c-ip cs-method cs-uri-stem sc-status sc-bytes time-taken": w3c,
    "ltsv": ltsv,
    "json:t=time,r.ip=host,r.m=method,r.uri=target,s=status,b=size,d=duration_ms": keys,
}

Fits = Callable[[Line], bool]

WHERE: list[tuple[str, Fits]] = [
    ("status > 0", lambda line: True),
    ("host == '192.0.2.1'", lambda line: line.host == "192.0.2.1"),
    ("not (host starts_with '192.')", lambda line: not line.host.startswith("192.")),
    ("target =~ '^/api/l[io]'", lambda line: line.target.startswith(("/api/li", "/api/lo"))),
    ("target == '/api/login?next=/'", lambda line: line.target == "/api/login?next=/"),
    ("duration >= 250ms", lambda line: line.millis is not None and line.millis >= 250),
    ("not duration < 0.5", lambda line: line.millis is None or line.millis >= 500),
    ("bytes < 150 and status == 200", lambda line: line.size < 150 and line.status == 200),
]
LIMITS = {"hits": "2", "rate": "0.29", "bytes": "300", "share": "0.4", **dict.fromkeys(PERCENTILES, "0.3")}


@st.composite
def written(draw: st.DrawFn) -> tuple[str, Fits, Fits]:
    """A rule of a file, without its name, and what its `where` and its `of` want."""
    measure = draw(st.sampled_from(sorted(LIMITS)))
    where, of = draw(st.sampled_from(WHERE)), draw(st.sampled_from(WHERE))
    text = [
        f'measure = "{measure}"',
        f'where = "{where[0]}"',
        f"window = {draw(st.integers(1, 15))}",
        f"{draw(st.sampled_from(('above', 'below')))} = {LIMITS[measure]}",
    ]
    if measure == "share":
        text.append(f'of = "{of[0]}"')
    if per := draw(st.sampled_from(("host", "host", "section", None))):
        text.append(f'per = "{per}"')
    return "\n".join(text), where[1], of[1]


def plan(rules: tuple[Rule, ...]) -> Plan:
    return Plan(
        follow=False, lateness=60, horizon=None, cells=False, rejects=False, stats_window=10,
        stats_every=10, alert_window=120, threshold=1e6, rules=rules,
    )  # fmt: skip


def replayed(name: str, rules: tuple[Rule, ...], chunks: list[bytes]) -> list[Any]:
    made = plan(rules)
    parser, merger = make_parser("regex", compile_format(name), made), Merger(made)
    merger.open(0, "x")
    events: list[Any] = []
    start = 0
    for chunk in chunks:
        header, payload = pack_partial(parser.fold([(start, chunk)], None))
        start += len(chunk)
        events += merger.commit(0, unpack_partial(header, payload))
    return [*events, *merger.finish(), merger.summary(complete=True)]


def counted(rule: Rule, log: list[Line], wanted: Fits, of: Fits) -> list[tuple[Any, ...]]:
    """What the rule should say, by counting lines."""
    recount = Recount(rule)
    for line in log:
        looked_at = of(line) if rule.measure == "share" else wanted(line)
        if looked_at and not (rule.measure in PERCENTILES and line.millis is None):
            section = "/" + line.target[1:].split("/")[0].split("?")[0]
            key = {"host": line.host, "section": section, None: ""}[rule.per].encode()
            recount.add(Taken(START + line.second, key, wanted(line), line.size, 1000 * (line.millis or 0)))
    seconds = [START + line.second for line in log]
    return [
        (it.at, it.key, it.firing, it.hits, it.value) for it in recount.close(max(seconds) + 1, min(seconds))
    ]


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=45, deadline=None)
@given(
    several=st.lists(written(), min_size=1, max_size=3),
    log=st.lists(lines, min_size=1, max_size=50),
    cuts=st.sets(st.integers(0, 50)),
    noise=st.sets(st.integers(0, 50), max_size=3),
)
def test_rules_on_lines_agree_with_a_count(
    name: str, several: list[tuple[str, Fits, Fits]], log: list[Line], cuts: set[int], noise: set[int]
) -> None:
    """Lines that are not of the format count nowhere; where the log is cut does not show."""
    text = "".join(f'[[rule]]\nname = "{number}"\n{rule}\n' for number, (rule, _, _) in enumerate(several))
    rules = parse_rules("r.toml", text.encode()).rules
    rows = [WRITERS[name](line).encode() + b"\n" for line in log]
    rows = [row + b"no such line\n" * (at in noise) for at, row in enumerate(rows)]
    edges = sorted({0, *(cut for cut in cuts if cut < len(rows)), len(rows)})
    events = replayed(name, rules, [b"".join(rows[start:stop]) for start, stop in pairwise(edges)])
    assert (events[-1].parsed, events[-1].bytes) == (len(log), sum(line.size for line in log))
    for number, (rule, (_, wanted, of)) in enumerate(zip(rules, several, strict=True)):
        mine = [event for event in events if isinstance(event, Alert) and event.rule == str(number)]
        got = [(it.at, (it.key or "").encode(), it.state == "firing", it.hits, it.value) for it in mine]
        assert got == counted(rule, log, wanted, of)
    assert replayed(name, rules, [b"".join(rows)]) == events


SLOW = """\
[[rule]]
name = "slow client"
measure = "p95"
per = "host"
where = "target starts_with '/api/'"
window = 5
above = 0.25
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.toml").write_text(SLOW)
    log = [Line(second, "192.0.2.1", "/api/list", 200, 5, 400 if second == 7 else 20) for second in range(20)]
    for kind, name in enumerate(WRITERS):
        (tmp_path / f"{kind}.log").write_text("".join(WRITERS[name](line) + "\n" for line in log))
    fields = "#Fields: date time c-ip cs-method cs-uri-stem sc-status sc-bytes time-taken\n"
    (tmp_path / "2.log").write_text("#Version: 1.0\n" + fields + (tmp_path / "2.log").read_text())
    return tmp_path


@pytest.mark.parametrize(("kind", "name"), [*enumerate(WRITERS), (2, "auto"), (3, "auto")])
def test_a_replay_says_who_is_slow(folder: Path, kind: int, name: str) -> None:
    """W3C by the name of the format alone: its fields are in the log."""
    name = "w3c" if name.startswith("w3c") else name
    reports = [
        package.replay(f"{kind}.log", format=name, rules="rules.toml", **how)
        for how in ({"executor": "inline"}, {"workers": 1})
    ]
    assert [(alert.at - START, alert.key, alert.state) for alert in reports[0].alerts] == [
        (7, "192.0.2.1", "firing"),
        (12, "192.0.2.1", "resolved"),
    ]
    assert reports[0].alerts[0].value == pytest.approx(0.4, rel=0.01)
    assert reports[1] == reports[0]


COMMON = '192.0.2.1 - - [09/May/2018:16:00:00 +0000] "GET /a HTTP/1.1" 200 5\n'
BARE = "#Fields: date time c-ip cs-method cs-uri-stem sc-status\n2018-05-09 16:00:00 192.0.2.1 GET /a 200\n"


@pytest.mark.parametrize(
    ("log", "name", "told"),
    [
        (COMMON, "common", "'common'"),
        (COMMON, "auto", "'common'"),
        (BARE, "w3c", "'w3c:date time c-ip cs-method cs-uri-stem sc-status'"),
        ('{"t":1,"u":"/a"}\n', "json:t=time,u=target", "'json:t=time,u=target'"),
    ],
)
@pytest.mark.parametrize("how", [{"executor": "inline"}, {"workers": 1}])
def test_a_rule_on_what_a_format_lacks_is_refused(
    folder: Path, log: str, name: str, told: str, how: dict[str, Any]
) -> None:
    (folder / "a.log").write_text(log)
    with pytest.raises(UsageError) as refused:
        package.replay("a.log", format=name, rules="rules.toml", **how)
    lacking = "host" if name.startswith("json") else "duration"
    assert str(refused.value) == (
        f"rule 'slow client' asks for the {lacking}, which format {told} does not have: "
        f"log the {lacking}, or take the rule out"
    )


def test_the_command_leaves_with_2_for_it(folder: Path, fastlog: Callable[..., Any]) -> None:
    (folder / "a.log").write_text(COMMON)
    for name in ("common", "auto"):
        done = fastlog("-q", "--rules", "rules.toml", "--format", name, "a.log")
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.startswith(b"fastlog: rule 'slow client' asks for the duration, which format")
        assert done.stderr.count(b"\n") == 1
