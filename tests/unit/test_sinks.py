"""Sinks: events in, bytes out, and where the bytes go."""

import errno
import fcntl
import io
import json
import os
import pty
import select
import socket
import stat
import subprocess
import sys
import threading
from dataclasses import replace

import orjson
import pytest

from fastlog.errors import FastlogError, UsageError
from fastlog.model.events import Alert, Event, Reject, Stats, Summary
from fastlog.sinks.ndjson import NdjsonRenderer, dumps_slowly
from fastlog.sinks.output import ClosedOutput, Output, reader_gone
from fastlog.sinks.progress import Progress
from fastlog.sinks.rejects import RejectsSink
from fastlog.sinks.text import TextRenderer, use_color
from tests.hazards.command import PATIENCE

STATS = Stats(
    start=1525881640,
    end=1525881650,
    hits=5012,
    bytes=123456,
    rate=501.2,
    partial=False,
    sections={"/api": 3509, "/a-section-with-a-name-that-is-too-long": 1500, "/": 3},
    statuses={"200": 4100, "304": 611, "404": 300, "500": 1},
    methods={"GET": 4800, "POST": 212},
)
FIRING = Alert(
    rule="traffic",
    state="firing",
    at=1525881748,
    hits=1210,
    rate=10.083,
    threshold=10.0,
    window=120,
    message="High traffic generated an alert - hits = 1210, triggered at 2018-05-09T16:02:28Z",
)
RESOLVED = replace(
    FIRING,
    state="resolved",
    at=1525881769,
    hits=1199,
    rate=9.992,
    message="High traffic alert recovered - hits = 1199, recovered at 2018-05-09T16:02:49Z",
)
SUMMARY = Summary(
    complete=True,
    lines=5020,
    parsed=5012,
    rejected={"blank": 0, "format": 7, "time": 1, "oversize": 0},
    late=2,
    future=0,
    first=1525881639,
    last=1525881900,
    hits=5012,
    bytes=123456,
    sections=STATS.sections,
    statuses=STATS.statuses,
    methods=STATS.methods,
    alerts=1,
    open_alerts=[],
)
EMPTY = Summary(
    complete=True,
    lines=0,
    parsed=0,
    rejected={"blank": 0, "format": 0, "time": 0, "oversize": 0},
    late=0,
    future=0,
    first=None,
    last=None,
    hits=0,
    bytes=0,
    sections={},
    statuses={},
    methods={},
    alerts=0,
    open_alerts=[],
)
QUIET = Stats(1525881650, 1525881660, 0, 0, 0.0, False, {}, {}, {})
REJECT = Reject("/var/log/access.log", 4096, "format", b"GET\t/ \x1b[2J \xff\r")
HOSTILE = "/\x1b]52;c;\x07\x9b31m\u202egnp\u2028\x7f\n\udcff"


def text(event: Event, **options: object) -> str:
    return TextRenderer(**options).render(event).decode()  # type: ignore[arg-type]


LATENCY = {"p50": 870, "p95": 12_352, "p99": 3_014_656}


def test_latency_stands_behind_the_tables_in_json() -> None:
    for event in (STATS, SUMMARY):
        plain = json.loads(NdjsonRenderer().render(event))
        timed = json.loads(NdjsonRenderer().render(replace(event, latency_us=LATENCY)))
        assert "latency_us" not in plain
        assert timed == plain | {"latency_us": LATENCY}
        assert list(timed)[list(timed).index("methods") + 1] == "latency_us"


def test_latency_is_a_line_of_the_text_where_there_is_some() -> None:
    for event in (STATS, SUMMARY):
        line = "  p50  870 \u00b5s   p95 12.4 ms   p99   3.0 s\n"
        assert line in text(replace(event, latency_us=LATENCY))
        assert "p50" not in text(event)
        none = dict.fromkeys(LATENCY)
        assert "  p50       -   p95       -   p99       -\n" in text(replace(event, latency_us=none))


