"""What ``--state`` keeps of a run: how far each file is counted, what was counted, how long the output is.

A record is made between two items, when the events of all items before have been written: then files,
counts and output agree. Events first, then the record: what is killed between repeats them, and loses none.

Decision: a line is held against the wall clock of the run that reads it, not of the first: a log that is
replayed again as it grows has no lines of the future.
"""

import asyncio
import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any
from urllib.parse import quote_from_bytes

from fastlog.config import Config
from fastlog.errors import RecordError, UsageError
from fastlog.executors.wire import pack_partial, unpack_partial
from fastlog.merger import Merger
from fastlog.model.chunk import Item, Notice, Opened, Tick
from fastlog.model.partial import Partial
from fastlog.model.position import FilePosition
from fastlog.model.rules import Rule
from fastlog.reader.reached import Followed, Reached, Trail
from fastlog.sinks.record import RecordFile
from fastlog.sources import clock
from fastlog.sources.files import OpenSource
from fastlog.sources.known import is_known, position_in

EVERY_SECONDS = 1.0

_WRITTEN = ("output", "rejects")

Record = dict[str, Any]


def settings_of(config: Config, rules: Sequence[Rule]) -> dict[str, Any]:
    """The options that a record must share with the run that goes on with it, by their names.

    Decision: the parser, the number of workers and what concerns messages are not among them, nor where
    a first follow starts; the options of the text are, since half an output each way would be none.
    Rules count by what they say, not by the name of their file, and who is notified is not among them.
    """
    shown = {} if config.json else {"--tz": config.tz, "--top": config.top}
    return {
        "--follow": config.follow,
        "the files": [_encoded(path) for path in config.paths],
        "--format": config.format,
        "--log-tz": config.log_tz,
        "--stats": config.wants_stats,
        "--stats-window": config.stats_window,
        "--stats-every": config.step,
        "--alert-window": config.alert_window,
        "--threshold": float(config.threshold),
        "--lateness": config.late_seconds,
        "--rules": None if config.rules is None else [rule._asdict() for rule in rules],
        "--listen": config.listen is not None,
        "--output": None if config.output is None else _encoded(config.output),
        "--rejects": None if config.rejects is None else _encoded(config.rejects),
        "--json": config.json,
        **shown,
    }


