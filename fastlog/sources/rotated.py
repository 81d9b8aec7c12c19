"""Rotated files: where they lie, and which of them is older.

A rotated file is found again in the directory of its old name by device and inode. One that was made
and rotated away between two looks has never been seen, so it is told by its name: ``access.log.2`` and
``access.log-20260301`` (or ``access.2.log``) are of ``access.log``, and numbers grow with age while
dates fall.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fastlog.model.position import FilePosition
from fastlog.sources.held import FileKey, HeldFile, NotRegularError, key_of, open_regular

_TURN = re.compile(r"[.\-_](\d[\d.\-_T:Z]{0,30})")
_ONCE = re.compile(r"[.\-_](?:old|prev)")
_LONGEST_NUMBER = 5
"""Digits of the number of a rotation; more of them are a date or a time."""

_COARSE_NS = 20_000_000
"""How far the clock of a file system may be behind the system's: it goes on with the timer's ticks."""

Age = tuple[str, int]
"""A way of naming rotated files, and the place in it: the greater, the younger."""


@dataclass(frozen=True, slots=True)
class RotatedFile:
    """A rotated file of some log. ``changed`` is its st_mtime_ns."""

    path: str
    key: FileKey
    changed: int
    age: Age


def age_of(name: str, base: str) -> Age | None:
    """How old the file ``name`` is among the rotated ones of ``base``; None when it is none of them."""
    stem, extension = os.path.splitext(base)
    for shape, before, after in (("suffix", base, ""), ("infix", stem, extension)):
        if not (name.startswith(before) and name.endswith(after)):
            continue
        middle = name[len(before) : len(name) - len(after)]
        if turn := _TURN.fullmatch(middle):
            digits = "".join(filter(str.isdigit, turn[1]))
            if len(digits) <= _LONGEST_NUMBER:
                return f"{shape} number", -int(digits)
            return f"{shape} date", int(digits)
        if shape == "suffix" and _ONCE.fullmatch(middle):
            return "once", 0
    return None


def is_rotated_name(path: str, original: str) -> bool:
    """Whether ``path`` looks like a rotated file of ``original``."""
    (directory, name), (above, base) = os.path.split(path), os.path.split(original)
    return directory == above and age_of(name, base) is not None


def rotated_files(path: str, place: str) -> Iterator[RotatedFile]:
    """The regular files beside ``path``, and beside what it led to, that look like rotated ones of it."""
    for directory, base in dict.fromkeys([os.path.split(os.path.abspath(path)), os.path.split(place)]):
        for entry in _entries(directory):
            age = age_of(entry.name, base)
            if age is None:
                continue
            try:
                info = entry.stat(follow_symlinks=False)
            except OSError:  # gone since it was listed
                continue
            if stat.S_ISREG(info.st_mode):
                yield RotatedFile(entry.path, key_of(info), info.st_mtime_ns, age)


def unseen_files(last: FilePosition, seen: Callable[[FileKey], bool]) -> list[RotatedFile]:
    """The rotated files that came after the file of ``last``, oldest first.

    They must be younger than that one by name, where it can be found, and not have been changed before
    the last look at it. Where it is gone (deleted, packed) only names that follow the whole of the old
    one count: ``access.log.1``, not ``access.1.log``, which may well be another log.
    """
    found = list(rotated_files(last.path, last.place))
    own = next((file.age for file in found if file.key == last.key), None)
    later = [
        file
        for file in found
        if file.key != last.key
        and file.changed >= last.looked - _COARSE_NS
        and (file.age[0] == own[0] and file.age > own if own else not file.age[0].startswith("infix"))
        and not seen(file.key)
    ]
    return sorted(later, key=lambda file: file.age)


def found_again(position: FilePosition, now: float, others: Sequence[FilePosition]) -> HeldFile | None:
    """The file of ``position``, with its content, under its old name or another beside it; held open.

    The device may have another number since the machine was started anew; inode, fingerprint and marker
    are then enough. Where nothing was read of it the inode alone must do, unless what bears it is a copy
    of one of the ``others``.
    """
    for path in _paths_of(position):
        file = _opened(path, position, now)
        if file is None:
            continue
        if file.head:
            same = file.key[1] == position.inode
        else:
            same = file.key == position.key and not _is_copy_of_any(path, others)
        if same:
            return file
        os.close(file.fd)
    return None


def copy_of(position: FilePosition, now: float, held: Callable[[FileKey], bool]) -> HeldFile | None:
    """A copy of a file that was truncated since, such as ``copytruncate`` leaves, at the same position.

    It is told by fingerprint and marker; of a file of which nothing was read no copy can be told.
    """
    copies = rotated_files(position.path, position.place)
    for copy in sorted(copies, key=lambda copy: copy.changed, reverse=True):
        if copy.key == position.key or held(copy.key):
            continue
        file = _opened(copy.path, position, now)
        if file is not None:
            if file.head:
                return file
            os.close(file.fd)
    return None


def cut_since(position: FilePosition, now: float, others: Sequence[FilePosition]) -> list[HeldFile]:
    """The file of ``position`` with another content, to be read from its start; empty where it is gone.

    A copy of one of the ``others`` was only given its inode.
    """
    rotated = (file.path for file in rotated_files(position.path, position.place))
    for path in (position.path, position.place, *rotated):
        try:
            fd, info = open_regular(path)
        except (OSError, NotRegularError):
            continue
        if key_of(info) == position.key and not _is_copy_of_any(path, others):
            place = os.path.realpath(path)
            return [HeldFile(fd, position.key, place, now, looked=position.looked, hole=True)]
        os.close(fd)
    return []


def is_copy(path: str, position: FilePosition) -> bool:
    """Whether the file at ``path`` holds what had been read at ``position``."""
    file = _opened(path, position, 0.0)
    if file is None:
        return False
    os.close(file.fd)
    return bool(file.head)


def _is_copy_of_any(path: str, positions: Sequence[FilePosition]) -> bool:
    return any(is_copy(path, position) for position in positions)


def _opened(path: str, position: FilePosition, now: float) -> HeldFile | None:
    try:
        fd, _ = open_regular(path)
    except (OSError, NotRegularError):
        return None
    try:
        file = HeldFile.resumed(fd, os.path.realpath(path), now, position)
    except OSError:  # as good as not there
        file = None
    if file is None:
        os.close(fd)
    return file


def _paths_of(position: FilePosition) -> Iterator[str]:
    """Paths that may lead to the file of ``position``: the old ones, then any beside them of its inode."""
    yield from dict.fromkeys([position.path, position.place])
    for directory in dict.fromkeys(
        [os.path.dirname(os.path.abspath(position.path)), os.path.dirname(position.place)]
    ):
        for entry in _entries(directory):
            if entry.inode() == position.inode:
                yield entry.path


def _entries(directory: str) -> "Iterator[os.DirEntry[str]]":
    try:
        with os.scandir(directory) as entries:
            yield from entries
    except OSError:  # gone, or not to be listed: nothing can be found in it
        return
