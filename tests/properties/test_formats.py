"""Formats by chance: what a random format writes of a random record, it reads back."""

import re
from datetime import UTC, datetime
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from fastlog.formats.compile import compile_format
from fastlog.model.plan import Plan
from fastlog.parsers.hits import Hit, request_key
from fastlog.parsers.regex import RegexParser

PLAN = Plan(False, 60, None, True, True, 10, 10, 120, 10.0)


class Record(NamedTuple):
    """What a server logs of one request."""

    second: int
    host: str
    user: str
    method: str
    target: str
    status: int
    size: int
    micros: int
    agent: str


def clf(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")


def quoted(text: str) -> str:
    """As Apache writes a field between quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


APACHE = {
    "%h": lambda record: record.host,
    "%l": lambda record: "-",
    "%>s": lambda record: f"{record.status:03d}",
    "%b": lambda record: str(record.size) if record.size else "-",
    "%D": lambda record: str(record.micros),
    '"%{User-Agent}i"': lambda record: f'"{quoted(record.agent)}"',
    '"%!404{Cookie}i"': lambda record: '"-"',
    "[%p]": lambda record: "[443]",
    "%%": lambda record: "%",
    "%{us}T": lambda record: str(record.micros),
    "pid=%P": lambda record: "pid=17",
}
APACHE_TIMES = {
    "%t": lambda record: f"[{clf(record.second)}]",
    "%{%Y-%m-%dT%H:%M:%S%z}t": lambda record: (
        f"{datetime.fromtimestamp(record.second, UTC):%Y-%m-%dT%H:%M:%S%z}"
    ),
    "%{sec}t": lambda record: str(record.second),
    "%{msec}t": lambda record: f"{record.second}987",
    "%{%d %b %Y}t %{%H:%M:%S %z}t": lambda record: (
        f"{datetime.fromtimestamp(record.second, UTC):%d %b %Y %H:%M:%S %z}"
    ),
}
APACHE_REQUESTS = {
    '"%r"': lambda record: f'"{quoted(f"{record.method} {record.target} HTTP/1.1")}"',
    "%m %U%q": lambda record: f"{record.method} {record.target}",
    '%m "%U%q"': lambda record: f'{record.method} "{quoted(record.target)}"',
}
NGINX = {
    "$remote_addr": lambda record: record.host,
    "$status": lambda record: f"{record.status:03d}",
    "$body_bytes_sent": lambda record: str(record.size),
    "$request_time": lambda record: f"{record.micros / 1e6:.3f}",
    '"$http_user_agent"': lambda record: f'"{quoted(record.agent)}"',
    "$upstream_addr": lambda record: "10.0.0.1:80, 10.0.0.2:80",
    "($pipe)": lambda record: "(.)",
    "$anything_at_all": lambda record: "x",
}
NGINX_TIMES = {
    "[$time_local]": lambda record: f"[{clf(record.second)}]",
    "$time_iso8601": lambda record: f"{datetime.fromtimestamp(record.second, UTC):%Y-%m-%dT%H:%M:%S}+00:00",
    "$msec": lambda record: f"{record.second}.123",
}
NGINX_REQUESTS = {
    '"$request"': lambda record: f'"{quoted(f"{record.method} {record.target} HTTP/1.1")}"',
    "$request_method $request_uri": lambda record: f"{record.method} {record.target}",
    '$request_method "$scheme://$host$request_uri"': lambda record: (
        f'{record.method} "https://x{quoted(record.target)}"'
    ),
}

words = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"\\[]?'), min_size=1, max_size=12
)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_categories=["Cc"]), max_size=20)
paths = st.lists(words, max_size=3).map(lambda parts: "/" + "/".join(parts))
records = st.builds(
    Record,
    second=st.integers(0, 4_000_000_000),
    host=st.sampled_from(["192.0.2.7", "2001:db8::1", "example.com"]),
    user=st.just("-"),
    method=st.sampled_from(["GET", "POST", "VERSION-CONTROL", "get"]),
    target=st.builds(str.__add__, paths, st.sampled_from(["", "?a=b", "?"])),
    status=st.integers(0, 999),
    size=st.integers(0, 10**17),
    micros=st.integers(0, 10**12),
    agent=texts,
)


@st.composite
def formats(draw: st.DrawFn) -> tuple[str, list]:
    """A format string, and what writes each of its fields."""
    fields, times, asked = draw(
        st.sampled_from([(APACHE, APACHE_TIMES, APACHE_REQUESTS), (NGINX, NGINX_TIMES, NGINX_REQUESTS)])
    )
    chosen = draw(st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=6))
    parts = draw(
        st.permutations([*chosen, draw(st.sampled_from(sorted(times))), draw(st.sampled_from(sorted(asked)))])
    )
    every = fields | times | asked
    return draw(st.sampled_from([" ", "\t", " | "])).join(parts), [every[part] for part in parts]


@given(chosen=formats(), several=st.lists(records, min_size=1, max_size=4))
def test_what_a_format_writes_it_reads(chosen: tuple[str, list], several: list[Record]) -> None:
    text, writers = chosen
    separator = next(mark for mark in ("\t", " | ", " ") if mark in text or mark == " ")
    lines = [separator.join(write(record) for write in writers).encode() for record in several]
    compiled = compile_format(text)
    parser = RegexParser(compiled, PLAN)
    roles = {field.role for _, field in compiled.layout}
    for record, line in zip(several, lines, strict=True):
        hit = parser.parse(line)
        assert isinstance(hit, Hit), (hit, compiled.reach(line), compiled.fields)
        written = quoted(record.target) if '"' in text else record.target
        assert hit.request == request_key(f"{record.method} {written}".encode())
        assert int(hit.status) == (record.status if "status" in roles else 0)
        assert int(hit.size.replace(b"-", b"0")) == (record.size if "size" in roles else 0)
        assert parser.second(line) == record.second
        assert hit.host == (record.host.encode() if "host" in roles else b"-")
        apart = "%U%q" in text  # where the query is a field of its own, the target is without it
        assert hit.target.decode() == (written.partition("?")[0] if apart else written)
        if "duration" in roles:
            exact = record.micros if "$" not in text else round(float(f"{record.micros / 1e6:.3f}") * 1e6)
            assert hit.duration == exact
    partial = RegexParser(compiled, PLAN).fold([(0, b"\n".join(lines))], None)
    assert partial.rejected == [0, 0, 0, 0]
    assert sum(partial.hits) == len(lines)
    assert partial.total_bytes == sum(record.size for record in several if "size" in roles)


@given(
    chosen=formats(),
    several=st.lists(records, min_size=1, max_size=3),
    damage=st.lists(
        st.tuples(
            st.integers(0, 300), st.sampled_from([b'"', b" ", b"\\", b"[", b"]", b"-", b"\t", b"9", b""])
        ),
        max_size=3,
    ),
)
def test_the_quick_pattern_never_contradicts_the_definition(
    chosen: tuple[str, list], several: list[Record], damage: list[tuple[int, bytes]]
) -> None:
    text, writers = chosen
    separator = next(mark for mark in ("\t", " | ", " ") if mark in text or mark == " ")
    data = b"\n".join(separator.join(write(record) for write in writers).encode() for record in several)
    for place, byte in damage:
        data = data[:place] + byte + data[place + 1 :]
    parser = RegexParser(compile_format(text), PLAN)
    partial = RegexParser(compile_format(text), PLAN).fold([(0, data)], None)
    found = [parser.parse(line) for line in re.split(rb"\n", data)]
    hits = [hit for hit in found if isinstance(hit, Hit)]
    assert partial.parsed == len(hits)
    assert partial.total_bytes == sum(int(hit.size.replace(b"-", b"0")) for hit in hits)
    named = dict(zip(partial.sections, partial.section_hits, strict=True))
    for section in {hit.request.split(b" ", 1)[1] for hit in hits}:
        assert named[section] == sum(hit.request.split(b" ", 1)[1] == section for hit in hits)
