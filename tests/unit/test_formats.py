"""Formats: the catalogue, format strings, JSON keys, logs that name their fields, and detection."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastlog.api import replay
from fastlog.errors import FormatError
from fastlog.formats.catalog import CATALOG, SPELLINGS
from fastlog.formats.compile import compile_format
from fastlog.formats.detect import detect, undetected
from fastlog.formats.fields import Step
from fastlog.formats.json_keys import parse_keys
from fastlog.formats.possessive import possessive
from fastlog.model.partial import REASONS, Partial
from fastlog.model.plan import Plan
from fastlog.model.sketch import LONGEST, cell_of
from fastlog.parsers.hits import Hit
from fastlog.parsers.regex import RegexParser
from fastlog.parsers.select import make_line_reader, make_parser, parser_name

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = {name: entry.example for name, entry in CATALOG.items()} | SPELLINGS
TEXT = [name for name in EXAMPLES if compile_format(name).kind in ("text", "fields")]
STAMP = "10/Oct/2000:13:55:36 -0700"
SECOND = 971_211_336


def plan(*, log_tz: str = "UTC", rejects: bool = False) -> Plan:
    return Plan(
        follow=False,
        lateness=60,
        horizon=None,
        cells=True,
        rejects=rejects,
        stats_window=10,
        stats_every=10,
        alert_window=120,
        threshold=10.0,
        log_tz=log_tz,
    )


def read(name: str, line: str, log_tz: str = "UTC") -> Hit | str:
    reader = make_line_reader(compile_format(name), plan(log_tz=log_tz))
    return reader.parse(line.encode("utf-8", "surrogateescape"))


def hit(name: str, line: str) -> Hit:
    found = read(name, line)
    assert isinstance(found, Hit), found
    return found


def fold(name: str, data: bytes, *, rejects: bool = False) -> Partial:
    return make_parser("regex", compile_format(name), plan(rejects=rejects)).fold([(0, data)], None)


# The catalogue


OLD_PATTERNS = """
import json, sys
sys.version_info = (3, 11, 2, "final", 0)
from fastlog.formats.catalog import CATALOG, SPELLINGS
from fastlog.formats.compile import compile_format
from fastlog.parsers import hits, timestamps
found = [hits._PATH, timestamps._STAMP]
for name in [*CATALOG, *SPELLINGS]:
    read = compile_format(name)
    found += [read.line, read.rows, read.rows_strict, *(read.plain[:2] if read.plain else ())]