class Checkpoint:
    """The record of a run: read when it is made, and written as the run goes on.

    Raises UsageError for a record that cannot be gone on with. ``settle`` makes sure that what was
    written is on the disk, and says how long the output and the rejects are, where they have a length.
    ``notifying`` says what has become of the notifications of the events so far.
    """

    def __init__(self, config: Config, rules: Sequence[Rule]) -> None:
        assert config.state is not None
        self._file = RecordFile(config.state)
        self._settings = settings_of(config, rules)
        self._paths = [os.fspath(path) for path in config.paths]
        self._follow = config.follow
        self._epoch = clock.epoch()
        self._before = self._file.read()
        self._sources: Sequence[OpenSource] = ()
        self._trail = Trail()
        self._followed = Followed()
        self._changed = False
        self._written_at = float("-inf")
        self._last: Record | None = None
        self.settle: Callable[[], Mapping[str, int]] = dict
        self.notifying: Callable[[], dict[str, Any]] = dict
        if self._before is not None:
            self._check(self._before)
            positions = map(FilePosition.from_dict, self._before.get("positions", ()))
            self._followed = Followed(positions, dict(self._before.get("formats", [])))

    @property
    def resumes(self) -> bool:
        """Whether there is a run to go on with."""
        return self._before is not None

    @property
    def lengths(self) -> dict[str, int]:
        """Bytes of what was written that the record vouches for, by what it is: ``output``, ``rejects``."""
        return {name: (self._before or {}).get(name) or 0 for name in _WRITTEN}

    @property
    def notified(self) -> dict[str, Any]:
        """What had become of the notifications of the run before."""
        notified: dict[str, Any] = (self._before or {}).get("notify", {})
        return notified

    @property
    def positions(self) -> list[dict[str, Any]]:
        """Those of the followed files of the run before, in its order."""
        return [position.to_dict() for position in self._followed.positions]

    @property
    def formats(self) -> dict[str, str]:
        """The format of each followed file of the run before, by its name."""
        return self._followed.formats

    @property
    def reached(self) -> list[Reached]:
        """How far the files of a replay are counted; empty for one that begins."""
        return self._trail.reached(self._sources) if self.resumes else []

    def open(self, sources: Sequence[OpenSource]) -> None:
        """Begin with the files of a replay. Raises UsageError for those that have no place to go on at."""
        for source in sources:
            if source.end is None:
                why = "is no regular file, and cannot be read again from where a run was killed"
                raise UsageError(f"{source.name}: {why}: leave out --state")
        self._sources = sources
        if self._before is None:
            return
        reached = [Reached(**entry) for entry in self._before["reached"]]
        for source, position in zip(sources, self._before["files"], strict=True):
            if not is_known(source.fd, FilePosition.from_dict(position)):
                raise self._file.refuse(f"{source.name} is not the file that was counted, or was cut")
        self._trail = Trail(reached)

    def restore(self, merger: Merger) -> list[Opened]:
        """Give a new merger what was counted; the files of a replay that are open."""
        assert self._before is not None
        state = self._before["merger"]
        merger.restore({**state, "partials": list(map(partial_from, state["partials"]))})
        reached = self.reached
        return [
            Opened(number, source.name, entry.format)
            for number, (source, entry) in enumerate(zip(self._sources, reached, strict=False))
        ]

    @property
    def bytes_done(self) -> int:
        """Bytes of the files of a replay that are counted."""
        pairs = zip(self._sources, self.reached, strict=False)
        return sum(_counted_in(source, entry) - source.origin for source, entry in pairs)

    @property
    def degraded(self) -> bool:
        """Whether the run before had missed something."""
        return self._before is not None and self._before["degraded"]

    def note(self, item: Item, *, told: bool = False) -> None:
        """An item is counted; ``told`` if events came of it."""
        self._changed = self._changed or told or not isinstance(item, Tick | Notice)
        if self._follow:
            self._followed.passes(item)
        else:
            self._trail.passes(item)

    def first_due(self) -> bool:
        """Whether a chunk would be the first thing on record of a follow.

        It needs a record before it, of where reading starts: a file that is rotated before there is one
        would not be found again.
        """
        if not self._follow or self._followed.begun or not self._changed:
            return False
        self._followed.begun = True  # a chunk comes after the places of all files
        return True

    def due(self) -> bool:
        """Whether it is time for the next record."""
        begun = self._followed.begun or not self._follow
        return begun and self._changed and clock.monotonic() - self._written_at >= EVERY_SECONDS

    async def write(self, merger: Merger, *, degraded: bool) -> bool:
        """Write a record, unless nothing changed; whether one was written.

        Raises RecordError, and FastlogError where the output fails.
        """
        if not self._changed or (self._follow and not self._followed.begun):
            return False
        self._written_at = clock.monotonic()
        record = self._record(merger, degraded=degraded)
        if record is None:
            return False
        self._changed = False  # what comes while it is written is not in it
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._write, record)
        except RecordError:
            self._changed = True
            raise
        return True

    async def amend(self, notified: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Note in the last record what has become of its notifications since: they are not sent again.

        ``notified`` makes of what stands there what is to stand there. Raises RecordError.
        """
        record = self._last
        if record is None or record["notify"] == notified(record["notify"]):
            return
        record["notify"] = notified(record["notify"])
        await asyncio.get_running_loop().run_in_executor(None, self._file.write, record)

    def _write(self, record: Record) -> None:
        record.update(self.settle())
        self._file.write(record)
        self._last = record

    def _record(self, merger: Merger, *, degraded: bool) -> Record | None:
        state = merger.state(clock.epoch() - self._epoch)
        state["partials"] = list(map(partial_state, state["partials"]))
        record = {
            "settings": self._settings,
            "degraded": degraded,
            "merger": state,
            "notify": self.notifying(),
        }
        if self._follow:
            return {**record, "positions": self.positions, "formats": list(self.formats.items())}
        reached = self._trail.reached(self._sources)
        if not reached:  # not all of them are open
            return None
        try:
            files = [
                position_in(source.fd, path, _counted_in(source, entry)).to_dict()
                for source, path, entry in zip(self._sources, self._paths, reached, strict=True)
            ]
        except (OSError, ValueError):  # who reads it says so
            return None
        # One that had ended ends once more: by then it may have grown.
        names = ("format", "stop", "low", "taken")
        places = [{name: getattr(entry, name) for name in names} for entry in reached]
        return {**record, "files": files, "reached": places}

    def _check(self, before: Record) -> None:
        """Raises UsageError for a record of other settings."""
        theirs = before["settings"]
        other = [
            name for name in {**theirs, **self._settings} if theirs.get(name) != self._settings.get(name)
        ]
        if other:
            raise self._file.refuse(f"was made with other settings ({', '.join(other)})")


def partial_state(partial: Partial) -> Record:
    """A partial whose totals are counted and whose rejects are told: its columns, as they travel."""
    kept = copy(partial)
    kept.rejects = []
    header, columns = pack_partial(kept)
    return {"header": header, "columns": b64encode(columns).decode()}


def partial_from(state: Record) -> Partial:
    """The partial of ``partial_state``."""
    return unpack_partial(state["header"], b64decode(state["columns"]))


def _counted_in(source: OpenSource, entry: Reached) -> int:
    """The offset in a file, packed as it is, before which all is counted."""
    if source.packed:
        return source.origin + entry.taken
    return source.origin if entry.stop is None else entry.stop


def _encoded(path: str | os.PathLike[str]) -> str:
    return quote_from_bytes(os.fsencode(os.path.abspath(path)))
