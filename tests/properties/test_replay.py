"""Every way of running a replay gives what the reference gives."""

import dataclasses
import gzip
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from subprocess import CompletedProcess
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastlog as package
from fastlog.sources import files, stream
from tests.properties.strategies import (
    FORMATS,
    Format,
    formats,
    line,
    logs,
    options,
    random_log,
    random_options,
)
from tests.reference import Event, replay

Run = Callable[..., CompletedProcess[bytes]]
START = 1_525_881_600
# In place of those of the profile: a folder is one for all examples, and may be slow.
WITH_A_FOLDER = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def expected(data: bytes | Sequence[tuple[str, bytes]], **chosen: Any) -> list[Event]:
    return replay(data, wall=int(time.time()), **chosen)


def rows(events: Sequence[Event]) -> list[str]:
    """One text an event, so that the order of keys counts and a difference is short to read."""
    return [json.dumps(event) for event in events]


def split(events: Sequence[Event]) -> dict[str, list[str]]:
    """The events by kind: a Report keeps them apart."""
    return {kind: rows([e for e in events if e["event"] == kind]) for kind in ("summary", "alert", "stats")}


def assert_same(got: dict[str, list[str]], want: dict[str, list[str]]) -> None:
    """Equal; the message is the first row of each kind that is not."""
    for kind, rows_wanted in want.items():
        for row, row_wanted in zip(got[kind], rows_wanted, strict=False):
            assert row == row_wanted
        assert len(got[kind]) == len(rows_wanted), kind


def plain(kind: str, event: Any) -> Event:
    """An event as the command writes it: without what only rules, notifications and durations give."""
    optional = ("key", "value", "notify", "latency_us")
    fields = dataclasses.asdict(event)
    return {"event": kind, **{k: v for k, v in fields.items() if k not in optional or v is not None}}


def reported(paths: Sequence[Path], **chosen: Any) -> dict[str, list[str]]:
    report = package.replay(paths, stats=True, **chosen)
    assert report.notices == []

    def named(kind: str, events: Sequence[Any]) -> list[Event]:
        return [plain(kind, event) for event in events]

    return split(
        named("stats", report.windows) + named("alert", report.alerts) + named("summary", [report.summary])
    )


