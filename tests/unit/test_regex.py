"""The regex parser costs linear time, whatever a client writes, and its quick ways are the definition."""

import pytest

from fastlog.formats.catalog import CATALOG
from fastlog.formats.compile import compile_format
from fastlog.model.partial import REASONS
from fastlog.model.plan import Plan
from fastlog.parsers.hits import Hit
from fastlog.parsers.regex import RegexParser

SIZE = 1 << 16
FRONT = b"192.0.2.1 - frank [10/Oct/2000:13:55:36 -0700] "

BOMBS = {
    "words": b"aaa\n" * (SIZE // 4),
    "one word": b"a" * SIZE,
    "spaces": b" " * SIZE,
    "newlines": b"\n" * SIZE,
    "quotes": b'"' * SIZE,
    "quotes and spaces": b'" ' * (SIZE // 2),
    "requests that never close": (FRONT + b'"GET /x\n') * 2_000,
    "agents that never close": (FRONT + b'"GET /x HTTP/1.1" 200 5 "-" "\n') * 1_800,
    "a quote and 3,200 spaces": (FRONT + b'"' + b" " * 3_200 + b"\n") * 40,
    "brackets in the user": b"a b c" + b" [" * (SIZE // 2),
    "stamps in the user": (b"a b " + b' [a] "' * 10_000 + b"\n") * 2,
    "tabs": b"\t" * SIZE,
    "labels": b"time:x\t" * (SIZE // 7),
    "colons": b":" * SIZE,
    "slashes": b"a b " + b"/" * SIZE,
    "commas": b"1.2.3.4 - - " + b"a, " * (SIZE // 3),
    "backslashes": FRONT + b'"' + b"\\" * SIZE,
    "sizes too long": (FRONT + b'"' + b'" 200 1234567890123456789' * 4_000 + b"\n") * 2,
    "escaped quotes": (FRONT + b'"' + b'\\" 200 5 ' * 10_000 + b"\n") * 2,
}


# Not a measurement: in quadratic time each of these takes close to a minute, or minutes.
@pytest.mark.timeout(15)
@pytest.mark.parametrize("name", [name for name in CATALOG if CATALOG[name].kind != "json"])
@pytest.mark.parametrize("bomb", BOMBS)
def test_no_input_costs_more_than_linear_time(bomb: str, name: str) -> None:
    plan = Plan(
        False,
        60,
        None,
        cells=True,
        rejects=False,
        stats_window=10,
        stats_every=10,
        alert_window=120,
        threshold=10.0,
    )
    parser = RegexParser(compile_format(name), plan)
    for data in (BOMBS[bomb], BOMBS[bomb] + b"\\\n"):
        partial = parser.fold([(0, data)], None)
        assert partial.lines == data.count(b"\n") + (not data.endswith(b"\n"))
        assert sum(partial.section_hits) == partial.parsed


def assert_rejected_alike(name: str, data: bytes) -> list[int]:
    plan = Plan(
        follow=False, lateness=0, horizon=None, cells=False, rejects=False, stats_window=1, stats_every=1,
        alert_window=1, threshold=1.0,
    )  # fmt: skip
    parser = RegexParser(compile_format(name), plan)
    by_line = [parser.parse(line) for line in data.split(b"\n")[:-1]]
    wanted = [by_line.count(reason) for reason in REASONS]
    assert parser.fold([(0, data)], None).rejected == wanted
    assert any(wanted) or all(isinstance(hit, Hit) for hit in by_line)
    return wanted


STRINGS = [name for name, entry in CATALOG.items() if entry.kind in ("apache", "nginx", "template")]


@pytest.mark.parametrize("name", STRINGS)
def test_a_byte_more_anywhere_is_for_the_quick_pattern_what_it_is_for_the_definition(name: str) -> None:
    """Found with a tab where a word begins behind a quote or a bracket."""
    example = CATALOG[name].example.encode()
    for at in range(len(example) + 1):
        for byte in b'\t "[]-5.':
            assert_rejected_alike(name, example[:at] + bytes([byte]) + example[at:] + b"\n")


@pytest.mark.parametrize("answer", [b"2 5", b"9 9", b"2 -", b"20 5", b"012 5", b"2005 5"])
@pytest.mark.parametrize("name", ["common", "combined"])
def test_a_status_has_three_digits_also_among_lines_of_the_usual_kind(name: str, answer: bytes) -> None:
    good = CATALOG[name].example.encode() + b"\n"
    bad = good.replace(b'" 200 2326', b'" ' + answer)
    assert bad != good
    assert assert_rejected_alike(name, (bad + 5 * good) * 3) == [0, 0 if answer == b"012 5" else 3, 0, 0]
