"""Packed files: what their first bytes look like, and which library unpacks them.

Names do not count: a plain log called ``access.log.gz`` is a plain log. The
libraries all speak as ``bz2.BZ2Decompressor`` does, so that one loop serves them
all (``sources.packed``); they are imported when a file needs them.

Decision: gzip goes through ISA-L (``isal``), which is quicker than zlib-ng and several
times as quick as the standard library's zlib. zstd is Python's own
``compression.zstd``, before 3.14 its backport by the same author: half a megabyte,
where ``zstandard`` is over five.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

MEMORY_LIMIT = 1 << 27
"""Most bytes of window that a file may ask for: ``xz -9`` needs 64 MiB, ``zstd -22`` 128 MiB."""

_GZIP = 16 + 15
_WINDOW_LOG = MEMORY_LIMIT.bit_length() - 1


class Decompressor(Protocol):
    """One member (stream, frame) of a packed file."""

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes before more is given."""

    @property
    def unused_data(self) -> bytes:
        """What was given beyond the end of the member."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """The next bytes, at most ``max_length``; the rest of ``data`` is kept."""


Decoder = tuple[Callable[[], Decompressor], type[Exception]]
"""What makes a decompressor, and what that raises when the data are damaged."""


class Packing(NamedTuple):
    """A way to pack a file. ``decoder`` raises ImportError where ``needs`` is not installed."""

    name: str
    unpack: str
    signatures: tuple[bytes, ...]
    decoder: Callable[[], Decoder]
    needs: str


class _Inflate:
    """The standard library's inflate, which keeps no input of its own, in the manner of the others."""

    def __init__(self) -> None:
        import zlib

        self._inner = zlib.decompressobj(_GZIP)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail and not self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max(0, max_length))


def _gzip() -> Decoder:
    try:
        from isal import igzip_lib
    except ImportError:  # no wheel for this machine: slower, and the same bytes
        import zlib

        return _Inflate, zlib.error
    damaged: type[Exception] = igzip_lib.error  # type: ignore[assignment]  # its stub calls the class an instance
    return lambda: igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP), damaged


def _bzip2() -> Decoder:
    import bz2

    return bz2.BZ2Decompressor, OSError


def _xz() -> Decoder:
    import lzma

    return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY_LIMIT), lzma.LZMAError


def _zstd() -> Decoder:
    try:
        from compression import zstd
    except ImportError:
        from backports import zstd
    options = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
    return lambda: zstd.ZstdDecompressor(options=options), zstd.ZstdError


_BLOCK, _END = bytes.fromhex("314159265359"), bytes.fromhex("177245385090")  # pi, and its root
_FRAME, _SKIPPABLE = 0xFD2FB528, range(0x184D2A50, 0x184D2A60)

PACKINGS = (
    # RFC 1952; the third byte is the only method that there is.
    Packing("gzip", "gzip -dc", (b"\x1f\x8b\x08",), _gzip, "isal"),
    # The level and the first block belong to it, since a line of text may well start with BZh.
    Packing(
        "bzip2",
        "bzip2 -dc",
        tuple(b"BZh%d" % level + first for level in range(1, 10) for first in (_BLOCK, _END)),
        _bzip2,
        "a Python that was built with bz2",
    ),
    # The .xz file format, 2.1.1.1.
    Packing("xz", "xz -dc", (b"\xfd7zXZ\x00",), _xz, "a Python that was built with lzma"),
    # RFC 8878, 3.1.
    Packing(
        "zstd",
        "zstd -dc --long=31",
        tuple(magic.to_bytes(4, "little") for magic in (_FRAME, *_SKIPPABLE)),
        _zstd,
        "the package backports.zstd",
    ),
)

SIGNATURE_BYTES = max(len(signature) for packing in PACKINGS for signature in packing.signatures)


def packing_of(head: bytes) -> Packing | None:
    """How a file that starts with ``head`` is packed; None for a plain one.

    Decision: a whole file that is the start of a signature and no text was cut
    there; one that is text (``BZ``) is a line.
    """
    for packing in PACKINGS:
        if head.startswith(packing.signatures):
            return packing
    return None if head.isascii() else _begun(head)


def is_undecided(head: bytes) -> bool:
    """Whether more bytes may make ``head`` the start of a packed file."""
    return _begun(head) is not None


def _begun(head: bytes) -> Packing | None:
    for packing in PACKINGS:
        if any(len(head) < len(whole) and whole.startswith(head) for whole in packing.signatures):
            return packing
    return None
