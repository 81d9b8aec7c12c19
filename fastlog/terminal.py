"""A run at a terminal: the sinks, the signals and the standard streams around it."""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from fastlog.config import Config
from fastlog.errors import FastlogError, UsageError
from fastlog.model.chunk import Notice
from fastlog.model.events import Event, Summary
from fastlog.model.printable import printable
from fastlog.parsers.select import parser_name
from fastlog.pipeline import Run, open_checkpoint, read_rules
from fastlog.sinks.ndjson import NdjsonRenderer
from fastlog.sinks.output import ClosedOutput, Output
from fastlog.sinks.progress import Progress
from fastlog.sinks.rejects import RejectsSink
from fastlog.sinks.text import TextRenderer, use_color
from fastlog.sources import clock

if TYPE_CHECKING:
    from fastlog.executors.rules_ahead import RulesAhead
    from fastlog.model.notify import NotifyTarget
    from fastlog.sinks.listen import Listener
    from fastlog.sinks.notify import Notifier

_NOT_NATIVE = (
    "the native parser is not built, so the regex parser reads, many times slower:"
    " install with a C compiler, or ask for --parser regex"
)
_OF_THE_LOOP = 16
"""File descriptors that are kept free for the event loop."""
_AT_ONCE = 1 << 20
"""Bytes that are written before more are made of events: windows full of long names are a gigabyte."""
_ECHO_SECONDS = 0.1
"""Signals closer than this are one request: ``timeout`` signals its child, then the child's group."""


class Outcome(NamedTuple):
    """How a run at the terminal ended: ``signal`` is the one to die by, 0 if none."""

    degraded: bool
    alerts: int
    signal: int


class Terminal:
    """A run with its sinks: data to the output, messages to standard error, signals obeyed."""

    def __init__(
        self, config: Config, notify: "Sequence[NotifyTarget]" = (), ahead: "RulesAhead | None" = None
    ) -> None:
        rules = read_rules(config, ahead)
        checkpoint = None if config.state is None else open_checkpoint(config, rules[0])
        lengths = {} if checkpoint is None else checkpoint.lengths
        # Before the logs, so that none takes the place of a closed standard output.
        self._output = Output(config.output, inputs=_inputs(config), keep=lengths.get("output", 0))
        self._checkpoint = checkpoint
        self._rejects = (
            None
            if config.rejects is None
            else RejectsSink(
                config.rejects, inputs=_inputs(config), data=self._output, keep=lengths.get("rejects", 0)
            )
        )
        if checkpoint is not None:
            checkpoint.settle = self._settle
        self._config = config
        self._progress: Progress | None = None
        self._renderer = (
            NdjsonRenderer()
            if config.json
            else TextRenderer(config.tz, use_color(config.color, self._output.fd, os.environ), config.top)
        )
        self._shares_terminal = os.isatty(self._output.fd)
        self._run = Run(config, self._say, self._advance, checkpoint, rules)
        notify = [*notify, *self._run.targets]
        self._notifier = _notifier(notify, self._say) if notify else None
        if checkpoint is not None and self._notifier is not None:
            checkpoint.notifying = self._notifier.state
        self._listener = None if config.listen is None else _listener(config.listen, self._page)
        self._signal = 0
        self._asked_at = 0.0

    async def run(self) -> Outcome:
        """Run to the end. Raises FastlogError; ClosedOutput when nobody reads any more."""
        total = self._run.open()
        if self._config.parser == "auto" and parser_name("auto") == "regex":
            self._say(Notice(_NOT_NATIVE))
        if self._checkpoint is not None and self._notifier is not None:
            self._notifier.restore(self._checkpoint.notified)
        if self._config.progress if self._config.progress is not None else _is_terminal(sys.stderr):
            self._progress = None if self._config.follow else Progress(total, sys.stderr)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupted, number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
        task = asyncio.current_task()
        if self._output.watch_fd is not None and task is not None:
            loop.add_reader(self._output.watch_fd, self._reader_gone, task)
        try:
            if self._listener is not None:
                await self._listener.start()
                self._say(Notice(f"metrics at {self._listener.url}"))
            gc.freeze()  # what is loaded by now stays
            gc.enable()
            async with aclosing(self._run.events()) as batches:
                async for batch in batches:
                    await self._show(batch)
        except asyncio.CancelledError:
            raise ClosedOutput("standard output: its reader has gone") from None
        finally:
            self._run.close()
            if self._notifier is not None:
                self._notifier.kill()
            if self._listener is not None:
                self._listener.close()
            if self._progress is not None:
                self._progress.close()
            if self._output.watch_fd is not None:
                loop.remove_reader(self._output.watch_fd)
        self._close()
        died_by = self._signal if self._run.interrupted else 0
        return Outcome(self._run.degraded, self._run.alerts, died_by)

    def _settle(self) -> dict[str, int]:
        """See that what was written is on the disk; how long what has a length is. Raises FastlogError."""
        sinks = {"output": self._output, "rejects": self._rejects}
        found = {name: sink.settle() for name, sink in sinks.items() if sink is not None}
        return {name: length for name, length in found.items() if length is not None}

    def _reader_gone(self, task: "asyncio.Task[Outcome]") -> None:
        assert self._output.watch_fd is not None
        asyncio.get_running_loop().remove_reader(self._output.watch_fd)  # it stays readable
        task.cancel()

    def _close(self) -> None:
        if self._rejects is not None:
            self._rejects.close()
        self._output.close()

    def _page(self) -> bytes:
        from fastlog.sinks.metrics import metrics_page

        snapshot = self._run.snapshot()
        if self._notifier is not None:
            snapshot = replace(snapshot, given_up=self._notifier.given_up)
        return metrics_page(snapshot, clock.wall())

    async def _show(self, events: list[Event]) -> None:
        if self._notifier is None:
            await self._write(events)
            return
        for event in events:
            self._notifier.offer(event)
        *events, last = events
        if isinstance(last, Summary):  # it waits until it can tell what arrived; nothing else does
            await self._write(events)
            await self._notifier.finish()
            await self._run.amend(self._notifier.finished)
            events, last = [], replace(last, notify=self._notifier.counts)
        await self._write([*events, last])

    async def _write(self, events: list[Event]) -> None:
        if self._progress is not None and self._shares_terminal:
            self._progress.hide()
        # In a thread: a window of many rows, or a reader that stalls, must not keep the signals waiting.
        await asyncio.get_running_loop().run_in_executor(None, self._put, events)
        if self._progress is not None and self._shares_terminal:
            self._progress.show()

    def _put(self, events: list[Event]) -> None:
        if self._rejects is not None:
            for event in events:
                self._rejects.emit(event)
            if self._config.follow:
                self._rejects.flush()
        pieces: list[bytes] = []
        size = 0
        for event in events:
            pieces.append(self._renderer.render(event))
            size += len(pieces[-1])
            if size >= _AT_ONCE:
                self._output.write(b"".join(pieces))
                pieces, size = [], 0
        if size:
            self._output.write(b"".join(pieces))

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
        now = asyncio.get_running_loop().time()
        if self._signal and now - self._asked_at < _ECHO_SECONDS:
            return
        if self._signal:  # asked for a second time: at once
            self._run.close()
            if self._notifier is not None:
                self._notifier.kill()
            die_by(number)
        self._signal, self._asked_at = number, now
        self._run.stop()


