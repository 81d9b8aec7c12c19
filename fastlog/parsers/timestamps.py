"""Stamps of log lines, to epoch seconds."""

import re
from datetime import date

_STAMP = re.compile(
    rb"(\d\d)/([A-Za-z]{3})/(\d{4}):([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60) ([+-])([01]\d|2[0-3])([0-5]\d)\Z"
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_EPOCH = date(1970, 1, 1).toordinal()


def apache_second(stamp: bytes) -> int | None:
    """The UTC epoch second of ``dd/Mon/yyyy:HH:MM:SS +hhmm``; None for no such date or time.

    A leap second, ``:60``, counts in ``:59``. Source: Apache mod_log_config, ``%t``.
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


class Seconds(dict[bytes, int | None]):
    """Stamps to epoch seconds, remembered; looking a stamp up is the way to convert it.

    A log names each of its minutes many times: the second stamp that is missed
    in one minute fills in all sixty. Holds at most BOUND stamps, then starts anew.
    """

    BOUND = 100_000

    def __init__(self) -> None:
        super().__init__()
        self._minutes: set[bytes] = set()

    def __missing__(self, stamp: bytes) -> int | None:
        if len(self) > self.BOUND:
            self.clear()
            self._minutes.clear()
        second = apache_second(stamp)
        if second is not None:  # what is no stamp can be long, and is not remembered
            self[stamp] = second
            minute = stamp[:18] + stamp[20:]
            if minute in self._minutes:
                start = second - min(int(stamp[18:20]), 59)
                head, zone = stamp[:18], stamp[20:]
                self.update((b"%b%02d%b" % (head, n, zone), start + n) for n in range(60))
            self._minutes.add(minute)
        return second
