"""One followed path, with the file that it names and those that it named a moment ago.

Over 300 lines: taking a file over and letting one go are two sides of one promise.
"""

import errno
import os
from collections.abc import Iterator, Sequence

from fastlog.model.position import FilePosition, digest_length
from fastlog.model.printable import printable
from fastlog.sources.held import FileKey, HeldFile, NotRegularError, TruncatedError, key_of, open_regular
from fastlog.sources.packings import SIGNATURE_BYTES, packing_of
from fastlog.sources.registry import Registry
from fastlog.sources.rotated import copy_of, cut_since, found_again, is_copy, unseen_files
from fastlog.sources.voice import MISSING, RETRY_SECONDS, Voice, reason_of

GRACE_SECONDS = 5.0
"""How long a file that lost its name is read on after its last byte: its writer may not know yet."""
_NOT_FOLLOWED = (
    "is packed ({}), and following reads plain lines: nothing of it is counted; replay it without -f"
)
OLD_FILES = 16
"""Most files of one name that are held after they lost it."""


class FollowedName:
    """A followed path. ``passing`` if it was found by a pattern: such a file may go without a word."""

    def __init__(self, path: str, registry: Registry, voice: Voice, *, passing: bool = False) -> None:
        self.path, self.passing = path, passing
        self.file: HeldFile | None = None
        self.old: list[HeldFile] = []
        self._registry, self._voice = registry, voice
        self._last: HeldFile | FilePosition | None = None  # the file that came last
        self._looked = 0  # ns since the epoch when the path last led to ``file``
        self._retry_at = float("-inf")
        self._before: list[tuple[FilePosition, HeldFile | None]] = []

    def files(self) -> list[HeldFile]:
        """All files held, oldest first."""
        return [*self.old, self.file] if self.file else [*self.old]

    def leads_to(self, key: FileKey) -> bool:
        """Whether the path leads to that file now."""
        try:
            return key_of(os.stat(self.path)) == key
        except (OSError, NotRegularError):
            return False

    def hold(self, positions: Sequence[FilePosition], now: float) -> None:
        """Take hold of the files of an earlier run that can be found again, oldest first."""
        for position in positions:
            others = [other for other in positions if other is not position]
            file = None if self._begins_anew(position) else found_again(position, now, others)
            self._before.append((position, file))
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
            if position.key not in [file.key for file in files]:
                self._voice.leave(position)
            for each in files:
                each.aim()
                self._voice.place(each)
        if self.old:
            self.file = self.old.pop()
            self._looked = self.file.looked
        self._before = []

    def look(self, now: float, *, first: bool = False, at_end: bool = False) -> None:
        """See which file the path leads to, and take it over if it is another one."""
        if now < self._retry_at:
            return
        looked = self._voice.time_ns()  # before, since nothing younger may be older than that
        try:
            key = key_of(os.stat(self.path))  # not even opened unless it is regular: some devices act on that
            if self.file and self.file.key == key:
                self._looked = looked
                self._voice.unreadable_since = None
            elif self.passing and self._registry.is_led_to(key, self):
                self._retire(now)
            elif self.passing and not at_end and self._registry.has_copy_at(self.path, key):
                self._voice.unreadable_since = None  # what it has more is taken when the other was truncated
            elif self._has_room():
                self._take_over(now, at_end)
        except NotRegularError as error:
            self._voice.unreadable(str(error), now, first)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                self._absent(now, first)
            else:
                self._voice.unreadable(reason_of(error), now, first)

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

    def _has_room(self) -> bool:
        """Whether one more old file can be held: the oldest goes, but not before it has been read."""
        if self.file and len(self.old) >= OLD_FILES:
            self.old[0].touched = float("-inf")
            self._finish(self.old[0])
        return len(self.old) < OLD_FILES or self.file is None

    def _absent(self, now: float, first: bool) -> None:
        """The path leads to nothing: perhaps its next file has come and been rotated away already."""
        self._voice.unreadable(MISSING, now, first)
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
                self._voice.say("was replaced: following the new file")
        self._retire(now)
        self._take(file)
        self._voice.unreadable_since = None

    def _take(self, file: HeldFile) -> None:
        file.aim()
        self.file = self._last = file
        self._looked = file.looked
        self._voice.place(file)

    def _unseen(self, last: HeldFile | FilePosition | None, now: float) -> HeldFile | None:
        """The oldest file that was made and rotated away since ``last``."""
        if last is None:
            return None
        if isinstance(last, HeldFile):
            last = last.position(self.path)
        for rotated in unseen_files(last, self._registry.holds):
            if is_copy(rotated.path, last):
                continue
            try:
                file = self._opened(rotated.path, now, at_end=False)
            except (OSError, NotRegularError):  # gone already
                continue
            # The next is younger by name; its path never led to this one while somebody looked.
            file.looked = last.looked + 1  # but it came after that one
            shown = printable(rotated.path)
            self._voice.say(f"was rotated more than once since it was looked at: reading {shown} first")
            return file
        return None

    def _opened(self, path: str, now: float, at_end: bool) -> HeldFile:
        """The file that a path leads to, where it was known at the place that reading got to."""
        looked = self._voice.time_ns()
        fd, info = open_regular(path)
        file = None
        try:
            file = self._registry.hand_over(fd, key_of(info), self, now)
            place = os.path.realpath(path)
            if file is None:
                file = HeldFile(fd, key_of(info), place, now, hole=not at_end)
                packing = packing_of(os.pread(fd, SIGNATURE_BYTES, 0))
                if packing is not None:
                    self._voice.say(_NOT_FOLLOWED.format(packing.name), degraded=True)
                if at_end or packing is not None:
                    file.start_at_end()
            file.place, file.looked = place, looked
        except OSError:
            os.close(fd)
            raise
        if file.fd != fd:
            os.close(fd)
        return file

    def release(self, file: HeldFile) -> None:
        """Another name takes a file over."""
        if file is self.file:
            self.file = None
        else:
            self.old.remove(file)

    def _forget(self, file: HeldFile) -> None:
        self.release(file)
        self._voice.leave(file.position(self.path))

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
                if self._voice.unreadable_since is None:
                    self._voice.readable()
            if data is None:
                return file is not self.file and now - file.touched > GRACE_SECONDS and self._finish(file)
        except TruncatedError:
            self.truncated(file, now)
            return True
        except OSError as error:
            self._fail(file, error, now)
            return True
        file.touched = now
        if data:
            self._voice.give(file, start, data)
        else:
            if hole and not file.hole and file.base:
                self._voice.say(
                    f"skipped {file.base} NUL bytes at its start: let its writer append (O_APPEND)"
                )
            self._voice.place(file)
        return True

    def truncated(self, file: HeldFile, now: float) -> None:
        """Start a file over; what it lost before it could be read may be in a copy, which goes first."""
        at = len(self.old) if file is self.file else self.old.index(file)
        copies = list(self._copies(file.position(self.path), now))
        half = 0 if file.skipping or copies else file.seen - file.line
        dropped = f"; a line of {half} bytes had no newline and is dropped" if half else ""
        self._voice.say(f"was truncated: reading it from its start{dropped}")
        self.old[at:at] = copies
        file.start_over()
        for taken in (*copies, file):
            taken.aim()
            self._voice.place(taken)

    def _begins_anew(self, position: FilePosition) -> bool:
        """Whether the path leads to a file of which nothing was read, or to one that was given its inode.

        Either is read from its start, after those that may have come between them.
        """
        return not digest_length(position.fingerprint) and self.leads_to(position.key)

    def _changed(self, position: FilePosition, now: float) -> list[HeldFile]:
        """What there is of the file of an earlier run when its content is not where it was."""
        if self._begins_anew(position):
            return []
        files = list(self._copies(position, now))
        if not any(file.key == position.key for file in files):  # rotated, it may be among them
            others = [other for other, _ in self._before if other is not position]
            files += cut_since(position, now, others)
        if files:
            self._voice.say("was truncated since the last run: reading it from its start")
        else:
            read = f"{position.offset} bytes of it were read"
            self._voice.say(f"the file of the last run is gone: {read}, any later are missing", degraded=True)
        return files

    def _copies(self, position: FilePosition, now: float) -> Iterator[HeldFile]:
        """A copy of what was truncated after ``position``, and those of what came and was truncated since."""
        room = OLD_FILES - len(self.old)
        copy = copy_of(position, now, self._registry.holds) if room > 0 else None
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
            self._voice.give(file, start, half + b"\n")
        if file.links():  # it may get its name back; a deleted one cannot, but its inode may
            self._registry.remember(file)
        elif file is self._last:
            self._last = _without_inode(file.position(self.path))
        self._forget(file)
        os.close(file.fd)
        for other in self.files():
            self._voice.place(other)  # looked at after the last change of the one that is forgotten
        return True

    def _fail(self, file: HeldFile, error: OSError, now: float) -> None:
        """A read failed (ESTALE, EIO): go on with a new descriptor, where the file is still the same."""
        if file is self.file:
            self._retry_at, self._voice.unreadable_since = now + RETRY_SECONDS, now
            self._voice.unreadable(reason_of(error), now, True)
            self._registry.remember(file)
            self.file = None  # but its position holds
        else:
            self._voice.say(
                f"the file that it was before cannot be read on: {reason_of(error)}", degraded=True
            )
            self._forget(file)
        os.close(file.fd)


def _without_inode(position: FilePosition) -> FilePosition:
    """The position of a file that is gone: the next one may be given its inode. No file has the number 0."""
    return position._replace(inode=0)
