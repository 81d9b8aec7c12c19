"""The compiled walk over JSON lines gives the partial that their definition gives, for any bytes."""

import json
from importlib.util import find_spec

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastlog.formats.catalog import CATALOG, SPELLINGS
from fastlog.formats.compile import compile_format
from fastlog.formats.json_keys import parse_keys
from fastlog.parsers.keys_program import MOST_KEYS, key_program
from fastlog.parsers.select import make_parser
from tests.properties.test_program import STAMPS, ZONES, assert_read_alike, plan
from tests.unit.test_real_logs import CASES

pytestmark = pytest.mark.skipif(find_spec("fastlog.parsers.native") is None, reason="not built here")

NESTED = "json:t=time,a.m=method,a.b.u=target,a.r=request,s=status,a.b.z=size,d=duration,h=host"
LOOSE = "json:one=time,two=time,u=target,x y=method"
EXAMPLES = {
    **{name: entry.example for name, entry in CATALOG.items() if entry.kind == "json"},
    **{name: line for name, line in SPELLINGS.items() if name.startswith("json:")},
    NESTED: '{"t":"2020-02-29T10:00:00Z","a":{"m":"GET","b":{"u":"/x/y","z":"17"}},"s":404,"h":"192.0.2.7"}',
}

VALUES = (
    '"GET /a/b HTTP/1.1"', '"GET"', '"/a/b?c"', '"http://h/a/b"', '"/x y"', '"A B /c"', '" /"', '""',
    '"-"', "null",
    "200", "99", "1000", "-1", "-0", "0", "200.0", "2e2", '"200"', '"20"', '"0200"', '"2 0"',
    "123456789012345678",
    "1234567890123456789", '"999999999999999999"', '"1234567890123456789"', "true", "false", "[]",
    "[200]", "{}",
    '{"m":1}', '"caf\\u00e9"', '"caf\u00e9"', '"a\\"b"', '"\\\\"', '"\\ud83d\\ude00"', '"\\q"',
    '"\\u12"', "1.", "01",
    "-", "nul", "tru", "1525334330.5", "1525334330.9999999999", "1525334330.99989", "1525334330556",
    "1525334330556.5",
    "1525334330556123", "1525334330556123456", "9525334330556123456", "253402300800", "99999999999",
    "100000000000", '"1525334330.9999999"', '"1525334330."', '"-5"', '"253402300799"',
    '"12345678901234567890"',
    '"2020-02-29T10:00:00+05:30"', "1e18", '"1e+16"', '"1525334331.0"', "1525334330.1234567890123",
    '"\x7f"', '"\x1f"',
    *(json.dumps(stamp) for stamp in STAMPS),
)  # fmt: skip
PASSED = (
    "1", "-1.5e-7", "1E+2", "1e999", "true", "false", "null", '"text"', '"\\"Chromium\\";v=\\"128\\""',
    '"\u2028\u00e9"',
    "[]", "{}", '[1,"a",[{}],{"t":[]}]', '{"s":200,"t":{"s":1}}', '["a" , 1 ]', "[1,]", "[,]", "[1 2]",
    '{"a"}',
    '{"a":}', '{"a":1,}', "{1:2}", '"\\/\\b\\f\\n\\r\\t\\u0041"', '"\\ud800"', '"\\x"', '"' + "x" * 100 + '"',
    "[" * 63 + "]" * 63, "[" * 64 + "]" * 64, "[" * 300 + "]" * 300, '{"a":' * 62 + "1" + "}" * 62, "[}",
    "{]", "Null",
    "nulll", "0x1", "+1", ".5", "NaN", "Infinity", "00", "1.5.5", '"', "'a'", "",
)  # fmt: skip


def names_of(name: str) -> list[str]:
    keys = compile_format(name).keys
    assert keys is not None
    return [path for path, _ in keys.paths]


@st.composite
def objects(draw: st.DrawFn, names: list[str]) -> str:
    """An object in which the paths ``names`` may be, with whatever value, among keys that nobody asks for."""
    spaces = st.sampled_from(("", "", "", " ", "\t", " \r "))
    members = []
    inner = sorted({name.partition(".")[0] for name in names if "." in name})
    for key in [*(name for name in names if "." not in name), *inner, "other", "t", "level"]:
        for _ in range(draw(st.sampled_from((0, 1, 1, 1, 1, 1, 1, 2)))):
            if key in inner and draw(st.integers(0, 9)):
                below = [name.partition(".")[2] for name in names if name.startswith(key + ".")]
                value = draw(objects(below))
            else:
                value = draw(st.sampled_from(VALUES if key in names else PASSED))
            spelled = json.dumps(key) if draw(st.integers(0, 20)) else f'"\\u{ord(key[0]):04x}{key[1:]}"'
            members.append(spelled + draw(spaces) + ":" + draw(spaces) + value)
    between = draw(spaces)
    return "{" + (between + "," + between).join(draw(st.permutations(members))) + draw(spaces) + "}"


_BYTES = st.sampled_from(
    [b'"', b"\\", b" ", b"[", b"]", b"{", b"}", b"\t", b"9", b"-", b"", b":", b",", b".", b"e", b"\r",
    b"\n", b"\x00",
     b"\xff", b'":', b',"', b"null", b"\\u00", b'\\"', b"{}", b'"a":1,']
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, line: bytes) -> bytes:
    """The line with a few bytes cut out, put in or repeated."""
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(line)))
        line = line[:start] + draw(_BYTES) * draw(st.integers(1, 2)) + line[start + draw(st.integers(0, 4)) :]
    return line


