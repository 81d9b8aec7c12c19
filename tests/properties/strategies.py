"""Logs that could be somebody's: mostly ordinary traffic, and all that befalls it.

``random_log(seed)`` writes one with plain ``random``, so that a seed names it for ever;
``random_options(seed)`` the options to replay it with. The Hypothesis strategies below
write smaller ones that shrink.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from hypothesis import strategies as st

Format = Literal["common", "combined", "vhost_common", "vhost_combined"]
FORMATS: tuple[Format, ...] = ("common", "combined", "vhost_common", "vhost_combined")
LINE_LIMIT = 102_400
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

BAD_STAMPS = (
    b"", b"-", b"29/Feb/2023:10:00:00 +0000", b"29/Feb/1900:10:00:00 +0000", b"31/Apr/2020:10:00:00 +0000",
    b"00/Jan/2020:10:00:00 +0000", b"01/Jan/0000:10:00:00 +0000", b"01/Jan/2020:24:00:00 +0000",
    b"01/Jan/2020:10::00 +0000", b"01/Jan/2020:10:00: +0000",
    b"01/Jan/2020:10:60:00 +0000", b"01/Jan/2020:10:00:61 +0000", b"01/Jan/2020:10:00:00 +2400",
    b"01/Jan/2020:10:00:00 +0060", b"01/Jan/2020:10:00:00 0000", b"01/Jan/2020:10:00:00",
    b"01/Jan/2020:10:00:00 +00000", b"1/Jan/2020:10:00:00 +0000", b"01/Jxn/2020:10:00:00 +0000",
    b"01/Jan/2020 10:00:00 +0000", b"01/Jan/2020:10:00:00  +000", b"01/Jan/20_0:10:00:00 +0000",
    b"01/Jan/2020:10:00:00 -00-0", b"01/Jan/2020:1 :00:00 +0000", b"01/Jan/2020:10:00:00Z+0000",
    "\uff101/Jan/2020:10:00:00 +0000".encode(), "01/Jan/2020:10:00:00 \u22120000".encode(),
    b"2020-01-01T10:00:00+00:00", b"01/Jan/2020:10:00:00 +0000 ", b" 01/Jan/2020:10:00:00 +0000",
    b"01/Jan/2020:10:00:0\xb2 +0000", b"\x00" * 26, b"01/Jan/+020:10:00:00 +0000",
    b"01/Jan/2020:10:0]:00 +0000", b"01/Jan/2020:1[:00:00 +0000", b"01/Jan/2020:10:00:00 +0000]",
)  # fmt: skip
ODD_STAMPS = (
    b"31/Dec/9999:23:59:59 +0000", b"31/Dec/9999:23:59:59 -2359", b"01/Jan/0001:00:00:00 +0000",
    b"01/Jan/0001:00:00:00 +2359", b"01/jAN/1970:00:00:00 +0000", b"31/DEC/1969:23:59:59 +0000",
    b"29/Feb/2000:12:00:00 +0530", b"31/Dec/2016:23:59:60 +0000", b"01/Jan/2017:01:29:60 +0130",
)  # fmt: skip
TARGETS = (
    b"/", b"//", b"//x", b"//x/y", b"/?q=1", b"/#top", b"/pages", b"/pages/", b"/pages/create",
    b"/pages?x=/a/b", b"/pages#f/g", b"/Pages", b"/api/v1/users/1?a=b#c", b"http://h.example/a/b",
    b"https://h.example:8443/a?b", b"http://h.example", b"http://h.example/", b"http://h.example?x=/a/b",
    b"http://h.example#/a/b", b"http:///a/b", b"1http://h.example/a", b"h+t.t-p://h/a/b", b"://h/a",
    b"http:/a/b", b"ht/tp://h/a", b"*", b"h.example:443", b"?", b"#", b"-", b"\\", b"/a\\/b", b"/\\x22/b",
    b'/\\"', b'/\\\\\\"q', b"/a%2Fb/c", b"/\xff\xfe/x", b"/\xe2\x82", b"/\xf0\x9f\x98\x80/b", b"/\xc0\xaf",
    b"/\xed\xa0\x80", b"/\xf4\x90\x80\x80", b"/\x1b[31m/x", b"/\x9b31m", b"/\xc2\x9b31m", b"/a\x00b/c",
    b"/a\rb", b"/a\x0bb\x0cc\x1cd", b"/\xc2\x85", b"/a\xe2\x80\xa8b/x", b"/\xe2\x80\xa9",
    b"/\xe2\x80\xae/x", b"/\xd8\x9c", b"/\xe2\x81\xa6a", b"/\xef\xbb\xbf", b"/a\x7f", b"/a\tb",
    b"/<script>", b"/(other)", b"(other)", b"/caf\xc3\xa9", b"/cafe\xcc\x81", b'/"', b'/a"b', b"/a[b]",
    b"/a]", b"/[", b"/\\x1b",
)  # fmt: skip
METHODS = (
    b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PROPFIND", b"M-SEARCH", b"get", b"VERSION_CONTROL", b"-",
    b"_", b"G3T", b"A" * 32, b"A" * 33, b"GET\t", b"", b" ", b"(other)", b"G\xc3\x89T",
)  # fmt: skip
WHOLE_REQUESTS = (
    b"", b"-", b" ", b"GET", b"GET ", b"GET  ", b"quit", b"\x16\x03\x01\x02\x00\x01", b"\\x16\\x03\\x01",
    b" GET / HTTP/1.1", b"GET  /double/space  HTTP/1.1", b"GET /nine", b"GET /a b c d e", b'GET /a" 200 5',
    b'GET /a\\" 500 9999 HTTP/1.1', b'GET /x" 404 12 "y HTTP/1.1', b'GET /a\\\\\\" 500 7 HTTP/1.1',
    b'GET /a" 20 5 x', b'GET /a" 200 x', b"GET /back\\\\", b"GET /back\\", b'"GET /q" HTTP/1.1', b'"',
    b'""', b"-\t/x", b"GET\t/x HTTP/1.1", b"\xff\xff \xff", b"SSH-2.0-Go", b"A B", b"GET /] \"x",
    b'GET /a" 200 1234567890123456789 b', b'GET /b" 200 -x', b"PRI * HTTP/2.0",
    b"CONNECT h.example:443 HTTP/1.1",
)  # fmt: skip
SIZES = (
    b"0", b"-", b"1", b"00012", b"999999999999999999", b"100000000000000000", b"1234567890123456789", b"-5",
    b"+5", b"", b" ", b"1_0", b"1e3", b"5 extra", b"- extra", b"5\t", "\uff15".encode(), b"5.0", b"--",
    b"9223372036854775807", b"1" + b"0" * 30, b"9" * 5_000,
)  # fmt: skip
STATUSES = (
    b"304", b"301", b"404", b"500", b"503", b"000", b"999", b"99", b"1000", b"-", b"2 0", b"20x", b"2_0",
    b" 200", "\uff12\uff10\uff10".encode(), b"",
)  # fmt: skip
USERS = (
    b"-", b"frank", b"Frank Zappa", b"a  b", b"[x", b"x]", b'"q"', b"", b" ", b"caf\xe9", b"a [b] c",
    b"a [b] - c", b"- [01", b"[", b'x [y] "z', b"\\",
)  # fmt: skip
HOSTS = (
    b"192.0.2.7", b"2001:db8::1", b"host.example", b"-", b"", b"a b", b"1.2.3.4,", b"\xff", b"\x1b[2J",
    b"\xef\xbb\xbf::1",
)  # fmt: skip
VHOSTS = (
    b"www.example:80", b"www.example", b"[::1]:443", b":80", b"a:", b"a:8x", b"a:b:1", b"-:0", b"a b:80",
    b"",
)  # fmt: skip
QUOTED = (
    b'"-"', b"-", b'""', b'"http://h.example/a?b=\\"c\\""', b'"a \\" b"', b'"a" b"', b'"a" "b"', b'"a\\\\"',
    b'"a\\"', b'"', b'"a', b'a"', b"--", b"- ", b'"Mozilla/5.0 (X11; Linux x86_64) \xff\x1b"', b'" "',
    b'"a" -', b'"a"b "c"', b'"""', b'"" ""', b"", b'"\\\\\\"x"', b'"a" - "b"', b'" -"',
)  # fmt: skip
TAILS = (b"", b"", b"", b" ", b' "x"', b" extra fields 1 2 3", b"x", b"\t", b'"')
ODD_LINES = (
    b"", b" ", b"\t \t", b"\r", b"\x00", b"\x00" * 300, b"-", b"garbage", b"#Fields: date time",
    b"\xef\xbb\xbf", b"\x0b", b"\x0c", b"\x1c", b"\xc2\x85", b"\xe2\x80\xa8", b'"', b'"' + b" " * 3_200,
    b"[", b" [", b'{"a":1}', b"\xff" * 40, b" \r", b"\r\r", b"a - - [" * 50, b'a - - [x] "' * 20,
    b'a - - [01/Jan/2020:10:00:00 +0000] "' + b'\\"' * 400, b"\xa0", b"\xe3\x80\x80",
)  # fmt: skip
_MUTANTS = (
    b'"', b"\\", b" ", b"[", b"]", b"-", b"\x00", b"\xff", b"\r", b"/", b"0", b"\t", b"", b"\x1b", b":",
    b"+", b"_",
)  # fmt: skip


