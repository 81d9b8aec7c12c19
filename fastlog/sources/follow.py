"""Following files by name through rotation, truncation and disappearance.

Three layers: ``_File`` is one open file and how far it has been read; ``_Name`` is a followed path, with
the file that it names and those that it named a moment ago; ``Follower`` lets all names speak in turn.

A file is known by the device and inode of the descriptor that is held open, so neither can be given to
another file meanwhile. No half line is held: a position is the start of the first unfinished line, and
its bytes are read again once more have come.

Past 300 lines since the three share one set of promises: what one of them lets go of, another must hold.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fastlog.model.chunk import CHUNK_BYTES, LINE_LIMIT, Block, Notice
from fastlog.model.printable import printable
from fastlog.sources.packings import SIGNATURE_BYTES, packing_of

GRACE_SECONDS = 5.0
"""How long a file that lost its name is read on after its last byte: its writer may not know yet."""
RETRY_SECONDS = 1.0
"""Pause before a file that failed is opened again; an absence shorter than this is not worth a message."""
OLD_FILES = 16
"""Most files of one name that are held after they lost it, and as many remembered once closed."""
HEAD_BYTES = 64 * 1024
"""How much of a file ``head`` shows."""
_MARKER = 1024  # long enough to hold the time stamp of a line: user agents alone repeat
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MISSING = "no such file"
_NOT_FOLLOWED = (
    "is packed ({}), and following reads plain lines: nothing of it is counted; replay it without -f"
)
_KINDS = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}

_Key = tuple[int, int]


class _TruncatedError(Exception):
    """What had been read of a file is no longer in it."""


@dataclass(slots=True, eq=False)
class _File:
    """One open file. ``line`` is where the first line not given out starts, ``seen`` where reading got to."""

    fd: int
    key: _Key
    touched: float  # monotonic time of its last bytes, or of the loss of its name
    goal: int = 0  # where this round of reading ends, so that a round does end
    base: int = 0  # where its first line starts
    line: int = 0
    seen: int = 0
    tail: bytes = b""  # the bytes before ``seen``, as they were read
    skipping: bool = False  # inside a line of which nothing more is given out
    hole: bool = False  # truncated: NUL bytes may stand before the first line

    def start_at_end(self) -> None:
        """Leave out what is there, and the rest of a line that is being written."""
        start = max(0, os.fstat(self.fd).st_size - _MARKER)
        self.tail = os.pread(self.fd, _MARKER, start)
        self.line = self.seen = start + len(self.tail)
        self.skipping = bool(self.tail) and not self.tail.endswith(b"\n")

    def start_over(self) -> None:
        """Read from the first byte: the file was truncated."""
        self.base = self.line = self.seen = 0
        self.tail, self.skipping, self.hole = b"", False, True
        self.aim()

    def aim(self) -> None:
        """Read up to what is there now in this round."""
        try:
            self.goal = os.fstat(self.fd).st_size
        except OSError:  # the read that follows fails too, and is told
            self.goal = self.seen

    def intact(self) -> bool:
        """Whether the bytes before ``seen`` are those that were read. Size and mtime cannot tell that."""
        return os.pread(self.fd, len(self.tail), self.seen - len(self.tail)) == self.tail

    def read(self) -> bytes | None:
        """Whole lines that start at ``line`` as it was; empty when bytes were skipped; None at the goal."""
        if self.hole and self.goal > self.seen:
            return self._pass_hole()
        wanted = min(CHUNK_BYTES, self.goal - self.line) if self.goal > self.seen else 0
        raw = os.pread(self.fd, wanted, self.line)
        if not self.intact():  # asked after reading: then ``raw`` is of the same content too
            raise _TruncatedError
        if self.line + len(raw) <= self.seen:
            return None
        if self.skipping:
            end = raw.find(b"\n") + 1
            self.skipping = not end
            self._advance(raw, end or len(raw), end or len(raw))
            return b""
        return self._whole_lines(raw)

    def _whole_lines(self, raw: bytes) -> bytes:
        """The lines that end in ``raw``, up to and with the first that is too long, which is cut."""
        end = 0
        while (found := raw.rfind(b"\n", end, end + LINE_LIMIT + 2)) >= 0:  # a line, "\r\n"
            end = found + 1
        if len(raw) - end < LINE_LIMIT + 2:
            self._advance(raw, end, len(raw))
            return raw[:end]
        # One byte past the limit says that it is too long, unless that byte could pass for a line end.
        keep = end + LINE_LIMIT + (2 if raw[end + LINE_LIMIT] == 0x0D else 1)
        self.skipping = True
        self._advance(raw, end + LINE_LIMIT + 2, end + LINE_LIMIT + 2)
        return raw[:keep] + b"\n"

    def _advance(self, raw: bytes, used: int, looked_at: int) -> None:
        fresh = raw[max(self.seen - self.line, looked_at - _MARKER) : looked_at]
        self.tail = (self.tail + fresh)[-_MARKER:]
        self.seen = self.line + looked_at
        self.line += used

    def _pass_hole(self) -> bytes | None:
        """Go past the NUL bytes that a writer leaves who goes on at its old offset after a truncation."""
        if not self.intact():
            raise _TruncatedError
        at = self.seen
        try:
            at = min(os.lseek(self.fd, at, os.SEEK_DATA), self.goal)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but hole so far
                return None
        raw = os.pread(self.fd, min(CHUNK_BYTES, self.goal - at), at)
        if not raw:
            return None
        nuls = len(raw) - len(raw.lstrip(b"\0"))
        self.base = self.line = self.seen = at + nuls
        self.tail, self.hole = raw[max(0, nuls - _MARKER) : nuls], nuls == len(raw)
        return b""

    def half(self) -> bytes:
        """The line that has not ended."""
        return b"" if self.skipping or self.hole else os.pread(self.fd, self.seen - self.line, self.line)


class _Name:
    """One followed path. ``out`` holds what it has to say; ``take`` adds at most one block to it."""

    def __init__(self, source: int, path: str, peers: "list[_Name]", clock: Callable[[], float]) -> None:
        self.path = path
        self.file: _File | None = None
        self.old: list[_File] = []
        self.out: deque[Block | Notice] = deque()
        self._source, self._peers, self._clock = source, peers, clock
        self._closed: deque[_File] = deque(maxlen=OLD_FILES)
        self._problem: str | None = None
        self._ill_since: float | None = None
        self._retry_at = float("-inf")

    def files(self) -> list[_File]:
        """All files held, oldest first."""
        return [*self.old, self.file] if self.file else [*self.old]

    def look(self, now: float, *, first: bool = False, at_end: bool = False) -> None:
        """See which file the path leads to, and take it over if it is another one."""
        if now < self._retry_at:
            return
        try:
            found = os.stat(self.path)
            if self.file and self.file.key == _key(found):
                self._ill_since = None
            elif not stat.S_ISREG(found.st_mode):  # not even opened: some devices act on that
                self._ill(_not_regular(found), now, first)
            elif self._has_room():
                self._open(now, first, at_end)
        except OSError as error:
            missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
            self._ill(_MISSING if missing else _reason(error), now, first)
            if missing and self.file and not _links(self.file):
                self._retire(now)

    def take(self, now: float) -> bool:
        """One step onwards, in the oldest file that has something to read. False when none has."""
        self.look(now)
        return any(self._step(file, now) for file in self.files())

    def close(self) -> None:
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

    def _open(self, now: float, first: bool, at_end: bool) -> None:
        fd, file = os.open(self.path, _FLAGS), None
        try:
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode):  # swapped since it was looked at
                self._ill(_not_regular(info), now, first)
                return
            file = self._known(fd, _key(info))
            if file is None:
                file = _File(fd, _key(info), now)
                if packing := packing_of(os.pread(fd, SIGNATURE_BYTES, 0)):
                    self._say(_NOT_FOLLOWED.format(packing.name), degraded=True)
                if at_end or packing:
                    file.start_at_end()
        finally:
            if file is None or file.fd != fd:
                os.close(fd)
        file.aim()
        if self.file:
            self._say("was replaced: following the new file")
            self._retire(now)
        self.file, self._ill_since = file, None

    def _known(self, fd: int, key: _Key) -> _File | None:
        """The file if it was read before, here or under a name that it no longer has: it is resumed."""
        for name in self._peers:
            for file in name.files():
                if file.key == key and (name is self or not name._leads_to(key)):
                    name._forget(file)
                    return file
        for file in [file for file in self._closed if file.key == key]:
            file.fd = fd
            same = file.intact()  # may fail again: then it is still remembered
            self._closed.remove(file)
            if same:
                return file
        return None

    def _leads_to(self, key: _Key) -> bool:
        try:
            return _key(os.stat(self.path)) == key
        except OSError:
            return False

    def _forget(self, file: _File) -> None:
        if file is self.file:
            self.file = None
        else:
            self.old.remove(file)

    def _retire(self, now: float) -> None:
        if self.file:
            self.file.touched = now
            self.file.aim()  # all of it before the first line of the next file
            self.old.append(self.file)
            self.file = None

    def _step(self, file: _File, now: float) -> bool:
        start, hole = file.line, file.hole
        try:
            data = file.read()
            if file is self.file and self._ill_since is None:
                self._well()
            if data is None:
                return file is not self.file and now - file.touched > GRACE_SECONDS and self._finish(file)
        except _TruncatedError:
            half = 0 if file.skipping else file.seen - file.line
            dropped = f"; a line of {half} bytes had no newline and is dropped" if half else ""
            self._say(f"was truncated: reading it from its start{dropped}")
            file.start_over()
            return True
        except OSError as error:
            self._fail(file, error, now)
            return True
        file.touched = now
        if data:
            self.out.append(Block(self._source, start, data, self._clock()))
        elif hole and not file.hole and file.base:
            self._say(f"skipped {file.base} NUL bytes at its start: let its writer append (O_APPEND)")
        return True

    def _finish(self, file: _File) -> bool:
        """Give an old file up: what is left of it is a line of its own, never the start of another's."""
        file.aim()
        if file.goal > file.seen or not file.intact():
            return True  # changed meanwhile: read on
        if half := file.half():
            self.out.append(Block(self._source, file.line, half + b"\n", self._clock()))
            file.line, file.skipping = file.seen, True
        if _links(file):  # it may get its name back; a deleted one cannot, but its inode may
            self._closed.append(file)
        self._forget(file)
        os.close(file.fd)
        return True

    def _fail(self, file: _File, error: OSError, now: float) -> None:
        """A read failed (ESTALE, EIO): go on with a new descriptor, where the file is still the same."""
        if file is self.file:
            self._retry_at, self._ill_since = now + RETRY_SECONDS, now
            self._ill(_reason(error), now, True)
            self._closed.append(file)
        else:
            self._say(f"the file that it was before cannot be read on: {_reason(error)}", degraded=True)
        self._forget(file)
        os.close(file.fd)

    def _ill(self, reason: str, now: float, at_once: bool) -> None:
        self._ill_since = now if self._ill_since is None else self._ill_since
        if reason != self._problem and (at_once or now - self._ill_since >= RETRY_SECONDS):
            self._problem = reason
            self._say(f"{reason}: waiting until there is a file that can be read")

    def _well(self) -> None:
        if self._problem:
            self._say("has appeared" if self._problem == _MISSING else "is readable again")
        self._problem = None

    def _say(self, text: str, degraded: bool = False) -> None:
        self.out.append(Notice(f"{printable(self.path)}: {text}", degraded))


