"""The yardstick: what a replay must print, worked out line by line.

Nothing here is fast, bounded in memory or clever, and nothing is shared with the
package: it was written from the description of the behaviour alone. A log is held
whole, every line becomes an object, every open window keeps its own hits.

``replay`` gives the events of ``fastlog --json`` as dicts, in the order of output.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Literal

Event = dict[str, Any]

LINE_LIMIT = 102_400
FUTURE_SECONDS = 600
JUMP_SECONDS = 3_600
MOST_SECTIONS = 2_000
MOST_METHODS = 64
OTHER = "(other)"
LONG_AGO = -(10**18)
COMMON_US = '%h %l %u %t "%r" %>s %b %D'
"""The Common Log Format with a duration in microseconds behind it."""
MONTHS = [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"]
EPOCH_DAY = date(1970, 1, 1).toordinal()
DIGITS = b"0123456789"
LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


# -- a line ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Hit:
    second: int
    section: bytes
    method: bytes
    status: str
    size: int
    duration: int | None = None
    verdict: Literal["credible", "suspect", "future"] = "credible"


class Rejected(Exception):
    """A line that is not a hit; its only argument is the reason."""


def split_lines(data: bytes) -> list[bytes]:
    r"""The lines of a file: cut at ``\n`` alone, one ``\r`` before it dropped."""
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [line[:-1] if line.endswith(b"\r") else line for line in lines]


def parse(line: bytes, format: str) -> Hit:
    """The hit that a line stands for. Raises Rejected with the reason."""
    if len(line) > LINE_LIMIT:
        raise Rejected("oversize")
    if line.strip(b" \t") == b"":
        raise Rejected("blank")
    rest = line
    if format.startswith("vhost_"):
        _vhost, rest = _word(rest)
        if rest.startswith(b"- "):  # the ident of a line without a virtual host
            raise Rejected("format")
    _host, rest = _word(rest)
    _ident, rest = _word(rest)
    stamp, rest = _user_and_stamp(rest)
    request, status, size, rest = _request_status_size(rest)
    if format.endswith("combined"):
        _referer_and_agent(rest)
    duration = _duration(rest) if format == COMMON_US else None
    second = epoch_second(stamp)
    method, section = method_and_section(request)
    return Hit(second, section, method, status.decode(), 0 if size == b"-" else int(size), duration)


def _duration(text: bytes) -> int | None:
    """Whole microseconds behind a space; None where a ``-`` stands for them."""
    word, _space, _rest = text[1:].partition(b" ")
    if text.startswith(b" ") and word == b"-":
        return None
    if not text.startswith(b" ") or not 1 <= len(word) <= 18 or not _all_in(word, DIGITS):
        raise Rejected("format")
    return int(word)


def _all_in(text: bytes, allowed: bytes) -> bool:
    return all(byte in allowed for byte in text)


def _word(text: bytes) -> tuple[bytes, bytes]:
    """One or more bytes that are not a space, then a space; and what follows."""
    word, space, rest = text.partition(b" ")
    if not word or not space:
        raise Rejected("format")
    return word, rest


def _user_and_stamp(text: bytes) -> tuple[bytes, bytes]:
    """The stamp after a user of one byte or more; and what follows, from the request on."""
    for at in range(1, len(text)):
        if text[at : at + 2] != b" [":
            continue
        stop = at + 2
        while stop < len(text) and text[stop] not in b"[]":
            stop += 1
        after = text[stop:]
        if after.startswith(b'] "') or (after.startswith(b"] -") and _status_and_size(after[3:])):
            return text[at + 2 : stop], after[2:]
    raise Rejected("format")


def _is_escaped(text: bytes, at: int) -> bool:
    """Does an odd number of backslashes stand directly before ``at``?"""
    backslashes = 0
    while backslashes < at and text[at - 1 - backslashes] == ord("\\"):
        backslashes += 1
    return backslashes % 2 == 1


def _closing_quotes(text: bytes) -> Iterator[int]:
    """Where a quote that is not escaped stands in a text that begins with its opening quote."""
    for at in range(1, len(text)):
        if text[at] == ord('"') and not _is_escaped(text, at):
            yield at


def _status_and_size(text: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Status, size and what follows of a text that begins with `` 200 512``; None if it does not."""
    if len(text) < 6 or text[0:1] != b" " or not _all_in(text[1:4], DIGITS) or text[4:5] != b" ":
        return None
    size, _space, _ignored = text[5:].partition(b" ")
    if size == b"-" or (1 <= len(size) <= 18 and _all_in(size, DIGITS)):
        return text[1:4], size, text[5 + len(size) :]
    return None


