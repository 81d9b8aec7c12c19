"""The command line: arguments become a Config, an outcome becomes an exit status."""

import gc
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fastlog.arguments import help_text, options_of
from fastlog.errors import FastlogError, FormatError, UsageError
from fastlog.version import __version__

if TYPE_CHECKING:  # what children can load meanwhile, or not every run needs, is imported where it is used
    from fastlog.config import Config
    from fastlog.executors.rules_ahead import RulesAhead

_INCOMPLETE = 1
_ALERTED = 3


class RulesCheck(NamedTuple):
    """``--check-rules FILE``: no log is to be read."""

    path: str


def configuration_of(options: dict[str, Any]) -> "Config | RulesCheck":
    """What options other than ``help`` and ``version`` ask for. Raises UsageError."""
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
        return _fail(_unforeseen(error))
    finally:
        if arguments is None:  # the process ends, and would look for garbage once more: a tenth of its start
            gc.freeze()


def _unforeseen(error: Exception) -> FastlogError:
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError | ImportError | RuntimeError | SystemError) and _has_memory_limit():
        # A library that cannot be mapped, a thread that cannot be had: all for want of memory.
        return FastlogError(f"the limit on memory is too low ({said}): raise it (ulimit -v)")
    if isinstance(error, MemoryError):
        return FastlogError("out of memory: free some, or use fewer --workers")
    return FastlogError(f"internal error, please report it: {said}")


def _has_memory_limit() -> bool:
    import resource

    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def _main(arguments: Sequence[str] | None) -> int:
    try:
        options = options_of(sys.argv[1:] if arguments is None else arguments)
    except UsageError as error:
        return _fail(error)
    if options["help"]:
        return _print(help_text())
    if options["version"]:
        return _print(version_line())
    if "check_rules" not in options and options.get("format") != "list":
        from fastlog.executors.descriptors import allow_many_files, occupy_standard_streams

        allow_many_files()
        occupy_standard_streams()
        return _with_early_children(options, copies=arguments is None)
    return _run(options)


def _with_early_children(options: dict[str, Any], *, copies: bool) -> int:
    """Start children before the imports that take longest. A signal waits until it can be answered.

    ``copies``: they may be copies of this process, which is the command's own.
    """
    from fastlog.executors.forked import can_fork
    from fastlog.executors.launch import end_spare, start_early

    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    copies = copies and can_fork()
    start_early(options.get("workers"), copies=copies, rules="rules" in options)
    ahead = _rules_ahead(options["rules"]) if copies and "rules" in options else None
    if {"output", "rejects"} & options.keys():  # to open those may have to wait, and to be given up
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    try:
        return _run(options, ahead)
    finally:
        if ahead is not None:
            ahead.close()
        end_spare()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


def _rules_ahead(path: str) -> "RulesAhead | None":
    from fastlog.executors.rules_ahead import RulesAhead

    try:
        return RulesAhead(path)
    except OSError:  # the run reads the file itself
        return None


def _run(options: dict[str, Any], ahead: "RulesAhead | None" = None) -> int:
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
        outcome = run_at_terminal(config, ahead=ahead)
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