def stamp(second: int, offset_minutes: int = 0) -> bytes:
    """The stamp that a server in that zone writes for an epoch second."""
    local = _EPOCH + timedelta(seconds=second, minutes=offset_minutes)
    sign = "-" if offset_minutes < 0 else "+"
    hours, minutes = divmod(abs(offset_minutes), 60)
    return (
        f"{local.day:02d}/{_MONTHS[local.month - 1]}/{local.year:04d}:{local.hour:02d}:{local.minute:02d}"
        f":{local.second:02d} {sign}{hours:02d}{minutes:02d}"
    ).encode()


def line(
    second: int,
    request: bytes = b"GET /a/b HTTP/1.1",
    *,
    format: str = "common",
    status: bytes = b"200",
    size: bytes = b"10",
) -> bytes:
    """An ordinary line with its newline."""
    front = b"www.example:80 " if format.startswith("vhost_") else b""
    back = b' "-" "test"' if format.endswith("combined") else b""
    return b'%s192.0.2.1 - - [%s] "%s" %s %s%s\n' % (front, stamp(second), request, status, size, back)


class _Writer:
    """One random log, line by line; ``now`` is the time of its traffic."""

    def __init__(self, seed: int, format: Format) -> None:
        self.random = random.Random(f"{format}-{seed}")
        self.format = format
        self.now = self.random.randrange(946_684_800, 1_700_000_000)
        self.jitter = self.random.choice((0, 0, 3, 30, 60, 90, 400))
        self.odd = self.random.choice((0.0, 0.02, 0.1, 0.5))  # chance that a part is not ordinary
        self.crowd = self.random.choice((4, 30, 5_000))
        self.steps: tuple[int, ...] = self.random.choice(
            ((0, 0, 0, 1), (0, 1), (0, 0, 0, 0, 0, 0, 1, 7), (1, 10, 59, 60, 61, 119, 120, 121), (0, 1, 600))
        )

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def part(self, ordinary: Callable[[], bytes], odd: tuple[bytes, ...]) -> bytes:
        return self.random.choice(odd) if self.chance(self.odd / 4) else ordinary()

    def stamp(self) -> bytes:
        pick = self.random
        self.now += pick.choice(self.steps)
        if self.chance(0.004):
            self.now += pick.choice((130, 1_000, 3_599, 3_600, 3_601, 3_660, 10_000, 86_400, 31_557_600))
        if self.chance(self.odd / 10):
            return pick.choice(BAD_STAMPS)
        if self.chance(self.odd / 10):
            return pick.choice(ODD_STAMPS)
        second = self.now
        if self.chance(0.3):
            second -= pick.randint(0, self.jitter)
        if self.chance(0.01):
            second += pick.choice((3_590, 3_600, 3_601, 3_700, 7_300, 100_000, 40_000_000))  # a liar
        if self.chance(0.005):
            second -= pick.choice((61, 119, 120, 121, 500, 5_000, 100_000_000))
        offset = pick.choice((0, 0, 0, 60, -480, 330, -210, 765, 1_439, -1_439))
        written = stamp(second, offset)
        if written[18:20] == b"59" and self.chance(0.5):
            written = written[:18] + b"60" + written[20:]
        if self.chance(self.odd / 10):
            written = pick.choice((written.lower(), written.upper()))
        return written

    def request(self) -> bytes:
        pick = self.random

        def target() -> bytes:
            path = b"/s%d" % min(pick.randrange(self.crowd), pick.randrange(self.crowd))
            return path + pick.choice((b"", b"/", b"/x/y", b"?q=/1", b"#f"))

        def ordinary() -> bytes:
            method = self.part(lambda: pick.choice((b"GET", b"GET", b"GET", b"POST")), METHODS)
            return method + b" " + self.part(target, TARGETS) + pick.choice((b" HTTP/1.1", b" HTTP/1.0", b""))

        return self.part(ordinary, WHOLE_REQUESTS)

    def line(self) -> bytes:
        pick = self.random
        if self.chance(self.odd / 8):
            return pick.choice(ODD_LINES)
        fields = [
            self.part(lambda: b"192.0.2.%d" % pick.randrange(256), HOSTS),
            self.part(lambda: b"-", HOSTS),
            self.part(lambda: b"-", USERS),
            b"[" + self.stamp() + b"]",
            b"-" if self.chance(self.odd / 20) else b'"' + self.request() + b'"',
            self.part(lambda: b"200", STATUSES),
            self.part(lambda: b"%d" % pick.randrange(100_000), SIZES),
        ]
        if self.format.startswith("vhost_"):
            fields.insert(0, self.part(lambda: b"www.example:443", VHOSTS))
        if self.format.endswith("combined"):
            fields.append(self.part(lambda: b'"http://h.example/from"', QUOTED))
            fields.append(self.part(lambda: b'"Mozilla/5.0 (X11)"', QUOTED))
        written = b" ".join(fields) + self.part(lambda: b"", TAILS)
        if self.chance(self.odd / 10):
            at = pick.randrange(len(written) + 1)
            written = pick.choice(
                (written[:at], written[at:], written[:at] + pick.choice(_MUTANTS) + written[at + 1 :])
            )
        return written.replace(b"\n", b"")

    def long_line(self) -> bytes:
        """A line of exactly the limit, or one byte off, or much more; parsed but for its length."""
        short = line(self.now, b"GET /long/" + b"x" * 9 + b" HTTP/1.1", format=self.format)[:-1]
        length = LINE_LIMIT + self.random.choice((-1, 0, 1, 2, 100_000))
        return short.replace(b"x" * 9, b"x" * (9 + length - len(short)))


