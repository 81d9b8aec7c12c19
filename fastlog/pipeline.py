"""The wiring hall: a Config becomes sources, roles, an executor and sinks, and runs."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from fastlog.config import Config
from fastlog.errors import FastlogError, SourceError
from fastlog.executors.committer import Committer
from fastlog.executors.inline import run_inline
from fastlog.executors.job import Job
from fastlog.executors.processes import Hub
from fastlog.formats.compile import compile_format
from fastlog.merger import Merger
from fastlog.model.chunk import Notice
from fastlog.model.events import Event
from fastlog.model.plan import FUTURE_SECONDS, Plan
from fastlog.model.printable import printable
from fastlog.parsers.select import parser_name
from fastlog.sinks.ndjson import NdjsonRenderer
from fastlog.sinks.output import ClosedOutput, Output
from fastlog.sinks.progress import Progress
from fastlog.sinks.rejects import RejectsSink
from fastlog.sinks.text import TextRenderer, use_color
from fastlog.sources import clock
from fastlog.sources.files import OpenSource, open_source

Notify = Callable[[Notice], None]


def make_plan(config: Config) -> Plan:
    """What the run aggregates."""
    return Plan(
        follow=config.follow,
        lateness=config.late_seconds,
        horizon=None if config.follow else int(clock.wall()) + FUTURE_SECONDS,
        cells=config.wants_stats,
        rejects=config.rejects is not None,
        stats_window=config.stats_window,
        stats_every=config.step,
        alert_window=config.alert_window,
        threshold=float(config.threshold),
    )


class Run:
    """One run: its events, and how to end it early.

    Everything that needs no file is checked when it is made. ``notify`` gets each
    message; ``progress`` is told of bytes and lines after each chunk.
    """

    def __init__(
        self, config: Config, notify: Notify, progress: Callable[[int, int], None] = lambda size, lines: None
    ) -> None:
        self._config = config
        if config.format != "auto":
            compile_format(config.format)
        parser_name(config.parser)
        self._committer = Committer(Merger(make_plan(config)), notify, progress)
        self._sources: list[OpenSource] = []
        self._hub: Hub | None = None
        self.interrupted = False

    @property
    def degraded(self) -> bool:
        """Whether something that should have been read was not."""
        return self._committer.degraded

    @property
    def alerts(self) -> int:
        """Alerts that have fired."""
        return self._committer.merger.alerts

    def open(self) -> int | None:
        """Open the files of a replay; how many bytes they hold, None if that is not known.

        A file that cannot be opened is reported; SourceError when none is left.
        """
        if self._config.follow:
            return None
        failures: list[SourceError] = []
        for path in self._config.paths:
            try:
                self._sources.append(open_source(path))
            except SourceError as error:
                failures.append(error)
        if not self._sources:
            last = failures.pop()
        for failure in failures:
            self._committer.tell(Notice(str(failure), degraded=True))
        if not self._sources:
            raise last
        sizes = [None if source.end is None else source.end - source.origin for source in self._sources]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """The events as they come, the summary last. Raises FastlogError."""
        try:
            if self._config.executor == "inline":
                yield run_inline(self._job(), self._committer)
                return
            self._hub = Hub(self._job(), self._config.workers, self._committer)
            async with aclosing(self._hub.events()) as batches:
                async for batch in batches:
                    yield batch
        finally:
            self.close()

    def inline(self) -> list[Event]:
        """The events of a replay in this thread. Raises FastlogError."""
        try:
            return run_inline(self._job(), self._committer)
        finally:
            self.close()

    def stop(self) -> None:
        """End a follow with what is there, a replay with what has been read."""
        if self._hub is None:
            return
        if self._config.follow:
            self._hub.stop()
        else:
            self.interrupted = True
            self._hub.interrupt()

    def close(self) -> None:
        """End the children and close the files. Safe to call twice."""
        if self._hub is not None:
            self._hub.kill()
        for source in self._sources:
            if source.fd != 0:
                os.close(source.fd)
        self._sources = []

    def _job(self) -> Job:
        follow = self._config.follow
        return Job(
            plan=self._committer.merger.plan,
            parser=self._config.parser,
            format=self._config.format,
            sources=self._sources,
            paths=[os.fspath(path) for path in self._config.paths] if follow else [],
            from_start=self._config.from_start,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run at the terminal ended: ``signal`` is the one to die by, 0 if none."""

    degraded: bool
    alerts: int
    signal: int


