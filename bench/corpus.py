"""Seeded access logs of any size: ``python -m bench.corpus --shape dense --lines 1000000 -o FILE``.

The same arguments give the same bytes on every machine and Python: chance comes from
SHAKE-128 (FIPS 202), because only ``random()`` of the standard generator is promised
to stay as it is, and one call a line is too slow. A line is put together from pieces
that are rendered once: each pool has 65,536 slots, so that two bytes of the stream
choose a piece with no arithmetic in Python, and a skewed distribution is a pool in
which some pieces have more slots than others.
"""

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, repeat
from struct import unpack
from typing import BinaryIO, Literal, TypeVar

T = TypeVar("T")
Shape = Literal["dense", "sparse"]
LogFormat = Literal["common", "combined"]

RATES: dict[Shape, int] = {"dense": 500, "sparse": 2}
START = 1_740_787_200
"""2025-03-01T00:00:00Z: ten million sparse lines (58 days) still end in the past."""

_SLOTS = 1 << 16
_MOST_HOSTS = 1 << 24
_BATCH = 1 << 15
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_SECTIONS = tuple(
    "api pages images static blog login search assets users products cart checkout account docs feed help "
    "about contact news media admin health metrics auth oauth graphql ws events orders invoices downloads "
    "uploads tags categories comments profile settings reports export import sitemap.xml robots.txt "
    "favicon.ico wp-login.php .env cgi-bin presentations v1 v2 status".split()
)
_LEAVES = (
    "", "/", "/index.html", "/list", "/42", "/create", "/edit?id=17", "/7f3a9c/view", "?q=http+logs&page=2",
    "/2024/11/how-to-read-an-access-log.html", "/item/90210", "/js/app.min.js?v=3.1.4", "/img/header@2x.png",
    "/search?q=caf%C3%A9", "/a/b/c/d", "/style.css",
)  # fmt: skip
# Of a thousand requests.
_METHODS = {"GET": 848, "POST": 98, "HEAD": 24, "PUT": 12, "OPTIONS": 8, "DELETE": 6, "PATCH": 4}
_STATUSES = {
    200: 782, 304: 72, 404: 46, 301: 24, 302: 22, 206: 14, 201: 10, 204: 8, 403: 6, 401: 5, 500: 4, 400: 3,
    503: 2, 502: 1, 429: 1,
}  # fmt: skip
_PROTOCOLS = ("HTTP/1.1", "HTTP/2.0", "HTTP/1.0")
_USERS = ("-", "-", "-", "-", "-", "-", "-", "alice", "bob", "j.doe", "svc-backup")
_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
    "Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 "
    "Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile "
    "Safari/537.36",
    "curl/8.11.0",
    "python-requests/2.32.3",
    "kube-probe/1.31",
    "Go-http-client/2.0",
    "-",
)
_REFERRERS = (
    "-", "https://www.example.com/", "https://www.example.com/pages/index.html", "https://www.google.com/",
    "https://news.example.org/item?id=41873", "android-app://com.example.reader/",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spike:
    """From ``at`` seconds after the start, for ``seconds``, the rate is ``rate``."""

    at: int
    seconds: int
    rate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """What a log is made from. It ends after ``lines`` lines or ``seconds``, whichever comes first.

    ``rate`` is the mean of lines a second; each second has from half to one and a half
    of it. ``odd`` is the share of hostile lines, ``jitter`` how many seconds a line's
    stamp may lie behind its place. ``hosts`` are as many clients, one as frequent as the
    other, instead of some thousand of which a few are frequent.
    """

    rate: int = RATES["dense"]
    format: LogFormat = "common"
    lines: int | None = None
    seconds: int | None = None
    odd: float = 0.0
    jitter: int = 0
    hosts: int | None = None
    seed: int = 1
    start: int = START
    spike: Spike | None = None

    def __post_init__(self) -> None:
        if self.lines is None and self.seconds is None:
            raise ValueError("a corpus needs an end: lines or seconds")
        if self.rate < 1 or not 0 <= self.odd <= 1 or self.jitter < 0:
            raise ValueError("rate is at least 1, odd from 0 to 1, jitter 0 or more")
        if self.hosts is not None and not 1 <= self.hosts <= _MOST_HOSTS:
            raise ValueError(f"hosts are from 1 to {_MOST_HOSTS:,}")

    def blocks(self) -> Iterator[bytes]:
        """The bytes of the log, some MiB at a time, each block ending with a whole line."""
        dice = _Dice(self.seed, "lines")
        heads, requests, tails = _pools(self)
        odd_below = round(self.odd * _SLOTS)
        for stamps in self._stamps():
            count = len(stamps)
            request_of = dice.roll(count)
            pieces = list(
                chain.from_iterable(
                    zip(
                        self._heads(heads, dice, count),
                        stamps,
                        map(requests.__getitem__, request_of),
                        map(tails.__getitem__, dice.roll(count)),
                        strict=True,
                    )
                )
            )
            if odd_below:
                for line, chance in enumerate(dice.roll(count)):
                    if chance < odd_below:
                        at = 4 * line
                        spoil = _ODD[request_of[line] % len(_ODD)]
                        pieces[at : at + 4] = spoil(*pieces[at : at + 4]), b"", b"", b""
            yield b"".join(pieces)

    def _heads(self, heads: list[bytes], dice: "_Dice", count: int) -> Iterable[bytes]:
        """What stands before the stamps of so many lines."""
        if self.hosts is None:
            return map(heads.__getitem__, dice.roll(count))
        high, low = dice.roll(count), dice.roll(count)
        numbers = ((a << 16 | b) * self.hosts >> 32 for a, b in zip(high, low, strict=True))
        return (b"10.%d.%d.%d - - [" % (n >> 16, n >> 8 & 255, n & 255) for n in numbers)

    def _stamps(self) -> Iterator[list[bytes]]:
        """The stamp of every line, in batches."""
        dice = _Dice(self.seed, "seconds")
        clock = _Clock()
        left = self.lines
        batch: list[bytes] = []
        spread = _spread(self.rate)
        for offset, chance in zip(self._offsets(), dice.rolls(), strict=False):
            if self.spike and 0 <= offset - self.spike.at < self.spike.seconds:
                count = _spread(self.spike.rate)[chance]
            else:
                count = spread[chance]
            if left is not None:
                count = min(count, left)
                left -= count
            second = self.start + offset
            if self.jitter:
                back = self.jitter + 1
                batch.extend(clock[second - (roll * back >> 16)] for roll in dice.roll(count))
            else:
                batch.extend(repeat(clock[second], count))
            if len(batch) >= _BATCH or left == 0:
                yield batch
                batch = []
                if left == 0:
                    return
        if batch:
            yield batch

    def _offsets(self) -> Iterable[int]:
        return range(self.seconds if self.seconds is not None else sys.maxsize)


class _Dice:
    """An endless stream of numbers from 0 to 65,535, the same everywhere."""

    def __init__(self, seed: int, name: str) -> None:
        self._key = f"fastlog corpus 1 {seed} {name} ".encode()
        self._turn = 0

    def roll(self, count: int) -> tuple[int, ...]:
        self._turn += 1
        digest = hashlib.shake_128(self._key + b"%d" % self._turn).digest(2 * count)
        return unpack(f"<{count}H", digest)

    def rolls(self) -> Iterator[int]:
        while True:
            yield from self.roll(4096)


class _Clock(dict[int, bytes]):
    """Epoch second -> ``01/Mar/2025:00:00:00 +0000``, rendered an hour at a time; keeps a few hours."""

    _within = tuple(b"%02d:%02d +0000" % divmod(second, 60) for second in range(3600))

    def __missing__(self, second: int) -> bytes:
        if len(self) > 4 * 3600:
            self.clear()
        hour = second - second % 3600
        at = datetime.fromtimestamp(hour, UTC)
        # Not strftime: %b would follow the locale.
        prefix = f"{at.day:02}/{_MONTHS[at.month - 1]}/{at.year:04}:{at.hour:02}:".encode()
        self.update(enumerate(map(prefix.__add__, self._within), hour))
        return self[second]


_spreads: dict[int, list[int]] = {}


def _spread(rate: int) -> list[int]:
    """Slot -> lines in a second: evenly from half to one and a half of ``rate``, the mean exact.

    Below 4 from none to twice the rate, so that a sparse log has empty seconds.
    """
    if rate not in _spreads:
        reach = rate if rate < 4 else rate // 2
        width = 2 * reach + 1
        _spreads[rate] = [rate - reach + (slot * width >> 16) for slot in range(_SLOTS)]
    return _spreads[rate]


def _skewed(pieces: Sequence[T]) -> list[T]:
    """A pool in which the n-th piece has a share of about 1/n (Zipf), in whole slots."""
    scale = _SLOTS * 10**6 // sum(10**6 // (rank + 1) for rank in range(len(pieces)))
    pool: list[T] = []
    for rank, piece in enumerate(pieces):
        pool += [piece] * max(1, scale // (rank + 1))
    pool += [pieces[0]] * (_SLOTS - len(pool))
    return pool[:_SLOTS]


def _weighted(shares: Mapping[T, int]) -> list[T]:
    """A pool in which each piece has its share of the slots; what rounding leaves is the first one's."""
    total = sum(shares.values())
    pool = [piece for piece, share in shares.items() for _ in range(_SLOTS * share // total)]
    return [next(iter(shares))] * (_SLOTS - len(pool)) + pool


def _pools(corpus: Corpus) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """What stands before the stamp, after it up to the status, and from there to the line's end."""
    dice = _Dice(corpus.seed, "pools")
    heads = [
        f"{a % 223 + 1}.{b % 256}.{a >> 8}.{b >> 8} - {_USERS[c % len(_USERS)]} [".encode()
        for a, b, c in zip(dice.roll(4000), dice.roll(4000), dice.roll(4000), strict=True)
    ]
    sections, leaves, protocols = _skewed(_SECTIONS), _skewed(_LEAVES), _skewed(_PROTOCOLS)
    methods = _weighted(_METHODS)
    requests = [
        f'] "{methods[m]} /{sections[s]}{leaves[x]} {protocols[p]}" '.encode()
        for m, s, x, p in zip(*(dice.roll(_SLOTS) for _ in range(4)), strict=True)
    ]
    statuses = _weighted(_STATUSES)
    agents = _skewed([f' "{r}" "{a}"\n' for a in _AGENTS for r in _REFERRERS])
    tails = []
    for status_at, magnitude, size, agent in zip(*(dice.roll(_SLOTS) for _ in range(4)), strict=True):
        status = statuses[status_at]
        # Sizes from some bytes to some MB, as many in each octave; no body, no size.
        length = "-" if status in {204, 304} else str(1 + size << magnitude % 14 >> 8)
        tails.append(f"{status} {length}{agents[agent] if corpus.format == 'combined' else chr(10)}".encode())
    return _skewed(heads), requests, tails


# Hostile lines: each takes the four pieces of a good one and gives one line. What becomes of
# them (a hit without a section, a reject) is the contract's matter; here they only occur.
_Spoil = Callable[[bytes, bytes, bytes, bytes], bytes]


def _request(text: bytes) -> _Spoil:
    return lambda head, stamp, request, tail: head + stamp + b'] "' + text + b'" ' + tail


def _stamp(text: bytes) -> _Spoil:
    return lambda head, stamp, request, tail: head + text + request + tail


def _user(text: bytes) -> _Spoil:
    return lambda head, stamp, request, tail: head.split(b" ", 1)[0] + text + b" [" + stamp + request + tail


def _line(text: bytes) -> _Spoil:
    return lambda head, stamp, request, tail: text + b"\n"


def _cut(share: float) -> _Spoil:
    def spoil(*pieces: bytes) -> bytes:
        line = b"".join(pieces)
        return line[: int(len(line) * share)] + b"\n"

    return spoil


_ODD: tuple[_Spoil, ...] = (
    _request(rb"GET /a\"b/c HTTP/1.1"),  # an escaped quote, as Apache writes it
    _request(rb"GET /x\" 200 17 \"-\" HTTP/1.1"),  # a client that writes its own status
    _request(b'GET /say?q="hello HTTP/1.1'),  # a stray quote
    _request(rb"GET /back\\slash\\ HTTP/1.1"),
    _request(rb"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03"),  # TLS on the plain port, escaped
    _request(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"),  # and as it came
    _request(b""),
    _request(b"-"),
    _request(b"quit"),
    _request(b"GET http://example.com/proxy/path HTTP/1.1"),
    _request(b"CONNECT example.com:443 HTTP/1.1"),
    _request(b"OPTIONS * HTTP/1.0"),
    _request(b"GET //double//slash HTTP/1.1"),
    _request(b"GET /caf\xe9/\xff\xfe HTTP/1.1"),  # not UTF-8
    _request(b"GET /" + b"a" * 2000 + b"/b HTTP/1.1"),
    _request(b"GET /rtl\xe2\x80\xae/gnp.exe HTTP/1.1"),
    _request(b"GET /\x1b[31mred HTTP/1.1"),
    _request(b"GET /one two three HTTP/1.1"),
    _stamp(b"30/Feb/2025:12:00:00 +0000"),
    _stamp(b"01/Mar/2025:25:61:00 +0000"),
    _stamp(b"2025-03-01T00:00:00Z"),
    _stamp(b"-"),
    _user(b" - John Smith"),
    _user(b" - a [b] c"),
    _user(b" - \xc3\xa9mile"),
    _line(b""),
    _line(b" \t "),
    _line(b"# not a log line"),
    _line(b"\x00" * 64),
    _line(b"Traceback (most recent call last):"),
    _cut(0.3),
    _cut(0.7),
    _cut(0.95),
    lambda head, stamp, request, tail: head + stamp + request + tail[:-1] + b"\r\n",
    lambda head, stamp, request, tail: b"2001:db8::7" + head[head.index(b" ") :] + stamp + request + tail,
)


def write(corpus: Corpus, out: BinaryIO) -> int:
    """Write the log, and return its length in bytes."""
    return sum(out.write(block) for block in corpus.blocks())


def _spike(text: str) -> Spike:
    at, seconds, rate = map(int, text.split(":"))
    return Spike(at, seconds, rate)


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser("python -m bench.corpus", description="Write a seeded access log.")
    parser.add_argument("--shape", choices=RATES, default="dense", help="dense: 500 lines/s; sparse: 2")
    parser.add_argument("--rate", type=int, metavar="R", help="lines a second, instead of the shape's")
    parser.add_argument("--format", choices=("common", "combined"), default="common")
    parser.add_argument("--lines", type=int, metavar="N", help="end after N lines")
    parser.add_argument("--seconds", type=int, metavar="S", help="end after S seconds of traffic")
    parser.add_argument("--odd", type=float, default=0.0, metavar="SHARE", help="hostile lines: 0.05 is 5 %%")
    parser.add_argument("--jitter", type=int, default=0, metavar="S", help="stamps up to S seconds behind")
    parser.add_argument("--spike", type=_spike, metavar="AT:SECONDS:RATE", help="a burst of traffic")
    parser.add_argument("--hosts", type=int, metavar="N", help="N clients, equally frequent")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=START, metavar="EPOCH")
    parser.add_argument("-o", "--output", default="-", metavar="FILE", help="'-' is standard output")
    args = parser.parse_args(argv)
    try:
        corpus = Corpus(
            rate=RATES[args.shape] if args.rate is None else args.rate,
            format=args.format,
            lines=args.lines,
            seconds=args.seconds,
            odd=args.odd,
            jitter=args.jitter,
            hosts=args.hosts,
            seed=args.seed,
            start=args.start,
            spike=args.spike,
        )
    except ValueError as error:
        parser.error(str(error))
    stdout: BinaryIO = sys.stdout.buffer
    with nullcontext(stdout) if args.output == "-" else open(args.output, "wb") as out:
        write(corpus, out)
        out.flush()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        # The reader has seen enough (`| head`); what is still buffered has nowhere to go.
        sys.stderr.close()
        sys.exit(0)