@pytest.fixture
def chunk_bytes(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set the length of a chunk in this process."""

    def set_length(length: int) -> None:
        monkeypatch.setattr(files, "RANGE_BYTES", length)
        monkeypatch.setattr(files, "CHUNK_BYTES", length)
        monkeypatch.setattr(stream, "CHUNK_BYTES", length)

    return set_length


def write(folder: Path, *contents: bytes) -> list[Path]:
    paths = [folder / f"access-{number}.log" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def flags(chosen: dict[str, Any]) -> list[str]:
    """The options as the command takes them."""
    given = {name: value for name, value in chosen.items() if value is not None}
    return [text for name, value in given.items() for text in (f"--{name.replace('_', '-')}", str(value))]


@pytest.mark.parametrize("seed", range(100))
def test_a_random_log_gives_what_the_reference_gives(seed: int, tmp_path: Path) -> None:
    named = FORMATS[seed % 4]
    log = random_log(seed, format=named)
    chosen = random_options(seed) | {"format": named}
    assert_same(reported(write(tmp_path, log), executor="inline", **chosen), split(expected(log, **chosen)))


@pytest.mark.parametrize("parser", ["auto", "regex"])
@pytest.mark.parametrize("seed", range(300, 308))
def test_processes_give_what_the_reference_gives(seed: int, parser: str, tmp_path: Path) -> None:
    log = random_log(seed)
    chosen = random_options(seed) | {"format": "common"}
    got = reported(write(tmp_path, log), executor="processes", workers=2, parser=parser, **chosen)
    assert_same(got, split(expected(log, **chosen)))


@settings(max_examples=60, suppress_health_check=WITH_A_FOLDER)
@given(data=st.data(), format=formats, chosen=options(), length=st.sampled_from((1, 5, 100, 1 << 20)))
def test_a_hostile_log_gives_what_the_reference_gives(
    data: st.DataObject, format: Format, chosen: dict[str, Any], length: int, tmp_path: Path
) -> None:
    log = data.draw(logs(format))
    chosen |= {"format": format}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "RANGE_BYTES", length)
        patch.setattr(files, "CHUNK_BYTES", length)
        got = reported(write(tmp_path, log), executor="inline", **chosen)
    assert_same(got, split(expected(log, **chosen)))


@settings(max_examples=40, suppress_health_check=WITH_A_FOLDER)
@given(data=st.data(), chosen=options(), length=st.sampled_from((100, 1 << 20)))
def test_hostile_logs_merge_as_in_the_reference(
    data: st.DataObject, chosen: dict[str, Any], length: int, tmp_path: Path
) -> None:
    contents = data.draw(st.lists(logs(most=10), min_size=2, max_size=4))
    chosen |= {"format": "common"}
    paths = write(tmp_path, *contents)
    named = [(path.name, content) for path, content in zip(paths, contents, strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "RANGE_BYTES", length)
        patch.setattr(files, "CHUNK_BYTES", length)
        got = reported(paths, executor="inline", **chosen)
    assert_same(got, split(expected(named, **chosen)))


@pytest.mark.parametrize("seed", range(400, 416))
def test_random_logs_merge_as_in_the_reference(
    seed: int, tmp_path: Path, chunk_bytes: Callable[[int], None]
) -> None:
    """One log dealt out line by line to several servers, in runs of different length."""
    lines = random_log(seed).split(b"\n")
    count = 2 + seed % 3
    contents = [b"".join(text + b"\n" for text in lines[number::count]) for number in range(count)]
    paths = write(tmp_path, *contents)
    named = [(path.name, content) for path, content in zip(paths, contents, strict=True)]
    chosen = random_options(seed) | {"format": "common"}
    chunk_bytes((300, 5_000, 1 << 20)[seed % 3])
    assert_same(reported(paths, executor="inline", **chosen), split(expected(named, **chosen)))


@pytest.mark.parametrize("length", [1, 2, 64, 333, 4_096, 102_400, 102_401])
def test_the_length_of_a_chunk_changes_nothing(
    length: int, tmp_path: Path, chunk_bytes: Callable[[int], None]
) -> None:
    log = random_log(7) if length < 64 else random_log(39) + random_log(12)
    chosen: dict[str, Any] = {"format": "common", "threshold": 0.5, "alert_window": 60}
    chunk_bytes(length)
    assert_same(reported(write(tmp_path, log), executor="inline", **chosen), split(expected(log, **chosen)))


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("over", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("length", [7, 102_399, 102_400, 102_401, 102_402, 1 << 20])
def test_a_line_at_the_limit_is_counted_once_wherever_chunks_end(
    over: int, end: bytes, length: int, tmp_path: Path, chunk_bytes: Callable[[int], None]
) -> None:
    short = line(START, b"GET /long/x HTTP/1.1")[:-1]
    long = short.replace(b"/x", b"/" + b"x" * (1 + 102_400 + over - len(short)))
    assert len(long) == 102_400 + over
    log = line(START) + long + end + long + end + line(START + 1) + long
    if length == 7:  # a chunk of its own for each step through the long lines is slow: cut nearer to the edge
        length = len(long) + len(end)
    chunk_bytes(length)
    want = split(expected(log, format="common"))
    assert_same(reported(write(tmp_path, log), executor="inline", format="common"), want)


@pytest.mark.parametrize("seed", range(100) if "FASTLOG_SOAK" in os.environ else [1, 19, 504])
def test_output_is_the_same_for_every_number_of_workers_from_a_file_and_from_a_pipe(
    seed: int, tmp_path: Path, fastlog: Run
) -> None:
    log = random_log(seed) + random_log(seed + 1_000) * 3
    chosen = random_options(seed) | {"format": "common"}
    (tmp_path / "access.log").write_bytes(log)
    options = ["--json", "--stats", "--quiet", *flags(chosen)]
    outputs = {}
    for workers in ("1", "2", "3", "8") if "FASTLOG_SOAK" in os.environ else ("1", "2", "8"):
        for source in ("access.log", "-"):
            done = fastlog(*options, "--workers", workers, source, stdin=log if source == "-" else b"")
            assert (done.returncode, done.stderr.decode()) == (0, "")
            outputs[workers, source] = done.stdout
    first = outputs["1", "access.log"]
    assert [where for where, output in outputs.items() if output != first] == []
    assert rows([json.loads(text) for text in first.split(b"\n")[:-1]]) == rows(expected(log, **chosen))


def test_a_log_of_many_chunks_is_the_same_for_every_number_of_workers(tmp_path: Path, fastlog: Run) -> None:
    log = b"".join(
        line(
            START + number // 40 - number * 7 % 50,
            b"GET /s%d/x?%s HTTP/1.1" % (number % 97, b"y" * 900),
            size=b"%d" % number,
        )
        for number in range(10_000)
    )
    assert len(log) > 2 * (4 << 20)
    (tmp_path / "access.log").write_bytes(log)
    want = rows(expected(log))
    for parser, workers, source in (
        ("auto", "1", "access.log"),
        ("auto", "2", "access.log"),
        ("auto", "8", "access.log"),
        ("auto", "3", "-"),
        ("regex", "8", "access.log"),
        ("regex", "3", "-"),
    ):
        done = fastlog(
            "--json", "--stats", "--quiet", "--format", "common",
            "--parser", parser, "--workers", workers, source,
            stdin=log if source == "-" else b"",
        )  # fmt: skip
        assert (done.returncode, done.stderr.decode()) == (0, "")
        assert rows([json.loads(text) for text in done.stdout.split(b"\n")[:-1]]) == want


@pytest.mark.parametrize("parser", ["auto", "regex"])
@pytest.mark.parametrize(("encoding", "parsed"), [("utf-8-sig", 3), ("utf-16-le", 0), ("utf-16", 0)])
def test_marks_of_byte_order_are_bytes_like_any(
    encoding: str, parsed: int, parser: str, tmp_path: Path
) -> None:
    """Before the first line of UTF-8 one is a part of its host; UTF-16 is no format that is read."""
    log = (line(START) * 3).decode().encode(encoding)
    got = reported(write(tmp_path, log), executor="inline", format="common", parser=parser)
    assert_same(got, split(expected(log, format="common")))
    said = json.loads(got["summary"][0])
    assert (said["parsed"], sum(said["rejected"].values())) == (
        parsed,
        log.count(b"\n") + bool(parsed == 0) - parsed,
    )


@pytest.mark.parametrize("offset", [1_439, -1_439])
def test_the_first_day_and_the_day_before_it(offset: int, tmp_path: Path) -> None:
    """A zone may put a second of the year 0001 into the year before, which has no date in Python."""
    log = (
        line(START)
        .replace(b"09/May/2018:16", b"01/Jan/0001:00")
        .replace(b"+0000", b"%s2359" % (b"+" if offset > 0 else b"-"))
    )
    chosen: dict[str, Any] = {"format": "common", "threshold": 0, "alert_window": 1}
    log += line(START) * 2
    assert_same(reported(write(tmp_path, log), executor="inline", **chosen), split(expected(log, **chosen)))


def test_no_stats_takes_the_windows_away_and_nothing_else(tmp_path: Path) -> None:
    log = random_log(46)
    chosen = random_options(46) | {"format": "common"}
    report = package.replay(write(tmp_path, log), stats=False, executor="inline", **chosen)
    want = expected(log, stats=False, **chosen)
    assert len(report.windows) == 0
    alerts = [plain("alert", alert) for alert in report.alerts]
    assert rows([*alerts, plain("summary", report.summary)]) == rows(want)


@pytest.mark.parametrize("length", [1_000, 1 << 20])
def test_a_long_segment_of_another_file_bears_witness(
    length: int, tmp_path: Path, chunk_bytes: Callable[[int], None]
) -> None:
    """A file ends with a leap into a time at which the other, in the middle of a segment, has hits."""
    quiet = line(START) + line(START + 5_000)
    busy = b"".join(line(START + second) for second in range(6_000))
    paths = write(tmp_path, quiet, busy)
    chunk_bytes(length)
    chosen = {"format": "common"}
    named = [(path.name, content) for path, content in zip(paths, (quiet, busy), strict=True)]
    got = reported(paths, executor="inline", **chosen)
    assert_same(got, split(expected(named, **chosen)))
    assert '"future": 0' in got["summary"][0]


@pytest.mark.parametrize("length", [100, 400, 1 << 20])
def test_a_leap_is_no_late_hit_because_its_witness_is_read_in_pieces(
    length: int, tmp_path: Path, chunk_bytes: Callable[[int], None]
) -> None:
    """A file ends with a leap; the other begins beyond it, with a line that is no hit."""
    leaping = line(START) + line(START + 3_601)
    beyond = line(START + 7_201, status=b"99") + line(START + 7_201)
    paths = write(tmp_path, leaping, beyond)
    chunk_bytes(length)
    chosen: dict[str, Any] = {"format": "common", "lateness": 0, "threshold": 0, "alert_window": 1}
    named = [(path.name, content) for path, content in zip(paths, (leaping, beyond), strict=True)]
    got = reported(paths, executor="inline", **chosen)
    assert_same(got, split(expected(named, **chosen)))
    assert '"late": 0' in got["summary"][0]


def test_which_sections_are_named_where_files_overlap_goes_by_the_files_alone(tmp_path: Path) -> None:
    """By neither the parser nor the packing, though these read a chunk in other pieces."""
    random = Random(20)

    def log() -> bytes:
        hits = (
            (second - random.randrange(8), random.randrange(4_000)) for second in range(30) for _ in "x" * 400
        )
        return b"".join(line(START + second, b"GET /%d HTTP/1.1" % section) for second, section in hits)

    paths = write(tmp_path, log(), log())
    (tmp_path / "packed").mkdir()
    packed = write(tmp_path / "packed", *(gzip.compress(path.read_bytes()) for path in paths))
    told = [
        reported(names, parser=parser, format="common", lateness=30)
        for names in (paths, packed)
        for parser in ("auto", "regex")
    ]
    assert '"(other)"' in told[0]["stats"][1]
    for other in told[1:]:
        assert_same(other, told[0])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("cut", [0, 1])
def test_a_line_that_is_too_long_does_not_say_when_its_file_begins(
    packed: bool, cut: int, tmp_path: Path
) -> None:
    """Its first bytes are a hit of the last minute; ``cut`` of the hits come before it."""
    too_long = line(START + 55 * 60).removesuffix(b"\n") + b" " + b"x" * 103_000 + b"\n"
    lines = [line(START + 60 * minute) for minute in range(60)]
    first = b"".join([*lines[:cut], too_long, *lines[cut:]])
    other = b"".join([line(START + 60 * minute + 30) for minute in range(60)])
    paths = write(tmp_path, first, other)
    named = [(path.name, content) for path, content in zip(paths, (first, other), strict=True)]
    if packed:
        paths[0].write_bytes(gzip.compress(first))
    chosen: dict[str, Any] = {"format": "common", "lateness": 1, "stats_window": 60}
    got = reported(paths, executor="inline", **chosen)
    assert_same(got, split(expected(named, **chosen)))
    assert '"late": 0' in got["summary"][0]
