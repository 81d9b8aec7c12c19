"""What a line of each format costs, beside ``combined``: ``python -m bench.formats``.

One process folds a log of each format: the catalogue's example with its stamps and
targets varied, and strings that mean the same as ``combined``. Each row is measured in
turn with ``combined``, so that a machine that slows down slows both; CPU time, the least
of all turns. What the fold counts is compared with what the regex parser counts before
it is timed. The ratio is of bytes a second.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from time import process_time

from bench.conftest import plan
from bench.record import about_text, host, save
from fastlog.formats.catalog import CATALOG, SPELLINGS
from fastlog.formats.compile import compile_format
from fastlog.model.chunk import CHUNK_BYTES
from fastlog.parsers.select import Parser, make_parser, parser_name

BYTES = 8 << 20

_HEADERS = (
    "Accept", "Accept-Encoding", "Accept-Language", "Cookie", "Referer", "Sec-Fetch-Dest", "Sec-Fetch-Mode",
    "Sec-Fetch-Site", "User-Agent", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip",
)  # fmt: skip
TRAEFIK_LONG = (
    '{"ClientAddr":"192.0.2.7:51412","ClientHost":"192.0.2.7","ClientPort":"51412","ClientUsername":"-",'
    '"DownstreamContentSize":356,"DownstreamStatus":404,"Duration":215563,"OriginContentSize":356,'
    '"OriginDuration":181212,"OriginStatus":404,"Overhead":34351,"RequestAddr":"www.example.com",'
    '"RequestContentSize":0,"RequestCount":4711,"RequestHost":"www.example.com","RequestMethod":"GET",'
    '"RequestPath":"/594VAEoi.dtd","RequestPort":"-","RequestProtocol":"HTTP/1.1","RequestScheme":"https",'
    '"RetryAttempts":0,"RouterName":"web@docker","ServiceAddr":"10.0.0.3:80","ServiceName":"web@docker",'
    '"ServiceURL":{"Scheme":"http","Opaque":"","User":null,"Host":"10.0.0.3:80","Path":"","RawPath":"",'
    '"ForceQuery":false,"RawQuery":"","Fragment":""},"StartLocal":"2021-12-08T14:02:43.464763557Z",'
    '"StartUTC":"2021-12-08T14:02:43.464763557Z","entryPointName":"websecure","level":"info","msg":"",'
    + "".join(f'"request_{name}":"{name} as a client sends it, 40 bytes long",' for name in _HEADERS[:9])
    + '"time":"2021-12-08T14:02:43Z"}'
)
"""A line of Traefik with all its fields, and the headers that it is told to keep."""

SAME = {
    "combined, Apache": r"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"",
    "combined, nginx": '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent"',
}
"""Strings that mean ``combined``."""

EXAMPLES = {name: entry.example for name, entry in CATALOG.items()} | SPELLINGS


def rows() -> dict[str, tuple[str, str]]:
    """Of each row its name, the format and an example line."""
    found = {name: (name, example) for name, example in EXAMPLES.items()}
    found |= {name: (text, EXAMPLES["combined"]) for name, text in SAME.items()}
    return found | {"traefik_json, 1.4 kB": ("traefik_json", TRAEFIK_LONG)}


def log_of(example: str, size: int = BYTES) -> bytes:
    """A log of lines like ``example``, ten to a second, of a thousand sections."""
    lines: list[str] = []
    done = 0
    while done < size:
        number = len(lines)
        line = re.sub(r"(?<=\d):\d\d([. \]Z+\t\"-])", rf":{number // 10 % 60:02d}\1", example, count=1)
        line = re.sub(r"(?<=[A-Z/] |\"/)/|(?<=com)/", f"/s{number * 7919 % 1000}/", line, count=1)
        lines.append(line)
        done += len(line) + 1
    return "\n".join(lines).encode() + b"\n"


def chunks_of(data: bytes) -> list[bytes]:
    """Whole lines, in chunks as long as those that a worker gets."""
    cuts = [0]
    while cuts[-1] < len(data):
        cuts.append(data.find(b"\n", min(cuts[-1] + CHUNK_BYTES, len(data) - 1)) + 1)
    return [data[start:stop] for start, stop in pairwise(cuts)]


def answer(parser: Parser, chunks: Sequence[bytes]) -> list[tuple[object, ...]]:
    """What the parser counts of each chunk."""
    said: list[tuple[object, ...]] = []
    for chunk in chunks:
        partial = parser.fold([(0, chunk)], None)
        statuses = dict(zip(partial.statuses, partial.status_hits, strict=True))
        sections = dict(zip(partial.sections, partial.section_hits, strict=True))
        rows = (partial.parsed, partial.total_bytes, partial.seconds, partial.hits)
        said.append((*rows, sections, sorted(statuses.items())))
    return said


def seconds(work: Callable[[], object]) -> float:
    """CPU time of one run."""
    begin = process_time()
    work()
    return process_time() - begin


def measure(
    name: str, example: str, turns: int, reference: Callable[[], object]
) -> tuple[int, int, float, float]:
    """Lines, bytes, and the least seconds of the format and of the reference."""
    data = log_of(example)
    chunks = chunks_of(data)
    chosen = plan(cells=False)
    compiled = compile_format(name)
    parser = make_parser(parser_name("auto"), compiled, chosen)
    if answer(parser, chunks) != answer(make_parser("regex", compiled, chosen), chunks):
        raise SystemExit(f"{name}: the parsers differ")
    lines = data.count(b"\n")
    if sum(parser.fold([(0, chunk)], None).parsed for chunk in chunks) != lines:
        raise SystemExit(f"{name}: not every line is read")

    def fold() -> None:
        for chunk in chunks:
            parser.fold([(0, chunk)], None)

    both = [(seconds(reference), seconds(fold)) for _ in range(turns)]
    return lines, len(data), min(own for _, own in both), min(other for other, _ in both)


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser("python -m bench.formats", description="Measure every format.")
    parser.add_argument("names", nargs="*", help="formats, as the table has them; all where none is given")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--host", default=None, help="name of the host in the directory of the run")
    parser.add_argument("--no-save", action="store_true", help="print the table alone")
    args = parser.parse_args(argv)
    chunks = chunks_of(log_of(EXAMPLES["combined"]))
    combined = make_parser(parser_name("auto"), compile_format("combined"), plan(cells=False))
    size = sum(map(len, chunks))

    def reference() -> None:
        for chunk in chunks:
            combined.fold([(0, chunk)], None)

    about = host()
    page = [
        about_text(about),
        "",
        f"Fold in one process, the least CPU time of {args.turns} turns; `combined` in turn with each row.",
        "",
        "| format | bytes a line | MB/s | M lines/s | x combined by bytes |",
        "|---|--:|--:|--:|--:|",
    ]
    kept: list[dict[str, object]] = []
    for title, (name, example) in rows().items():
        if args.names and title not in args.names:
            continue
        lines, length, own, other = measure(name, example, args.turns, reference)
        ratio = (length / own) / (size / other)
        rates = f"{length / lines:.0f} | {length / own / 1e6:.0f} | {lines / own / 1e6:.2f} | {ratio:.2f}"
        page.append(f"| `{title}` | {rates} |")
        print(page[-1], file=sys.stderr, flush=True)
        kept.append({"format": title, "lines": lines, "bytes": length, "seconds": own, "ratio": ratio})
    text = "\n".join(page) + "\n"
    print(text)
    if not args.no_save:
        arguments = {"names": args.names, "turns": args.turns}
        save("formats", {"arguments": arguments, "host": about, "rows": kept}, text, args.host)
    return 0


if __name__ == "__main__":
    sys.exit(main())
