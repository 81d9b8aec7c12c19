"""Several programs on one log, in turn: what each answered, and what it cost."""

import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.logs import Log, warm
from bench.peers import fastlog_json
from bench.peers.answer import Answer, differences
from bench.peers.peer import Peer, Question, Task
from bench.process import Cost, run
from bench.record import ROOT

NEAR = 0.05
"""The share of hits by which a peer may differ on a log with hostile lines."""


class Refused(Exception):
    """The peer failed, or its answer is wrong: its time would mean nothing."""


@dataclass(slots=True)
class Row:
    """One peer on one log. ``seconds`` are in the order of the runs."""

    log: str
    lines: int
    peer: str
    threads: int
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    rss_mib: float = 0.0
    pss_mib: float = 0.0
    answers: tuple[str, ...] = ()
    """The fields that it answered, each held to the reference."""
    differs: dict[str, str] = field(default_factory=dict)
    """On a log with hostile lines: where it counts otherwise."""
    refused: str = ""
    """Why it has no time, where it has none."""
    to_wc: float | None = None
    to_fastlog: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass(frozen=True, slots=True)
class Entrant:
    """A peer, and its row."""

    peer: Peer
    task: Task
    row: Row


def entrants(log: Log, peers: Sequence[tuple[Peer, int]], question: Question) -> list[Entrant]:
    """Those peers on that log, each with so many threads."""
    found = []
    for peer, wanted in peers:
        threads = wanted if peer.threads() else 1
        task = Task(str(log.path), log.format, question, threads, log.odd)
        found.append(Entrant(peer, task, Row(log.name, log.lines, peer.name, threads)))
    return found


def contest(log: Log, entered: Sequence[Entrant], runs: int, slow: float) -> list[Row]:
    """Run all in turn, ``runs`` times over, and return their rows.

    In turn, so that a machine that slows down slows all of them. One that took more than
    ``slow`` seconds runs once. Memory comes from a further run. Raises ValueError where
    fastlog has no answer to hold them to.
    """
    truth = fastlog_json.reference(max((entrant.task for entrant in entered), key=lambda task: task.threads))
    if truth.lines != log.lines or (not log.odd and truth.hits != log.lines):
        raise ValueError(
            f"{log.name}: fastlog says {truth.hits} hits of {truth.lines} lines, not {log.lines}"
        )
    for turn in range(runs + 1):
        for entrant in entered:
            row = entrant.row
            if row.refused or (0 < turn < runs and row.seconds[0] > slow):
                continue
            warm(log)
            try:
                _enter(entrant, log, truth, sample=turn == runs)
            except Refused as reason:
                row.refused = str(reason)
            said = row.refused or (f"{row.seconds[-1]:.2f} s" if turn < runs else f"{row.rss_mib:.0f} MiB")
            print(
                f"{log.name}, {log.lines:,}: {turn + 1}/{runs + 1} {label(row)}: {said}",
                file=sys.stderr,
                flush=True,
            )
    rows = [entrant.row for entrant in entered]
    compare(rows)
    return rows


def _enter(entrant: Entrant, log: Log, truth: Answer, *, sample: bool) -> None:
    """One run; the row gets its figures once the answer is found to be right. Raises Refused."""
    row = entrant.row
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as errors:
        cost = run(entrant.peer.command(entrant.task), printed, errors=errors, sample=sample)
        printed.seek(0)
        errors.seek(0)
        if cost.status:
            raise Refused(f"exit status {cost.status}: {_last_words(errors.read())}")
        try:
            answer = entrant.peer.read(printed)
        except (LookupError, TypeError, ValueError) as error:
            raise Refused(f"no answer: {error}") from error
    if not answer.said():
        raise Refused("no answer")
    differs = differences(answer, truth)
    if differs and not (log.odd and _near(answer, truth) and entrant.peer is not fastlog_json.PEER):
        raise Refused(f"wrong: {', '.join(differs.values())}")
    row.answers, row.differs = answer.said(), differs
    _note(row, cost, sample=sample)


def _last_words(errors: bytes) -> str:
    """The last line of what was said on standard error, without this machine's paths: the run is kept."""
    text = errors.decode(errors="replace").replace(f"{ROOT}/", "").strip()
    return text.rpartition("\n")[2][:200]


def _near(answer: Answer, truth: Answer) -> bool:
    """Hostile lines have no one reading; but one that loses more of the log than those has not read it."""
    return answer.hits is None or abs(answer.hits - (truth.hits or 0)) <= NEAR * (truth.hits or 0)


def _note(row: Row, cost: Cost, *, sample: bool) -> None:
    if sample:
        row.rss_mib, row.pss_mib = cost.rss_mib, cost.pss_mib
    else:
        row.seconds.append(cost.seconds)
        row.cpu_seconds.append(cost.cpu_seconds)


def compare(rows: Sequence[Row]) -> None:
    """Give each row of a log its ratios: its median over that of ``wc -l``, and over fastlog's best."""
    timed = [row for row in rows if not row.refused]
    floor = [row.median for row in timed if row.peer == "wc -l"]
    ours = [row.median for row in timed if row.peer == fastlog_json.PEER.name]
    for row in timed:
        row.to_wc = round(row.median / min(floor), 3) if floor else None
        row.to_fastlog = round(row.median / min(ours), 3) if ours else None


def label(row: Row) -> str:
    """The peer, and how many threads it was given where it takes more than one."""
    return f"{row.peer}, {row.threads} threads" if row.threads > 1 else row.peer
