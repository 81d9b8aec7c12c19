"""The pure parts of the comparison: answers read and held to the reference, ratios, phases of stacks."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.compare import PEERS, installed
from bench.contest import Row, compare, contest, entrants
from bench.contest_page import curve_table, peers_table
from bench.logs import Log
from bench.peers import fastlog_json, goaccess, mawk, naive, sql, wc
from bench.peers.answer import Answer, differences
from bench.peers.peer import Peer, Question, Task
from bench.phases import idle, phase_of, shares
from bench.profilers import Stack, parse_perf, parse_py_spy

LINES = [
    '192.0.2.1 - - [01/Mar/2025:00:00:00 +0000] "GET /api/x HTTP/1.1" 200 100\n',
    '192.0.2.1 - - [01/Mar/2025:00:00:00 +0000] "GET /api?q=1 HTTP/1.1" 404 -\n',
    '192.0.2.2 - bob [01/Mar/2025:00:00:07 +0000] "POST / HTTP/1.1" 200 30\n',
]
TRUTH = Answer(
    lines=3,
    hits=3,
    bytes=130,
    first=1740787200,
    last=1740787207,
    seconds=2,
    busiest=2,
    heaviest=100,
    squares=5,
    sections={"/api": 2, "/": 1},
    statuses={"200": 2, "404": 1},
)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    path = tmp_path / "access.log"
    path.write_text("".join(LINES))
    return Log("three", path, 3, False, "common")


def test_wc_says_lines() -> None:
    assert wc.read(io.BytesIO(b"3 access.log\n")) == Answer(lines=3)


def test_mawk_says_all_but_the_clock() -> None:
    said = (
        b"lines 3\nhits 3\nbytes 130\nseconds 2\nbusiest 2\nheaviest 100\nsquares 5\n"
        b"section / 1 30\nsection /api 2 100\nstatus 200 2 130\nstatus 404 1 0\n"
    )
    assert mawk.read(io.BytesIO(said)) == replace(TRUTH, first=None, last=None)


def test_goaccess_says_totals_and_statuses() -> None:
    items = [{"hits": {"count": 2}, "data": "200 - OK: it went well"}]
    report = {
        "general": {"total_requests": 3, "valid_requests": 2, "bandwidth": 130},
        "status_codes": {"data": [{"data": "2xx Success", "items": items}]},
    }
    said = json.dumps(report).encode().replace(b"well", b"w\xe9ll")
    assert goaccess.read(io.BytesIO(said)) == Answer(lines=3, hits=2, bytes=130, statuses={"200": 2})


def test_the_rows_of_the_query_are_an_answer() -> None:
    rows = [
        (3, "", 3, 130, 2, 2, 100, 5, 1740787200, 1740787207),
        (5, "/api", 2, 100, 1, 2, 100, 4, 0, 0),
        (5, "/", 1, 30, 1, 1, 30, 1, 0, 0),
        (6, "200", 2, 130, 1, 2, 130, 4, 0, 0),
        (6, "404", 1, 0, 1, 1, 0, 1, 0, 0),
    ]
    assert sql.answer(rows) == replace(TRUTH, lines=None)


def test_fastlog_and_the_naive_twin_say_the_same_of_a_log(log: Log) -> None:
    task = Task(str(log.path), "common", "cells", 1)
    assert fastlog_json.reference(task) == naive.fold(task) == TRUTH


@pytest.mark.parametrize(("question", "odd"), [("totals", False), ("cells", True)])
def test_all_that_are_installed_say_the_same(question: Question, odd: bool, log: Log) -> None:
    peers = [(peer, 1) for peer in PEERS.values() if peer.version() is not None]
    rows = contest(replace(log, odd=odd), entrants(replace(log, odd=odd), peers, question), 1, 60.0)
    assert {"wc -l", "fastlog", "naive Python"} <= {row.peer for row in rows}
    assert [row.peer for row in rows if row.refused or row.differs or not row.answers] == []


def test_fastlog_without_a_summary_is_no_answer() -> None:
    with pytest.raises(ValueError, match="summary"):
        fastlog_json.read(io.BytesIO(b""))


def test_only_what_both_say_is_compared() -> None:
    assert differences(Answer(lines=3), Answer(hits=2)) == {}
    wrong = differences(Answer(hits=2, statuses={"200": 2, "500": 1}), TRUTH)
    assert wrong == {"hits": "hits 2 for 3", "statuses": "2 of 3 statuses (2 hits)"}


def told(name: str, script: str) -> Peer:
    """A peer that prints a text, whatever the task."""
    return Peer(name, lambda: "1", lambda task: ["sh", "-c", script], wc.read)


def test_a_wrong_or_failed_peer_gets_no_time_and_the_others_do(log: Log) -> None:
    peers = [
        told("wc -l", "echo 3"),
        told("liar", "echo 4"),
        told("mute", "true"),
        Peer("silent", lambda: "1", lambda task: ["true"], lambda printed: Answer()),
        told("broken", "echo no memory >&2; exit 9"),
    ]
    rows = contest(log, entrants(log, [(peer, 1) for peer in peers], "totals"), 2, 60.0)
    right, liar, mute, silent, broken = rows
    assert len(right.seconds) == 2
    assert right.to_wc == 1.0
    assert not right.refused
    assert liar.refused == "wrong: lines 4 for 3"
    assert mute.refused.startswith("no answer")
    assert silent.refused == "no answer"
    assert broken.refused == "exit status 9: no memory"
    assert not any(row.seconds for row in rows[1:])


def test_a_slow_peer_runs_once(log: Log) -> None:
    (row,) = contest(log, entrants(log, [(told("wc -l", "echo 3"), 1)], "totals"), 3, 0.0)
    assert len(row.seconds) == 1


def test_on_hostile_lines_a_peer_may_count_otherwise_but_not_lose_the_log(log: Log) -> None:
    def counts(hits: int) -> Peer:
        return Peer("peer", lambda: "1", lambda task: ["true"], lambda printed: Answer(hits=hits))

    odd = replace(log, path=log.path.with_name("odd.log"), lines=100, odd=True)
    odd.path.write_text(LINES[0] * 100)
    near, far = contest(odd, entrants(odd, [(counts(96), 1), (counts(94), 1)], "totals"), 1, 60.0)
    assert near.differs == {"hits": "hits 96 for 100"}
    assert near.seconds
    assert far.refused == "wrong: hits 94 for 100"


def test_ratios_and_tables(log: Log) -> None:
    rows = [
        Row("three", 3, "wc -l", 1, [0.5, 0.1, 0.2], [0.1]),
        Row("three", 3, "fastlog", 1, [0.8], [0.8]),
        Row("three", 3, "fastlog", 2, [0.4], [0.7]),
        Row(
            "three",
            3,
            "mawk",
            1,
            [2.0],
            [2.0],
            answers=("hits", "squares"),
            differs={"squares": "squares 1 for 2"},
        ),
        Row("three", 3, "liar", 1, refused="wrong"),
    ]
    compare(rows)
    assert [row.to_wc for row in rows] == [1.0, 4.0, 2.0, 10.0, None]
    assert [row.to_fastlog for row in rows] == [0.5, 2.0, 1.0, 5.0, None]
    head, _, *lines = peers_table(rows)
    assert {line.count("|") for line in [head, *lines]} == {13}
    assert lines[3].endswith("| hits; otherwise: seconds |")
    head, _, one, two = curve_table([log], rows)
    assert one.count("|") == two.count("|") == head.count("|")
    assert "| 2.00 | 0.700 |" in two  # twice as quick as one worker


def test_a_missing_peer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEERS, "mawk", replace(mawk.PEER, version=lambda: None))
    monkeypatch.setitem(PEERS, "wc", replace(wc.PEER, version=lambda: "9.1"))
    assert installed(["wc", "mawk"]) == ({"wc -l": "9.1"}, ["mawk"])


@pytest.mark.parametrize(
    ("frames", "phase"),
    [
        (("fl_index_avx2 (/x/fastlog/parsers/native.abi3.so)",), "index"),
        (("fl_series_add (/x/fastlog/windows/native.abi3.so)",), "merge"),
        (("fl_hard_line (/x/fastlog/parsers/native.abi3.so)",), "parse"),
        (("__pyx_pw_fold (/x/fastlog/parsers/native.abi3.so)",), "parse"),
        (("__pyx_pw_slide (/x/fastlog/windows/native.abi3.so)",), "merge"),
        (("__pyx_pw_table (/x/fastlog/sinks/native.abi3.so)",), "print"),
        (("memcpy (libc.so.6)", "fl_key_of (native.so)", "main (fastlog/cli.py:1)"), "hash"),
        (("clear_page ([kernel.kallsyms])", "ksys_pread64 ([kernel.kallsyms])"), "read"),
        (("list_dealloc (libpython3.11.so.1.0)", "close (fastlog/merger.py:9)"), "merge"),
        (("loads (orjson.so)", "unpack (fastlog/executors/wire.py:3)"), "wire"),
        (("dumps (orjson.so)",), "print"),
        (("list_dealloc (libpython3.11.so.1.0)",), "python"),
        (("memcpy (libc.so.6)",), "other"),
    ],
)
def test_the_innermost_frame_that_is_known_gives_the_phase(frames: tuple[str, ...], phase: str) -> None:
    assert phase_of(frames) == phase


def test_what_a_short_log_takes_is_start() -> None:
    long = [
        Stack("hub", ("list_dealloc (libpython.so)",), 30.0),
        Stack("worker", ("fl_index (native.so)",), 70.0),
    ]
    short = [
        Stack("hub", ("list_dealloc (libpython.so)",), 20.0),
        Stack("worker", ("memcpy (libc.so.6)",), 5.0),
    ]
    found = shares(long, short)
    assert found["start"]["hub"] == 20.0
    assert found["python"]["hub"] == 10.0
    assert found["index"]["worker"] == 70.0
    assert sum(sum(row.values()) for row in found.values()) == pytest.approx(100.0)


def test_a_wait_is_no_work() -> None:
    assert idle(Stack("worker", ("select (libc.so.6)", "run (x.py:1)"), 1.0))
    assert not idle(Stack("worker", ("fl_index (native.so)",), 1.0))


def test_perf_blocks_are_stacks() -> None:
    said = (
        "fastlog-worker  7 \n\t  ab fl_line (/x/native.so)\n\t  cd [unknown] ([unknown])\n\n"
        "python  8 \n\t  ef vfs_read ([kernel.kallsyms])\n\n"
    )
    assert list(parse_perf(said)) == [
        Stack("worker", ("fl_line (/x/native.so)", "[unknown] ([unknown])"), 1.0),
        Stack("hub", ("vfs_read ([kernel.kallsyms])",), 1.0),
    ]


def test_py_spy_lines_are_stacks_whatever_the_arguments_hold() -> None:
    said = (
        'process 7:"python -m fastlog";main (fastlog/cli.py:1);fl_merge (native.so) 3\n'
        'process 7:"";process 8:"python -c main() 5 /a\n/b\n";'
        "main (fastlog/cli.py:1);_be_child (fastlog/executors/forked.py:80);"
        "_work (fastlog/executors/child.py:9);fold (fastlog/worker.py:2) 5\n"
        'process 7:"";gc_collect_main (libpython3.11.so.1.0) 9\n'
    )
    found = list(parse_py_spy(said))
    assert found == [
        Stack("hub", ("fl_merge (native.so)", "main (fastlog/cli.py:1)"), 3.0),
        Stack("worker", ("fold (fastlog/worker.py:2)", "_work (fastlog/executors/child.py:9)"), 5.0),
    ]
    assert shares(found)["parse"] == {"hub": 0.0, "reader": 0.0, "worker": 62.5}
