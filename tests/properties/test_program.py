"""The walk of the field program gives the partial that the regex parser gives, for every format it takes."""

import re
from importlib.util import find_spec

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastlog.formats.catalog import CATALOG, SPELLINGS
from fastlog.formats.compile import compile_format
from fastlog.model.plan import Plan
from fastlog.parsers.program import program_of
from fastlog.parsers.select import make_parser
from tests.properties.strategies import random_log
from tests.properties.test_formats import Record, formats, records
from tests.properties.test_native import blocks, canonical
from tests.unit.test_real_logs import CASES

pytestmark = pytest.mark.skipif(find_spec("fastlog.parsers.native") is None, reason="not built here")

STRINGS = {
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
    '"$http_user_agent"': CATALOG["combined"].example,
    '%h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i" %D': CATALOG["combined"].example + " 17",
    '%h %u %t "%r" %>s %b': '192.0.2.7 frank [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 2326',
    "%h %l %t %r %>s %b": "192.0.2.7 - [10/Oct/2000:13:55:36 -0700] GET /a HTTP/1.0 200 2326",
    '"%{%d %b %Y %H:%M:%S %z}t" "%m" "%U%q" %>s "%B"': '"10 Oct 2000 13:55:36 -0700" "GET" "/a/b?c" 200 "5"',
    "%{%e/%m/%y %T}t|%m|%U|%>s|%B": "10/10/00 13:55:36|GET|/a/b|200|5",
    "$msec|$remote_addr,$request_method,$uri$is_args$args,$status": "1525334330.556|192.0.2.7,GET,/a/b?c,200",
    '[$time_iso8601] $msec $host:$server_port $upstream_addr "$request" $status': (
        '[2021-02-03T11:22:33+08:00] 1612322553.123 [::1]:443 10.0.0.1:80, 10.0.0.2:80 "GET /a HTTP/1.1" 200'
    ),
    "%{msec}t %h %m %U%q %>s": "1525334330556 192.0.2.7 GET /a/b?c=/d 200",
    '%{usec}t %h "%r" %>s': '1525334330556123 192.0.2.7 "GET /a/b?c=/d" 200',
    "w3c:time-taken date time cs-method cs-uri sc-status sc-bytes": (
        "17 2015-01-13 00:32:17 GET http://a/b/c 404 12"
    ),
}
"""Strings with steps of every kind, each with an example line."""
EXAMPLES = {name: entry.example for name, entry in CATALOG.items()} | SPELLINGS | STRINGS
PROGRAMS = [name for name in EXAMPLES if program_of(compile_format(name)) is not None]
ZONES = ("UTC", "Europe/Berlin")


def plan(log_tz: str = "UTC") -> Plan:
    return Plan(
        follow=False, lateness=60, horizon=None, cells=True, rejects=True, stats_window=10, stats_every=5,
        alert_window=7, threshold=0.3, pairs=True, log_tz=log_tz,
    )  # fmt: skip


def assert_read_alike(name: str, data: bytes, cuts: list[int], log_tz: str = "UTC") -> None:
    compiled, chosen = compile_format(name), plan(log_tz)
    parser = make_parser("native", compiled, chosen)
    # The segments of the regex parser begin anew with each block: those of all parsers, where it has fields.
    whole = blocks(data, cuts) if compiled.kind == "fields" else [(0, data)]
    wanted = canonical(make_parser("regex", compiled, chosen).fold(whole, None))
    for _ in range(2):  # what a parser has learnt from a chunk changes nothing in the next
        assert canonical(parser.fold(blocks(data, cuts), None)) == wanted


def test_every_format_with_delimiters_has_a_program() -> None:
    kinds = {compile_format(name).kind for name in EXAMPLES if name not in PROGRAMS}
    assert kinds == {"json", "labels"}


def odd_lines(name: str, data: bytes, log_tz: str = "UTC") -> int:
    """Lines that the compiled parser leaves to the regex."""
    from fastlog.parsers.native import NativeParser

    parser = NativeParser(compile_format(name), plan(log_tz))
    partial = parser.fold([(0, data)], None)
    assert partial.parsed == data.count(b"\n")
    return parser.odd


NEVER_SEEN = ("%{%e/%m/%y %T}t|%m|%U|%>s|%B", '"%{%d %b %Y %H:%M:%S %z}t" "%m" "%U%q" %>s "%B"')
LISTS = ('[$time_iso8601] $msec $host:$server_port $upstream_addr "$request" $status',)


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in LISTS])
def test_an_example_is_folded_by_the_program(name: str) -> None:
    """But for stamps that are in no form of their own: there a line a second goes to the regex."""
    assert odd_lines(name, (EXAMPLES[name] + "\n").encode() * 50) == (name in NEVER_SEEN)


