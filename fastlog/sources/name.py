"""One followed path, with the file that it names and those that it named a moment ago.

Over 300 lines: taking a file over and letting one go are
two sides of one promise, that each byte is read by exactly one name.
"""

import errno
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fastlog.model.chunk import Block, Left, Notice, Placed
from fastlog.model.position import WITNESS_BYTES, FilePosition
from fastlog.model.printable import printable
from fastlog.sources.held import FileKey, HeldFile, NotRegularError, TruncatedError, key_of, open_regular
from fastlog.sources.rotated import copy_of, cut_since, found_again, is_copy, is_rotated_name, unseen_files

GRACE_SECONDS = 5.0
"""How long a file that lost its name is read on after its last byte: its writer may not know yet."""
RETRY_SECONDS = 1.0
"""Pause before a file that failed is opened again; an absence shorter than this is not worth a message."""
OLD_FILES = 16
"""Most files of one name that are held after they lost it."""
_MISSING = "no such file"


@dataclass(frozen=True, slots=True)
class Named:
    """From here on ``source`` is the file of ``path``: it was asked for, or fits a pattern."""

    source: int
    path: str


Spoken = Named | Block | Placed | Left | Notice
"""What a follower says, in the order in which it came to be."""


class FollowedName:
    """A followed path. ``passing`` if it was found by a pattern: such a file may go without a word."""

    def __init__(
        self,
        source: int,
        path: str,
        peers: "Mapping[int, FollowedName]",
        closed: deque[HeldFile],
        out: "deque[Spoken]",
        clock: Callable[[], float],
        *,
        tracked: bool,
        passing: bool = False,
    ) -> None:
        """``closed`` are the files that lost their names, and ``out`` what is to be said, of all peers.

        Positions are told if ``tracked``.
        """
        self.source, self.path, self.passing = source, path, passing
        self.file: HeldFile | None = None
        self.old: list[HeldFile] = []
        self._peers, self._closed, self._out = peers, closed, out
        self._clock, self._tracked = clock, tracked
        self._last: HeldFile | FilePosition | None = None  # the file that came last
        self._looked = 0  # ns since the epoch when the path last led to ``file``
        self._problem: str | None = None
        self._ill_since: float | None = None
        self._retry_at = float("-inf")
        self._before: list[tuple[FilePosition, HeldFile | None]] = []
        self._out.append(Named(source, path))

    def files(self) -> list[HeldFile]:
        """All files held, oldest first."""
        return [*self.old, self.file] if self.file else [*self.old]

    def leads_to(self, key: FileKey) -> bool:
        try:
            return key_of(os.stat(self.path)) == key
        except (OSError, NotRegularError):
            return False

    def hold(self, positions: Sequence[FilePosition], now: float) -> None:
        """Take hold of the files of an earlier run that can be found again, oldest first."""
        self._before = [(position, found_again(position, now)) for position in positions]
        self.old = [file for _, file in self._before if file]

    def resume(self, now: float) -> None:
        """Go on with them, once all names hold theirs; what is gone may have been truncated or copied."""
        at = 0
        for position, file in self._before:
            files = [file] if file else self._changed(position, now)
            if not file:
                self.old[at:at] = files
            at += len(files)
            self._last = files[-1] if files else _without_inode(position)
            if self._tracked and position.key not in [file.key for file in files]:
                self._out.append(Left(self.source, position))
            for each in files:
                each.aim()
                self._place(each)
        if self.old:
            self.file = self.old.pop()
        self._before = []

    def look(self, now: float, *, first: bool = False, at_end: bool = False) -> None:
        """See which file the path leads to, and take it over if it is another one."""
        if now < self._retry_at:
            return
        looked = self._time()  # before, since nothing younger may be older than that
        try:
            key = key_of(os.stat(self.path))  # not even opened unless it is regular: some devices act on that
            if self.file and self.file.key == key:
                self._looked = looked
                self._ill_since = None
            elif self.passing and self._is_led_to(key):
                self._retire(now)
            elif self.passing and not at_end and self._copies_another(key):
                self._ill_since = None  # what it has more is taken when the other was truncated
            elif self._has_room():
                self._take_over(now, at_end)
        except NotRegularError as error:
            self._ill(str(error), now, first)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                self._absent(now, first)
            else:
                self._ill(_reason(error), now, first)

    def take(self, now: float) -> bool:
        """One step onwards, in the oldest file that has something to read. False when none has."""
        before = self.file
        self.look(now)
        return any(self._step(file, now) for file in self.files()) or self.file is not before

    def close(self) -> None:
        """Let go of all files."""
        for file in self.files():
            os.close(file.fd)
        self.file = None
        self.old.clear()

    def _is_held(self, key: FileKey) -> bool:
        return any(file.key == key for name in self._peers.values() for file in name.files())

    def _is_led_to(self, key: FileKey) -> bool:
        """Whether the file is read under another name already: a link to it beside it, say."""
        return any(
            name is not self and name.file and name.file.key == key and name.leads_to(key)
            for name in self._peers.values()
        )

    def _time(self) -> int:
        return int(self._clock() * 1e9)

    def _copies_another(self, key: FileKey) -> bool:
        """Whether the path is a rotated name of another log, with a copy of what is read of that one.

        A rotator makes one, then truncates; the other takes it over when it sees that.
        """
        fd, _ = open_regular(self.path)
        try:
            start = os.pread(fd, WITNESS_BYTES, 0)
        finally:
            os.close(fd)
        others = (name for name in self._peers.values() if is_rotated_name(self.path, name.path))
        held = (file for name in others for file in name.files() if file.key != key)
        return any(file.head and start.startswith(file.head) for file in held)

    def _has_room(self) -> bool:
        """Whether one more old file can be held: the oldest goes, but not before it has been read."""
        if self.file and len(self.old) >= OLD_FILES:
            self.old[0].touched = float("-inf")
            self._finish(self.old[0])
        return len(self.old) < OLD_FILES or self.file is None

    def _absent(self, now: float, first: bool) -> None:
        """The path leads to nothing: perhaps its next file has come and been rotated away already."""
        self._ill(_MISSING, now, first)
        unseen = self._unseen(self._last, now) if self._has_room() else None
        if unseen is not None:
            self._retire(now)
            self._take(unseen)
        elif self.file and (self.passing or not self.file.links()):
            self._retire(now)

    def _take_over(self, now: float, at_end: bool) -> None:
        """Go on with the next file: one that was rotated away unseen, or the one that the path leads to."""
        file = self._unseen(self._last, now)
        if file is None:
            file = self._opened(self.path, now, at_end)
            if self.file:
                self._say("was replaced: following the new file")
        self._retire(now)
        self._take(file)
        self._ill_since = None

    def _take(self, file: HeldFile) -> None:
        file.aim()
        self.file = self._last = file
        self._looked = file.looked
        self._place(file)

    def _unseen(self, last: HeldFile | FilePosition | None, now: float) -> HeldFile | None:
        """The oldest file that was made and rotated away since ``last``."""
        if last is None:
            return None
        if isinstance(last, HeldFile):
            last = last.position(self.path)
        for rotated in unseen_files(last, self._is_held):
            if is_copy(rotated.path, last):
                continue
            try:
                file = self._opened(rotated.path, now, at_end=False)
            except (OSError, NotRegularError):  # gone already
                continue
            # The next is younger by name; its path never led to this one while somebody looked.
            file.looked = last.looked
            shown = printable(rotated.path)
            self._say(f"was rotated more than once since it was looked at: reading {shown} first")
            return file
        return None

    def _opened(self, path: str, now: float, at_end: bool) -> HeldFile:
        """The file that a path leads to, where it was known at the place that reading got to."""
        looked = self._time()
        fd, info = open_regular(path)
        file = None
        try:
            file = self._known(fd, key_of(info), now)
            place = os.path.realpath(path)
            if file is None:
                file = HeldFile(fd, key_of(info), place, now, hole=not at_end)
                if at_end:
                    file.start_at_end()
            file.place, file.looked = place, looked
        except OSError:
            os.close(fd)
            raise
        if file.fd != fd:
            os.close(fd)
        return file

    def _known(self, fd: int, key: FileKey, now: float) -> HeldFile | None:
        """The file if it was read before, here or under a name that it no longer has: it is resumed."""
        for name in self._peers.values():
            for file in name.files():
                if file.key == key and (name is self or not name.leads_to(key)):
                    if not file.intact():  # its copies bear names of the log that it was
                        name._truncated(file, now)
                    name._release(file)
                    if name is not self:
                        file.former = file.position(name.path)
                    return file
        for file in [file for file in self._closed if file.key == key]:
            file.fd = fd
            same = file.intact()  # may fail again: then it is still remembered
            self._closed.remove(file)
            if same:
                return file
        return None

    def _release(self, file: HeldFile) -> None:
        if file is self.file:
            self.file = None
        else:
            self.old.remove(file)

    def _forget(self, file: HeldFile) -> None:
        self._release(file)
        if self._tracked:
            self._out.append(Left(self.source, file.position(self.path)))

    def _retire(self, now: float) -> None:
        if self.file:
            self.file.touched = now
            self.file.aim()  # all of it before the first line of the next file
            self.old.append(self.file)
            self.file = None

    def _step(self, file: HeldFile, now: float) -> bool:
        start, hole = file.line, file.hole
        try:
            data = file.read()
            if file is self.file:
                file.looked = self._looked  # only now: copies of what was truncated are older than the look
                if self._ill_since is None:
                    self._well()
            if data is None:
                return file is not self.file and now - file.touched > GRACE_SECONDS and self._finish(file)
        except TruncatedError:
            self._truncated(file, now)
            return True
        except OSError as error:
            self._fail(file, error, now)
            return True
        file.touched = now
        if data:
            self._give(file, start, data)
        else:
            if hole and not file.hole and file.base:
                self._say(f"skipped {file.base} NUL bytes at its start: let its writer append (O_APPEND)")
            self._place(file)
        return True

    def _give(self, file: HeldFile, start: int, data: bytes) -> None:
        position = file.position(self.path) if self._tracked else None
        self._out.append(Block(self.source, start, data, self._clock(), position=position))

    def _place(self, file: HeldFile) -> None:
        if self._tracked:
            self._out.append(Placed(self.source, file.position(self.path), file.former))
        file.former = None

    def _truncated(self, file: HeldFile, now: float) -> None:
        """Start a file over; what it lost before it could be read may be in a copy, which goes first."""
        at = len(self.old) if file is self.file else self.old.index(file)
        copies = list(self._copies(file.position(self.path), now))
        half = 0 if file.skipping or copies else file.seen - file.line
        dropped = f"; a line of {half} bytes had no newline and is dropped" if half else ""
        self._say(f"was truncated: reading it from its start{dropped}")
        self.old[at:at] = copies
        file.start_over()
        for taken in (*copies, file):
            taken.aim()
            self._place(taken)

    def _changed(self, position: FilePosition, now: float) -> list[HeldFile]:
        """What there is of the file of an earlier run when its content is not where it was."""
        files = list(self._copies(position, now))
        if not any(file.key == position.key for file in files):  # rotated, it may be among them
            files += cut_since(position, now)
        if files:
            self._say("was truncated since the last run: reading it from its start")
        else:
            read = f"{position.offset} bytes of it were read"
            self._say(f"the file of the last run is gone: {read}, any later are missing", degraded=True)
        return files

    def _copies(self, position: FilePosition, now: float) -> Iterator[HeldFile]:
        """A copy of what was truncated after ``position``, and those of what came and was truncated since."""
        room = OLD_FILES - len(self.old)
        copy = copy_of(position, now, self._is_held) if room > 0 else None
        while copy is not None:
            yield copy
            room -= 1
            copy = self._unseen(copy, now) if room > 0 else None

    def _finish(self, file: HeldFile) -> bool:
        """Give an old file up: what is left of it is a line of its own, never the start of another's."""
        file.aim()
        if file.goal > file.seen or not file.intact():
            return True  # changed meanwhile: read on
        if half := file.half():
            start = file.line
            file.line, file.mark, file.skipping = file.seen, file.tail, True
            self._give(file, start, half + b"\n")
        if file.links():  # it may get its name back; a deleted one cannot, but its inode may
            self._closed.append(file)
        elif file is self._last:
            self._last = _without_inode(file.position(self.path))
        self._forget(file)
        os.close(file.fd)
        for other in self.files():
            self._place(other)  # looked at after the last change of the one that is forgotten
        return True

    def _fail(self, file: HeldFile, error: OSError, now: float) -> None:
        """A read failed (ESTALE, EIO): go on with a new descriptor, where the file is still the same."""
        if file is self.file:
            self._retry_at, self._ill_since = now + RETRY_SECONDS, now
            self._ill(_reason(error), now, True)
            self._closed.append(file)
            self.file = None  # but its position holds
        else:
            self._say(f"the file that it was before cannot be read on: {_reason(error)}", degraded=True)
            self._forget(file)
        os.close(file.fd)

    def _ill(self, reason: str, now: float, at_once: bool) -> None:
        self._ill_since = now if self._ill_since is None else self._ill_since
        if self.passing and reason == _MISSING:
            return
        if reason != self._problem and (at_once or now - self._ill_since >= RETRY_SECONDS):
            self._problem = reason
            self._say(f"{reason}: waiting until there is a file that can be read")

    def _well(self) -> None:
        if self._problem:
            self._say("has appeared" if self._problem == _MISSING else "is readable again")
        self._problem = None

    def _say(self, text: str, degraded: bool = False) -> None:
        self._out.append(Notice(f"{printable(self.path)}: {text}", degraded))


def _without_inode(position: FilePosition) -> FilePosition:
    """The position of a file that is gone: the next one may be given its inode. No file has the number 0."""
    return replace(position, inode=0)


def _reason(error: OSError) -> str:
    return (error.strerror or "cannot be read").lower()