print(json.dumps([pattern.pattern.decode() for pattern in found if pattern is not None]))
"""


def repeated(parsed: Any) -> Iterator[int]:
    """The lengths of what a parsed pattern repeats possessively."""
    for operator, argument in parsed:
        if str(operator) == "POSSESSIVE_REPEAT":
            body = argument[2]
            yield len(body[0][1][-1]) if str(body[0][0]) == "SUBPATTERN" else len(body)
        for part in argument if isinstance(argument, tuple) else (argument,):
            for inner in part if isinstance(part, list) else (part,):
                if type(inner).__name__ == "SubPattern":
                    yield from repeated(inner)


def test_before_3_11_5_no_group_is_repeated_possessively() -> None:
    """CPython loses its place over one there (gh-106052), and rejects every line."""
    done = subprocess.run(
        [sys.executable, "-c", OLD_PATTERNS], capture_output=True, timeout=60, check=True, cwd=ROOT
    )
    patterns = json.loads(done.stdout)
    assert len(patterns) > len(EXAMPLES)
    for pattern in patterns:
        assert max(repeated(re._parser.parse(pattern)), default=1) == 1, pattern  # type: ignore[attr-defined]


def test_a_possessive_group_is_what_it_is_elsewhere() -> None:
    """An atomic group, as older versions get it, fits as the possessive one does."""
    for group, quantifier, text in (
        ("(?:ab?c)", "*", "aca"),
        ("(?:\\.[0-9])", "?", ".x"),
        ("(?:a|b)", "+", "abc"),
    ):
        made = re.compile(possessive(group, quantifier))
        atomic = re.compile(f"(?>{group}{quantifier})")
        assert made.match(text)[0] == atomic.match(text)[0]  # type: ignore[index]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_hit_of_its_format(name: str) -> None:
    partial = fold(name, EXAMPLES[name].encode() + b"\n")
    assert (partial.lines, partial.parsed) == (1, 1)
    alone = hit(name, EXAMPLES[name])
    assert [partial.methods[0] + b" " + partial.sections[0]] == [alone.request]
    assert partial.statuses[0] == int(alone.status)
    assert partial.total_bytes == int(alone.size.replace(b"-", b"0"))
    assert list(partial.seconds) == [
        make_line_reader(compile_format(name), plan()).second(EXAMPLES[name].encode())
    ]


@pytest.mark.parametrize("name", CATALOG)
def test_an_example_is_recognised(name: str) -> None:
    found = detect([CATALOG[name].example.encode()])
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("name", TEXT)
def test_the_quick_pattern_takes_an_example(name: str) -> None:
    """Else a log of that format would be read line by line."""
    pattern = compile_format(name).rows_strict
    assert pattern is not None
    assert pattern.match(EXAMPLES[name].encode() + b"\n")


@pytest.mark.parametrize("name", [name for name in CATALOG if compile_format(name).kind == "text"])
def test_a_field_program_follows_the_example_to_its_end(name: str) -> None:
    program = compile_format(name).program
    if program is None:
        return
    line, at = EXAMPLES[name].encode(), 0
    for step in program[:-1]:
        at = line.find(step.literal, at)
        assert at >= 0, step
        at += len(step.literal)
    assert program[-1].kind == "end"
    roles = [step.role for step in program]
    assert any(role.startswith("time:") for role in roles)
    assert {"request", "target"} & set(roles)


def test_the_program_of_common() -> None:
    assert compile_format("common").program == (
        Step(b"", "word", "host", b" "),
        Step(b" ", "word", "skip", b" "),
        Step(b" ", "text", "user", b" "),
        Step(b" [", "bracketed", "time:apache"),
        Step(b'] "', "quoted", "request"),
        Step(b'" ', "status", "status"),
        Step(b" ", "digits", "size"),
        Step(b"", "end", "skip"),
    )


@pytest.mark.parametrize(
    ("name", "microseconds"),
    [
        ("traefik", 3_000),
        ("ingress_nginx", 247_000),
        ("haproxy", 109_000),
        ("envoy", 226_000),
        ("squid", 3_000),
        ("aws_elb", 73 + 1048 + 57),
        ("aws_s3", 7_000),
        ("cloudfront", 1_000),
        ("w3c", 283_000),
        ("ltsv", 126_000),
        ("caddy", 114),
        ("traefik_json", 215),
        ("nginx_json", 544_000),
        ("common", None),
    ],
)
def test_durations_are_microseconds(name: str, microseconds: int | None) -> None:
    assert hit(name, EXAMPLES[name]).duration == microseconds


@pytest.mark.parametrize(
    ("name", "host", "target"),
    [
        ("common", b"192.0.2.7", b"/apache_pb.gif"),
        ("vhost_combined", b"192.0.2.7", b"/apache_pb.gif"),
        ("haproxy", b"192.0.2.7", b"/index.html"),  # of what syslog writes in front, and the port, nothing
        ("squid", b"192.0.2.7", b"http://www.example.com/hello.txt"),
        ("aws_alb", b"192.0.2.7", b"http://www.example.com:80/"),
        ("aws_s3", b"192.0.2.3", b"/amzn-s3-demo-bucket?versioning"),
        ("cloudfront", b"192.0.2.100", b"/index.html"),
        ("w3c", b"198.51.100.146", b"/robots.txt"),
        ("ltsv", b"192.0.2.1", b"/list"),
        ("envoy", b"-", b"/api/v1/locations"),
    ],
)
def test_who_asked_and_for_what(name: str, host: bytes, target: bytes) -> None:
    assert hit(name, EXAMPLES[name])[5:] == (host, target)


# Format strings


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ('%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"', "combined"),
        (r"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"", "combined"),
        ('%v %h %l %u %t "%r" %>s %b', "vhost_common"),
    ],
)
def test_a_string_that_means_a_named_format_is_that_format(text: str, same: str) -> None:
    assert compile_format(text).layout == compile_format(same).layout


@pytest.mark.parametrize(
    ("text", "line", "asked", "status", "size", "duration"),
    [
        ('%t "%r" %>s %b %D', f'[{STAMP}] "GET /a/b HTTP/1.1" 200 5 1234', b"GET /a", b"200", b"5", 1234),
        ('%t "%r" %>s %b %T', f'[{STAMP}] "GET /a/b HTTP/1.1" 200 5 2', b"GET /a", b"200", b"5", 2_000_000),
        ('%t "%r" %>s %{ms}T', f'[{STAMP}] "GET /a HTTP/1.1" 200 7', b"GET /a", b"200", b"-", 7_000),
        ('%t %m "%U%q" %s', f'[{STAMP}] GET "/a?b=c" 404', b"GET /a", b"404", b"-", None),
        ('%t %m "%U%q" %s', f'[{STAMP}] GET "/a" 404', b"GET /a", b"404", b"-", None),
        ('%t "%r" %<s %>s', f'[{STAMP}] "GET /a HTTP/1.1" 302 200', b"GET /a", b"200", b"-", None),
        (
            '%t "%r" %s "%!200,304{Referer}i" "%{X}n"',
            f'[{STAMP}] "GET /a HTTP/1.1" 200 "-" "a \\" quote"',
            b"GET /a",
            b"200",
            b"-",
            None,
        ),
        ('%a:%{remote}p %t "%r"', f'::1:80 [{STAMP}] "GET /a HTTP/1.1"', b"GET /a", b"000", b"-", None),
        ("%t %r %s %b", f"[{STAMP}] GET /a b HTTP/1.1 200 5", b"GET /a", b"200", b"5", None),
        ("%t %U %{%a}t", f"[{STAMP}] /a/b Mon", b"- /a", b"000", b"-", None),
        (
            '[$time_local] "$request" $status $upstream_addr $body_bytes_sent $request_time',
            f'[{STAMP}] "GET /a HTTP/1.1" 200 10.0.0.1:80, 10.0.0.2:80 : 10.0.0.3:80 5 0.0421',
            b"GET /a",
            b"200",
            b"5",
            42_100,
        ),
        (
            "'$msec $remote_addr ' '${request_method} $request_uri $status'",
            "971211336.5 ::1 GET /a?b 200",
            b"GET /a",
            b"200",
            b"-",
            None,
        ),
        (
            "$time_iso8601\t$scheme://$host$uri$is_args$args\t$status",
            "2000-10-10T13:55:36-07:00\thttps://x/a?b=c\t200",
            b"- /a",
            b"200",
            b"-",
            None,
        ),
    ],
)
def test_strings(
    text: str, line: str, asked: bytes, status: bytes, size: bytes, duration: int | None
) -> None:
    found = hit(text, line)
    assert found[1:5] == (asked, status, size, duration)
    assert make_line_reader(compile_format(text), plan()).second(line.encode()) == SECOND
    assert fold(text, line.encode() + b"\n").parsed == 1


def test_an_hour_that_is_said_by_two_letters_counts_once() -> None:
    line = b'10/Oct/2000:13:55:36 -0700 13 "GET / HTTP/1.1"'
    text = '%{%d/%b/%Y:%T %z %k}t "%r"'
    assert make_line_reader(compile_format(text), plan()).second(line) == SECOND
    assert fold(text, line + b"\n").parsed == 1


@pytest.mark.parametrize(
    ("day", "parsed"), [("000", 0), ("001", 1), ("365", 1), ("366", 0), ("999", 0)], ids=str
)
def test_a_year_has_no_more_days_than_it_has(day: str, parsed: int) -> None:
    found = fold('[%{%Y-%j %T}t] "%r"', f'[2023-{day} 01:00:00] "GET /a HTTP/1.1"\n'.encode())
    assert (found.parsed, found.rejected[REASONS.index("time")]) == (parsed, 1 - parsed)


def test_weeks_and_their_years_are_passed_over() -> None:
    line = b'[2000 41 41 10/10/00 13:55:36 -0700] "GET / HTTP/1.1"'
    text = '[%{%G %V %W %x %X %z}t] "%r"'
    assert make_line_reader(compile_format(text), plan()).second(line) == SECOND
    assert fold(text, line + b"\n").parsed == 1


def test_parts_of_a_time_that_stand_apart_make_one() -> None:
    text = '%>{%Y-%m-%dT%H:%M:%S}t.%>{usec_frac}t%>{%z}t "%r"'
    line = b'2000-10-10T13:55:36.123456-0700 "GET / HTTP/1.1"'
    assert make_line_reader(compile_format(text), plan()).second(line) == SECOND


@pytest.mark.parametrize(
    ("text", "what", "under"),
    [
        ('%h "%r" %s', "no field is the time", None),
        ("[%{%T}t] %r", "the time lacks its day", "%{%T}t] %r"),
        ("%h [%{%F %H}t] %r", "the time lacks its day", "%{%F %H}t] %r"),
        ("%h %t %s %m", "no field is the request", None),
        ("$remote_addr $request", "no field is the time", None),
        ("[$time_local] $request_method", "no field is the request", None),
        ('%t "%r" %Z', "%Z is no directive", "Z"),
        ('%t "%r" 100% sure', "no directive of LogFormat begins here", "% sure"),
        ("%{%Y %E}t %r", "no letter of strftime", "%E}t"),
        ("%{%Y %Q}t %r", "no letter of strftime", "%Q}t"),  # the pattern's own letter for milliseconds
        ('%t "%r" %b%D', "nothing stands between size and duration", "%D"),
        ("[$time_local] $request_uri$status", "nothing stands between target and status", "$status"),
        ("json:a=time,b=nonsense", "nonsense is no field", "nonsense"),
        ("json:a=time", "no key is the request", None),
        ("json:a=target", "no key is the time", None),
        ("json:a=time,a.b=target", "a.b is named twice", "a.b"),
        ("json:", "give KEY=FIELD", None),
    ],
)
def test_an_error_points_at_the_place(text: str, what: str, under: str | None) -> None:
    with pytest.raises(FormatError) as raised:
        compile_format(text)
    message, shown, caret = str(raised.value).split("\n")
    assert what in message
    assert shown == f"  {text}"
    place = len(text) if under is None else text.index(under)
    if not (under is None and text == "json:"):
        assert caret == f"  {' ' * place}^"


def test_a_name_that_is_none_says_what_there_is() -> None:
    with pytest.raises(FormatError, match=r"'nonsense': give a name .*json:.*LogFormat.*log_format.*auto"):
        compile_format("nonsense")


def test_the_command_shows_the_caret(fastlog, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"x\n")
    done = fastlog("--format", '%t "%r" %Z', "a.log")
    assert done.returncode == 2
    assert done.stderr.decode().split("\n") == [
        "fastlog: --format: %Z is no directive of LogFormat",
        '  %t "%r" %Z',
        "           ^",
        "",
    ]


# JSON


def test_json_keys_may_be_nested_and_values_text_or_numbers() -> None:
    name = "json:t=time,r.m=method,r.u=target,s=status,b=size,d=duration_ms"
    line = {
        "t": "1525334330.9",
        "r": {"m": "GET", "u": "/a\u00e9/b"},
        "s": "200",
        "b": 512,
        "d": "12.5",
        "x": [{}],
    }
    assert hit(name, json.dumps(line)) == Hit(
        b"1525334330.9", "GET /a\u00e9".encode(), b"200", b"512", 12_500
    )


@pytest.mark.parametrize("parser", ["regex", *{parser_name("auto")} - {"regex"}])
@pytest.mark.parametrize("value", ["1e12", "1e300", "999999999999", "999999999999999", '"1e13"', '"1e999"'])
def test_a_duration_that_is_too_long_counts_as_the_longest(value: str, parser: str) -> None:
    name = compile_format("json:t=time,u=target,d=duration_s")
    line = b'{"t":1525334330,"u":"/a","d":%s}\n' % value.encode()
    found = make_parser(parser, name, plan()).fold([(0, line)], None)
    assert list(zip(found.durations, found.duration_hits, strict=True)) == [(cell_of(LONGEST), 1)]


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"s": None}, "format: status"),
        ({"s": 1000}, "format: status"),
        ({"b": -1}, "format: size"),
        ({"b": 1.5}, "format: size"),
        ({"b": "12a"}, "format: size"),
        ({"r": 1}, None),
        ({"r": []}, "format: object"),
        ({"u": None}, "format: request"),
        ({"t": None}, "format: time"),
        ({"t": "yesterday"}, "time"),
        ({"t": 1e300}, "time"),
        ({"b": None}, None),
        ({"b": "-"}, None),
        ({"m": None}, None),
        ({"u": "/a\nb"}, None),
        ({"s": 200.0}, None),
    ],
)
@pytest.mark.parametrize("neighbours", [0, 2])
def test_json_lines_are_judged_alike_alone_and_among_others(
    change: dict[str, object], outcome: str | None, neighbours: int
) -> None:
    good: dict[str, object] = {"t": 1525334330, "m": "GET", "u": "/a/b", "s": 200, "b": 5}
    lines = [json.dumps(good)] * neighbours + [json.dumps(good | change)]
    partial = fold(
        "json:t=time,m=method,u=target,r=request,s=status,b=size", "\n".join(lines).encode(), rejects=True
    )
    assert partial.lines == neighbours + 1
    assert [why for _, why, _ in partial.rejects] == ([] if outcome is None else [outcome])
    assert sum(partial.section_hits) == sum(partial.status_hits) == partial.parsed


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"1", b'{"t":1}}', b'\xff{"t":1}', b"{" * 10_000, b"[" * 10_000]
)
def test_what_is_no_object_is_rejected(line: bytes) -> None:
    partial = fold("json:t=time,u=target", line + b"\n")
    assert (partial.lines, partial.parsed) == (1, 0)


def test_every_key_of_a_json_format_is_known() -> None:
    for entry in CATALOG.values():
        if entry.kind == "json":
            assert parse_keys(entry.text).wants("status")


# Logs that name their fields

W3C = """\
#Software: x
#Fields: date time cs-method cs-uri-stem sc-status sc-bytes time-taken
2015-01-13 00:32:17 GET /a/b 200 5 12
#Fields: time sc-status cs-uri date cs-method
00:32:18 404 /c?d 2015-01-13 HEAD
00:32:19 404 /c?d
#Fields: nothing of use
00:32:18 404 /c?d 2015-01-13 HEAD
#Fields: date time cs-method cs-uri-stem sc-status
2015-01-13\t00:32:20\tGET\t/a\t500
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_fields_may_change_wherever_they_like(end: str) -> None:
    data = W3C.replace("\t", " ").replace("\n", end).encode()
    partial = fold("w3c", data, rejects=True)
    assert partial.rejected == [5, 2, 0, 0]
    assert dict(zip(partial.sections, partial.section_hits, strict=True)) == {b"/a": 2, b"/c": 1}
    assert list(partial.seconds) == [1421109137, 1421109138, 1421109140]
    whys = [why for _, why, _ in partial.rejects if why != "blank"]
    assert whys == ["format: date", "format: #Fields"]
    for offset, _, line in partial.rejects:
        assert data[offset:].startswith(line)