def _notifier(targets: "Sequence[NotifyTarget]", say: Callable[[Notice], None]) -> "Notifier":
    from fastlog.sinks.notify import Notifier

    return Notifier(targets, say)


def _listener(address: str, page: Callable[[], bytes]) -> "Listener":
    try:
        from fastlog.sinks.listen import Listener
    except ImportError as error:
        raise UsageError(f"--listen needs {error.name}: pip install 'fastlog[serve]'") from error
    return Listener(address, page)


def _inputs(config: Config) -> Iterator[str | os.PathLike[str]]:
    """The logs that are read. Patterns are expanded when they are asked for: by then an output is there."""
    if not config.follow:
        yield from config.paths
        return
    from fastlog.sources.patterns import is_pattern, matches

    for path in config.paths:
        if is_pattern(os.fspath(path)):
            yield from matches([os.fspath(path)])
        else:
            yield path


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


def _reserve_descriptors() -> None:
    """See that the event loop can have its descriptors: without, libuv aborts. Raises FastlogError."""
    reserved: list[int] = []
    try:
        for _ in range(_OF_THE_LOOP // 4):
            reserved += os.pipe()
            reserved += (end.detach() for end in socket.socketpair())
    except OSError as error:
        raise FastlogError(f"cannot start: {error.strerror}: raise the limit (ulimit -n)") from error
    finally:
        for fd in reserved:
            os.close(fd)


def run_at_terminal(
    config: Config, notify: "Sequence[NotifyTarget]" = (), ahead: "RulesAhead | None" = None
) -> Outcome:
    """Run a configuration with its sinks, on uvloop; ``notify`` is told of alerts and recoveries.

    ``ahead`` is who reads its rules already. Raises FastlogError.
    """
    import uvloop

    _reserve_descriptors()
    terminal = Terminal(config, notify, ahead)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(terminal.run())