class Follower:
    """Follows files by name, as ``tail -F`` does, each line once.

    A file that is there at the start is read from its end, or with ``from_start`` from its start; one that
    appears later always from its start. Never waits, never raises for what a file does: that is a Notice.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        from_start: bool,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._monotonic = monotonic
        self._names: list[_Name] = []
        self._names.extend(_Name(source, path, self._names, clock) for source, path in enumerate(paths))
        for name in self._names:
            name.look(monotonic(), first=True, at_end=not from_start)

    def poll(self) -> Iterator[Block | Notice]:
        """All that is there to read now. Files take turns, a block each; pull when it suits."""
        for name in self._names:
            for file in name.files():
                file.aim()
        turn = self._names
        while turn:
            more = []
            for name in turn:
                if name.take(self._monotonic()):
                    more.append(name)
                while name.out:
                    yield name.out.popleft()
            turn = more

    def drain(self) -> Iterator[Block | Notice]:
        """The last poll, before ``close``. A line without its newline is not given out."""
        return self.poll()

    def look(self) -> None:
        """Take hold of files that are new. For a caller who cannot pull: a file rotated twice is not lost."""
        for name in self._names:
            if len(name.out) < OLD_FILES:
                name.look(self._monotonic())

    def head(self, source: int) -> bytes:
        """Whole lines at the start of the file, 64 KiB at most; empty where there is none yet."""
        file = self._names[source].file
        if file is None or file.hole:
            return b""
        try:
            raw = os.pread(file.fd, HEAD_BYTES, file.base)
        except OSError:  # the next poll meets it too, and says so
            return b""
        return raw[: raw.rfind(b"\n") + 1]

    def close(self) -> None:
        """Let go of all files. Safe to call twice."""
        for name in self._names:
            name.close()


def _key(info: os.stat_result) -> _Key:
    return info.st_dev, info.st_ino


def _links(file: _File) -> int:
    try:
        return os.fstat(file.fd).st_nlink
    except OSError:  # stale: as good as deleted
        return 0


def _reason(error: OSError) -> str:
    return (error.strerror or "cannot be read").lower()


def _not_regular(info: os.stat_result) -> str:
    return f"is {_KINDS.get(stat.S_IFMT(info.st_mode), 'a device')}, not a regular file"