def w3c_log(lines: int) -> bytes:
    """A log of several chunks, whose fields change now and then; all its hits are of ``/good``."""
    parts = []
    for number in range(lines):
        order = number // 9_000 % 2
        if number % 9_000 == 0:
            parts.append(
                f"#Fields: date time {('cs-uri-stem cs-method', 'cs-method cs-uri-stem')[order]} sc-status"
            )
        request = ("/good/" + "x" * 40 + " GET", "GET /good/" + "x" * 40)[order]
        parts.append(f"2015-01-13 00:{number // 1000 % 60:02d}:17 {request} {200 + order}")
    return "\n".join(parts).encode() + b"\n"


@pytest.mark.parametrize("files", [1, 2])
def test_a_chunk_stands_under_the_last_fields_before_it(tmp_path: Path, files: int) -> None:
    data = w3c_log(50_000)
    assert len(data) > 2 << 20
    paths = [tmp_path / f"{number}.log" for number in range(files)]
    for path in paths:
        path.write_bytes(data)
    report = replay(paths, format="auto", executor="inline")
    assert report.summary.parsed == 50_000 * files
    assert report.summary.rejected["format"] == 0
    assert report.summary.sections == {"/good": 50_000 * files}


def test_the_same_in_processes_and_through_a_pipe(fastlog, tmp_path: Path) -> None:
    data = w3c_log(50_000)
    (tmp_path / "a.log").write_bytes(data)
    by_file = fastlog("--json", "--format", "w3c", "-w", "2", "a.log")
    by_pipe = fastlog("--json", "--format", "w3c", "-w", "2", "-", stdin=data)
    assert by_file.returncode == by_pipe.returncode == 0
    assert by_file.stdout == by_pipe.stdout
    assert json.loads(by_file.stdout.splitlines()[-1])["statuses"] == {"200": 27_000, "201": 23_000}