class Terminal:
    """A run with its sinks: data to the output, messages to standard error, signals obeyed."""

    def __init__(self, config: Config) -> None:
        inputs = [path for path in config.paths if os.fspath(path) != "-" or not config.follow]
        # First of all, so that no other file takes the place of a closed standard output.
        self._output = Output(config.output, inputs=inputs)
        self._rejects = None if config.rejects is None else RejectsSink(config.rejects, inputs=inputs)
        self._config = config
        self._progress: Progress | None = None
        self._renderer = (
            NdjsonRenderer()
            if config.json
            else TextRenderer(config.tz, use_color(config.color, self._output.fd, os.environ), config.top)
        )
        self._shares_terminal = os.isatty(self._output.fd)
        self._run = Run(config, self._say, self._advance)
        self._signal = 0

    async def run(self) -> Outcome:
        """Run to the end. Raises FastlogError; ClosedOutput when nobody reads any more."""
        total = self._run.open()
        if self._config.progress if self._config.progress is not None else _is_terminal(sys.stderr):
            self._progress = None if self._config.follow else Progress(total, sys.stderr)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupted, number)
        task = asyncio.current_task()
        if self._output.watch_fd is not None and task is not None:
            loop.add_reader(self._output.watch_fd, self._reader_gone, task)
        try:
            async with aclosing(self._run.events()) as batches:
                async for batch in batches:
                    await self._show(batch)
        except asyncio.CancelledError:
            raise ClosedOutput("standard output: its reader has gone") from None
        finally:
            self._run.close()
            if self._progress is not None:
                self._progress.close()
            if self._output.watch_fd is not None:
                loop.remove_reader(self._output.watch_fd)
        self._close()
        died_by = self._signal if self._run.interrupted else 0
        return Outcome(self._run.degraded, self._run.alerts, died_by)

    def _reader_gone(self, task: "asyncio.Task[Outcome]") -> None:
        assert self._output.watch_fd is not None
        asyncio.get_running_loop().remove_reader(self._output.watch_fd)  # it stays readable
        task.cancel()

    def _close(self) -> None:
        if self._rejects is not None:
            self._rejects.close()
        self._output.close()

    async def _show(self, events: list[Event]) -> None:
        data = b"".join(map(self._renderer.render, events))
        if self._rejects is not None:
            for event in events:
                self._rejects.emit(event)
            if self._config.follow:
                self._rejects.flush()
        if data:
            if self._progress is not None and self._shares_terminal:
                self._progress.hide()
            # In a thread: a reader that stalls must not keep the signals waiting.
            await asyncio.get_running_loop().run_in_executor(None, self._output.write, data)
            if self._progress is not None and self._shares_terminal:
                self._progress.show()

    def _advance(self, size: int, lines: int) -> None:
        if self._progress is not None:
            self._progress.update(size, lines)

    def _say(self, notice: Notice) -> None:
        if notice.degraded or not self._config.quiet:
            if self._progress is not None:
                self._progress.hide()
            say(notice.text)
            if self._progress is not None:
                self._progress.show()

    def _interrupted(self, number: int) -> None:
        if self._signal:  # asked for a second time: at once
            self._run.close()
            die_by(number)
        self._signal = number
        self._run.stop()


def _is_terminal(stream: object) -> bool:
    return stream is not None and os.isatty(2)


def say(text: str) -> None:
    """One line on standard error; a standard error that is closed or full changes nothing."""
    try:
        os.write(2, f"fastlog: {printable(text)}\n".encode())
    except OSError:
        return


def die_by(number: int) -> None:
    """End the process by a signal, so that the shell sees what ended it."""
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)


def _occupy_standard_streams() -> None:
    """Let no file of ours get the number of a standard stream that is closed.

    A log opened as 0 would not reach the children, an output opened as 2 would
    receive the messages. The stand-in can be neither read nor written to for what
    the stream is for, so that using it is still an error.
    """
    for number, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number, since those below it are taken by now.
            os.set_inheritable(os.open(os.devnull, flags), True)


def run_at_terminal(config: Config) -> Outcome:
    """Run a configuration with its sinks, on uvloop."""
    import uvloop

    _occupy_standard_streams()
    terminal = Terminal(config)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(terminal.run())


__all__ = ["ClosedOutput", "FastlogError", "Outcome", "Run", "die_by", "run_at_terminal", "say"]
