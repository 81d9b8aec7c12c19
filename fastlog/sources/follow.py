"""Following files by name through rotation, truncation and disappearance.

Three layers: ``HeldFile`` is one open file and how far it has been read; ``FollowedName`` is a followed
path, with the file that it names and those that it named a moment ago; ``Follower`` lets all names speak
in turn, and finds the files of patterns.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from fastlog.model.chunk import Notice
from fastlog.model.position import FilePosition
from fastlog.model.printable import printable
from fastlog.sources.held import NotRegularError, key_of
from fastlog.sources.name import FollowedName
from fastlog.sources.patterns import is_pattern, matches
from fastlog.sources.registry import Registry
from fastlog.sources.voice import Spoken, Voice

MOST_FILES = 512
"""Most names that patterns may add: with the files that lose theirs they fit a limit of 1,024 descriptors."""
SCAN_SECONDS = 0.1
"""Shortest time between two looks for files that fit a pattern."""
HEAD_BYTES = 64 * 1024
"""How much of a file ``head`` shows."""
_MOST_UNSAID = 4 * MOST_FILES  # items that may wait while nobody pulls


class Follower:
    """Follows files by name, as ``tail -F`` does, each line once.

    A file that is there at the start is read from its end, or with ``from_start`` from its start; one that
    appears later always from its start. Never waits, never raises for what a file does: that is a Notice.

    With ``positions``, even none, each block says the position after it, and Placed and Left tell the
    others. Those of an earlier run, in any order, are resumed: the files are found again, also under
    rotated names beside the old ones, and read on from there, the oldest first. A run that resumes is to
    be made with ``from_start``: a file without a position came while nobody looked.

    ``clock`` is the wall clock; ``steady`` gives epoch seconds too, but only ever goes forwards at its pace:
    blocks say when they were read by it, and grace times are measured by it.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        from_start: bool,
        clock: Callable[[], float],
        steady: Callable[[], float],
        positions: Sequence[FilePosition] | None = None,
    ) -> None:
        self._clock, self._steady = clock, steady
        self._tracked = positions is not None
        self._patterns = [path for path in paths if is_pattern(path)]
        self._names: dict[int, FollowedName] = {}
        self._registry = Registry()
        self._out: deque[Spoken] = deque()
        self._scan_at = float("-inf")
        self._full = False
        for path in paths:
            if path not in self._patterns:
                self._add(path, passing=False)
        self._resume(positions or ())
        for name in self._names.values():
            name.look(steady(), first=True, at_end=not from_start)
        self._scan(at_end=not from_start)
        if self._patterns and not self._names:
            shown = ", ".join(map(printable, self._patterns))
            self._out.append(Notice(f"{shown}: no file fits: waiting until one does"))

    @property
    def paths(self) -> list[str]:
        """The paths that are followed now."""
        return [name.path for name in self._names.values()]

    @property
    def patterns(self) -> Sequence[str]:
        """Those of the paths asked for that are expanded."""
        return self._patterns

    def poll(self) -> Iterator[Spoken]:
        """All that is there to read now. Files take turns, a block each; pull when it suits."""
        turn = list(self._names.values()) or self._scan()
        for name in turn:
            for file in name.files():
                file.aim()
        yield from self._said()
        while turn:
            more = []
            for name in turn:
                if name.take(self._steady()):
                    more.append(name)
                yield from self._said()
            turn = more or self._scan()  # when the others have been read, it is known what is a copy of them
        yield from self._said()
        self._drop_passed()

    def drain(self) -> Iterator[Spoken]:
        """The last poll: files that have just come are taken in too. No half line is given out."""
        self._scan_at = float("-inf")
        return self.poll()

    def look(self) -> None:
        """Take hold of files that are new. For a caller who cannot pull: a file rotated twice is not lost."""
        if len(self._out) > _MOST_UNSAID:
            return
        self._scan()
        for name in self._names.values():
            name.look(self._steady())

    def head(self, source: int) -> bytes:
        """Whole lines at the start of the file, 64 KiB at most; empty where there is none yet."""
        file = self._names[source].file
        if file is None:
            return b""
        try:
            raw = os.pread(file.fd, HEAD_BYTES, file.base)
        except OSError:  # the next poll meets it too, and says so
            return b""
        return raw[: raw.rfind(b"\n") + 1].lstrip(b"\0")

    def close(self) -> None:
        """Let go of all files. Safe to call twice."""
        for name in self._names.values():
            name.close()

    def _said(self) -> Iterator[Spoken]:
        while self._out:
            yield self._out.popleft()

    def _add(self, path: str, *, passing: bool) -> FollowedName:
        source = next(number for number in range(len(self._names) + 1) if number not in self._names)
        clocks = self._clock, self._steady
        voice = Voice(source, path, self._out, *clocks, tracked=self._tracked, passing=passing)
        name = FollowedName(path, self._registry, voice, passing=passing)
        self._names[source] = self._registry.names[source] = name
        return name

    def _resume(self, positions: Sequence[FilePosition]) -> None:
        by_path: dict[str, list[FilePosition]] = {}
        for position in sorted(positions, key=lambda position: position.looked):  # the file that came last
            by_path.setdefault(position.path, []).append(position)
        known = {name.path: name for name in self._names.values()}
        # A path that is not asked for was found by a pattern.
        names = [known.get(path) or self._add(path, passing=True) for path in by_path]
        for name in names:
            name.hold(by_path[name.path], self._steady())
        for name in names:
            name.resume(self._steady())

    def _scan(self, *, at_end: bool = False) -> list[FollowedName]:
        """Take up files that fit a pattern and that no other name leads to; the names that are new."""
        now = self._steady()
        if not self._patterns or now < self._scan_at:
            return []
        self._scan_at = now + SCAN_SECONDS
        known = {os.path.abspath(name.path) for name in self._names.values()}
        added: list[FollowedName] = []
        for path in matches(self._patterns):
            if os.path.abspath(path) in known or self._is_followed(path):
                continue
            if len(self._names) >= MOST_FILES:
                self._say_full()
                break
            added.append(self._add(path, passing=True))
            added[-1].look(now, first=True, at_end=at_end)
        return added

    def _is_followed(self, path: str) -> bool:
        """Whether a path leads to what another leads to, or to nothing that can be followed."""
        try:
            key = key_of(os.stat(path))
        except (OSError, NotRegularError):
            return True
        return self._registry.is_led_to(key)

    def _say_full(self) -> None:
        if not self._full:
            shown = ", ".join(map(printable, self._patterns))
            text = f"more than {MOST_FILES} files fit: the others are not followed; name fewer"
            self._out.append(Notice(f"{shown}: {text}", degraded=True))
        self._full = True

    def _drop_passed(self) -> None:
        """Give up the names of files that fitted a pattern and are gone; their numbers are free again."""
        for source, name in list(self._names.items()):
            if name.passing and not name.files() and not os.path.lexists(name.path):
                del self._names[source], self._registry.names[source]