# LTSV


@pytest.mark.parametrize(
    "line",
    [
        "time:10/Oct/2000:13:55:36 -0700\treq:GET /a/b HTTP/1.1\tstatus:200\tsize:5",
        "size:5\tstatus:200\treq:GET /a/b HTTP/1.1\ttime:[10/Oct/2000:13:55:36 -0700]",
        "host:x\ttime:2000-10-10T13:55:36-07:00\tmethod:GET\turi:/a/b?c=d\tstatus:200\tsize:5\tua:",
        "time:971211336.25\turi:/a/b\tsize:5\tmethod:GET\tstatus:200",
    ],
)
def test_labels_come_in_any_order(line: str) -> None:
    assert hit("ltsv", line)[1:4] == (b"GET /a", b"200", b"5")
    other = EXAMPLES["ltsv"]
    partial = fold("ltsv", f"{line}\n{line}\n{other}\n{line}\tx\n{line}\n".encode())
    assert partial.rejected == [0, 1, 0, 0]
    assert dict(zip(partial.sections, partial.section_hits, strict=True)) == {b"/a": 3, b"/list": 1}


# Detection


def test_the_format_that_fits_most_lines_counts() -> None:
    common, combined = (CATALOG[name].example.encode() for name in ("common", "combined"))
    found = [detect(lines) for lines in ([common, combined, b"x"], [combined, b"x", combined], [b"x"], [])]
    assert [fmt and fmt.name for fmt in found] == ["common", "combined", None, None]


