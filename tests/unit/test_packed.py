"""Unpacking, from first bytes to damage: the same for every packing, from files and from pipes."""

import bz2
import gzip
import lzma
import os
import random
import select
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastlog.errors import SourceError
from fastlog.sources import files, packed, packings, ranges, stream
from fastlog.sources import raw as raw_source
from fastlog.sources.files import OpenSource, Pace, open_source, plan_ranges
from fastlog.sources.ranges import RangeReader
from fastlog.sources.raw import Raw, RawFile, RawStream
from fastlog.sources.stream import RangeCutter
from tests.packing import PACK, zstd_of_window

LINE = b'192.0.2.%d - - [09/May/2018:16:00:%02d +0000] "GET /%d HTTP/1.0" 200 %d\n'
ZLIB = "gzip by zlib"
gzips = pytest.mark.parametrize("kind", ["gzip", ZLIB], indirect=True)
kinds = pytest.mark.parametrize("kind", [*PACK, ZLIB], indirect=True)


@cache
def log(lines: int, seed: int = 1) -> bytes:
    chance = random.Random(seed)
    return b"".join(
        LINE % (chance.randrange(255), chance.randrange(60), chance.randrange(1 << 30), number)
        for number in range(lines)
    )


def wait(descriptors: Sequence[int], seconds: float | None) -> Sequence[int]:
    return select.select(descriptors, [], [], seconds)[0]