def random_log(seed: int, *, format: Format = "common") -> bytes:
    """A hostile but realistic log: the same bytes for the same seed and format."""
    writer = _Writer(seed, format)
    pick = writer.random
    ends = pick.choice(((b"\n",), (b"\n",), (b"\r\n",), (b"\n", b"\r\n", b"\r\r\n")))
    many = seed % 20 == 19
    if many:
        writer.crowd = 1_000_000
        writer.steps = (0,) * 500 + (1,)
    count = 2_600 if many else pick.choice((0, 1, 2, 40, 200, 600))
    log = b""
    for number in range(count):
        if many and writer.chance(0.05):
            log += line(
                writer.now, b"M%s /m" % bytes((65 + number % 26, 65 + number // 26 % 26)), format=format
            )
        log += writer.line() + pick.choice(ends)
    if writer.chance(0.2):
        for _ in range(3):
            log += writer.long_line() + pick.choice(ends) + writer.line() + b"\n"
    if writer.chance(0.5):
        log += pick.choice((writer.line(), b"\r", writer.line() + b"\r", b"\x00", b" ", b"\n"))
    return log


def random_options(seed: int) -> dict[str, Any]:
    """Options of a replay, by the names of the configuration: small windows, and large ones."""
    pick = random.Random(f"options-{seed}")
    stats_window = pick.choice((1, 3, 10, 10, 60, 3_600))
    return {
        "lateness": pick.choice((0, 1, 2, 5, 60, 60, 300)),
        "threshold": pick.choice((0, 0.05, 0.1, 0.29, 0.5, 1, 2.5, 10)),
        "alert_window": pick.choice((1, 2, 7, 10, 60, 100, 120, 300, 3_600)),
        "stats_window": stats_window,
        "stats_every": pick.choice((None, None, max(1, stats_window // 20), (stats_window + 1) // 2)),
    }


# -- Hypothesis --------------------------------------------------------------------------------

_START = 1_525_881_600
formats = st.sampled_from(FORMATS)
seconds = st.one_of(
    st.integers(0, 12),
    st.integers(-200, 400),
    st.sampled_from((3_599, 3_600, 3_601, 7_201, 10_000, 10_001, 100_000, -100_000)),
).map(lambda offset: _START + offset)
stamps = st.one_of(
    seconds.map(stamp),
    st.builds(stamp, seconds, st.integers(-1_439, 1_439)),
    st.sampled_from(BAD_STAMPS + ODD_STAMPS),
)
_soup = st.lists(st.sampled_from((*_MUTANTS, b"GET", b"a", b" 200 5", b'" 200 5')), max_size=8).map(b"".join)
requests = st.one_of(
    st.builds(
        lambda method, target: method + b" " + target, st.sampled_from(METHODS), st.sampled_from(TARGETS)
    ),
    st.sampled_from(WHOLE_REQUESTS),
    _soup,
    st.binary(max_size=20),
)


def _or_odd(ordinary: bytes, odd: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    return st.one_of(st.just(ordinary), st.just(ordinary), st.just(ordinary), st.sampled_from(odd))


@st.composite
def hostile_lines(draw: st.DrawFn, format: Format = "common") -> bytes:
    """A line without its end in which any part may be odd."""
    fields = [
        draw(_or_odd(b"192.0.2.1", HOSTS)),
        b"-",
        draw(_or_odd(b"-", USERS)),
        b"[" + draw(stamps) + b"]",
        draw(st.one_of(requests.map(lambda request: b'"' + request + b'"'), st.just(b"-"))),
        draw(_or_odd(b"200", STATUSES)),
        draw(_or_odd(b"512", SIZES)),
    ]
    if format.startswith("vhost_"):
        fields.insert(0, draw(_or_odd(b"www.example:80", VHOSTS)))
    if format.endswith("combined"):
        fields += [draw(_or_odd(b'"-"', QUOTED)), draw(_or_odd(b'"test"', QUOTED))]
    return (b" ".join(fields) + draw(_or_odd(b"", TAILS))).replace(b"\n", b"")


def any_lines(format: Format = "common") -> st.SearchStrategy[bytes]:
    plain = seconds.map(lambda second: line(second, format=format)[:-1])
    return st.one_of(plain, plain, hostile_lines(format), st.sampled_from(ODD_LINES))


@st.composite
def logs(draw: st.DrawFn, format: Format = "common", *, most: int = 30) -> bytes:
    """A log of at most ``most`` lines; the last may lack its end."""
    written = b"".join(
        text + end
        for text, end in draw(
            st.lists(st.tuples(any_lines(format), st.sampled_from((b"\n", b"\n", b"\r\n"))), max_size=most)
        )
    )
    return written + draw(st.one_of(st.just(b""), any_lines(format), st.just(b"\r")))


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    stats_window = draw(st.sampled_from((1, 2, 10, 60)))
    return {
        "lateness": draw(st.sampled_from((0, 1, 5, 60))),
        "threshold": draw(st.sampled_from((0, 0.1, 0.29, 0.5, 1, 10))),
        "alert_window": draw(st.sampled_from((1, 2, 10, 100, 120))),
        "stats_window": stats_window,
        "stats_every": draw(st.one_of(st.none(), st.integers(1, stats_window))),
    }


@st.composite
def mutated(draw: st.DrawFn, format: Format) -> bytes:
    """A line in which bytes were flipped, cut out, repeated, or put in from another line."""
    text = draw(any_lines(format))
    for kind in draw(st.lists(st.sampled_from(("flip", "cut", "splice", "repeat")), max_size=3)):
        start = draw(st.integers(0, len(text)))
        stop = draw(st.integers(start, min(len(text), start + 12)))
        if kind == "flip" and start < len(text):
            text = text[:start] + draw(st.binary(min_size=1, max_size=1)) + text[start + 1 :]
        elif kind == "cut":
            text = text[:start] + text[stop:]
        elif kind == "splice":
            other = draw(any_lines(format))
            text = text[:start] + other[draw(st.integers(0, len(other))) :]
        elif kind == "repeat":
            text = text[:stop] + text[start:stop] * draw(st.integers(1, 3)) + text[stop:]
    return text.replace(b"\n", b"")