def test_a_w3c_log_is_known_by_its_directives() -> None:
    lines = W3C.replace("\t", " ").encode().split(b"\n")[:3]
    found = detect(lines)
    assert found is not None
    assert found.name == "w3c"
    cloudfront = [b"#Version: 1.0", b"#Fields: date time x-edge-location cs-method cs-uri-stem sc-status"]
    found = detect([*cloudfront, b"2019-12-04\t21:02:31\tLAX1\tGET\t/x\t200"])
    assert found is not None
    assert found.name == "cloudfront"


def test_what_fits_nothing_says_how_far_the_nearest_came() -> None:
    message = str(undetected("a.log", b'192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" abc'))
    assert "a.log: no known format fits; the first line is: 192.0.2.7" in message
    assert "common fits 5 of 7 fields, then wants status" in message
    assert "{" in str(undetected("a.log", b'{"a":1}'))


# Time zones


@pytest.mark.parametrize(
    ("stamp", "zone", "second"),
    [
        ("29/Mar/2015:01:59:59", "Europe/Amsterdam", 1_427_590_799),
        ("29/Mar/2015:03:00:00", "Europe/Amsterdam", 1_427_590_800),
        ("25/Oct/2015:02:30:00", "Europe/Amsterdam", 1_445_733_000),  # the first pass
        ("25/Oct/2015:03:00:00.999", "Europe/Amsterdam", 1_445_738_400),
        ("25/Oct/2015:03:00:00", "UTC", 1_445_742_000),
    ],
)
def test_stamps_without_a_zone_are_read_in_log_tz(stamp: str, zone: str, second: int) -> None:
    line = EXAMPLES["haproxy"].replace("06/Feb/2009:12:14:14.655", stamp).encode()
    assert RegexParser(compile_format("haproxy"), plan(log_tz=zone)).second(line) == second


