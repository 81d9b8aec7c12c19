"""How far a followed file has been read, in a form that outlives the process."""

import os
from typing import Any, NamedTuple

WITNESS_BYTES = 1024
"""Bytes that a fingerprint or marker looks at: enough to hold the time stamp of a line, since user
agents alone repeat."""


def digest(data: bytes) -> str:
    """Length and hash of some bytes, ``1024:9f86...``. The length says how many to read to compare."""
    from hashlib import blake2b  # here and below, since a replay needs none of it and starts sooner

    return f"{len(data)}:{blake2b(data, digest_size=16).hexdigest()}"


def digest_length(text: str) -> int:
    """How many bytes a digest is of. Raises ValueError for a text that is none."""
    length, colon, rest = text.partition(":")
    if not (colon and len(rest) == 32 and length.isascii() and length.isdigit()):
        raise ValueError(f"{text!r} is not a digest")
    if int(length) > WITNESS_BYTES:
        raise ValueError(f"{text!r} is of more than {WITNESS_BYTES} bytes")
    return int(length)


class FilePosition(NamedTuple):
    """A followed file and the offset up to which its lines have been handed out.

    ``path`` is the followed name, ``place`` what it led to (links resolved) when the
    file was opened. ``fingerprint`` is the digest of the file's first bytes that were
    read, ``marker`` that of the bytes before ``offset``. ``looked`` is when its name
    last led to it (wall clock, ns since the epoch): what came later was changed later.
    ``skipping``: the rest of the line at ``offset`` is already counted, or is not
    to be; ``hole``: NUL bytes at ``offset`` are those of a truncation, not of a line.
    """

    path: str
    place: str
    device: int
    inode: int
    fingerprint: str
    offset: int
    marker: str
    looked: int
    skipping: bool = False
    hole: bool = False

    @property
    def key(self) -> tuple[int, int]:
        """Device and inode."""
        return self.device, self.inode

    def to_dict(self) -> dict[str, Any]:
        """As a dict of text and numbers. Paths, which may hold any byte, are percent-encoded."""
        from urllib.parse import quote_from_bytes

        plain = self._asdict()
        for name in ("path", "place"):
            plain[name] = quote_from_bytes(os.fsencode(plain[name]))
        return plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "FilePosition":
        """The position of such a dict. Raises ValueError for one that ``to_dict`` cannot have made."""
        kinds = cls.__annotations__
        if plain.keys() != kinds.keys():
            raise ValueError("the fields of a file position are not those that it has")
        for name, kind in kinds.items():
            if type(plain[name]) is not kind:
                raise ValueError(f"{name} of a file position is {plain[name]!r}")
        from urllib.parse import unquote_to_bytes

        made = dict(plain)
        for name in ("path", "place"):
            made[name] = os.fsdecode(unquote_to_bytes(made[name]))
        position = cls(**made)
        digest_length(position.fingerprint)
        if digest_length(position.marker) > position.offset or position.inode < 0:
            raise ValueError(f"the offset of a file position is {position.offset}")
        return position
