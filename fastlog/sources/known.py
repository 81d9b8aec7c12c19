"""Whether a file is the one that was read before: device, inode, first bytes, bytes before the offset."""

import os

from fastlog.model.position import WITNESS_BYTES, FilePosition, digest, digest_length


def witnesses(fd: int, position: FilePosition) -> tuple[bytes, bytes] | None:
    """The first bytes of a file and those before the offset; None where they are others. Raises OSError."""
    head = os.pread(fd, digest_length(position.fingerprint), 0)
    length = digest_length(position.marker)
    mark = os.pread(fd, length, position.offset - length)
    if digest(head) != position.fingerprint or digest(mark) != position.marker:
        return None
    return head, mark


def position_in(fd: int, path: str, offset: int) -> FilePosition:
    """That of a file of a replay of which the lines before ``offset`` are counted. Raises OSError."""
    found = os.fstat(fd)
    length = min(WITNESS_BYTES, offset)
    return FilePosition(
        path=path,
        place=os.path.realpath(path),
        device=found.st_dev,
        inode=found.st_ino,
        fingerprint=digest(os.pread(fd, WITNESS_BYTES, 0)),
        offset=offset,
        marker=digest(os.pread(fd, length, offset - length)),
        looked=0,
    )


def is_known(fd: int, position: FilePosition) -> bool:
    """Whether an open file is that of ``position``, with all that was counted of it. Raises OSError."""
    found = os.fstat(fd)
    same = (found.st_dev, found.st_ino) == position.key and found.st_size >= position.offset
    return same and witnesses(fd, position) is not None