def _request_status_size(text: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    if text.startswith(b"- "):
        found = _status_and_size(text[1:])
        if found:
            return (b"-", *found)
    elif text.startswith(b'"'):
        for at in _closing_quotes(text):
            found = _status_and_size(text[at + 1 :])
            if found:
                return (text[1:at], *found)
    raise Rejected("format")


def _is_bare(text: bytes) -> bool:
    """Does the text begin with a ``-`` that stands for a quoted field?"""
    return text == b"-" or text.startswith(b"- ")


def _referer_and_agent(text: bytes) -> None:
    if not text.startswith(b" "):
        raise Rejected("format")
    text = text[1:]
    if _is_bare(text):
        text = text[1:]
    elif text.startswith(b'"'):
        for at in _closing_quotes(text):
            after = text[at + 1 :]
            if after.startswith(b' "') or (after.startswith(b" ") and _is_bare(after[1:])):
                text = after
                break
        else:
            raise Rejected("format")
    else:
        raise Rejected("format")
    if not text.startswith(b" "):
        raise Rejected("format")
    text = text[1:]
    if _is_bare(text):
        return
    if text.startswith(b'"'):
        for at in _closing_quotes(text):
            if text[at + 1 : at + 2] in (b"", b" "):
                return
    raise Rejected("format")


def epoch_second(stamp: bytes) -> int:
    """The epoch second of ``dd/Mon/yyyy:HH:MM:SS ±hhmm``. Raises Rejected for anything else.

    A leading zero may be missing, and the second may have a fraction.
    """
    stamp = _with_zeros(stamp)
    if len(stamp) != 26:
        raise Rejected("time")
    numbers = stamp[0:2] + stamp[7:11] + stamp[12:14] + stamp[15:17] + stamp[18:20] + stamp[22:26]
    marks = stamp[2:3] + stamp[6:7] + stamp[11:12] + stamp[14:15] + stamp[17:18] + stamp[20:21]
    if not _all_in(numbers, DIGITS) or marks != b"//::: " or stamp[21:22] not in (b"+", b"-"):
        raise Rejected("time")
    if stamp[3:6].lower() not in MONTHS:
        raise Rejected("time")
    month = MONTHS.index(stamp[3:6].lower()) + 1
    hour, minute, second = int(stamp[12:14]), int(stamp[15:17]), int(stamp[18:20])
    offset_hours, offset_minutes = int(stamp[22:24]), int(stamp[24:26])
    if hour > 23 or minute > 59 or second > 60 or offset_hours > 23 or offset_minutes > 59:
        raise Rejected("time")
    try:
        day = date(int(stamp[7:11]), month, int(stamp[0:2])).toordinal() - EPOCH_DAY
    except ValueError:
        raise Rejected("time") from None
    local = day * 86_400 + hour * 3_600 + minute * 60 + min(second, 59)
    offset = offset_hours * 3_600 + offset_minutes * 60
    return local - offset if stamp[21:22] == b"+" else local + offset


def _with_zeros(stamp: bytes) -> bytes:
    """A stamp in its usual width."""
    local, space, zone = stamp.partition(b" ")
    day, _slash, rest = local.partition(b"/")
    date_part, *clock = rest.split(b":")
    if len(clock) == 3:
        for mark in (b".", b","):
            seconds, found, fraction = clock[2].partition(mark)
            if found and 1 <= len(fraction) <= 12 and _all_in(fraction, DIGITS):
                clock[2] = seconds
    return (
        b":".join([day.rjust(2, b"0") + b"/" + date_part, *(part and part.rjust(2, b"0") for part in clock)])
        + space
        + zone
    )


def method_and_section(request: bytes) -> tuple[bytes, bytes]:
    method, space, rest = request.partition(b" ")
    if not (space and 1 <= len(method) <= 32 and _all_in(method, LETTERS + b"-_")):
        return b"-", b"-"
    target = rest.lstrip(b" ").partition(b" ")[0]
    if not target:
        return b"-", b"-"
    return method, section_of(target)


def section_of(target: bytes) -> bytes:
    scheme, mark, rest = target.partition(b"://")
    if mark and scheme and scheme[0] in LETTERS and _all_in(scheme, LETTERS + DIGITS + b"+-."):
        ends = [at for at in range(len(rest)) if rest[at] in b"/?#"]
        target = rest[ends[0] :] if ends else b""
    if not target.startswith(b"/"):
        return b"-"
    stop = 1
    while stop < len(target) and target[stop] not in b"/?#":
        stop += 1
    return target[:stop]


# -- what is printed ---------------------------------------------------------------------------


def printable(raw: bytes) -> str:
    """``raw`` as text, with what is not plain text written out."""
    shown = ""
    at = 0
    while at < len(raw):
        for length in (1, 2, 3, 4):
            try:
                char = raw[at : at + length].decode("utf-8")
            except UnicodeDecodeError:
                continue
            shown += _shown(char)
            at += length
            break
        else:
            shown += f"\\x{raw[at]:02x}"
            at += 1
    return shown


def _shown(char: str) -> str:
    code = ord(char)
    if code < 0x20 or 0x7F <= code <= 0x9F:
        return f"\\x{code:02x}"
    marks = [0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)]
    return f"\\u{code:04x}" if code in marks else char


