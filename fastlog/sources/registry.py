"""Who holds which file: each byte is read by exactly one of the names that a file has had."""

import os
from collections import deque
from typing import Protocol

from fastlog.model.position import WITNESS_BYTES
from fastlog.sources.held import FileKey, HeldFile, open_regular
from fastlog.sources.rotated import is_rotated_name

_CLOSED_FILES = 1024


class Holder(Protocol):
    """A followed path, as the others see it."""

    path: str
    file: HeldFile | None

    def files(self) -> list[HeldFile]:
        """All files held."""

    def leads_to(self, key: FileKey) -> bool:
        """Whether the path leads to that file now."""

    def truncated(self, file: HeldFile, now: float) -> None:
        """A file that it holds was truncated."""

    def release(self, file: HeldFile) -> None:
        """Another takes a file over."""


class Registry:
    """All names by their number, and the files that were closed after they lost theirs.

    At most 1,024 of the latter are remembered, for when they come back under another name.
    """

    def __init__(self) -> None:
        self.names: dict[int, Holder] = {}
        self._closed: deque[HeldFile] = deque(maxlen=_CLOSED_FILES)

    def remember(self, file: HeldFile) -> None:
        """A file is closed that still has a name somewhere."""
        self._closed.append(file)

    def holds(self, key: FileKey) -> bool:
        return any(file.key == key for name in self.names.values() for file in name.files())

    def is_led_to(self, key: FileKey, but: Holder | None = None) -> bool:
        """Whether the file is read under another name already: a link to it beside it, say."""
        return any(
            name is not but and name.file and name.file.key == key and name.leads_to(key)
            for name in self.names.values()
        )

    def has_copy_at(self, path: str, key: FileKey) -> bool:
        """Whether a path is a rotated name of another log, with a copy of what is read of that one.

        A rotator makes one, then truncates; the other takes it over when it sees that. Raises OSError.
        """
        fd, _ = open_regular(path)
        try:
            start = os.pread(fd, WITNESS_BYTES, 0)
        finally:
            os.close(fd)
        others = (name for name in self.names.values() if is_rotated_name(path, name.path))
        held = (file for name in others for file in name.files() if file.key != key)
        return any(file.head and start.startswith(file.head) for file in held)

    def hand_over(self, fd: int, key: FileKey, to: Holder, now: float) -> HeldFile | None:
        """The file of ``key``, open at ``fd``, if it was read before under a name that it no longer has.

        It is resumed, with a descriptor of its own or with ``fd``. None if it is new. Raises OSError.
        """
        for name in self.names.values():
            for file in name.files():
                if file.key == key and (name is to or not name.leads_to(key)):
                    if not file.intact():  # its copies bear names of the log that it was
                        name.truncated(file, now)
                    name.release(file)
                    if name is not to:
                        file.former = file.position(name.path)
                    return file
        for file in [file for file in self._closed if file.key == key]:
            file.fd = fd
            same = file.intact()  # may fail again: then it is still remembered
            self._closed.remove(file)
            if same:
                return file
        return None
