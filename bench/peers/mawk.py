"""mawk: associative arrays over the words of a line, as everyone's one-liner does it."""

import re
from typing import BinaryIO

from bench.peers.answer import Answer
from bench.peers.peer import Peer, Question, Task, program

# Words of a CLF line: $4 the time, $7 the target, $9 the status, $10 the size ("-" is 0 in a sum).
_SECTION = 's = match($7, /^\\/[^\\/?#]*/) ? substr($7, 1, RLENGTH) : "-"'
_COUNT: dict[Question, str] = {
    "totals": f"""
{{ {_SECTION}
  th[$4]++; tb[$4] += $10; sh[s]++; sb[s] += $10; ch[$9]++; cb[$9] += $10 }}
END {{
""",
    "cells": f"""
{{ {_SECTION}
  h[$4, s, $9]++; b[$4, s, $9] += $10 }}
END {{
  for (k in h) {{
    split(k, p, SUBSEP)
    th[p[1]] += h[k]; tb[p[1]] += b[k]; sh[p[2]] += h[k]; sb[p[2]] += b[k]; ch[p[3]] += h[k]; cb[p[3]] += b[k]
  }}
""",
}
_SAY = """
  for (t in th) {
    seconds++; hits += th[t]; bytes += tb[t]; squares += th[t] * th[t]
    if (th[t] > busiest) busiest = th[t]
    if (tb[t] > heaviest) heaviest = tb[t]
  }
  printf "lines %d\\nhits %.0f\\nbytes %.0f\\nseconds %d\\n", NR, hits, bytes, seconds
  printf "busiest %.0f\\nheaviest %.0f\\nsquares %.0f\\n", busiest, heaviest, squares
  for (s in sh) printf "section %s %.0f %.0f\\n", s, sh[s], sb[s]
  for (c in ch) printf "status %s %.0f %.0f\\n", c, ch[c], cb[c]
}
"""


def command(task: Task) -> list[str]:
    """Both formats have the same words as far as the size."""
    return ["mawk", _COUNT[task.question] + _SAY, task.path]


def read(printed: BinaryIO) -> Answer:
    """``NAME COUNT`` lines, and ``section``, ``status`` lines with name, hits and bytes."""
    counts: dict[str, int] = {}
    tables: dict[str, dict[str, int]] = {"section": {}, "status": {}}
    for line in printed.read().decode(errors="surrogateescape").split("\n"):
        # The name may be any text without a space, also none.
        if row := re.fullmatch(r"(section|status) (\S*) (\d+) \d+", line):
            tables[row[1]][row[2]] = int(row[3])
        elif row := re.fullmatch(r"(\w+) (\d+)", line):
            counts[row[1]] = int(row[2])
    return Answer(**counts, sections=tables["section"], statuses=tables["status"])


PEER = Peer("mawk", program("mawk", "-W", "version"), command, read)