@pytest.fixture
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A packing; gzip also by the library that stands in where there is no isal."""
    if request.param == ZLIB:
        monkeypatch.setitem(sys.modules, "isal", None)
        return "gzip"
    if request.param == "gzip":
        pytest.importorskip("isal")
    return str(request.param)


@pytest.fixture
def from_file(tmp_path: Path) -> Iterator[Callable[[bytes], Raw]]:
    opened: list[OpenSource] = []

    def begin(data: bytes) -> Raw:
        path = tmp_path / "log"
        path.write_bytes(data)
        opened.append(open_source(path))
        return RawFile(opened[-1])

    yield begin
    for source in opened:
        os.close(source.fd)


@pytest.fixture
def from_pipe() -> Iterator[Callable[[bytes], Raw]]:
    ends: list[int] = []
    writers: list[threading.Thread] = []

    def begin(data: bytes) -> Raw:
        out, into = os.pipe()
        ends.append(out)

        def write() -> None:
            with open(into, "wb") as file:
                file.write(data)

        writers.append(threading.Thread(target=write))
        writers[-1].start()
        return RawStream(OpenSource("log", out, 0, None), wait)

    yield begin
    for writer, end in zip(writers, ends, strict=True):
        while os.read(end, 1 << 16):
            pass
        writer.join()
        os.close(end)


@pytest.fixture(params=["from_file", "from_pipe"])
def raw(request: pytest.FixtureRequest) -> Callable[[bytes], Raw]:
    """The same bytes as a file and as a pipe."""
    begin: Callable[[bytes], Raw] = request.getfixturevalue(request.param)
    return begin


def unpacked(raw: Raw) -> tuple[bytes, str]:
    """All that comes, and what is said at the end."""
    given = b""
    try:
        for piece in packed.unpack(raw):
            given += piece
    except SourceError as error:
        return given, str(error)
    return given, ""


@kinds
def test_members_follow_one_another_with_zeros_between(kind: str, raw: Callable[[bytes], Raw]) -> None:
    parts = [log(300), b"", log(1), log(6_000, seed=2)]
    data = b"".join(PACK[kind](part) + b"\0" * 4 * number for number, part in enumerate(parts))
    assert unpacked(raw(data + b"\0" * 10_000)) == (b"".join(parts), "")


def test_members_of_different_packings(raw: Callable[[bytes], Raw]) -> None:
    assert unpacked(raw(b"".join(pack(log(5)) for pack in PACK.values()))) == (log(5) * len(PACK), "")


@gzips
def test_a_thousand_members_of_a_line_each(kind: str, raw: Callable[[bytes], Raw]) -> None:
    lines = log(1000)
    data = b"".join(map(gzip.compress, lines.splitlines(keepends=True)))
    assert unpacked(raw(data)) == (lines, "")


def test_zstd_frames_that_are_to_be_skipped(raw: Callable[[bytes], Raw]) -> None:
    skip = (0x184D2A53).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"hello"
    assert unpacked(raw(skip + PACK["zstd"](log(3)) + skip)) == (log(3), "")


@gzips
def test_gzip_with_every_field_in_its_header(kind: str, raw: Callable[[bytes], Raw]) -> None:
    head = b"\x1f\x8b\x08\x1e" + b"\0" * 6 + b"\x02\0ab" + b"access.log\0" + b"of a server\0"
    data = head + (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little") + gzip.compress(log(9), mtime=0)[10:]
    assert unpacked(raw(data)) == (log(9), "")


@kinds
def test_a_file_that_is_cut_anywhere_gives_a_beginning_and_says_so(
    kind: str, from_file: Callable[[bytes], Raw]
) -> None:
    lines = log(12)
    whole = PACK[kind](lines)
    sizes = []
    for end in range(packings.SIGNATURE_BYTES, len(whole)):
        given, said = unpacked(from_file(whole[:end]))
        assert lines.startswith(given)
        assert f"ends in the middle of its {kind} data, at byte {end}: " in said
        sizes.append(len(given))
    assert sizes == sorted(sizes)


@kinds
def test_a_flipped_bit_never_passes(kind: str, from_file: Callable[[bytes], Raw]) -> None:
    lines = log(4)
    whole = PACK[kind](lines) + PACK[kind](lines)
    for at in range(len(whole) // 2, len(whole)):
        given, said = unpacked(from_file(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :]))
        assert given.startswith(lines)
        assert said or given == lines * 2  # what is not the log: a time, the name of a system


@gzips
@pytest.mark.parametrize("behind", [8, 4])
@pytest.mark.parametrize("lines", [3, 9_000])
def test_gzip_with_a_wrong_checksum_or_length_gives_all_of_it(
    behind: int, lines: int, kind: str, raw: Callable[[bytes], Raw]
) -> None:
    whole = bytearray(gzip.compress(log(lines).rstrip(b"\n")))
    whole[-behind] ^= 1
    given, said = unpacked(raw(bytes(whole)))
    assert given == log(lines).rstrip(b"\n")
    assert "its gzip data are damaged near byte " in said


@gzips
def test_what_stands_before_damage_is_given_to_the_byte(kind: str, from_file: Callable[[bytes], Raw]) -> None:
    """Far inside a long member: a decompressor keeps what it had unpacked when it fails."""
    lines = log(20_000)
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    first = packer.compress(lines) + packer.flush(zlib.Z_SYNC_FLUSH)
    # Then a stored block whose length contradicts itself.
    given, said = unpacked(from_file(first + b"\x00\x12\x34\x12\x34" + first[: 1 << 20]))
    assert given == lines
    assert f"damaged near byte {len(first) + 5}: " in said


@gzips
def test_a_pipe_gives_what_stands_before_damage_but_for_a_piece(
    kind: str, from_pipe: Callable[[bytes], Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_source, "KEPT_BYTES", 1000)
    lines = log(9_000)
    whole = bytearray(gzip.compress(lines))
    whole[-8] ^= 1
    given, said = unpacked(from_pipe(bytes(whole)))
    assert lines.startswith(given)
    assert len(lines) - len(given) <= packed._OUT_BYTES
    assert "damaged near byte" in said


@kinds
def test_what_follows_the_last_member_is_said(kind: str, raw: Callable[[bytes], Raw]) -> None:
    whole = PACK[kind](log(5))
    given, said = unpacked(raw(whole + b"\0\0" + b"GARBAGE"))
    assert given == log(5)
    assert f"what follows its {kind} data from byte {len(whole) + 2} on is not packed" in said


def test_windows_that_are_too_large_are_refused_with_what_to_do(raw: Callable[[bytes], Raw]) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 28}]
    given, said = unpacked(raw(lzma.compress(log(2), filters=filters)))
    assert (given, "use xz -dc and read standard input" in said) == (b"", True)


def test_a_zstd_window_that_is_too_large_is_refused_with_what_to_do(raw: Callable[[bytes], Raw]) -> None:
    given, said = unpacked(raw(zstd_of_window(log(2), 28)))
    assert (given, "use zstd -dc --long=31 and read standard input" in said) == (b"", True)
    assert unpacked(raw(zstd_of_window(log(2), 27))) == (log(2), "")


@pytest.mark.parametrize(
    ("kind", "modules", "needs"),
    [
        ("bzip2", ["bz2"], "a Python that was built with bz2"),
        ("xz", ["lzma"], "a Python that was built with lzma"),
        ("zstd", ["compression", "backports"], "the package backports.zstd"),
    ],
)
def test_a_library_that_is_missing_is_named(
    kind: str,
    modules: list[str],
    needs: str,
    from_file: Callable[[bytes], Raw],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = PACK[kind](log(2))
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    given, said = unpacked(from_file(data))
    assert (given, f"is {kind}, and reading that needs {needs}: install it" in said) == (b"", True)


@pytest.mark.parametrize(
    ("pack", "content"),
    [(gzip.compress, b"x"), (bz2.compress, b"x"), (bz2.compress, b"\n"), (PACK["xz"], b"\0")],
)
def test_a_bomb_is_given_up(
    pack: Callable[[bytes], bytes],
    content: bytes,
    raw: Callable[[bytes], Raw],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packed, "BOMB_BYTES", 8 << 20)
    given, said = unpacked(raw(pack(content * (16 << 20))))
    assert 8 << 20 <= len(given) + packed._OUT_BYTES < 9 << 20
    assert "which no log does" in said


@kinds
def test_the_same_line_over_and_over_is_no_bomb(
    kind: str, from_file: Callable[[bytes], Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "BOMB_BYTES", 1 << 20)
    lines = log(1) * 30_000
    assert len(PACK[kind](lines)) * 200 < len(lines)
    assert unpacked(from_file(PACK[kind](lines))) == (lines, "")


@pytest.mark.parametrize(
    "head",
    [b"", b"B", b"BZ", b"BZh9", b"BZh91AY line", b"\x1f", b"\x1f\x8b\x00 line", b"(", b"\xfd7z", b"PK\x03"],
)
def test_what_only_looks_packed(head: bytes) -> None:
    assert packings.packing_of(head + b" and more of a line\n") is None


@pytest.mark.parametrize(("head", "kind"), [(b"\x1f\x8b", "gzip"), (b"\xfd7z", "xz"), (b"(\xb5/", "zstd")])
def test_what_was_cut_within_its_first_bytes(
    head: bytes, kind: str, from_file: Callable[[bytes], Raw]
) -> None:
    given, said = unpacked(from_file(head))
    assert (given, f"ends in the middle of its {kind} data" in said) == (b"", True)


@pytest.mark.parametrize("begun", [1, 2, 16, 17, 40, 100, 255, 256])
def test_pieces_of_many_files_that_wait_for_one_are_bounded(begun: int) -> None:
    pace = Pace(300)
    pace.begun = begun
    assert begun * pace.length(4 << 20, alone=1 << 22) <= 16 << 20
    assert pace.length(0, alone=1 << 22) * 256 <= 16 << 20


@gzips
def test_progress_is_what_was_read_of_the_packed_file(kind: str, raw: Callable[[bytes], Raw]) -> None:
    data = PACK[kind](log(20_000)) + bytes(100)
    cuts = list(packed.read_packed(raw(data), Pace(1)))
    assert b"".join(cut.data for cut in cuts) == log(20_000)
    assert sum(cut.taken or 0 for cut in cuts) == len(data)
    assert len(cuts) > 1


@given(data=st.data(), length=st.integers(1, 40), limit=st.integers(0, 30))
def test_blocks_are_cut_where_ranges_of_the_plain_file_are(
    data: st.DataObject, length: int, limit: int
) -> None:
    text = data.draw(st.lists(st.sampled_from([b"\n", b"a", b"bcdefgh", b"i" * 37])).map(b"".join))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "CHUNK_BYTES", length)
        patch.setattr(files, "RANGE_BYTES", length)
        patch.setattr(stream, "LINE_LIMIT", limit)
        patch.setattr(ranges, "_LONGEST", limit + 2)
        pace = Pace(files=data.draw(st.integers(1, 2)))
        cutter = RangeCutter(lambda start: pace.length(start, length))
        blocks: list[tuple[int, bytes]] = []
        rest = text
        while rest:
            size = data.draw(st.integers(1, 50))
            blocks += cutter.feed(rest[:size])
            rest = rest[size:]
        blocks += cutter.rest()
        assert shortened(blocks, limit) == shortened(plain_blocks(text, pace), limit)


def plain_blocks(text: bytes, pace: Pace) -> list[tuple[int, bytes]]:
    """What workers read of a regular file of those bytes, ranges without a line left out."""
    reader = RangeReader()
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(text)
        read = [
            [(start, bytes(lines)) for start, lines in reader.lines(file.fileno(), *edges, 0, len(text))]
            for edges in plan_ranges(0, len(text), pace)
        ]
    return [(pieces[0][0], b"".join(lines for _, lines in pieces)) for pieces in read if pieces]


def shortened(blocks: list[tuple[int, bytes]], limit: int) -> list[tuple[int, list[bytes]]]:
    """The lines of blocks. How much there is of one that is too long does not count."""
    return [(start, [line[: limit + 2] for line in lines.split(b"\n")]) for start, lines in blocks]
