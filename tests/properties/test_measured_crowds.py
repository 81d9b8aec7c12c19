"""What is beyond the tables that the compiled rules keep small is measured as the regex parser does, too."""

from importlib.util import find_spec
from random import Random

import pytest

from fastlog.model.rules import Rule
from tests.properties.test_measured import assert_measured_alike, plan

pytestmark = pytest.mark.skipif(find_spec("fastlog.parsers.native") is None, reason="not built here")

RULES = [
    Rule(name="a", measure="share", window=10, above=1.0, where="status >= 500", per="section"),
    Rule(name="b", measure="bytes", window=10, above=1.0, per="section"),
    Rule(name="c", measure="hits", window=10, above=1.0, per="status"),
    Rule(name="d", measure="hits", window=10, above=1.0, where="section =~ '[13579]$'", per="method"),
    Rule(name="e", measure="bytes", window=10, above=1.0, where="bytes > 1000"),
]
MANY_SIZES = [
    Rule(name=f"{size}", measure="hits", window=10, above=1.0, where=f"bytes > {size} and method == 'GET'")
    for size in range(100, 3000, 100)
]
BY_LINE = Rule(name="f", measure="hits", window=10, above=1.0, where="status == 200", per="host")


def line(second: int, section: int, method: str, status: int, size: int) -> bytes:
    at = f"01/Mar/2025:00:{second // 60:02}:{second % 60:02} +0000"
    return b'10.0.0.%d - - [%s] "%s /s%d/a HTTP/1.1" %d %d\n' % (
        section % 7, at.encode(), method.encode(), section, status, size,
    )  # fmt: skip


def log(lines: int, sections: int, methods: int, statuses: int, sizes: list[int], jitter: int = 0) -> bytes:
    chosen = Random(lines * sections * methods * statuses)
    return b"".join(
        line(
            max(number // 3000 - chosen.randint(0, jitter), 0),
            chosen.randrange(sections),
            "GET" if chosen.random() < 0.5 else "X" * chosen.randint(1, methods),
            200 + chosen.randrange(statuses),
            chosen.choice(sizes),
        )
        for number in range(lines)
    )


@pytest.mark.parametrize("rules", [RULES, [*RULES, BY_LINE], MANY_SIZES + RULES[:1], RULES[2:3], RULES[3:4]])
@pytest.mark.parametrize(
    "data",
    [
        log(9000, 6000, 2, 400, [0, 999, 1000, 1001, 5000]),
        log(9000, 40, 9, 400, [0, 999, 1000, 1001], jitter=4),
        log(4000, 50, 3, 5, [5, (1 << 34) - 1, 1 << 34, 10**18, 9 * 10**18]),
        log(3000, 2, 1, 2, list(range(0, 3100, 50))),
    ],
    ids=["sections", "methods", "sizes", "intervals"],
)
def test_crowds(data: bytes, rules: list[Rule]) -> None:
    assert_measured_alike("common", plan(rules), data, [len(data) // 3], 1 << 16)
