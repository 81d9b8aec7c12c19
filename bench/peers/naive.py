"""The naive way, in one Python process: ``re.match`` and ``strptime`` for every line."""

import re
import sys
from collections import Counter
from datetime import datetime

from bench.peers.answer import Answer
from bench.peers.peer import Peer, Task, read_json, say, script

_LINE = re.compile(r'(\S+) (\S+) (.+?) \[([^\]]+)\] "([^"]*)" (\d{3}) (\d+|-)(?: |$)')
_SECTION = re.compile(r"/[^/?# ]*")


def fold(task: Task) -> Answer:
    """The answer, counted line by line."""
    lines, size_of_all = 0, 0
    hits: Counter[tuple[int, str, str]] = Counter()
    sizes: Counter[tuple[int, str, str]] = Counter()
    with open(task.path, encoding="utf-8", errors="surrogateescape", newline="\n") as log:
        for line in log:
            lines += 1
            found = _LINE.match(line)
            if found is None:
                continue
            try:
                at = datetime.strptime(found[4], "%d/%b/%Y:%H:%M:%S %z")
            except ValueError:
                continue
            words = found[5].split(" ")
            section = _SECTION.match(words[1]) if len(words) > 1 else None
            size = 0 if found[7] == "-" else int(found[7])
            cell = int(at.timestamp()), section[0] if section else "-", found[6]
            hits[cell] += 1
            sizes[cell] += size
            size_of_all += size
    return _answer(lines, size_of_all, hits, sizes)


def _answer(
    lines: int, size: int, hits: Counter[tuple[int, str, str]], sizes: Counter[tuple[int, str, str]]
) -> Answer:
    seconds: Counter[int] = Counter()
    weights: Counter[int] = Counter()
    sections: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    for (second, section, status), count in hits.items():
        seconds[second] += count
        weights[second] += sizes[second, section, status]
        sections[section] += count
        statuses[status] += count
    return Answer(
        lines=lines,
        hits=hits.total(),
        bytes=size,
        first=min(seconds),
        last=max(seconds),
        seconds=len(seconds),
        busiest=max(seconds.values()),
        heaviest=max(weights.values()),
        squares=sum(count * count for count in seconds.values()),
        sections=dict(sections),
        statuses=dict(statuses),
    )


PEER = Peer("naive Python", lambda: sys.version.split()[0], script(__name__), read_json)

if __name__ == "__main__":
    say(fold)
