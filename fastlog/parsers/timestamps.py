"""Stamps of log lines, to epoch seconds.

Decision: of the hour that a change to winter time repeats, a stamp without a zone
means the first pass; one in the hour that a change to summer time leaves out is
read by the offset before the change (``fold=0``, PEP 495).
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

from fastlog.formats.possessive import possessive
from fastlog.formats.stamps import ANY, APACHE, CLOCK, DATE, EPOCH, EPOCH_MS, EPOCH_US, ISO8601, stamp_regex
from fastlog.parsers.clocks import clock_runs
from fastlog.parsers.runs import merged_runs, mostly_long, runs_of

_STAMP = re.compile(
    rb"\[?(\d{1,2})/([A-Za-z]{3})/(\d{4}):([01]?\d|2[0-3]):([0-5]?\d):([0-5]?\d|60)"
    + possessive(rb"(?:[.,]\d{1,12}+)", b"?")
    + rb" ([+-])([01]\d|2[0-3])([0-5]\d)\]?\Z"
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_EPOCH = date(1970, 1, 1).toordinal()
_LEAST = (1 - _EPOCH) * 86400
_MOST = (date.max.toordinal() + 1 - _EPOCH) * 86400 - 1
_ZONE = re.compile(rb" ?([+-])([01]\d|2[0-3]):?([0-5]\d)?\Z")
_ZULU = (b"Z", b"z", b"UTC", b"GMT")
_NUMBER = re.compile(rb"(-?\d{1,20})(?:\.\d{1,12})?\Z")

Second = Callable[[bytes], int | None]


def apache_second(stamp: bytes) -> int | None:
    """The UTC epoch second of ``dd/Mon/yyyy:HH:MM:SS +hhmm``; None for no such date or time.

    The brackets around it may still be there, and a leading zero may be missing. A
    leap second, ``:60``, counts in ``:59``. Source: Apache mod_log_config, ``%t``.
    """
    match = _STAMP.match(stamp)
    if match is None:
        return None
    day, month, year, hours, minutes, seconds, sign, zone_hours, zone_minutes = match.groups()
    try:
        days = date(int(year), _MONTHS[month.lower()], int(day)).toordinal() - _EPOCH
    except (KeyError, ValueError):
        return None
    zone = int(zone_hours) * 3600 + int(zone_minutes) * 60
    local = days * 86400 + int(hours) * 3600 + int(minutes) * 60 + min(int(seconds), 59)
    return local - zone if sign == b"+" else local + zone


def epoch_number(value: float) -> int | None:
    """The second of a number of seconds, milli-, micro- or nanoseconds since the epoch, told by its size."""
    for unit, least in ((1_000_000_000, 1e17), (1_000_000, 1e14), (1_000, 1e11)):
        if abs(value) >= least:
            value = value // unit
            break
    return int(value // 1) if _LEAST <= value <= _MOST else None


def second_of(pattern: str, log_tz: str = "UTC") -> Second:
    """The function that reads stamps of one pattern (see ``formats.stamps``).

    ``log_tz`` is the zone of stamps that name none.
    """
    zone = UTC if log_tz == "UTC" else _zone(log_tz)
    if pattern == APACHE:
        return apache_second
    if pattern == ANY:
        return _any_of(zone)
    regex = re.compile(rb"\[?%b\]?\Z" % stamp_regex(pattern).replace(r"\ ", r"[ \t]").encode())

    def second(stamp: bytes) -> int | None:
        match = regex.match(stamp)
        return None if match is None else _from_groups(match.groupdict(), zone)

    return second


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo  # here, since most logs say their zones and workers start sooner without

    return ZoneInfo(name)


def _any_of(zone: tzinfo) -> Second:
    iso = re.compile(rb"\[?%b\]?\Z" % stamp_regex(ISO8601).encode())
    local = re.compile(rb"\[?%b\]?\Z" % stamp_regex("%d/%b/%Y:%H:%M:%S").encode())

    def second(stamp: bytes) -> int | None:
        number = _NUMBER.match(stamp)
        if number is not None:
            return epoch_number(int(number[1]))
        match = iso.match(stamp)
        if match is None:
            found = apache_second(stamp)
            if found is not None:
                return found
            match = local.match(stamp)
        return None if match is None else _from_groups(match.groupdict(), zone)

    return second


def _from_groups(parts: dict[str, bytes | None], zone: tzinfo) -> int | None:
    """The second of the named parts of a stamp; None for no such date or time."""
    for name, unit in (("s", 1), ("Q", 1_000), ("K", 1_000_000)):
        whole = parts.get(name)
        if whole is not None:
            second = int(whole) // unit
            return second if _LEAST <= second <= _MOST else None
    try:
        day = _date(parts)
        hours, minutes, seconds = _clock(parts)
        offset = _offset(parts.get("z"))
        moment = datetime(day.year, day.month, day.day, hours, minutes, seconds, tzinfo=offset or zone)
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    except (KeyError, ValueError, OverflowError):
        return None


def _date(parts: dict[str, bytes | None]) -> date:
    """The day. Raises KeyError, ValueError and OverflowError where there is no such day."""
    year = int(parts.get("Y") or 0)
    if parts.get("y"):
        short = int(parts["y"] or 0)
        year = short + (1900 if short >= 69 else 2000)  # POSIX, strptime
    if parts.get("j"):
        day = date(year, 1, 1) + timedelta(days=int(parts["j"] or 0) - 1)
        if day.year != year:
            raise ValueError(parts["j"])
        return day
    named = parts.get("b")
    month = _MONTHS[named[:3].lower()] if named else int(parts["m"] or 0)
    return date(year, month, int(parts["d"] or 0))


def _clock(parts: dict[str, bytes | None]) -> tuple[int, int, int]:
    """Hours, minutes and seconds; a leap second counts in the one before it. Raises ValueError."""
    hours = int(parts.get("H") or 0)
    if parts.get("I"):
        hours = int(parts["I"] or 0)
        if not 1 <= hours <= 12:
            raise ValueError(hours)
        hours = hours % 12 + (12 if (parts.get("p") or b"").lower() == b"pm" else 0)
    seconds = int(parts.get("S") or 0)
    return hours, int(parts.get("M") or 0), 59 if seconds == 60 else seconds


def _offset(text: bytes | None) -> tzinfo | None:
    """The zone that a stamp names; None where it names none. Raises ValueError for one that is unknown."""
    if text is None:
        return None
    if text in _ZULU:
        return UTC
    match = _ZONE.match(text)
    if match is None:
        raise ValueError(text)
    offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return timezone(offset if match[1] == b"+" else -offset)


_SECONDS_AT = {APACHE: (18, b" "), ISO8601: (17, b"Zz+-"), f"{DATE} {CLOCK}": (17, b"")}
"""Where two digits of seconds stand in the usual spelling, and what may follow them."""
_PLAIN = (EPOCH, EPOCH_MS, EPOCH_US)
_TWO_DIGITS = [b"%02d" % number for number in range(60)]
_MANY = 64


class _Midnights(dict[bytes, int | None]):
    """The first second of a day by its stamp, ``dd/Mon/yyyy:00:00:00 +hhmm``; None for what is none."""

    BOUND = 10_000

    def __missing__(self, stamp: bytes) -> int | None:
        if len(self) >= self.BOUND:
            self.clear()
        usual = stamp[11:21] == b":00:00:00 " and stamp[0] in b"0123"
        second = self[stamp] = apache_second(stamp) if usual else None
        return second


class Seconds(dict[bytes, int | None]):
    """Stamps to epoch seconds, remembered; looking a stamp up is the way to convert it.

    A log names each of its minutes many times: the second stamp that is missed
    in one minute fills in all sixty, and so does the first of the minute after.
    Holds at most BOUND stamps, then starts anew. Where brackets belong to the format they are
    no part of a stamp, which is then ``bare``.
    """

    BOUND = 100_000

    def __init__(self, pattern: str = APACHE, log_tz: str = "UTC", *, bare: bool = False) -> None:
        super().__init__()
        self._bare = bare
        self._second = second_of(pattern, log_tz)
        self._minutes: set[bytes] = set()
        self._next: int | None = None
        self._digits, self._follows = _SECONDS_AT.get(pattern, (0, b""))
        if log_tz != "UTC" and pattern != APACHE:
            self._digits = 0  # a change of zone may fall into a minute
        self._fraction = pattern in (ISO8601, ANY)
        self._plain = pattern in _PLAIN
        self._midnights = _Midnights() if pattern == APACHE else None

    def runs(self, stamps: list[bytes]) -> tuple[list[int], list[int]] | None:
        """The seconds of the runs of stamps of one second, and how many stamps each run has; None where
        some stamp is none. Many short runs are read as columns."""
        if self._midnights is not None and len(stamps) >= _MANY and not mostly_long(stamps):
            found = clock_runs(stamps, self._midnights)
            if found is not None:
                return found
        texts, lengths = runs_of(stamps)
        seconds = list(map(self.__getitem__, texts))
        return None if None in seconds else merged_runs(seconds, lengths)  # type: ignore[arg-type]  # holds no None

    def __missing__(self, stamp: bytes) -> int | None:
        if self._bare and (stamp[:1] == b"[" or stamp[-1:] == b"]"):
            return None
        if len(self) > self.BOUND:
            self.clear()
            self._minutes.clear()
        if self._plain:
            return self._second(stamp)  # quicker to read than to remember
        if (
            self._fraction
            and stamp[19:20] == b"."
            and stamp[13:14] == stamp[16:17] == b":"
            and len(stamp) < 40
        ):
            zone = stamp[20:].lstrip(b"0123456789")
            if len(stamp) - len(zone) in range(21, 33):
                return self[stamp[:19] + zone]
        second = self._second(stamp)
        if second is not None and len(stamp) < 40:  # what is no stamp can be long, and is not remembered
            self[stamp] = second
            self._fill(stamp, second)
        return second

    def _fill(self, stamp: bytes, second: int) -> None:
        """Remember the whole minute of a stamp in its usual spelling."""
        at = self._digits
        head, digits, tail = stamp[:at], stamp[at : at + 2], stamp[at + 2 :]
        if not at or head[-1:] != b":" or head[-4:-3] != b":" or not digits.isdigit() or len(digits) < 2:
            return
        if tail[:1] not in self._follows if tail else bool(self._follows == b" "):
            return
        minute = head + tail
        start = second - min(int(digits), 59)
        if minute in self._minutes or start == self._next:
            joint = tail + b"\n" + head
            stamps = (head + joint.join(_TWO_DIGITS) + tail).split(b"\n")
            self.update(zip(stamps, range(start, start + 60), strict=True))
            self._next = start + 60
        self._minutes.add(minute)
