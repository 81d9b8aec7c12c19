"""The options of the command line: what there is, and what was given."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from fastlog.errors import UsageError

_DESCRIPTION = """\
Follow a live HTTP access log, or replay history: statistics, alerts, recoveries.

  fastlog FILE ...        replay the files ('-' is standard input), print a summary
  fastlog -f FILE ...     follow the files by name, through rotation, until stopped
  fastlog                 follow /tmp/access.log
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}: see fastlog --help")


class _Help(argparse.RawDescriptionHelpFormatter):
    """One line an option, all in one column."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=27, width=100)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings:
            return super()._format_action_invocation(action)
        names = ", ".join(action.option_strings[:2])
        return names if action.nargs == 0 else f"{names} {action.metavar or ''}"


def _add_options(parser: argparse.ArgumentParser) -> None:
    def group(title: str) -> Any:
        return parser.add_argument_group(title).add_argument

    add = group("input")
    add("paths", nargs="*", metavar="FILE", help=argparse.SUPPRESS)
    add("-f", "--follow", action="store_true", help="follow by name; on when no FILE is given")
    add("--log-file-path", metavar="PATH", help="the same as -f PATH (default /tmp/access.log)")
    add(
        "--from",
        dest="start",
        metavar="start|end",
        choices=("start", "end"),
        help="where following starts in a file that is there (end)",
    )
    add("--format", metavar="F", help="a name, a format string, json:KEY=FIELD,...; or list (auto)")
    add("--log-tz", metavar="ZONE", help="zone of stamps that name none (UTC)")
    add("--parser", metavar="P", help="auto, native or regex (auto)")
    add("-w", "--workers", type=_whole, metavar="N", help="parsing processes (the CPUs it may run on)")
    add = group("alert and statistics")
    add(
        "-t",
        "--threshold",
        type=_decimal,
        metavar="R",
        help="average hits a second above which traffic is high (10)",
    )
    add("--alert-window", type=_whole, metavar="S", help="seconds that the average is taken over (120)")
    add(
        "--stats",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="print each statistics window (on in follow)",
    )
    add("--stats-window", type=_whole, metavar="S", help="seconds in a statistics window (10)")
    add(
        "--stats-every",
        type=_whole,
        metavar="S",
        help="its step: slides when smaller than the window (the window)",
    )
    add(
        "--lateness",
        type=_whole,
        metavar="S",
        help="how long a second waits for late lines (2 in follow, 60 in replay)",
    )
    add("--rules", metavar="FILE", help="alert rules, in TOML")
    add("--check-rules", metavar="FILE", help="say what each rule of FILE will watch, and exit")
    add = group("output")
    add("--json", action="store_true", help="one JSON object a line")
    add("-o", "--output", metavar="FILE", help="where the data goes (standard output)")
    add("--rejects", metavar="FILE", help="each rejected line: file, offset, reason, field, line")
    add("--state", metavar="FILE", help="keep there what is counted, and go on with it when run again")
    add("--listen", metavar="[HOST:]PORT", help="serve /metrics and /healthz, on loopback without HOST")
    add("--top", type=_whole, metavar="N", help="rows in each table of the text (5)")
    add("--tz", metavar="ZONE", help="zone of times in text (UTC); JSON has epoch seconds")
    add("--color", metavar="WHEN", help="auto, always or never (auto)")
    add(
        "--progress",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="a bar while replaying (on at a terminal)",
    )
    add("--fail-on-alert", action="store_true", help="exit with 3 when any alert fired")
    add("-q", "--quiet", action="store_true", help="nothing on standard error but errors")
    add("--version", action="store_true", help="version, parser, Python and platform")
    add("-h", "--help", action="store_true", help="this text")


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 1000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _decimal(text: str) -> float:
    digits = text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit() and len(text) < 32):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number such as 10 or 0.5")
    return float(text)


def _parser() -> _Parser:
    parser = _Parser(
        prog="fastlog",
        usage="fastlog [OPTION ...] [FILE ...]",
        description=_DESCRIPTION,
        formatter_class=_Help,
        add_help=False,
        allow_abbrev=False,
    )
    _add_options(parser)
    return parser


def help_text() -> str:
    """What ``--help`` prints."""
    return _parser().format_help().rstrip()


def options_of(arguments: Sequence[str]) -> dict[str, Any]:
    """The options that a command line gives, by name. Raises UsageError."""
    parser = _parser()
    # Options may stand between and behind the files. What follows `--` is put aside: argparse takes
    # it for options where it is all that there is.
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    parsed = vars(parser.parse_intermixed_args(arguments[:end]))
    given = {name: value for name, value in parsed.items() if value is not None}
    given["paths"] = [*given["paths"], *arguments[end + 1 :]]
    return given