# JSON


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            STATS,
            '{"event":"stats","start":1525881640,"end":1525881650,"hits":5012,"bytes":123456,"rate":501.2,'
            '"partial":false,'
            '"sections":{"/api":3509,"/a-section-with-a-name-that-is-too-long":1500,"/":3},'
            '"statuses":{"200":4100,"304":611,"404":300,"500":1},"methods":{"GET":4800,"POST":212}}',
        ),
        (
            FIRING,
            '{"event":"alert","rule":"traffic","state":"firing","at":1525881748,"hits":1210,"rate":10.083,'
            '"threshold":10.0,"window":120,"message":"High traffic generated an alert - hits = 1210, '
            'triggered at 2018-05-09T16:02:28Z"}',
        ),
        (
            RESOLVED,
            '{"event":"alert","rule":"traffic","state":"resolved","at":1525881769,"hits":1199,"rate":9.992,'
            '"threshold":10.0,"window":120,"message":"High traffic alert recovered - hits = 1199, '
            'recovered at 2018-05-09T16:02:49Z"}',
        ),
        (
            EMPTY,
            '{"event":"summary","complete":true,"lines":0,"parsed":0,'
            '"rejected":{"blank":0,"format":0,"time":0,"oversize":0},"late":0,"future":0,'
            '"first":null,"last":null,"hits":0,"bytes":0,"sections":{},"statuses":{},"methods":{},'
            '"alerts":0,"open_alerts":[]}',
        ),
    ],
)
def test_json_keys_stand_in_their_order(event: Event, line: str) -> None:
    assert NdjsonRenderer().render(event).decode() == line + "\n"


def test_json_has_three_decimals_and_a_decimal_threshold() -> None:
    record = NdjsonRenderer().render(replace(FIRING, rate=10.0833333, threshold=10))
    assert b'"rate":10.083,"threshold":10.0,' in record


@pytest.mark.parametrize("event", [STATS, QUIET, FIRING, RESOLVED, SUMMARY, EMPTY])
def test_both_json_writers_give_the_same_bytes(event: Event) -> None:
    line = NdjsonRenderer().render(event)
    assert dumps_slowly(orjson.loads(line)) == line


def test_both_json_writers_give_the_same_bytes_for_names_of_any_alphabet() -> None:
    event = replace(STATS, sections={'/"é\\x1b': 2, "/日本語": 1, "/😀": 1, "/a/b": 1})
    line = NdjsonRenderer().render(event)
    assert dumps_slowly(orjson.loads(line)) == line
    assert "/日本語".encode() in line


@pytest.mark.parametrize("size", [2**63, 2**64 - 1, 2**64, 10**30])
def test_json_of_sums_beyond_64_bits(size: int) -> None:
    line = NdjsonRenderer().render(replace(STATS, bytes=size))
    assert line == NdjsonRenderer().render(STATS).replace(b"123456", str(size).encode())


def test_json_lets_nothing_raw_through() -> None:
    line = NdjsonRenderer().render(replace(SUMMARY, sections={HOSTILE: 1, "/\x9b": 2, "/\\x9b": 3}))
    assert line.decode()[:-1].isprintable()
    assert line.count(b"\n") == 1
    assert json.loads(line)["sections"]["/\\x9b"] == 5
    assert sum(json.loads(line)["sections"].values()) == 6


@pytest.mark.parametrize("renderer", [NdjsonRenderer(), TextRenderer()])
def test_a_rejected_line_is_not_data(renderer: NdjsonRenderer | TextRenderer) -> None:
    assert renderer.render(REJECT) == b""


# Text


def test_text_of_a_window() -> None:
    assert text(STATS, top=3) == (
        "2018-05-09 16:00:40 - 16:00:50 UTC      5,012 hits      501.2/s   123.5 kB\n"
        "  2xx  81.8%   3xx  12.2%   4xx   6.0%   5xx  <0.1%\n"
        "  /api                              3,509   70.0%    200          4,100   81.8%\n"
        "  /a-section-with-a-name-that…      1,500   29.9%    304            611   12.2%\n"
        "  /                                     3    0.1%    404            300    6.0%\n"
    )


def test_text_of_an_empty_window_is_one_line() -> None:
    assert text(QUIET) == "2018-05-09 16:00:50 - 16:01:00 UTC          0 hits      0.000/s        0 B\n"


def test_text_marks_a_partial_window() -> None:
    assert text(replace(STATS, partial=True)).splitlines()[0].endswith("  partial")
    assert text(replace(QUIET, partial=True)).endswith("  partial\n")


def test_text_names_1xx_and_other_classes_only_where_there_are() -> None:
    statuses = {"200": 5000, "101": 6, "999": 4, "(other)": 2}
    shares = text(replace(STATS, statuses=statuses)).splitlines()[1]
    assert shares == "  1xx   0.1%   2xx  99.8%   3xx   0.0%   4xx   0.0%   5xx   0.0%   other   0.1%"


