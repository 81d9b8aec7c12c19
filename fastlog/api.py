"""fastlog as a library: a replay as a report, a follow as a stream of events.

The options are the fields of ``Config`` that concern what is computed; those of
the terminal (colour, output, progress) are the command's alone.
"""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fastlog.config import Config
from fastlog.errors import UsageError
from fastlog.model.chunk import Notice
from fastlog.model.events import Alert, Event, Reject, Stats, Summary, singly
from fastlog.pipeline import Run

Path = str | os.PathLike[str]
_WAIT_SECONDS = 0.2

_OPTIONS = frozenset(
    {
        "alert_window",
        "executor",
        "format",
        "from_start",
        "lateness",
        "log_tz",
        "parser",
        "rules",
        "stats",
        "stats_every",
        "stats_window",
        "threshold",
        "workers",
    }
)


@dataclass(slots=True)
class Report:
    """What a replay found. ``notices`` are the messages that the command would print."""

    summary: Summary
    alerts: list[Alert] = field(default_factory=list)
    windows: list[Stats] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def replay(paths: Path | Sequence[Path], **options: Any) -> Report:
    """Replay log files and return the report; blocks until they are read.

    Args:
        paths: one path or several; ``"-"`` is standard input.
        options: fields of Config, such as ``threshold=10.0`` (hits a second),
            ``stats=True`` (fills ``windows``), ``workers=2``, ``format="combined"``;
            ``executor="inline"`` works in this thread instead of in processes.

    Raises:
        UsageError: an option that cannot be used, a format that fits no line, or (as RuleError)
            a rules file with faults.
        SourceError: no file could be opened. A file that fails among others is in
            ``notices``, and ``summary.complete`` is false.

    Safe in a program with threads, and in any thread: children are fresh processes.
    A running event loop, as that of a notebook, waits until it is done: in a coroutine
    that must not keep others waiting, call it with ``asyncio.to_thread``.
    """
    notices: list[str] = []
    run = Run(_config(paths, options, follow=False), lambda notice: notices.append(notice.text))
    run.open()
    if options.get("executor") == "inline":
        events = run.inline()
    elif _loop_runs():
        events = _beside_a_loop(run)
    else:
        events = _in_a_loop(_collect(run))
    summary = events[-1]
    assert isinstance(summary, Summary)
    return Report(
        summary,
        [event for event in events if isinstance(event, Alert)],
        [event for event in singly(events) if isinstance(event, Stats)],
        notices,
    )


async def follow(
    path: Path | Sequence[Path], **options: Any
) -> AsyncGenerator[Stats | Alert | Summary, None]:
    """Follow one log or several, as ``tail -F`` does; yields events until the caller stops.

    Args:
        path: one path or several; a file may appear later, and a pattern such as ``logs/*.log``
            takes in files as they come.
        options: fields of Config; ``from_start=True`` reads what is there already.

    Raises:
        UsageError: an option that cannot be used, or a format that fits no line.

    Leave the loop, or close the generator (``contextlib.aclosing``), to end the children.
    A Summary comes only when reading must end: when children die again and again.
    """
    run = Run(_config(path, options, follow=True), _ignore)
    async with aclosing(run.events()) as batches:
        async for batch in batches:
            for event in singly(batch):
                if isinstance(event, Stats | Alert | Summary):
                    yield event


def _config(paths: Path | Sequence[Path], options: dict[str, Any], *, follow: bool) -> Config:
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise UsageError(f"{unknown[0]} is no option here: give one of {', '.join(sorted(_OPTIONS))}")
    several = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    return Config(paths=several, follow=follow, **options)


def _loop_runs() -> bool:
    """Whether this thread runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _in_a_loop(work: Coroutine[Any, Any, list[Event]]) -> list[Event]:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _beside_a_loop(run: Run) -> list[Event]:
    """In a thread of its own, since a thread runs one loop. An interrupt ends the replay too."""
    cancels: list[Callable[[], object]] = []
    interrupted = False
    begins = threading.Event()

    async def work() -> list[Event]:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        cancels.append(partial(loop.call_soon_threadsafe, task.cancel))
        if interrupted:  # before there was a task to cancel
            raise asyncio.CancelledError
        return await _collect(run)

    def replay_it() -> list[Event]:
        begins.wait()
        return _in_a_loop(work())

    with ThreadPoolExecutor(1) as thread:
        try:
            replayed = thread.submit(replay_it)
            # Not before: interrupted within ``submit``, an executor may not know its thread, nor wait for it.
            begins.set()
            # A signal that comes just before a wait begins is only handled once it ends.
            while not wait([replayed], _WAIT_SECONDS).done:
                pass
            return replayed.result()
        except KeyboardInterrupt:
            interrupted = True
            begins.set()
            for cancel in cancels:
                with suppress(RuntimeError):  # it has just ended, and its loop is closed
                    cancel()
            raise


async def _collect(run: Run) -> list[Event]:
    async with aclosing(run.events()) as batches:
        return [event async for batch in batches for event in batch if not isinstance(event, Reject)]


def _ignore(notice: Notice) -> None:
    """A follower's messages are for a terminal."""


__all__ = ["Report", "follow", "replay"]
