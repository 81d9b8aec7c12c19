"""Other readers' own cases and real logs of many formats, where they lie beside the checkout."""

import base64
import json
from collections import Counter
from collections.abc import Callable
from math import floor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fastlog.api import Report, replay
from fastlog.errors import FormatError
from fastlog.formats.catalog import CATALOG
from fastlog.formats.compile import Format, compile_format, format_of, parse_string
from fastlog.formats.detect import detect
from fastlog.model.plan import Plan
from fastlog.model.rules import Rule
from fastlog.parsers.hits import Hit, request_key
from fastlog.parsers.select import make_line_reader
from fastlog.parsers.timestamps import apache_second

Run = Callable[..., CompletedProcess[bytes]]
Case = dict[str, Any]
CASES = Path(__file__).parents[2].parent / "shared" / "cases"
PLAN = Plan(False, 60, None, False, False, 10, 10, 120, 10.0)
ASKING = PLAN._replace(rules=(Rule(name="x", measure="hits", window=1, above=1, per="host"),))
"""A plan that wants to know the host."""

NAMES = {
    "clf": "common",
    "nginx_combined": "combined",
    "nginx_main": "combined",
    "vhost_combined_ext": "vhost_combined",
    "traefik_clf": "traefik",
    "k8s_ingress_nginx": "ingress_nginx",
    "haproxy_http": "haproxy",
    "caddy_json": "caddy",
    "json": "nginx_json",
}
"""The catalogue's names of the peers' formats."""

OTHERWISE = {
    97: "a status is three digits: a bare '-' there is no line of the combined format",
    137: "two addresses in front: the second is the ident, and a user name may hold spaces",
    138: "any word may be a host, however long",
}
"""Cases that the rules of fastlog decide otherwise than the peer did, and why."""

OLD_CADDY = {171}
"""Caddy before 2.5 has the client's address and port under another key, which is not read."""

LACKING = {113, 114, 115, 116, 117}
"""Format strings without a time or a request: the command refuses them, their fields are still read."""


def load(name: str) -> list[Case]:
    path = CASES / name
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def needs(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not (CASES / name).exists(), reason=f"{name} is not here")


def format_for(case: Case, line: bytes) -> Format | None:
    """The format of a case: what it brings, what the catalogue names, or what fits; None if nothing does."""
    if "log_format" in case:
        return format_of(case["log_format"], parse_string(case["log_format"]))
    name = NAMES.get(case["format"], case["format"])
    if name not in CATALOG:
        return detect([line])
    return compile_format(f"{name}_tab" if "TAB" in case.get("note", "") else name)


def line_of(case: Case) -> bytes:
    text = base64.b64decode(case["line_b64"]) if case["line"] is None else case["line"].encode()
    return bytes(text).removesuffix(b"\n")


@pytest.mark.parametrize("case", load("conformance.jsonl"), ids=lambda case: f"{case['id']}-{case['format']}")
def test_a_line_means_what_the_peer_says(case: Case) -> None:
    line, expected = line_of(case), case["expect"]
    if case["format"] == "request_line":
        assert request_key(line).split(b" ")[0].decode() == (expected["method"] or "-")
        return
    log_format = format_for(case, line)
    if log_format is None:  # no format of the catalogue, and none is given
        assert "log_format" not in case
        assert NAMES.get(case["format"], case["format"]) not in CATALOG
        return
    if case["id"] in LACKING:
        with pytest.raises(FormatError):
            compile_format(case["log_format"])
    found = fields_of(log_format, line) if case["id"] in LACKING - {113} else told(log_format, line)
    if case["id"] in OTHERWISE:
        assert (found is None) == (expected is not None)
    elif expected is None:
        assert found is None
    elif found is None:  # a line in a format of its own, which none of the catalogue's quite is
        assert case["format"] == "lnav_access_log"
    else:
        wanted = {name: value for name, value in expected.items() if name in found}
        if case["id"] in OLD_CADDY:
            del wanted["host"]
        absent = {"status": 0, "method": "-", "bytes": 0}
        for name, value in wanted.items():
            meant = absent[name] if value is None else floor(value) if name == "epoch" else value
            assert found[name] == meant, name