@pytest.mark.parametrize("event", [STATS, SUMMARY])
def test_text_without_tables(event: Event) -> None:
    shown = text(event, top=0)
    assert "5,012 hits" in shown
    assert "/api" not in shown
    assert "section" not in shown


def test_text_shows_what_bears_no_calendar() -> None:
    last_of_all = 253402300790
    assert text(replace(QUIET, start=last_of_all, end=last_of_all + 10)).startswith(
        "9999-12-31 23:59:50 - @253402300800 UTC "
    )
    first_of_all = -62135596800
    assert "@-62135596800 " in text(replace(FIRING, at=first_of_all), tz="America/New_York")
    assert text(replace(FIRING, at=first_of_all)).startswith("0001-01-01 00:00:00 UTC ")


def test_text_is_in_the_zone_of_the_reader_and_the_message_as_it_stands() -> None:
    assert text(FIRING, tz="Europe/Amsterdam") == f"2018-05-09 18:02:28 CEST  ALERT      {FIRING.message}\n"
    assert text(RESOLVED, tz="Asia/Kolkata") == f"2018-05-09 21:32:49 IST  RECOVERED  {RESOLVED.message}\n"


def test_text_names_both_zones_across_a_change_of_the_clock() -> None:
    autumn = replace(STATS, start=1540688390, end=1540688400)
    assert text(autumn, tz="Europe/Amsterdam").startswith("2018-10-28 02:59:50 CEST - 02:00:00 CET ")


def test_text_of_a_window_of_days_names_both_dates() -> None:
    days = replace(STATS, end=STATS.start + 86400)
    assert text(days).startswith("2018-05-09 16:00:40 - 2018-05-10 16:00:40 UTC")


def test_alerts_stand_out_in_color() -> None:
    firing, resolved = text(FIRING, color=True), text(RESOLVED, color=True)
    assert firing.startswith("\x1b[1;31m")
    assert resolved.startswith("\x1b[1;32m")
    assert FIRING.message in firing
    assert resolved.endswith("\x1b[0m\n")


def test_text_in_color_is_the_text_in_color() -> None:
    unfinished = replace(SUMMARY, complete=False, open_alerts=["traffic"])
    for event in (STATS, QUIET, FIRING, RESOLVED, unfinished, EMPTY):
        colored = text(event, color=True)
        assert "\x1b[" in colored
        for style in ("1", "2", "1;31", "1;32", "1;33", "0"):
            colored = colored.replace(f"\x1b[{style}m", "")
        assert colored == text(event)


def test_text_of_a_summary() -> None:
    assert text(SUMMARY, top=2) == (
        "Summary   2018-05-09 16:00:39 - 2018-05-09 16:05:00 UTC\n"
        "  5,012 hits   19.1/s on average   123.5 kB\n"
        "  2xx  81.8%   3xx  12.2%   4xx   6.0%   5xx  <0.1%\n"
        "\n"
        "  section                                   hits   share    status     hits   share"
        "    method   hits   share\n"
        "  /api                                     3,509   70.0%    200       4,100   81.8%"
        "    GET     4,800   95.8%\n"
        "  /a-section-with-a-name-that-is-too-long  1,500   29.9%    304         611   12.2%"
        "    POST      212    4.2%\n"
        "  + 1 more                                     3    0.1%    + 2 more    301    6.0%\n"
        "\n"
        "  alerts                1\n"
        "  lines             5,020\n"
        "  parsed            5,012\n"
        "  rejected              8   blank 0, format 7, time 1, oversize 0\n"
        "  late                  2   came after their second was closed\n"
        "  future                0\n"
    )


def test_a_summary_counts_notifications_where_somebody_is_notified() -> None:
    told = replace(SUMMARY, notify={"delivered": 1234, "given_up": 1})
    assert (
        NdjsonRenderer()
        .render(told)
        .endswith(b'"open_alerts":[],"notify":{"delivered":1234,"given_up":1}}\n')
    )
    assert "  alerts                1\n  notified          1,234   given up 1\n" in text(told)
    assert "notif" not in text(SUMMARY)


def test_text_of_an_empty_summary() -> None:
    shown = text(EMPTY).splitlines()
    assert shown[0] == "Summary   no hits"
    assert " ".join(line.split()[0] for line in shown[1:]) == "alerts lines parsed rejected late future"