def table(names: Sequence[bytes], most: int | None) -> dict[str, int]:
    """Hits by printable name: the first ``most`` names that appear, and the others together."""
    named: list[bytes] = list(dict.fromkeys(names))[:most]
    count = Counter(names)
    hits: Counter[str] = Counter()
    for name in named:
        hits[printable(name)] += count[name]
    others = len(names) - sum(hits.values())
    if others:
        hits[OTHER] = others
    return dict(sorted(hits.items(), key=lambda row: (-row[1], row[0])))


def tables(hits: Sequence[Hit], format: str) -> Event:
    return {
        "sections": table([hit.section for hit in hits], MOST_SECTIONS),
        "statuses": table([hit.status.encode() for hit in hits], None),
        "methods": table([hit.method for hit in hits], MOST_METHODS),
        **({"latency_us": latency(hits)} if format == COMMON_US else {}),
    }


def latency(hits: Sequence[Hit]) -> Event:
    """The durations of rank p of 100, counted from the shortest, exactly."""
    durations = sorted(hit.duration for hit in hits if hit.duration is not None)
    ranks = {p: -(-p * len(durations) // 100) for p in (50, 95, 99)}
    return {f"p{p}": durations[rank - 1] if durations else None for p, rank in ranks.items()}


def utc_text(second: int) -> str:
    """``2018-05-09T16:02:28Z``; the year before 0001 is 0000."""
    day, rest = divmod(second, 86_400)
    ordinal = day + EPOCH_DAY
    if ordinal >= 1:
        day_text = date.fromordinal(ordinal).isoformat()
    else:  # no date of ours, but 400 years later the calendar is the same
        later = date.fromordinal(ordinal + 146_097)
        day_text = f"{later.year - 400:04d}-{later.month:02d}-{later.day:02d}"
    return f"{day_text}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}Z"


# -- time --------------------------------------------------------------------------------------


@dataclass(slots=True)
class Line:
    """A line with its place in the merged log: the greatest credible second of its file so far."""

    key: int
    hit: Hit | None
    reason: str


def believe(lines: list[Line], wall: int) -> None:
    """Decide which hits of one file are credible, and set every line's key."""
    greatest = LONG_AGO
    is_witness = False
    for at, line in enumerate(lines):
        hit = line.hit
        if hit is not None and hit.second > wall + FUTURE_SECONDS:
            hit.verdict = "future"
        elif hit is not None:
            leaps = greatest != LONG_AGO and hit.second > greatest + JUMP_SECONDS
            following = _next_hit(lines[at + 1 :], wall)
            if leaps and not is_witness and following is None:
                hit.verdict = "suspect"
            elif leaps and not is_witness and following is not None and following <= greatest + JUMP_SECONDS:
                hit.verdict = "future"
            else:
                # The hit after a leap that holds is its witness, and needs none of its own.
                is_witness = leaps and not is_witness
                greatest = max(greatest, hit.second)
        line.key = greatest


def _next_hit(following: list[Line], wall: int) -> int | None:
    """The second of the next hit that the wall clock does not refute."""
    for line in following:
        if line.hit is not None and line.hit.second <= wall + FUTURE_SECONDS:
            return line.hit.second
    return None


def resolve(files: list[list[Line]]) -> None:
    """Decide of the leap with which a file ends: the log as a whole is its witness.

    The end of input confirms it where no other file went on, at the old pace, after it.
    """
    last = max((line.key for lines in files for line in lines), default=LONG_AGO)
    suspects = [
        (line.hit, lines[at:])
        for lines in files
        for at, line in enumerate(lines)
        if line.hit is not None and line.hit.verdict == "suspect"
    ]
    for hit, rest in sorted(suspects, key=lambda suspect: suspect[0].second):
        if hit.second <= last + JUMP_SECONDS:
            hit.verdict = "credible"
            last = max(last, hit.second)
            for line in rest:
                line.key = hit.second
    for hit, rest in suspects:
        if hit.verdict == "suspect":
            hit.verdict = "credible" if rest[0].key == last else "future"
            for line in rest:
                line.key = hit.second if hit.verdict == "credible" else line.key


class Clock:
    """The closed mark, and everything that happens when it moves."""

    def __init__(
        self, window: int, step: int, alert_window: int, threshold: float | str, format: str
    ) -> None:
        self.format = format
        self.window = window
        self.step = step
        self.alert_window = alert_window
        self.threshold = threshold
        self.limit = Fraction(str(threshold)) * alert_window
        self.closed: int | None = None
        self.seconds: Counter[int] = Counter()
        self.windows: dict[int, list[Hit]] = {}
        self.firing = False
        self.late = 0

    def add(self, hit: Hit) -> None:
        """Count a credible hit; the mark has been moved to where the hit's line puts it."""
        assert self.closed is not None
        if hit.second < self.closed:
            self.late += 1
        self.seconds[hit.second] += 1
        start = hit.second // self.step * self.step
        while start + self.window > hit.second:
            if start + self.window > self.closed:
                self.windows.setdefault(start, []).append(hit)
            start -= self.step

    def close(self, mark: int) -> list[Event]:
        """Every second before ``mark`` is over: what must be said, in order."""
        if self.closed is None:
            self.closed = mark
        if mark <= self.closed:
            return []
        events: list[tuple[tuple[int, int, int], Event]] = []
        for start in sorted(self.windows):
            if start + self.window <= mark:
                last = start + self.window - 1
                events.append(((last, 0, start), self.stats(start, partial=False)))
        for second in self._seconds_that_matter(self.closed, mark):
            alert = self._evaluate(second)
            if alert:
                events.append(((second, 1, 0), alert))
        self.closed = mark
        for second in list(self.seconds):
            if second <= mark - self.alert_window:
                del self.seconds[second]  # in no alert window that is still to come
        return [event for _place, event in sorted(events, key=lambda item: item[0])]

    def _seconds_that_matter(self, begin: int, end: int) -> list[int]:
        """Where the alert window's hits can have changed: a hit came in, or fell out."""
        seconds = {begin}
        for second in self.seconds:
            seconds |= {second, second + self.alert_window}
        return sorted(second for second in seconds if begin <= second < end)

    def _evaluate(self, second: int) -> Event | None:
        hits = 0
        for other, count in self.seconds.items():
            if second - self.alert_window < other <= second:
                hits += count
        if (hits > self.limit) == self.firing:
            return None
        self.firing = hits > self.limit
        if self.firing:
            message = f"High traffic generated an alert - hits = {hits}, triggered at {utc_text(second)}"
        else:
            message = f"High traffic alert recovered - hits = {hits}, recovered at {utc_text(second)}"
        return {
            "event": "alert",
            "rule": "traffic",
            "state": "firing" if self.firing else "resolved",
            "at": second,
            "hits": hits,
            "rate": round(hits / self.alert_window, 3),
            "threshold": float(self.threshold),
            "window": self.alert_window,
            "message": message,
        }

    def stats(self, start: int, *, partial: bool) -> Event:
        hits = self.windows.pop(start)
        return {
            "event": "stats",
            "start": start,
            "end": start + self.window,
            "hits": len(hits),
            "bytes": sum(hit.size for hit in hits),
            "rate": round(len(hits) / self.window, 3),
            "partial": partial,
            **tables(hits, self.format),
        }


def replay(
    data: bytes | Sequence[tuple[str, bytes]],
    *,
    format: str = "common",
    threshold: float | str = 10,
    alert_window: int = 120,
    stats_window: int = 10,
    stats_every: int | None = None,
    stats: bool = True,
    lateness: int = 60,
    wall: int,
) -> list[Event]:
    """The events of a replay of one log, or of several by name; ``wall`` is the clock at its start."""
    logs = [data] if isinstance(data, bytes) else [content for _name, content in data]
    merged = _merged(logs, format, wall)
    rejected = {"blank": 0, "format": 0, "time": 0, "oversize": 0}
    clock = Clock(stats_window, stats_every or stats_window, alert_window, threshold, format)
    events: list[Event] = []
    hits: list[Hit] = []
    for line in merged:
        if line.key != LONG_AGO:
            events += clock.close(line.key - lateness)
        if line.hit is None:
            rejected[line.reason] += 1
            continue
        hits.append(line.hit)
        if line.hit.verdict == "credible":
            clock.add(line.hit)

    credible = [hit.second for hit in hits if hit.verdict == "credible"]
    if credible:
        events += clock.close(max(credible) + 1)
        events += [clock.stats(start, partial=True) for start in sorted(clock.windows)]
    alerts = sum(event["event"] == "alert" and event["state"] == "firing" for event in events)
    summary = {
        "event": "summary",
        "complete": True,
        "lines": len(merged),
        "parsed": len(hits),
        "rejected": rejected,
        "late": clock.late,
        "future": len(hits) - len(credible),
        "first": min(credible, default=None),
        "last": max(credible, default=None),
        "hits": len(hits),
        "bytes": sum(hit.size for hit in hits),
        **tables(hits, format),
        "alerts": alerts,
        "open_alerts": ["traffic"] if clock.firing else [],
    }
    if not stats:
        events = [event for event in events if event["event"] != "stats"]
    return [*events, summary]


def _merged(logs: Sequence[bytes], format: str, wall: int) -> list[Line]:
    """The lines of all logs in the order in which they are taken."""
    files: list[list[Line]] = []
    for content in logs:
        lines: list[Line] = []
        for raw in split_lines(content):
            try:
                lines.append(Line(0, parse(raw, format), ""))
            except Rejected as why:
                lines.append(Line(0, None, str(why)))
        believe(lines, wall)
        files.append(lines)
    resolve(files)
    files.sort(key=_first_second)
    merged = [line for lines in files for line in lines]
    merged.sort(key=lambda line: line.key)  # stable: by file, then by line, where keys are equal
    return merged


def _first_second(lines: list[Line]) -> int:
    return next((line.hit.second for line in lines if line.hit is not None), LONG_AGO)