def test_log_tz_of_the_command(fastlog, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(EXAMPLES["haproxy"] + "\n")
    done = fastlog("--json", "--log-tz", "America/New_York", "a.log")
    assert json.loads(done.stdout)["first"] == 1_233_922_454 + 5 * 3600
    bad = fastlog("--log-tz", "Nowhere", "a.log")
    assert bad.returncode == 2
    assert b"--log-tz is 'Nowhere'" in bad.stderr


# Rejects


def test_a_reject_names_the_field_at_which_the_line_stopped_fitting(fastlog, tmp_path: Path) -> None:
    good = EXAMPLES["combined"]
    bad = [good.replace("2326", "2x"), good.replace(" 200 ", " 20 "), good[: good.index('"Moz') + 6], "one"]
    (tmp_path / "a.log").write_text("\n".join([good, *bad, "", good]) + "\n")
    done = fastlog("--rejects", "r", "--format", "combined", "a.log")
    rows = [row.split("\t") for row in (tmp_path / "r").read_text().splitlines()]
    assert [(row[2], row[3]) for row in rows] == [
        ("format", "size"),
        ("format", "status"),
        ("format", "user agent"),
        ("format", "ident"),
        ("blank", "-"),
    ]
    assert int(rows[0][1]) == len(good) + 1
    without = fastlog("--format", "combined", "a.log")
    assert without.stdout == done.stdout
    shown = done.stdout.decode()
    assert "format: size" in shown
    assert "format: user agent" in shown
    assert "format: ident" not in shown  # the fourth


@pytest.mark.parametrize("many", [1, 200])
def test_a_number_sign_begins_no_directive_but_at_the_start_of_a_line(many: int) -> None:
    line = b"2015-01-13 00:32:17 192.0.2.81 GET /a#Fields:#b - 80 - 198.51.100.146 - - 404 0 2 283\n"
    fields = b"#Fields: date time cs-uri-stem sc-status\n2015-01-13 00:32:18 /b 200\n"
    for name in dict.fromkeys(["regex", parser_name("auto")]):
        parser = make_parser(name, compile_format("w3c"), plan())
        partial = parser.fold([(0, line * many + fields + b"#" + fields)], None)
        assert partial.rejected == [2, 0, 0, 0]
        assert dict(zip(partial.sections, partial.section_hits, strict=True)) == {b"/a": many, b"/b": 2}


@pytest.mark.parametrize("parser", dict.fromkeys(["regex", parser_name("auto")]))
def test_a_comment_of_as_many_words_as_a_line_has_is_blank(parser: str) -> None:
    """It was a line whose stamp is none, and one that held a stamp was a hit."""
    fields = b"#Fields: date time cs-method cs-uri-stem\n"
    lines = [b"2015-01-13 00:32:17 GET /a\n", fields, b"#2015-01-13 00:32:17 GET /a\n", b"# of words GET\n"]
    for name in ("w3c", "cloudfront"):
        data = fields + b"".join(lines + lines)
        if name == "cloudfront":
            data = b"".join(
                line if line.startswith(b"#F") else line.replace(b" ", b"\t")
                for line in data.splitlines(keepends=True)
            )
        partial = make_parser(parser, compile_format(name), plan()).fold([(0, data)], None)
        assert (partial.parsed, partial.rejected) == (2, [7, 0, 0, 0])
    asking = "w3c:cs-uri-stem date time cs-method"
    data = b"/a 2015-01-13 00:32:17 GET\n#b 2015-01-13 00:32:17 GET\n"
    partial = make_parser(parser, compile_format(asking), plan()).fold([(0, data)], None)
    assert (partial.parsed, partial.rejected) == (1, [1, 0, 0, 0])


def test_a_list_of_fields_that_no_line_follows_yet_does_not_hide_the_format() -> None:
    lines = [
        b"#Fields: date time cs-method cs-uri-stem sc-status time-taken",
        b"2015-01-13 00:32:17 GET /robots.txt 404 283",
        b"#Fields: time date sc-status cs-uri-stem cs-method cs(Referer)",
    ]
    found = detect(lines)
    assert found is not None
    assert found.name == "w3c"


def test_of_two_carriage_returns_one_is_of_the_line() -> None:
    usual = b'h - - [01/Mar/2005:07:08:06 +0000] "GET /a HTTP/1.1" 200 9'
    found = fold("common", (usual + b"\r\n") * 5 + usual + b"\r\r\n")
    assert (found.parsed, found.rejected[REASONS.index("format")]) == (5, 1)