def test_text_says_what_is_incomplete_and_what_is_still_open() -> None:
    shown = text(replace(SUMMARY, complete=False, open_alerts=["traffic", "5xx share"]))
    assert "incomplete" in shown.splitlines()[0]
    assert "  alerts                1   still open: traffic, 5xx share\n" in shown
    assert "incomplete" not in text(SUMMARY)


@pytest.mark.parametrize(
    "event",
    [
        replace(STATS, sections={HOSTILE: 5012}),
        replace(SUMMARY, sections={HOSTILE: 5012}, open_alerts=[HOSTILE]),
        replace(FIRING, message=HOSTILE),
    ],
)
def test_text_lets_nothing_raw_through(event: Event) -> None:
    assert all(line.isprintable() for line in text(event).split("\n"))
    assert "\\x1b]52;c;\\x07\\x9b" in text(event)


@pytest.mark.parametrize(
    ("size", "shown"),
    [(999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"), (10**28, "10,000.0 YB")],
)
def test_text_sizes(size: int, shown: str) -> None:
    assert text(replace(STATS, bytes=size)).splitlines()[0].endswith(f" {shown}")


# Color


@pytest.mark.parametrize(
    ("env", "wanted"),
    [
        ({}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
        ({"NO_COLOR": "1"}, False),
    ],
)
def test_a_terminal_is_colored_unless_it_says_no(env: dict[str, str], wanted: bool) -> None:
    ours, terminal = pty.openpty()
    try:
        assert use_color("auto", terminal, env) is wanted
        assert use_color("always", terminal, env) is True
        assert use_color("never", terminal, env) is False
    finally:
        os.close(ours)
        os.close(terminal)


def test_a_pipe_is_colored_on_demand_only() -> None:
    reading, writing = os.pipe()
    try:
        assert use_color("auto", writing, {}) is False
        assert use_color("always", writing, {"NO_COLOR": "1"}) is True
    finally:
        os.close(reading)
        os.close(writing)


# Output


@pytest.fixture(params=["pipe", "socket"])
def channel(request: pytest.FixtureRequest):
    """The two ends of a pipe or a socket pair: reading, writing."""
    if request.param == "pipe":
        reading, writing = os.pipe()
    else:
        reading, writing = (end.detach() for end in socket.socketpair())
    ends = [reading, writing]
    yield ends
    for end in ends:
        os.close(end)


def test_output_is_created_as_the_mask_says_and_emptied(tmp_path) -> None:
    path = tmp_path / "out"
    mask = os.umask(0o027)
    try:
        output = Output(path)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    output.write(b"a" * 100)
    output.close()
    output.close()
    output = Output(path)
    output.write(b"b")
    output.write(b"")
    output.close()
    assert path.read_bytes() == b"b"


@pytest.mark.parametrize("blocking", [True, False])
def test_output_waits_for_a_slow_reader_and_loses_nothing(channel: list[int], blocking: bool) -> None:
    reading, writing = channel
    os.set_blocking(writing, blocking)
    got = bytearray()

    def read_all() -> None:
        while block := os.read(reading, 10_000):
            got.extend(block)

    reader = threading.Thread(target=read_all)
    output = Output(fd=writing)
    if not blocking:  # the reader comes when there is no room left
        filler = b"x" * 4096
        while True:
            try:
                os.write(writing, filler)
            except BlockingIOError:
                break
    data = os.urandom(1 << 20)
    reader.start()
    output.write(data)
    output.close()
    os.close(writing)
    channel[1] = os.dup(reading)
    reader.join(PATIENCE)
    assert bytes(got[-len(data) :]) == data


def test_output_says_that_its_reader_has_gone(channel: list[int]) -> None:
    reading, writing = channel
    output = Output(fd=writing)
    assert not reader_gone(writing)
    if sys.platform == "linux":
        assert output.watch_fd is not None
        assert not select.select([output.watch_fd], [], [], 0)[0]
    os.close(reading)
    channel[0] = os.dup(writing)
    assert reader_gone(writing)
    if output.watch_fd is not None:
        assert select.select([output.watch_fd], [], [], PATIENCE)[0]
    with pytest.raises(ClosedOutput):
        output.write(b"data")
    output.close()


def test_what_the_other_side_says_is_no_sign_of_its_leaving() -> None:
    theirs, ours = socket.socketpair()
    with theirs, ours:
        output = Output(fd=ours.fileno())
        theirs.sendall(b"hello")
        assert not reader_gone(output.fd)
        if output.watch_fd is not None:
            assert not select.select([output.watch_fd], [], [], 0)[0]
        output.close()


def test_a_terminal_and_a_file_have_a_reader_for_ever(tmp_path) -> None:
    ours, terminal = pty.openpty()
    output = Output(fd=terminal)
    output.write(b"hello")
    assert os.read(ours, 5) == b"hello"
    assert output.watch_fd is None
    assert not reader_gone(terminal)
    output.close()
    os.close(ours)
    os.close(terminal)
    output = Output(tmp_path / "out")
    assert output.watch_fd is None
    assert not reader_gone(output.fd)
    output.close()


def test_a_terminal_that_hangs_up_is_gone() -> None:
    ours, terminal = pty.openpty()
    os.close(ours)
    try:
        assert reader_gone(terminal)
    finally:
        os.close(terminal)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_device_is_one_error_that_names_the_file() -> None:
    output = Output("/dev/full")
    with pytest.raises(FastlogError) as caught:
        output.write(b"data")
    assert not isinstance(caught.value, ClosedOutput)
    message = "--output /dev/full: No space left on device: free some space, or write elsewhere"
    assert str(caught.value) == message
    output.close()


def test_closing_reports_what_did_not_arrive(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output(tmp_path / "out")
    fd, close = output.fd, os.close

    def failing(closed: int) -> None:
        close(closed)
        if closed == fd:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "close", failing)
    with pytest.raises(FastlogError, match="out: Input/output error: check the device"):
        output.close()
    output.close()


def test_standard_output_stays_open(channel: list[int]) -> None:
    output = Output(fd=channel[1])
    output.close()
    assert fcntl.fcntl(channel[1], fcntl.F_GETFD) >= 0


@pytest.mark.parametrize("name", ["missing/out", "", "a\0b", "."])
def test_a_file_that_cannot_be_opened_is_a_usage_error(tmp_path, name: str) -> None:
    with pytest.raises(UsageError, match=r"^--output "):
        Output(f"{tmp_path}/{name}")


def test_a_hostile_path_is_written_out(tmp_path) -> None:
    with pytest.raises(UsageError) as caught:
        Output(tmp_path / "no\x1b\n" / "out")
    assert str(caught.value).isprintable()


def test_the_output_is_never_the_log(tmp_path) -> None:
    log, link = tmp_path / "access.log", tmp_path / "link"
    log.write_bytes(b"precious\n")
    link.symlink_to(log)
    for path in (log, link):
        with pytest.raises(UsageError, match="it is the log"):
            Output(path, inputs=[tmp_path / "missing", log])
    with log.open("ab") as appending, pytest.raises(UsageError, match="standard output: it is the log"):
        Output(inputs=[log], fd=appending.fileno())
    assert log.read_bytes() == b"precious\n"
    Output(tmp_path / "out", inputs=["-", log, "a\0b"]).close()


PROGRAM = """
import sys
from fastlog.errors import FastlogError
from fastlog.sinks.output import ClosedOutput, Output
try:
    output = Output(*sys.argv[1:])
    output.write(b"x" * 200_000)
    output.close()
except ClosedOutput:
    sys.exit(10)
except FastlogError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_status)
"""


def shell(line: str) -> subprocess.CompletedProcess[str]:
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return subprocess.run(
        ["bash", "-c", line, "bash", sys.executable, "-c", PROGRAM],
        cwd=root, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        ('"$@" >/dev/null', 0, ""),
        ('set -o pipefail; "$@" | cat >/dev/null', 0, ""),
        ('"$@" > >(exec head -c 1 >/dev/null)', 10, ""),
        ('"$@" >&-', 1, "standard output: Bad file descriptor: it is closed"),
        ('"$@" /dev/null >&-', 0, ""),
        ('"$@" >/dev/full', 1, "standard output: No space left on device: free some space"),
        ('"$@" 1</dev/null', 1, "standard output: Bad file descriptor: it is closed"),
    ],
)
def test_standard_output_of_a_process(line: str, status: int, message: str) -> None:
    if "/dev/full" in line and not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    done = shell(line)
    assert done.returncode == status, done.stderr
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == bool(message)


# Rejected lines


def test_rejects_are_columns_that_no_line_can_break(tmp_path) -> None:
    path = tmp_path / "rejects"
    path.write_bytes(b"of an earlier run\n")
    sink = RejectsSink(path)
    for event in (STATS, REJECT, SUMMARY, Reject("a\tb\udcff", 0, "blank", b"\n")):
        sink.emit(event)
    sink.close()
    assert path.read_text() == (
        "/var/log/access.log\t4096\tformat\t-\tGET\\x09/ \\x1b[2J \\xff\\x0d\n"
        "a\\x09b\\xff\t0\tblank\t-\t\\x0a\n"
    )


def test_rejects_are_flushed_on_demand_and_never_gather_without_bound(tmp_path) -> None:
    path = tmp_path / "rejects"
    sink = RejectsSink(path)
    sink.emit(REJECT)
    assert path.read_bytes() == b""
    sink.flush()
    first = len(path.read_bytes())
    assert first
    for _ in range(100):
        sink.emit(replace(REJECT, line=b"x" * 4096))
    assert 100 * 4096 - path.stat().st_size < 65536
    sink.close()
    assert path.read_bytes().count(b"\n") == 101


def test_rejects_never_replace_the_log(tmp_path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(b"precious\n")
    with pytest.raises(UsageError, match=r"--rejects .*it is the log"):
        RejectsSink(log, inputs=[log])
    assert log.read_bytes() == b"precious\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_rejects_that_cannot_be_written_are_an_error() -> None:
    sink = RejectsSink("/dev/full")
    sink.emit(REJECT)
    with pytest.raises(FastlogError, match="--rejects /dev/full: No space left"):
        sink.close()


def test_rejects_that_nobody_reads_are_not_the_end_of_the_data(tmp_path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    sink = RejectsSink(fifo)
    os.close(reading)
    sink.emit(REJECT)
    with pytest.raises(FastlogError, match="its reader has gone") as caught:
        sink.close()
    assert not isinstance(caught.value, ClosedOutput)


# Progress


def until_drawn(progress: Progress, screen: io.StringIO, wanted: str) -> None:
    done = 0
    while wanted not in screen.getvalue():
        done += 1
        progress.update(500_000, 1000 + done)


def test_progress_shows_bytes_lines_a_second_and_time_left() -> None:
    screen = io.StringIO()
    progress = Progress(1_000_000, screen)
    assert not screen.getvalue()
    until_drawn(progress, screen, " left")
    drawn = screen.getvalue()
    assert " 50% " in drawn
    assert "500kB of 1.00MB" in drawn
    assert "lines/s" in drawn
    progress.hide()
    hidden = screen.getvalue()
    assert hidden.endswith("\r")
    progress.update(900_000, 2000)
    assert screen.getvalue() == hidden
    progress.show()
    assert "900kB of 1.00MB" in screen.getvalue()[len(hidden) :]
    progress.close()
    closed = screen.getvalue()
    assert closed.endswith(" \r")
    progress.update(1, 1)
    progress.hide()
    progress.show()
    progress.close()
    assert screen.getvalue() == closed


@pytest.mark.parametrize("total", [None, 0])
def test_progress_without_a_total(total: int | None) -> None:
    screen = io.StringIO()
    progress = Progress(total, screen)
    until_drawn(progress, screen, "500kB")
    progress.close()
    assert "lines/s" in screen.getvalue()
    assert "%" not in screen.getvalue()


def test_a_file_that_grew_is_at_most_whole() -> None:
    screen = io.StringIO()
    progress = Progress(400_000, screen)
    until_drawn(progress, screen, "100%")
    progress.close()
    assert "125%" not in screen.getvalue()


def test_a_short_run_has_no_bar() -> None:
    screen = io.StringIO()
    progress = Progress(10, screen)
    progress.update(5, 1)
    progress.hide()
    progress.show()
    progress.close()
    assert screen.getvalue() == ""


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_bar_that_cannot_be_drawn_stops_nothing(number: int) -> None:
    class Broken(io.StringIO):
        failures = 0

        def write(self, _: str) -> int:
            self.failures += 1
            raise OSError(number, os.strerror(number))

    screen = Broken()
    progress = Progress(1_000_000, screen)
    while not screen.failures:
        progress.update(500_000, 1000)
    for step in (progress.hide, progress.show, progress.close):
        step()
    failures = screen.failures
    progress.update(1_000_000, 1000)
    assert screen.failures == failures  # it has gone for good
    Progress(10, None).update(1, 1)
