"""The yardstick measured: results that were worked out by hand."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.strategies import any_lines, line, logs, options, stamp
from tests.reference import (
    Event,
    Rejected,
    epoch_second,
    method_and_section,
    parse,
    printable,
    replay,
    section_of,
    split_lines,
    utc_text,
)

START = 1_525_881_600  # 2018-05-09T16:00:00Z
WALL = 1_700_000_000


def alerts(log: bytes, **chosen: float) -> list[tuple[str, int, int]]:
    """State, second after START, and hits of every alert."""
    events = replay(log, wall=WALL, **chosen)  # type: ignore[arg-type]
    return [(e["state"], e["at"] - START, e["hits"]) for e in events if e["event"] == "alert"]


def windows(log: bytes, **chosen: int) -> list[tuple[int, int, int, bool]]:
    """Start and end after START, hits, and whether it is partial, of every window."""
    events = replay(log, wall=WALL, **chosen)  # type: ignore[arg-type]
    return [
        (e["start"] - START, e["end"] - START, e["hits"], e["partial"])
        for e in events
        if e["event"] == "stats"
    ]


def summary(log: bytes | list[tuple[str, bytes]], **chosen: int) -> Event:
    return replay(log, wall=WALL, **chosen)[-1]  # type: ignore[arg-type]


def at(*offsets: int) -> bytes:
    return b"".join(line(START + offset) for offset in offsets)


class TestAlerts:
    def test_ten_hits_a_second_never_fire(self) -> None:
        assert alerts(b"".join(line(START + second) * 10 for second in range(600))) == []

    def test_eleven_hits_a_second_fire_at_the_110th_second_and_recover_at_the_131st(self) -> None:
        busy = b"".join(line(START + second) * 11 for second in range(120))
        assert alerts(busy + at(300)) == [("firing", 109, 1210), ("resolved", 130, 1199)]

    def test_a_burst_fires_at_once_and_falls_out_of_the_window_120_seconds_later(self) -> None:
        assert alerts(at(0) * 1201 + at(300)) == [("firing", 0, 1201), ("resolved", 120, 0)]

    def test_exactly_the_threshold_is_not_above_it(self) -> None:
        assert alerts(at(0) * 1200 + at(300)) == []

    def test_no_recovery_is_invented_at_the_end(self) -> None:
        events = replay(at(0) * 1201, wall=WALL)
        assert [e["event"] for e in events] == ["alert", "stats", "summary"]
        assert (events[-1]["alerts"], events[-1]["open_alerts"]) == (1, ["traffic"])

    def test_the_last_second_is_evaluated_and_none_after_it(self) -> None:
        assert alerts(at(0) * 1201 + at(119)) == [("firing", 0, 1201)]
        assert alerts(at(0) * 1201 + at(120)) == [("firing", 0, 1201), ("resolved", 120, 1)]

    def test_a_decimal_threshold_is_the_decimal_that_was_written(self) -> None:
        assert alerts(at(0) * 29, threshold=0.29, alert_window=100) == []
        assert alerts(at(0) * 30, threshold=0.29, alert_window=100) == [("firing", 0, 30)]

    def test_a_gap_of_a_year_recovers_at_the_second_where_it_happened(self) -> None:
        year = 31_536_000
        assert alerts(at(0) * 1201 + at(year, year)) == [("firing", 0, 1201), ("resolved", 120, 0)]

    def test_a_late_hit_joins_the_evaluations_to_come(self) -> None:
        # lateness 0: second 0 is closed when 5 is seen, and the hit at 0 is still in W(5)
        assert alerts(at(0, 5, 0, 6), threshold=0.2, alert_window=10, lateness=0) == [("firing", 5, 3)]

    def test_the_message_and_the_rate(self) -> None:
        fired = replay(line(1_525_881_748) * 1210, wall=WALL)[0]
        assert fired == {
            "event": "alert",
            "rule": "traffic",
            "state": "firing",
            "at": 1_525_881_748,
            "hits": 1210,
            "rate": 10.083,
            "threshold": 10.0,
            "window": 120,
            "message": "High traffic generated an alert - hits = 1210, triggered at 2018-05-09T16:02:28Z",
        }

    @given(logs(), options())
    def test_states_alternate_and_seconds_rise(self, log: bytes, chosen: dict[str, float]) -> None:
        told = alerts(log, **chosen)
        assert [state for state, _, _ in told] == ["firing", "resolved"] * (len(told) // 2) + ["firing"] * (
            len(told) % 2
        )
        seconds = [second for _, second, _ in told]
        assert seconds == sorted(set(seconds))


class TestWindows:
    def test_windows_tumble(self) -> None:
        assert windows(at(0, 9, 10, 25)) == [(0, 10, 2, False), (10, 20, 1, False), (20, 30, 1, True)]

    def test_a_window_whose_last_second_was_reached_is_whole(self) -> None:
        assert windows(at(0, 9)) == [(0, 10, 2, False)]

    def test_windows_slide(self) -> None:
        assert windows(at(0, 6, 12), stats_every=5) == [
            (-5, 5, 1, False),
            (0, 10, 2, False),
            (5, 15, 2, True),
            (10, 20, 1, True),
        ]

    def test_disorder_within_the_lateness_is_not_late(self) -> None:
        log = at(0, 60, 0)
        assert windows(log) == [(0, 10, 2, False), (60, 70, 1, True)]
        assert summary(log)["late"] == 0

    def test_a_late_hit_never_changes_what_was_printed(self) -> None:
        log = at(0, 70, 0, 71)
        assert windows(log) == [(0, 10, 1, False), (70, 80, 2, True)]
        assert (summary(log)["late"], summary(log)["hits"]) == (1, 4)

    def test_a_late_hit_joins_a_window_that_is_still_open(self) -> None:
        log = at(0, 65, 4)
        assert windows(log) == [(0, 10, 2, False), (60, 70, 1, True)]
        assert summary(log)["late"] == 1

    def test_a_late_hit_does_not_open_what_was_left_out(self) -> None:
        assert windows(at(0, 100, 25)) == [(0, 10, 1, False), (100, 110, 1, True)]

    def test_windows_come_before_the_alert_of_the_same_second(self) -> None:
        events = replay(at(9) * 2 + at(10), threshold=0.1, alert_window=10, stats_window=10, wall=WALL)
        assert [(e["event"], e.get("start", e.get("at"))) for e in events[:-1]] == [
            ("stats", START),
            ("alert", START + 9),
            ("stats", START + 10),
        ]


class TestCredibility:
    def test_a_lone_liar_is_in_the_totals_and_nowhere_else(self) -> None:
        log = at(0, 3_601, 1)
        assert windows(log) == [(0, 10, 2, True)]
        got = summary(log)
        assert (got["future"], got["parsed"], got["first"], got["last"]) == (1, 3, START, START + 1)

    def test_an_hour_is_believed(self) -> None:
        assert summary(at(0, 3_600, 1))["future"] == 0
        assert summary(at(0, 3_600, 1))["late"] == 1

    def test_a_second_witness_confirms(self) -> None:
        got = summary(at(0, 10_000, 10_001))
        assert (got["future"], got["last"]) == (0, START + 10_001)

    def test_a_witness_needs_none_of_its_own(self) -> None:
        got = summary(at(0, 10_000, 20_000, 1))
        assert (got["future"], got["late"], got["last"]) == (0, 1, START + 20_000)
        assert summary(at(0, 10_000, 20_000, 30_000, 1))["future"] == 1

    def test_the_end_of_the_log_confirms(self) -> None:
        got = summary(at(0, 10_000))
        assert (got["future"], got["last"]) == (0, START + 10_000)

    def test_two_liars_vouch_for_each_other(self) -> None:
        got = summary(at(0, 10_000, 5_000, 1))
        assert (got["future"], got["late"], got["last"]) == (0, 2, START + 10_000)

    def test_each_liar_in_turn_is_refuted(self) -> None:
        assert summary(at(0, 10_000, 1, 20_000, 2))["future"] == 2

    def test_a_line_of_the_year_9999_is_invisible_to_the_gap(self) -> None:
        future = line(253_402_300_799)
        got = summary(future + at(0, 10_000) + future + at(10_001) + future)
        assert (got["future"], got["parsed"], got["first"], got["last"]) == (3, 6, START, START + 10_001)
        assert summary(future)["first"] is None

    def test_ten_minutes_ahead_of_the_wall_clock_are_believed(self) -> None:
        assert summary(line(WALL + 600))["future"] == 0
        assert summary(line(WALL + 601))["future"] == 1


class TestFiles:
    def test_rotated_files_read_as_one_log_in_any_order(self) -> None:
        old, new = at(0, 30, 60), at(90, 120, 150)
        assert replay([("a", new), ("b", old)], wall=WALL) == replay(old + new, wall=WALL)

    def test_files_that_overlap_are_merged_by_time(self) -> None:
        odd, even = at(*range(1, 400, 2)), at(*range(0, 400, 2))
        assert replay([("a", odd), ("b", even)], wall=WALL) == replay(at(*range(400)), wall=WALL)
        assert summary([("a", odd), ("b", even)])["late"] == 0

    def test_each_file_has_its_own_gap(self) -> None:
        got = summary([("a", at(0, 10)), ("b", at(100_000, 100_001))])
        assert (got["future"], got["late"], got["last"]) == (0, 0, START + 100_001)


@pytest.mark.parametrize(
    ("target", "section"),
    [
        (b"/pages/create", b"/pages"),
        (b"/pages", b"/pages"),
        (b"/pages?x=1", b"/pages"),
        (b"/pages?x=/a/b", b"/pages"),
        (b"/pages#a/b", b"/pages"),
        (b"/", b"/"),
        (b"//x", b"/"),
        (b"/?q", b"/"),
        (b"/#q", b"/"),
        (b"http://host/a/b", b"/a"),
        (b"http://host:80/", b"/"),
        (b"http://host", b"-"),
        (b"http://host?x=/a", b"-"),
        (b"h+t.t-p9://host/a/b", b"/a"),
        (b"9http://host/a/b", b"-"),
        (b"*", b"-"),
        (b"host:443", b"-"),
        (b"/Pages%2Fa/b", b"/Pages%2Fa"),
        (b"/\xff\x00/b", b"/\xff\x00"),
    ],
)
def test_sections(target: bytes, section: bytes) -> None:
    assert section_of(target) == section


@pytest.mark.parametrize(
    ("request_text", "method", "section"),
    [
        (b"GET /a/b HTTP/1.1", b"GET", b"/a"),
        (b"GET   /a", b"GET", b"/a"),
        (b"M-SEARCH * HTTP/1.1", b"M-SEARCH", b"-"),
        (b"get /x", b"get", b"/x"),
        (b"A" * 32 + b" /x", b"A" * 32, b"/x"),
        (b"A" * 33 + b" /x", b"-", b"-"),
        (b"G3T /x", b"-", b"-"),
        (b" GET /x", b"-", b"-"),
        (b"GET", b"-", b"-"),
        (b"GET ", b"-", b"-"),
        (b"", b"-", b"-"),
        (b"-", b"-", b"-"),
        (b"\x16\x03\x01", b"-", b"-"),
    ],
)
def test_requests(request_text: bytes, method: bytes, section: bytes) -> None:
    assert method_and_section(request_text) == (method, section)


FRONT = b"192.0.2.1 - - [09/May/2018:16:00:00 +0000] "


@pytest.mark.parametrize(
    ("rest", "status", "size"),
    [
        (b'"GET /a HTTP/1.1" 200 5', "200", 5),
        (b'"GET /a HTTP/1.1" 200 -', "200", 0),
        (b'"GET /a HTTP/1.1" 200 5 and more', "200", 5),
        (b"- 408 0", "408", 0),
        (b'"" 400 0', "400", 0),
        (b'"GET /a"b" 200 5', "200", 5),
        (b'"GET /a\\" 500 9 HTTP/1.1" 200 5', "200", 5),
        (b'"GET /a\\\\" 500 9 HTTP/1.1" 200 5', "500", 9),
        (b'"GET /a" 200 5 HTTP/1.1" 404 7', "200", 5),
        (b'"GET /a" 200 999999999999999999', "200", 10**18 - 1),
        (b'"GET /a" 200 1234567890123456789 " 201 3', "201", 3),
    ],
)
def test_the_request_ends_where_status_and_size_follow(rest: bytes, status: str, size: int) -> None:
    hit = parse(FRONT + rest, "common")
    assert (hit.status, hit.size, hit.second) == (status, size, START)


@pytest.mark.parametrize(
    ("text", "format", "reason"),
    [
        (b"", "common", "blank"),
        (b" \t ", "common", "blank"),
        (b"\x0b", "common", "format"),
        (FRONT + b'"GET /a" 200 1234567890123456789', "common", "format"),
        (FRONT + b'"GET /a" 20 5', "common", "format"),
        (FRONT + b'"GET /a" 2_0 5', "common", "format"),
        (FRONT + b'"GET /a"  200 5', "common", "format"),
        (FRONT + b'"GET /a" ' + "\uff12\uff10\uff10".encode() + b" 5", "common", "format"),
        (FRONT + b'"GET /a" 200 1_0', "common", "format"),
        (FRONT + b'"GET /a" 200 -5', "common", "format"),
        (FRONT + b'"GET /a" 200 ' + "\uff15".encode(), "common", "format"),
        (FRONT + b'"GET /a" 200 1' + b"0" * 30, "common", "format"),
        (FRONT + b'"GET /a" 200 ' + b"9" * 5_000, "common", "format"),
        (FRONT + b'"GET /a" 200 5x', "common", "format"),
        (FRONT + b'"GET /a" 200', "common", "format"),
        (FRONT + b'"GET /a 200 5', "common", "format"),
        (FRONT + b'"GET /a" 200 5', "combined", "format"),
        (FRONT + b'"GET /a" 200 5 "-"', "combined", "format"),
        (FRONT + b'"GET /a" 200 5 "-" "cut', "combined", "format"),
        (FRONT + b'"GET /a" 200 5 "-" "cut\\"', "combined", "format"),
        (FRONT + b'"GET /a" 200 5', "vhost_common", "format"),
        (b"h - - [31/Feb/2018:16:00:00 +0000] " + b'"GET /a" 200 5', "common", "time"),
        (b"h - - [] " + b'"GET /a" 200 5', "common", "time"),
        (b"h - - [x] " + b'"GET /a" 20 5', "common", "format"),
        (b"h - [09/May/2018:16:00:00 +0000] " + b'"GET /a" 200 5', "common", "format"),
        (b"x" * 102_401, "common", "oversize"),
        (b" " * 102_401, "common", "oversize"),
        (b"x" * 102_400, "common", "format"),
    ],
)
def test_rejects(text: bytes, format: str, reason: str) -> None:
    with pytest.raises(Rejected, match=f"^{reason}$"):
        parse(text, format)


@pytest.mark.parametrize(
    ("back", "whole"),
    [
        (b'"-" "-"', True),
        (b"- -", True),
        (b'- "a"', True),
        (b'"a" -', True),
        (b'"" ""', True),
        (b'"a"b" "c"', True),
        (b'"a" b" "c"', True),
        (b'"a\\" "b"', False),
        (b'"a\\\\" "b"', True),
        (b'"a" "b" more', True),
        (b'"a" "b"more', False),
        (b'"a" "b"c"', True),
        (b'"a" -x', False),
        (b'"a"  "b"', False),
        (b'a "b"', False),
    ],
)
def test_quoted_fields(back: bytes, whole: bool) -> None:
    text = FRONT + b'"GET /a HTTP/1.1" 200 5 ' + back
    if whole:
        assert parse(text, "combined").size == 5
    else:
        with pytest.raises(Rejected, match=r"^format$"):
            parse(text, "combined")


def test_the_user_may_contain_spaces_and_brackets() -> None:
    for user in (b"Frank Zappa", b" x", b"a [b] c", b"[", b'"q"', b"a ["):
        text = b"h - " + user + b' [09/May/2018:16:00:00 +0000] "GET /a" 200 5'
        assert parse(text, "common").second == START


def test_the_first_stamp_is_the_stamp() -> None:
    with pytest.raises(Rejected, match=r"^time$"):
        parse(b'h - x [y] "z [09/May/2018:16:00:00 +0000] "GET /a" 200 5', "common")


@pytest.mark.parametrize(
    ("text", "second"),
    [
        (b"09/May/2018:16:00:00 +0000", START),
        (b"09/May/2018:18:00:00 +0200", START),
        (b"09/mAY/2018:10:30:00 -0530", START),
        (b"31/Dec/2016:23:59:60 +0000", 1_483_228_799),
        (b"01/Jan/1970:00:00:00 +0000", 0),
        (b"31/Dec/1969:23:59:59 +0000", -1),
        (b"29/Feb/2000:00:00:00 +0000", 951_782_400),
        (b"31/Dec/9999:23:59:59 +0000", 253_402_300_799),
        (b"01/Jan/0001:00:00:00 +0000", -62_135_596_800),
    ],
)
def test_stamps(text: bytes, second: int) -> None:
    assert epoch_second(text) == second


@given(st.integers(0, 4_000_000_000), st.integers(-1_439, 1_439))
def test_a_stamp_reads_back_whatever_its_zone(second: int, offset: int) -> None:
    assert epoch_second(stamp(second, offset)) == second


@given(st.integers(0, 4_000_000_000))
def test_utc_text_is_that_of_the_standard_library(second: int) -> None:
    assert utc_text(second) == datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_utc_text_of_the_year_before_the_first() -> None:
    assert utc_text(-62_135_596_801) == "0000-12-31T23:59:59Z"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"/caf\xc3\xa9", "/café"),
        (b"/\xff\xe2\x82x", "/\\xff\\xe2\\x82x"),
        (b"\x1b[2J\x7f\n", "\\x1b[2J\\x7f\\x0a"),
        (b"\xc2\x9b\x9b", "\\x9b\\x9b"),
        ("\u2028\u2029\u202e\u2066\u061c\u200f".encode(), "\\u2028\\u2029\\u202e\\u2066\\u061c\\u200f"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
        ("\U0001f600\u200b\xa0".encode(), "\U0001f600\u200b\xa0"),
        (b"a\\x1b", "a\\x1b"),
    ],
)
def test_printable(raw: bytes, text: str) -> None:
    assert printable(raw) == text


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [b""]),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\r\nb\r", [b"a", b"b"]),
        (b"a\r\r\n", [b"a\r"]),
        (
            b"a\rb\x0bc\x0cd\x1ce\xc2\x85f\xe2\x80\xa8g\n\n",
            [b"a\rb\x0bc\x0cd\x1ce\xc2\x85f\xe2\x80\xa8g", b""],
        ),
        (b"\r", [b""]),
    ],
)
def test_lines(data: bytes, lines: list[bytes]) -> None:
    assert split_lines(data) == lines


class TestTables:
    def test_rows_are_ordered_by_hits_and_then_by_name(self) -> None:
        log = b"".join(line(START, b"GET /%s" % name) for name in (b"b", b"c", b"a", b"c"))
        assert list(summary(log)["sections"].items()) == [("/c", 2), ("/a", 1), ("/b", 1)]

    def test_the_first_2000_sections_are_named(self) -> None:
        log = b"".join(line(START + number // 1_000, b"GET /%d" % number) for number in range(2_010))
        log += line(START + 10, b"GET /2009") + line(START + 10, b"GET /0")
        events = replay(log, wall=WALL)
        total = events[-1]["sections"]
        assert (len(total), total["(other)"], total["/0"], total["/1999"]) == (2_001, 11, 2, 1)
        assert list(total)[:2] == ["(other)", "/0"]
        first, second = [event["sections"] for event in events if event["event"] == "stats"]
        assert (first["(other)"], second) == (10, {"/0": 1, "/2009": 1})

    def test_the_first_64_methods_are_named(self) -> None:
        names = [bytes((65 + number // 26, 65 + number % 26)) for number in range(70)]
        methods = summary(b"".join(line(START, name + b" /") for name in names))["methods"]
        assert (len(methods), methods["(other)"]) == (65, 6)

    def test_sums_are_exact_at_any_size(self) -> None:
        log = line(START, size=b"9" * 18) * 30
        assert summary(log)["bytes"] == 30 * (10**18 - 1)


def test_the_keys_stand_in_order() -> None:
    events = replay(at(0) * 1201 + at(300) + b"\nx\n", wall=WALL)
    keys = {event["event"]: list(event) for event in events}
    assert " ".join(keys["stats"]) == "event start end hits bytes rate partial sections statuses methods"
    assert " ".join(keys["alert"]) == "event rule state at hits rate threshold window message"
    assert " ".join(keys["summary"]) == (
        "event complete lines parsed rejected late future first last hits bytes"
        " sections statuses methods alerts open_alerts"
    )
    assert events[-1]["rejected"] == {"blank": 1, "format": 1, "time": 0, "oversize": 0}


@given(logs(), options())
def test_nothing_is_lost(log: bytes, chosen: dict[str, int]) -> None:
    total = summary(log, **chosen)
    assert total["lines"] == total["parsed"] + sum(total["rejected"].values())
    for name in ("sections", "statuses", "methods"):
        assert sum(total[name].values()) == total["parsed"] == total["hits"]
    assert total["lines"] == log.count(b"\n") + (log != b"" and not log.endswith(b"\n"))


@given(any_lines("combined"))
def test_a_combined_line_is_a_common_line_too(text: bytes) -> None:
    try:
        hit = parse(text, "combined")
    except Rejected:
        return
    assert parse(text, "common") == hit


# Not a measurement: second by second, the two thousand years of the gap take hours.
@pytest.mark.timeout(60)
def test_a_day_of_traffic_takes_moments() -> None:
    """The yardstick may be slow, not useless: its cost must not grow with the length of a gap."""
    log = line(-62_135_596_800) + at(*range(0, 86_400, 60)) + line(WALL) * 2
    assert summary(log)["future"] == 0
