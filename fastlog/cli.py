"""The command line: arguments become a Config, an outcome becomes an exit status."""

import argparse
import gc
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from fastlog.errors import FastlogError, FormatError, UsageError
from fastlog.version import __version__

if TYPE_CHECKING:  # what children can load meanwhile, or not every run needs, is imported where it is used
    from fastlog.config import Config

_INCOMPLETE = 1
_ALERTED = 3

_DESCRIPTION = """\
Follow a live HTTP access log, or replay history: statistics, alerts, recoveries.

  fastlog FILE ...        replay the files ('-' is standard input), print a summary
  fastlog -f FILE ...     follow the files by name, through rotation, until stopped
  fastlog                 follow /tmp/access.log
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}: see fastlog --help")

    def print_help(self, file: object = None) -> None:
        """As ``--version`` is printed: argparse passes over an output that is closed or full."""
        self.exit(_print(self.format_help().rstrip()))


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
    add("-h", "--help", action="help", help="this text")


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _decimal(text: str) -> float:
    digits = text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit() and len(text) < 32):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, 0 or more")
    return float(text)


class RulesCheck(NamedTuple):
    """``--check-rules FILE``: no log is to be read."""

    path: str


def options_of(arguments: Sequence[str]) -> dict[str, Any]:
    """The options that a command line gives, by name. Raises UsageError."""
    parser = _Parser(
        prog="fastlog",
        usage="fastlog [OPTION ...] [FILE ...]",
        description=_DESCRIPTION,
        formatter_class=_Help,
        add_help=False,
        allow_abbrev=False,
    )
    _add_options(parser)
    # Options may stand between and behind the files. What follows `--` is put aside: argparse takes
    # it for options where it is all that there is.
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    parsed = vars(parser.parse_intermixed_args(arguments[:end]))
    given = {name: value for name, value in parsed.items() if value is not None}
    given["paths"] = [*given["paths"], *arguments[end + 1 :]]
    return given


def configuration_of(options: dict[str, Any]) -> "Config | RulesCheck":
    """What options other than ``version`` ask for. Raises UsageError."""
    from dataclasses import fields

    from fastlog.config import DEFAULT_LOG, Config

    given = dict(options)
    if "check_rules" in given:
        return RulesCheck(given["check_rules"])
    path = given.pop("log_file_path", None)
    if path is not None:
        given["paths"] = [*given["paths"], path]
        given["follow"] = True
    if not given["paths"]:
        given["paths"] = [DEFAULT_LOG]
        given["follow"] = True
    start = given.pop("start", None)
    if start is not None and not given["follow"]:
        raise UsageError("--from is for following: add -f, or leave it out")
    given["from_start"] = start == "start"
    return Config(**{field.name: given[field.name] for field in fields(Config) if field.name in given})


def version_line() -> str:
    """What ``--version`` prints."""
    import platform

    from fastlog.parsers.select import parser_name

    python = f"Python {platform.python_version()} ({platform.python_implementation()})"
    return f"fastlog {__version__}, {parser_name('auto')} parser, {python}, {platform.platform(terse=True)}"


def format_lines() -> str:
    """What ``--format list`` prints: each named format with an example line."""
    from fastlog.formats.catalog import CATALOG, SPELLINGS

    rows = [f"{entry.name}\n    {entry.example}" for entry in CATALOG.values()]
    return "\n".join([*rows, *(f"{name}\n    {example}" for name, example in SPELLINGS.items())])


def rule_lines(path: str) -> str:
    """What ``--check-rules`` prints: a sentence a rule. Raises RuleError."""
    from fastlog.model.printable import printable
    from fastlog.rulebook.file import read_rules
    from fastlog.rulebook.sentence import sentence

    rules = read_rules(path).rules
    return "\n".join(printable(sentence(rule)) for rule in rules) or "No rules: only the traffic is watched."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status. Never raises a FastlogError, and prints no traceback."""
    try:
        return _main(arguments)
    except KeyboardInterrupt:  # before the hub took the signals, or after it
        from fastlog.terminal import die_by

        die_by(signal.SIGINT)
        return 128 + signal.SIGINT
    except Exception as error:  # noqa: BLE001 - a fault of ours, said in one line: no user sees a traceback
        return _fail(FastlogError(f"internal error, please report it: {type(error).__name__}: {error}"))
    finally:
        if arguments is None:  # the process ends, and would look for garbage once more: a tenth of its start
            gc.freeze()


def _main(arguments: Sequence[str] | None) -> int:
    try:
        options = options_of(sys.argv[1:] if arguments is None else arguments)
    except UsageError as error:
        return _fail(error)
    if options["version"]:
        return _print(version_line())
    if "check_rules" not in options and options.get("format") != "list":
        from fastlog.executors.descriptors import allow_many_files, occupy_standard_streams

        allow_many_files()
        occupy_standard_streams()
        if not {"output", "rejects"} & options.keys():  # to open those may have to wait, and to be given up
            return _with_early_children(options)
    return _run(options)


def _with_early_children(options: dict[str, Any]) -> int:
    """Start children before the imports that take longest. A signal waits until it can be answered."""
    from fastlog.executors.launch import end_spare, start_early

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    start_early()
    try:
        return _run(options)
    finally:
        end_spare()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


def _run(options: dict[str, Any]) -> int:
    try:
        config = configuration_of(options)
        if isinstance(config, RulesCheck):
            return _print(rule_lines(config.path))
        if config.format == "list":
            return _print(format_lines())
    except UsageError as error:
        return _fail(error)
    from fastlog.sinks.output import ClosedOutput
    from fastlog.terminal import die_by, run_at_terminal

    try:
        outcome = run_at_terminal(config)
    except ClosedOutput:
        return 0
    except FastlogError as error:
        return _fail(error)
    if outcome.signal:
        die_by(outcome.signal)
    if outcome.degraded:
        return _INCOMPLETE
    return _ALERTED if config.fail_on_alert and outcome.alerts else 0


def _print(text: str) -> int:
    try:
        os.write(1, f"{text}\n".encode())
    except BrokenPipeError:  # `fastlog --help | true`
        return 0
    except OSError as error:
        return _fail(FastlogError(f"standard output: {error.strerror}: give it a reader or space"))
    return 0


def _fail(error: FastlogError) -> int:
    from fastlog.model.printable import printable

    text = f"fastlog: {error}"
    lines = text.split("\n") if isinstance(error, FormatError) else [text]
    lines += getattr(error, "__notes__", ())
    try:
        os.write(2, "".join(f"{printable(line)}\n" for line in lines).encode())
    except OSError:
        return error.exit_status
    return error.exit_status