def told(log_format: Format, line: bytes) -> Case | None:
    """What a line says, in the words of the cases."""
    reader = make_line_reader(log_format, ASKING if log_format.gives("host") else PLAN)
    if log_format.name.startswith("%>{"):  # a time alone is no hit: no more than its second is there
        return {"epoch": reader.second(line)}
    hit = reader.parse(line)
    if not isinstance(hit, Hit):
        return None
    return {
        "epoch": reader.second(line),
        "status": int(hit.status),
        "method": hit.request.split(b" ")[0].decode(),
        "host": hit.host.decode(),
        "bytes": 0 if hit.size == b"-" else int(hit.size),
    }


def fields_of(log_format: Format, line: bytes) -> Case | None:
    """The fields that a format without a time finds in a line."""
    match = log_format.line.match(line)
    if match is None:
        return None
    named = {name: value.decode() for name, value in match.groupdict().items() if value is not None}
    return {name: int(value) if name == "status" else value for name, value in named.items()}


@needs("conformance.jsonl")
def test_at_most_five_cases_are_decided_otherwise() -> None:
    assert len(OTHERWISE) <= 5
    assert {case["id"] for case in load("conformance.jsonl")} >= set(OTHERWISE) | LACKING


@pytest.mark.parametrize("case", load("timestamps.jsonl"), ids=lambda case: case["ts"])
def test_a_stamp_is_the_second_that_the_peer_says(case: Case) -> None:
    assert apache_second(case["ts"].encode()) == case["epoch"]


@pytest.mark.parametrize("case", load("aggregates.jsonl"), ids=lambda case: case["source"])
def test_small_logs_add_up_to_the_peers_counts(case: Case, tmp_path: Path) -> None:
    expected = case["expect"]
    lines = (
        (CASES / case["file"]).read_bytes().splitlines()
        if "file" in case
        else [line.encode() for line in case["lines"]]
    )
    if (
        "parse_errors" in expected
    ):  # the peer's format is the word foo: those lines are not hits for us either
        with pytest.raises(FormatError):
            report_of(lines, "auto", tmp_path)
        return
    if "file" in case:  # the peer skips health checks
        lines = [line for line in lines if not line.startswith(b"- ")]
    log_format = case.get("log_format", LIGHTTPD if "file" in case else "auto")
    by_method = any(" " in key for key in expected.get("requests", expected.get("bytes", {})))
    groups: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    last: dict[str, int] = {}
    for line in lines:
        total = report_of([line], log_format, tmp_path).summary
        assert total.parsed == 1
        status = next(iter(total.statuses))
        key = f"{next(iter(total.methods))} {status}" if by_method else status
        groups[key] += 1
        sizes[key] += total.bytes
        last[key] = total.last or 0
    if "requests" in expected:
        assert groups == expected["requests"]
    for key, size in expected.get("bytes", {}).items():
        assert sizes[key] == size
    for key, second in expected.get("last_epoch", {}).items():
        assert last[key] == second
    whole = report_of(lines, log_format, tmp_path).summary
    assert (whole.hits, whole.bytes) == (sum(groups.values()), sum(sizes.values()))


LIGHTTPD = '%h %v %u %t "%r" %>s %b %I %O %T "%{Referer}i" "%{User-Agent}i"'


def report_of(lines: list[bytes], log_format: str, folder: Path) -> Report:
    path = folder / "a.log"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return replay(path, format=log_format, executor="inline")


@pytest.mark.parametrize(
    ("name", "log_format", "parsed", "rejected"),
    [
        pytest.param("elastic_apache_logs.log", "combined", 9_999, {"format": 1}, id="elastic"),
        pytest.param("basjes_hackers_access.log", "combined", 3_456, {}, id="basjes"),
        pytest.param("mtail_lighttpd_access.log", "common", 19, {}, id="mtail"),
        pytest.param("crowdsec_traefik_json.log", "traefik_json", 80, {}, id="crowdsec"),
        pytest.param("lnav_w3c_iis.log", "w3c", 254 - 44, {"blank": 44}, id="lnav"),
    ],
)
def test_a_real_log_is_recognised_and_read_whole(
    name: str, log_format: str, parsed: int, rejected: dict[str, int], fastlog: Run
) -> None:
    if not (CASES / name).exists():
        pytest.skip(f"{name} is not here")
    runs = [fastlog("--json", "--parser", parser, CASES / name) for parser in ("auto", "regex")]
    assert runs[0].stdout == runs[1].stdout
    total = json.loads(runs[0].stdout.splitlines()[-1])
    assert f"format detected: {log_format} ".encode() in runs[0].stderr
    none = {"blank": 0, "format": 0, "time": 0, "oversize": 0}
    assert (total["parsed"], total["rejected"]) == (parsed, none | rejected)