@settings(max_examples=130, deadline=None)
@given(data=st.data(), name=st.sampled_from(list(EXAMPLES)), log_tz=st.sampled_from(ZONES))
def test_a_walk_is_the_definition_on_damaged_lines(data: st.DataObject, name: str, log_tz: str) -> None:
    line = EXAMPLES[name].encode()
    log = b"\n".join(data.draw(damaged(line)) for _ in range(data.draw(st.integers(1, 4))))
    log += data.draw(st.sampled_from((b"", b"\n", b"\r\n", b"\n\n")))
    assert_read_alike(name, log, data.draw(st.lists(st.integers(0, len(log)), max_size=2)), log_tz)


@settings(max_examples=80, deadline=None)
@given(data=st.data(), name=st.sampled_from([*EXAMPLES, LOOSE]), log_tz=st.sampled_from(ZONES))
def test_a_walk_is_the_definition_on_any_objects(data: st.DataObject, name: str, log_tz: str) -> None:
    lines = data.draw(st.lists(objects(names_of(name)), min_size=1, max_size=4))
    assert_read_alike(name, "\n".join(lines).encode(), [], log_tz)


@pytest.mark.parametrize("log_tz", ZONES)
def test_every_value_under_every_key(log_tz: str) -> None:
    for name, line in EXAMPLES.items():
        found = json.loads(line)
        for path in names_of(name):
            changed = json.loads(json.dumps(found))
            *parents, leaf = path.split(".")
            node = changed
            for parent in parents:
                node = node.setdefault(parent, {})
            node[leaf] = "HERE"
            before, after = json.dumps(changed).split('"HERE"')
            rows = [row for value in VALUES for row in (before + value + after, line, before + value + after)]
            for at in range(0, len(rows), 30):  # what is learnt of a few lines is seen in those behind them
                assert_read_alike(name, "\n".join(rows[at : at + 30]).encode(), [], log_tz)


def test_every_value_that_is_passed_over() -> None:
    log = "".join(f'{{"t":5,"a":{{"r":"GET /"}},"x":{value},"s":200}}\n' for value in PASSED)
    for line in log.splitlines(keepends=True):
        assert_read_alike(NESTED, line.encode(), [])
    assert_read_alike(NESTED, log.encode(), [])


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_walk_is_the_definition_on_examples_cut_anywhere(name: str) -> None:
    line = EXAMPLES[name].encode()
    data = b"\n".join(line[:at] for at in range(len(line) + 1)) + b"\r\n" + line
    assert_read_alike(name, data, [len(data) // 3])
    for cut in range(0, 3 * len(line), 13):
        assert_read_alike(name, (line + b"\n") * 3, [cut])


def odd_lines(name: str, data: bytes, log_tz: str = "UTC") -> int:
    """Lines that the compiled parser leaves to the definition."""
    from fastlog.parsers.native import NativeParser

    parser = NativeParser(compile_format(name), plan(log_tz))
    assert parser.fold([(0, data)], None).parsed == data.count(b"\n")
    return parser.odd


def test_a_request_counts_before_a_target_line_by_line() -> None:
    """Found here: where one line of a block had no request, the targets of all were taken."""
    line = EXAMPLES[NESTED].encode()
    assert_read_alike(NESTED, b"\n".join([line.replace(b'"b"', b'"r":"PUT /r","b"'), line]), [])


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_folded_by_the_walk(name: str) -> None:
    assert odd_lines(name, (EXAMPLES[name] + "\n").encode() * 50) == 0


def test_a_stamp_without_a_zone_is_asked_for_once_in_another_zone() -> None:
    line = b'{"t":"2020-02-29T10:00:00.%03d","a":{"r":"GET /"},"s":200}\n'
    assert odd_lines(NESTED, b"".join(line % number for number in range(50)), "Europe/Berlin") == 1
    spaced = b'{"t":"2020-02-29 10:00:00","a":{"r":"GET /"},"s":200}\n' * 50
    assert odd_lines(NESTED, spaced) == 1


def test_headers_with_quotes_are_passed_over() -> None:
    line = EXAMPLES["caddy"].replace('"level"', '"Sec-Ch-Ua":["\\"Chromium\\";v=\\"128\\""],"l\u00e9vel"')
    assert odd_lines("caddy", line.encode() + b"\n") == 0


@pytest.mark.parametrize("path", sorted(CASES.glob("*.log")), ids=lambda path: path.name)
def test_a_walk_is_the_definition_on_real_logs(path) -> None:
    data = path.read_bytes()[:200_000]
    for name in EXAMPLES:
        assert_read_alike(name, data, [50_000])


def test_lines_of_the_limit_and_over() -> None:
    line = b'{"t":5,"a":{"r":"GET /"},"x":"%s","s":200}'
    lines = [line.replace(b"%s", b"x" * (102_400 + more - len(line) + 2)) for more in (-1, 0, 1, 2)]
    for end in (b"\n", b"\r\n"):
        assert_read_alike(NESTED, end.join(lines) + end, [])


@example(count=MOST_KEYS + 1)
@given(count=st.integers(1, MOST_KEYS + 1))
@settings(max_examples=5, deadline=None)
def test_more_keys_than_are_known_are_for_the_definition(count: int) -> None:
    keys = "t=time" + "".join(f",k{number}=target" for number in range(count - 1)) + ",u=request"
    program = key_program(parse_keys(keys))
    assert (program is None) == (count + 1 > MOST_KEYS)
    parser = make_parser("native", compile_format(f"json:{keys}"), plan())
    assert parser.fold([(0, b'{"t":5,"u":"GET /"}\n')], None).parsed == 1
