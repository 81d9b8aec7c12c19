"""The wiring hall: a Config becomes sources, roles and an executor, and runs."""

import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from fastlog.config import Config
from fastlog.errors import SourceError
from fastlog.executors.committer import Committer
from fastlog.executors.inline import run_inline
from fastlog.executors.job import Job
from fastlog.executors.processes import Hub
from fastlog.formats.compile import compile_format
from fastlog.merger import Merger
from fastlog.model.chunk import Notice
from fastlog.model.events import Event
from fastlog.model.plan import FUTURE_SECONDS, Plan
from fastlog.parsers.select import parser_name
from fastlog.sources import clock
from fastlog.sources.files import OpenSource, Pace, open_source, plan_ranges

if TYPE_CHECKING:
    from fastlog.executors.checkpoint import Checkpoint
    from fastlog.executors.rules_ahead import RulesAhead
    from fastlog.model.notify import NotifyTarget
    from fastlog.model.rules import Rule
    from fastlog.model.snapshot import Snapshot

    RulesRead = tuple[Sequence[Rule], Sequence[NotifyTarget]]

Notify = Callable[[Notice], None]


def make_plan(config: Config, rules: "Sequence[Rule]") -> Plan:
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
        log_tz=config.log_tz,
        compiled=parser_name(config.parser) == "native",
        rules=rules,
        pairs=config.listen is not None,
    )


def open_checkpoint(config: Config, rules: "Sequence[Rule]") -> "Checkpoint":
    """The record of ``--state``, held for this run. Raises UsageError for one that cannot be gone on with."""
    from fastlog.executors.checkpoint import Checkpoint

    return Checkpoint(config, rules)


def read_rules(config: Config, ahead: "RulesAhead | None" = None) -> "RulesRead":
    """The rules of a run, and who is told. Raises RuleError; UsageError where the format lacks a field.

    ``ahead`` reads them already.

    A format that is still to be recognised is checked by whoever parses it.
    """
    if config.rules is None:
        return (), ()
    rules: Sequence[Rule] | None = ahead.rules() if ahead is not None else None
    notify: Sequence[NotifyTarget] = ()
    if rules is None:
        from fastlog.rulebook import file as rulebook

        rules, notify = rulebook.read_rules(config.rules)
    if config.format != "auto":
        from fastlog.parsers.measure import check_rules

        check_rules(rules, compile_format(config.format))
    return rules, notify


class Run:
    """One run: its events, and how to end it early.

    Everything that needs no file is checked when it is made. ``notify`` gets each
    message; ``progress`` is told of bytes and lines after each chunk; ``checkpoint``
    keeps how far the run is, and knows how far one before was. ``rules`` are what
    ``read_rules`` gave, where it was asked before. ``targets`` are those whom the rules
    file wants to be told of alerts.
    """

    def __init__(
        self,
        config: Config,
        notify: Notify,
        progress: Callable[[int, int], None] = lambda size, lines: None,
        checkpoint: "Checkpoint | None" = None,
        rules: "RulesRead | None" = None,
    ) -> None:
        self._config = config
        if config.format != "auto":
            compile_format(config.format)
        watched, self.targets = read_rules(config) if rules is None else rules
        self._checkpoint = checkpoint
        self._committer = Committer(Merger(make_plan(config, watched)), notify, progress, checkpoint)
        self._sources: list[OpenSource] = []
        self._hub: Hub | None = None
        self._stopping = False
        self.interrupted = False

    @property
    def degraded(self) -> bool:
        """Whether something that should have been read was not."""
        return self._committer.degraded or self._committer.unrecorded

    @property
    def alerts(self) -> int:
        """Alerts that have fired."""
        return self._committer.merger.alerts

    def snapshot(self) -> "Snapshot":
        """How the run stands."""
        return self._committer.merger.snapshot()

    def open(self) -> int | None:
        """Open the files of a replay; how many bytes they hold, None if that is not known.

        A file that cannot be opened is reported; SourceError when none is left, or there is a state.
        """
        if self._config.follow:
            self._committer.resume()
            return None
        failures: list[SourceError] = []
        for path in self._config.paths:
            try:
                self._sources.append(open_source(path))
            except SourceError as error:
                failures.append(error)
        if failures and self._checkpoint is not None:
            raise failures[0]  # a record is of all files: the run that has them goes on with it
        if not self._sources:
            last = failures.pop()
        for failure in failures:
            self._committer.tell(Notice(str(failure), degraded=True))
        if not self._sources:
            raise last
        if self._checkpoint is not None:
            self._checkpoint.open(self._sources)
            self._committer.resume()
        sizes = [None if source.end is None else source.end - source.origin for source in self._sources]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """The events as they come, the summary last. Raises FastlogError."""
        try:
            if self._config.executor == "inline":
                yield run_inline(self._job(), self._committer)
                return
            self._hub = Hub(self._job(), self._workers(), self._committer)
            if self._stopping:  # asked for while something else was awaited, such as who serves the metrics
                self.stop()
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

    async def amend(self, notified: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Have the record of ``--state``, if there is one, say what has become of its notifications."""
        await self._committer.amend(notified)

    def stop(self) -> None:
        """End a follow with what is there, a replay with what has been read."""
        self._stopping = True
        if self._hub is None:
            return
        if self._config.follow:
            self._hub.stop()
        else:
            self.interrupted = True
            self._hub.interrupt()

    def close(self) -> None:
        """End the children, close the files, and say what the rules have left to say. Safe to call twice."""
        if self._hub is not None:
            self._hub.kill()
        for source in self._sources:
            if source.fd != 0:
                os.close(source.fd)
        self._sources = []
        self._committer.tell_of_rules()

    def _workers(self) -> int:
        """As many workers as were asked for, but none that no range of the files is left for."""
        wanted = self._config.workers
        if self._config.follow or any(source.end is None or source.packed for source in self._sources):
            return wanted
        pace = Pace(len(self._sources))
        ranges = chain.from_iterable(
            plan_ranges(source.origin, source.end or 0, pace) for source in self._sources
        )
        return max(1, sum(1 for _ in islice(ranges, wanted)))

    def _job(self) -> Job:
        follow, before = self._config.follow, self._checkpoint
        return Job(
            plan=self._committer.merger.plan,
            parser=self._config.parser,
            format=self._config.format,
            sources=self._sources,
            paths=[os.fspath(path) for path in self._config.paths] if follow else [],
            from_start=self._config.from_start or (before is not None and before.resumes),
            positions=() if before is None else before.positions,
            formats={} if before is None else before.formats,
            reached=() if before is None else before.reached,
            epoch=clock.epoch() if follow else 0.0,
        )
