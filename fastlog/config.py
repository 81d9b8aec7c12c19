"""The configuration of a run: checked when it is made, touching nothing.

The names are those of the command line's long options. Every check that needs no
file, clock or process is here, so that the API and the command agree.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Literal, get_args

from fastlog.cpus import usable_cpus
from fastlog.errors import UsageError

DEFAULT_LOG = "/tmp/access.log"
LOOPBACK = "127.0.0.1"
FOLLOW_LATENESS = 2
REPLAY_LATENESS = 60

ParserName = Literal["auto", "native", "regex"]
ColorMode = Literal["auto", "always", "never"]
ExecutorName = Literal["processes", "inline"]
_LONGEST = 366 * 86400


def _whole(option: str, value: object, least: int, most: int = _LONGEST) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UsageError(f"{option} is {value!r}: give a whole number from {least} to {most}")


def _one_of(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{option} is {value!r}: give one of {', '.join(choices)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One run of fastlog. Raises UsageError for a value that no run could use.

    A field means what the option of its name means; these have other values than there, or a unit:

    - ``paths``: the logs to replay (``"-"`` is standard input), or, with ``follow``, names and patterns;
    - ``from_start``: follow from the first line of files that are already there (``--from start``);
    - ``threshold``: hits a second, on average over ``alert_window`` seconds;
    - ``alert_window``, ``stats_window``, ``stats_every``, ``lateness``: whole seconds;
    - ``stats_every``, ``stats``, ``lateness``, ``progress``: None takes the default, which may depend on
      ``follow``: see ``step``, ``wants_stats`` and ``late_seconds``;
    - ``executor``: ``inline`` replays in the calling thread; the command always uses ``processes``.
    """

    paths: Sequence[str | os.PathLike[str]] = (DEFAULT_LOG,)
    follow: bool = False
    from_start: bool = False
    workers: int = field(default_factory=usable_cpus)
    threshold: float = 10.0
    alert_window: int = 120
    stats_window: int = 10
    stats_every: int | None = None
    stats: bool | None = None
    lateness: int | None = None
    format: str = "auto"
    parser: ParserName = "auto"
    json: bool = False
    top: int = 5
    output: str | os.PathLike[str] | None = None
    rejects: str | os.PathLike[str] | None = None
    rules: str | os.PathLike[str] | None = None
    state: str | os.PathLike[str] | None = None
    listen: str | None = None
    tz: str = "UTC"
    log_tz: str = "UTC"
    color: ColorMode = "auto"
    progress: bool | None = None
    fail_on_alert: bool = False
    quiet: bool = False
    executor: ExecutorName = "processes"

    def __post_init__(self) -> None:
        if not self.paths:
            raise UsageError("no file is named: give at least one FILE, or '-' for standard input")
        for path in map(os.fsencode, self.paths):
            if not path or b"\0" in path:  # a variable of a script that is not set, most often
                raise UsageError(f"a FILE is {os.fsdecode(path)!r}: no file can have that name; name a log")
        if self.follow and any(os.fspath(path) == "-" for path in self.paths):
            raise UsageError("'-' cannot be followed: it has no name; leave out -f to read it live")
        _whole("--workers", self.workers, 1, 1024)
        _whole("--alert-window", self.alert_window, 1)
        _whole("--stats-window", self.stats_window, 1)
        if self.stats_every is not None:
            _whole("--stats-every", self.stats_every, 1, self.stats_window)
        if self.lateness is not None:
            _whole("--lateness", self.lateness, 0)
        _whole("--top", self.top, 0, 2000)
        if isinstance(self.threshold, bool) or not isinstance(self.threshold, int | float):
            raise UsageError(f"--threshold is {self.threshold!r}: give a number, 0 or more")
        if not (math.isfinite(self.threshold) and self.threshold >= 0):
            raise UsageError(f"--threshold is {self.threshold!r}: give a number, 0 or more")
        _one_of("--parser", self.parser, get_args(ParserName))
        _one_of("--color", self.color, get_args(ColorMode))
        _one_of("executor", self.executor, get_args(ExecutorName))
        zone(self.tz)
        zone(self.log_tz, "--log-tz")
        if self.listen is not None:
            listen_address(self.listen)
        if self.state is not None:
            self._check_state(self.state)

    def _check_state(self, state: str | os.PathLike[str]) -> None:
        """Raises UsageError for what a state cannot hold."""
        if any(os.fspath(path) == "-" for path in self.paths):
            raise UsageError("--state does not hold standard input, which cannot be read again: name a file")
        if self.executor == "inline":
            raise UsageError("--state needs processes: leave out executor 'inline'")
        for option, path in (("--output", self.output), ("--rejects", self.rejects)):
            if path is not None and os.path.abspath(path) == os.path.abspath(state):
                raise UsageError(f"--state and {option} are one file: name two")

    @property
    def step(self) -> int:
        """Seconds from one statistics window to the next."""
        return self.stats_window if self.stats_every is None else self.stats_every

    @property
    def wants_stats(self) -> bool:
        """Whether statistics windows are asked for."""
        return self.follow if self.stats is None else self.stats

    @property
    def late_seconds(self) -> int:
        """How many seconds a second stays open for lines that arrive out of order."""
        if self.lateness is not None:
            return self.lateness
        return FOLLOW_LATENESS if self.follow else REPLAY_LATENESS


def zone(name: str, option: str = "--tz") -> tzinfo:
    """The time zone of that name. Raises UsageError where there is none."""
    if name == "UTC":  # most runs know no other, and start sooner without the tables of the others
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise UsageError(
            f"{option} is {name!r}: give a zone of the tz database, such as Europe/Amsterdam"
        ) from error


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of ``[HOST:]PORT``; loopback where no host is named, port 0 is any free one.

    Raises UsageError. Decision: ``:9100`` is refused, since elsewhere it means every interface.
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    name = host[1:-1] if bracketed else host
    # A colon is for an address of IPv6 alone, which has brackets around it.
    if (colon and not name) or bracketed != (":" in name) or not name.isprintable() or " " in name:
        raise UsageError(f"--listen is {text!r}: give PORT, HOST:PORT or [IPV6]:PORT")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535):
        raise UsageError(f"--listen is {text!r}: give a port from 0 to 65535, as in 9100 or 127.0.0.1:9100")
    return name or LOOPBACK, int(port)


def as_written(number: float) -> tuple[int, int]:
    """The decimal that was written for a number, exactly: numerator and denominator, in lowest terms."""
    digits, _, exponent = repr(number).partition("e")
    whole, _, decimals = digits.partition(".")
    power = int(exponent or 0) - len(decimals)
    numerator: int = int(whole + decimals) * 10 ** max(power, 0)
    denominator: int = 10 ** max(-power, 0)
    shared = math.gcd(numerator, denominator)  # the module fractions would take long to load
    return numerator // shared, denominator // shared


def hits_limit(threshold: float, window: int) -> int:
    """The greatest number of hits in ``window`` seconds that does not exceed ``threshold`` a second.

    Exact: the threshold counts as the decimal that was written, so 0.29 x 100 is 29.
    """
    hits, seconds = as_written(threshold)
    return hits * window // seconds
