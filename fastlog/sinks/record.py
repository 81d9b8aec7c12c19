"""The file of ``--state``: a record that is there whole or not at all, and that one run at a time may have.

    {"fastlog_state":1,"length":5120,"hash":"9f86..."}
    {...}

The first line vouches for the second, which is the record. A new record is written beside the old one,
synced, and given its name, so that a kill at any moment leaves one of them.
"""

import errno
import fcntl
import os
import stat
from contextlib import suppress
from hashlib import blake2b
from typing import Any

import orjson

from fastlog.errors import RecordError, UsageError
from fastlog.model.printable import printable

VERSION = 3
_MOST_BYTES = 1 << 30
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_START_ANEW = "remove it, or name another, to start anew"


class RecordFile:
    """The record at ``path``, held by a lock on ``path.lock`` until ``close``.

    Decision: the lock is a file of its own, which stays, since the record's is another with each write.
    Raises UsageError for one that is in use, or that cannot be made, or is not ours.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._name = f"--state {printable(self._path)}"
        self._lock = self._open(f"{self._path}.lock", _LOCK)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise self._refused("is in use by another run", "end that, or name another") from error
            raise self._refused(
                error.strerror or "cannot be locked", "name a file on a local disk"
            ) from error

    def read(self) -> dict[str, Any] | None:
        """The record; None where there is none yet. Raises UsageError for one that cannot be believed."""
        try:
            fd = self._open(self._path, _OLD)
        except FileNotFoundError:
            return None
        try:
            with open(fd, "rb") as file:
                data = file.read(_MOST_BYTES)
        except OSError as error:
            raise self._refused(error.strerror or "cannot be read", "check the disk") from error
        return self._understood(data)

    def write(self, record: dict[str, Any]) -> None:
        """Put ``record`` in the place of the one before. Raises RecordError; then that one stays."""
        body = orjson.dumps(record)
        head = {"fastlog_state": VERSION, "length": len(body), "hash": _hash(body)}
        new = f"{self._path}.new"
        try:
            with suppress(FileNotFoundError):  # of a run that was killed: the lock says that it is nobody's
                os.unlink(new)
            fd = os.open(new, _NEW, 0o600)
            try:
                _write_all(fd, orjson.dumps(head) + b"\n" + body + b"\n")
                os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(new, self._path)
            _sync_folder(self._path)
        except OSError as error:
            with suppress(OSError):  # on a full disk half a record only takes room
                os.unlink(new)
            why = f"{error.strerror}: free some space, or check the disk"
            raise RecordError(f"{self._name}: {why}") from error

    def close(self) -> None:
        """Let another run have it. Safe to call twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def refuse(self, why: str) -> UsageError:
        """An error that says why the record is not gone on with."""
        return self._refused(why, _START_ANEW)

    def _refused(self, why: str, what_to_do: str) -> UsageError:
        return UsageError(f"{self._name}: {why}: {what_to_do}")

    def _open(self, path: str, flags: int) -> int:
        """A descriptor of a regular file that is ours. Raises UsageError; FileNotFoundError of a record."""
        try:
            fd = os.open(path, flags, 0o600)
        except FileNotFoundError:
            if flags == _OLD:
                raise
            raise self._refused("no such folder", "make it first") from None
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            if isinstance(error, OSError) and error.errno == errno.ELOOP:
                raise self._refused("is a symbolic link", "name the file itself") from error
            why = error.strerror if isinstance(error, OSError) else None
            raise self._refused(why or "is no name of a file", "name a file that may be written") from error
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
            return fd
        os.close(fd)
        if not stat.S_ISREG(found.st_mode):
            raise self._refused("is not a regular file", "name another")
        raise self._refused("belongs to another user", "name another")

    def _understood(self, data: bytes) -> dict[str, Any]:
        """The record that ``data`` holds. Raises UsageError."""
        if not data:
            raise self.refuse("is empty")
        first, newline, body = data.partition(b"\n")
        head = _parsed(first)
        version = head.get("fastlog_state")
        if not isinstance(version, int) or not isinstance(head.get("length"), int):
            if not newline and b'{"fastlog_state":'.startswith(first[:17]):
                raise self.refuse("is cut short")
            raise self.refuse("is damaged, or no state of fastlog")
        if version != VERSION:
            advice = "use a newer fastlog" if version > VERSION else f"use an older fastlog, or {_START_ANEW}"
            raise self._refused(f"is of version {version}, and this fastlog reads {VERSION}", advice)
        if len(body) < head["length"] + 1:
            raise self.refuse("is cut short")
        record = _parsed(body)
        if (
            version != VERSION
            or body[head["length"] :] != b"\n"
            or _hash(body[:-1]) != head.get("hash")
            or not record
        ):
            raise self.refuse("is damaged")
        return record


def _parsed(data: bytes) -> dict[str, Any]:
    """The JSON object in ``data``; empty where there is none."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _hash(body: bytes) -> str:
    return blake2b(body, digest_size=16).hexdigest()


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _sync_folder(path: str) -> None:
    """See that the name itself is on the disk."""
    fd = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