@pytest.mark.parametrize("name", ["haproxy", "w3c", "cloudfront"])
def test_a_stamp_without_a_zone_is_asked_for_once_in_another_zone(name: str) -> None:
    line = EXAMPLES[name].encode() + b"\n"
    assert odd_lines(name, line * 50, "Europe/Berlin") == 1
    assert_read_alike(name, line * 3, [], "Europe/Berlin")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_the_regex_on_examples_cut_anywhere(name: str) -> None:
    line = EXAMPLES[name].encode()
    data = b"\n".join(line[:at] for at in range(len(line) + 1)) + b"\r\n" + line
    assert_read_alike(name, data, [len(data) // 3])
    for cut in range(0, 3 * len(line), 13):
        assert_read_alike(name, (line + b"\n") * 3, [cut])


_BYTES = st.sampled_from(
    [b'"', b"\\", b" ", b"[", b"]", b"-", b"\t", b"9", b"0", b"", b":", b"/", b"?", b",", b".", b"|", b"+",
     b"Z", b"\r", b"\n", b"\xff",
     b'" ', b' "', b'"-"', b" - ", b" : ", b", ", b"  ", b'\\"', b'" 200 5 "', b"-1"]
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, line: bytes) -> bytes:
    """Lines like ``line`` with bytes flipped, cut out, put in or repeated."""
    lines = [line] * draw(st.integers(1, 4))
    for at in range(len(lines)):
        for _ in range(draw(st.integers(0, 3))):
            start = draw(st.integers(0, len(lines[at])))
            stop = start + draw(st.integers(0, 4))
            lines[at] = lines[at][:start] + draw(_BYTES) * draw(st.integers(1, 2)) + lines[at][stop:]
    return b"\n".join(lines) + draw(st.sampled_from([b"", b"\n", b"\r\n"]))


@pytest.mark.parametrize("space", [" ", "\t"])
@pytest.mark.parametrize("behind", ['"GET /a HTTP/1.1"', "[01/Jan/1970:00:00:00 +0000]"])
@pytest.mark.parametrize("separator", ["\t", " "])
def test_what_stands_behind_a_quote_or_a_bracket_begins_with_no_space(
    separator: str, behind: str, space: str
) -> None:
    """There the definition looks whether the quote or the bracket is the last."""
    parts = ['"GET /a HTTP/1.1"', "[01/Jan/1970:00:00:00 +0000]", "192.0.2.7"]
    parts.insert(parts.index(behind) + 1, space + '"x')
    fields = {'"GET /a HTTP/1.1"': '"%r"', "[01/Jan/1970:00:00:00 +0000]": "%t", "192.0.2.7": "%h"}
    text = separator.join(fields.get(part, "%u") for part in parts)
    assert_read_alike(text, separator.join(parts).encode() + b"\n", [])


@settings(max_examples=250, deadline=None)
@given(data=st.data(), name=st.sampled_from(PROGRAMS), log_tz=st.sampled_from(ZONES))
def test_a_program_is_the_regex_on_damaged_lines(data: st.DataObject, name: str, log_tz: str) -> None:
    log = data.draw(damaged(EXAMPLES[name].encode()))
    assert_read_alike(name, log, data.draw(st.lists(st.integers(0, len(log)), max_size=2)), log_tz)


@settings(max_examples=120, deadline=None)
@given(chosen=formats(), several=st.lists(records, min_size=1, max_size=3), data=st.data())
def test_a_program_is_the_regex_on_random_formats(
    chosen: tuple[str, list], several: list[Record], data: st.DataObject
) -> None:
    text, writers = chosen
    separator = next(mark for mark in ("\t", " | ", " ") if mark in text or mark == " ")
    lines = [separator.join(write(record) for write in writers).encode() for record in several]
    log = b"\n".join(data.draw(st.one_of(st.just(line), damaged(line))) for line in lines)
    assert_read_alike(text, log, [])


STAMPS = (
    "2020-02-30T10:00:00Z", "2020-02-29T10:00:60Z", "2020-02-29T10:00:61Z", "2020-02-29T24:00:00Z", "-1",
    "2020-02-29T10:00:00.123456789012Z", "2020-02-29T10:00:00.1234567890123Z", "2020-02-29T10:00:00,5+0530",
    "2020-02-29T10:00:00.Z", "2020-02-29T10:00:00-08", "2020-02-29T10:00:00+24:00", "2020-02-29 10:00:00",
    "2020-02-29T10:00:00", "20200229T100000Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
    "0000-01-01T00:00:00Z", "2020-02-29t10:00:00z", "2020-02-29T10:00:00UTC", "2020-10-25T02:30:00",
    "2020-03-29T02:30:00", "1525334330", "1525334330.", "1525334330.1234567891", "253402300800", "0",
    "99999999999", "100000000000", "1525334330556", "999999999999999", "10/Oct/2000:13:55:36 -0700",
    "10/Oct/2000:13:55:36.5 -0700", "1/Oct/2000:13:55:36 -0700", "10/Oct/2000:13:55:36",
    "25/Oct/2020:02:30:00",
    "10/Oct/2000:13:55:36.123", "10/Oct/2000:13:55:36.", "10/Oct/2000:3:55:36.1", "1/Oct/2000:13:55:36.12",
    "2020-02-29 10:00:00.5", "2020-02-29 10:00:0.55", "2020-02-29 1:00:00.55", "10:00:00 2020-02-29",
    "2020-02-29\t10:00:00", "10/10/00 13:55:36", "10 Oct 2000 13:55:36 -0700", "10 Oct 2000 13:55:36 -0730",
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@example(stamps=list(STAMPS), template=0, log_tz="UTC")
@example(stamps=[stamp for stamp in STAMPS for _ in range(2)], template=0, log_tz="Europe/Berlin")
@given(
    stamps=st.lists(st.sampled_from(STAMPS), min_size=1, max_size=8),
    template=st.integers(0, 7),
    log_tz=st.sampled_from(ZONES),
)
def test_a_stamp_is_what_the_regex_parser_reads(stamps: list[str], template: int, log_tz: str) -> None:
    templates = {
        '%{%d/%b/%Y:%H:%M:%S}t "%r"': '{} "GET /a"',
        '[%{%d/%b/%Y:%H:%M:%S}t] "%r"': '[{}] "GET /a"',
        '%t "%r"': '[{}] "GET /a"',
        '$time_iso8601 "$request"': '{} "GET /a"',
        '[$time_iso8601] "$request"': '[{}] "GET /a"',
        '$msec "$request"': '{} "GET /a"',
        '%{msec}t "%r"': '{} "GET /a"',
        '%{%e/%m/%y %T}t "%r"': '{} "GET /a"',
        "w3c:date time cs-method cs-uri-stem": "{} GET /a",
        "cloudfront:date time cs-method cs-uri-stem": "{}\tGET\t/a",
        '"%{%d %b %Y %H:%M:%S %z}t" "%r"': '"{}" "GET /a"',
    }
    chosen = list(templates)[template:] if template == 0 else [list(templates)[template]]
    for name in chosen:
        assert_read_alike(
            name, "\n".join(templates[name].format(stamp) for stamp in stamps).encode(), [], log_tz
        )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", list(STRINGS)[:3])
def test_a_string_of_the_common_family_is_the_regex_on_hostile_logs(name: str, seed: int) -> None:
    assert_read_alike(name, random_log(seed + 30, format="combined"), [1000])


@pytest.mark.parametrize("path", sorted(CASES.glob("*.log")), ids=lambda path: path.name)
def test_every_program_is_the_regex_on_real_logs(path) -> None:
    data = path.read_bytes()[:100_000]
    for name in PROGRAMS:
        assert_read_alike(name, data, [30_000])


DECIMALS = (
    "0", "0.5", "0.000073", "0.0000731", "12.345678", "1234567", "1234567.5", "12345678", "12345678.123456",
    "60.", "0.123456789012345678", "0.1234567890123456789", "-1", "-", "+1.5", ".5", "1.2.3", "1e3", "",
    "00000.25", "123456789012345678", "1234567890123456789",
)  # fmt: skip
TIMED = (
    ("%h %t %m %U %>s %B %D", '192.0.2.7 [10/Oct/2000:13:55:36 -0700] GET /a 200 {0} {0}'),
    ("$msec $request_time $request_method $uri $status", "1525334330.556 {0} GET /a 200"),
    ('$request_time|$time_iso8601|"$request"', '{0}|2021-02-03T11:22:33+08:00|"GET /a HTTP/1.1"'),
    ("squid", "1525334330.556      {0} 192.0.2.7 TCP_HIT/200 {0} GET http://a/b - NONE/- text/plain"),
    ("aws_elb", "2015-05-13T23:39:43.945958Z lb 192.0.2.7:{0} 10.0.0.1:80 {0} 0.5 {0} 200 200 {0} {0} "
                '"GET http://a/b HTTP/1.1"'),
    ("aws_elb", "2015-05-13T23:39:43.945958Z lb 192.0.2.7:2817 10.0.0.1:80 0.000073 0.001048 0.01 200 200 "
                '{0} 29 "GET http://a/b HTTP/1.1"'),
    ("envoy", '[2016-04-15T20:17:00.310Z] "POST /api HTTP/2" 204 - {0} 0 226 100 "10.0.35.28" "nsq2http" '
              '"cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations" "tcp://10.0.2.1:80"'),
    ("w3c:date time cs-method cs-uri sc-status time-taken", "2015-01-13 00:32:17 GET /a/b 200 {0}"),
)  # fmt: skip
"""Formats whose durations and sizes stand before a tail, the end of the line, or another byte."""


@pytest.mark.parametrize(("name", "template"), TIMED, ids=[name for name, _ in TIMED])
def test_a_number_of_any_length_is_what_the_regex_reads(name: str, template: str) -> None:
    lines = [template.format(number) + more for number in DECIMALS for more in ("", " more", "0", "\r")]
    assert_read_alike(name, "".join(line + "\n" for line in lines).encode(), [])
    for line in lines:  # each of them first, too
        assert_read_alike(name, f"{line}\n".encode(), [])


CLOCKS = (
    "13:55:36",
    "13:55:37",
    "13:56:00",
    "13:59:60",
    "13:00:00",
    "13:55:61",
    "13:60:00",
    "13;55:36",
    "14:00:00",
)


@pytest.mark.parametrize("log_tz", ZONES)
@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("%h %t %r %>s %B", "192.0.2.7 [10/Oct/2000:{} -0700] GET /a HTTP/1.0 200 1"),
        ('[$time_iso8601] "$request" $status', '[2021-02-03T{}+08:00] "GET /a HTTP/1.1" 200'),
        ('[$time_iso8601] "$request" $status', '[2021-02-03T{}.25Z] "GET /a HTTP/1.1" 200'),
        ("haproxy", EXAMPLES["haproxy"].replace("12:14:14.655", "{}.655").replace("{1wt.eu} {} ", "")),
        ("w3c:date time cs-method cs-uri sc-status", "2015-01-13 {} GET /a/b 200"),
    ],
)
def test_a_stamp_of_the_hour_of_the_last_one_is_read_alike(name: str, template: str, log_tz: str) -> None:
    order = [first for pair in [(a, b) for a in CLOCKS for b in CLOCKS] for first in pair]
    assert_read_alike(name, "".join(template.format(clock) + "\n" for clock in order).encode(), [], log_tz)


WORDY = "w3c:date time cs-method cs-uri a b c d e f sc-status g h time-taken"


@given(st.lists(st.lists(st.sampled_from(["", "-", "x", "y" * 15, "z" * 63, "w" * 64, "v" * 130]), min_size=5,
                         max_size=9), min_size=1, max_size=6))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_words_of_any_length_side_by_side_are_counted_alike(lines: list[list[str]]) -> None:
    data = [f"2015-01-13 00:32:17 GET /{w[0]}/b {' '.join(w[1:])} 404 0 {w[0]} 17" for w in lines]
    assert_read_alike(WORDY, "".join(line + "\n" for line in data).encode(), [])


def test_text_goes_on_past_a_stop_behind_which_nothing_fits() -> None:
    """The address of a client by IPv6, before its port; what syslog wrote before HAProxy's line."""
    line = EXAMPLES["aws_elb"].replace("192.0.2.7:2817", "2001:db8::1:2817").encode() + b"\n"
    assert odd_lines("aws_elb", line * 5) == 0
    assert_read_alike("aws_elb", line, [])
    assert re.match(r"Feb  6 12:14:14 localhost", EXAMPLES["haproxy"])


def test_no_user_is_no_user_between_tabs_either() -> None:
    """Found by tests/fuzz: the quick pattern of the regex parser took what the definition does not."""
    assert_read_alike("vhost_common_tab", b'h:80\t7\t-\t\t[10/Oct/2000:13:55:36 -0700]\t"G /"\t200\t6\n', [])
