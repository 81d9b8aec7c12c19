"""Frames between the processes: a length, a header in JSON, then raw bytes.

A frame is ``<u32 header length><u32 payload length><header><payload>``, little
endian. A partial's columns are the payload, each in as few bytes a value as will do: see
``model.narrow``. Nothing is pickled.

Decision: the headers go through the standard library. There is one for a megabyte or more of
log, and orjson takes as long to load as a thousand of them to read, in every child.
"""

import json
import socket
import struct
from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from fastlog.errors import WireError
from fastlog.model.chunk import (
    Block,
    ByteRange,
    Chunk,
    Closed,
    Item,
    Left,
    Notice,
    Opened,
    Placed,
    Switched,
    Tick,
)
from fastlog.model.measured import Packed
from fastlog.model.narrow import WIDTHS, Narrow, narrowed, widened
from fastlog.model.partial import COLUMNS, Partial
from fastlog.model.position import FilePosition

PREFIX = struct.Struct("<II")
_COUNT = struct.Struct("<I")
_DESCRIPTORS = 200
"""Sent in one message: the kernel takes 253."""
MAX_HEADER = 1 << 26
MAX_PAYLOAD = 1 << 30

Header = dict[str, Any]

_ITEMS = {
    kind.__name__: kind for kind in (ByteRange, Block, Opened, Switched, Closed, Tick, Placed, Left, Notice)
}


def frame(header: Header, payload: bytes = b"") -> tuple[bytes, ...]:
    """A whole frame: what stands before the payload, and the payload, which is not copied.

    Raises WireError for one that no peer would accept.
    """
    head = json.dumps(header, separators=(",", ":")).encode()
    if len(head) > MAX_HEADER or len(payload) > MAX_PAYLOAD:
        raise WireError(f"a frame of {len(head)} + {len(payload)} bytes is over the limit")
    start = PREFIX.pack(len(head), len(payload)) + head
    return (start, payload) if payload else (start,)


def lengths(prefix: bytes | memoryview) -> tuple[int, int]:
    """The lengths of header and payload. Raises WireError when they are not believable."""
    head, payload = PREFIX.unpack(prefix)
    if head > MAX_HEADER or payload > MAX_PAYLOAD:
        raise WireError(f"a frame announces {head} + {payload} bytes: over the limit")
    return head, payload


def send_descriptors(sock: socket.socket, descriptors: Sequence[int]) -> None:
    """Give open files to the process at the other end. Raises OSError."""
    count = _COUNT.pack(len(descriptors))
    for at in range(0, max(len(descriptors), 1), _DESCRIPTORS):
        socket.send_fds(sock, [count], descriptors[at : at + _DESCRIPTORS])


def receive_descriptors(sock: socket.socket) -> list[int]:
    """The open files that ``send_descriptors`` gave, in its order. Raises ConnectionResetError, OSError."""
    received: list[int] = []
    while True:
        count, some, _, _ = socket.recv_fds(sock, _COUNT.size, _DESCRIPTORS)
        received += some
        if len(count) < _COUNT.size:
            raise ConnectionResetError
        if len(received) == _COUNT.unpack(count)[0]:
            return received


class Channel:
    """Blocking frames over one end of a socket pair: a child's side."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def send(self, header: Header, payload: bytes = b"") -> None:
        for part in frame(header, payload):
            self.sock.sendall(part)

    def receive(self) -> tuple[Header, bytes] | None:
        """The next frame; None when the other end is gone."""
        prefix = self._exactly(PREFIX.size)
        if prefix is None:
            return None
        head_length, payload_length = lengths(prefix)
        head = self._exactly(head_length)
        payload = self._exactly(payload_length)
        if head is None or payload is None:
            return None
        return json.loads(head), payload

    def _exactly(self, size: int) -> bytes | None:
        if not size:
            return b""
        data = bytearray(size)
        view = memoryview(data)
        done = 0
        while done < size:
            received = self.sock.recv_into(view[done:])
            if not received:
                return None
            done += received
        return bytes(data)


def pack_item(item: Item) -> tuple[Header, bytes]:
    """An item of the reader as header and payload."""
    header: Header = {"kind": type(item).__name__}
    payload = b""
    for name in item._fields:
        value = getattr(item, name)
        if isinstance(value, bytes):
            payload = value
        else:
            header[name] = value.to_dict() if isinstance(value, FilePosition) else value
    return header, payload


def unpack_item(header: Header, payload: bytes | memoryview) -> Item:
    """The item of a header and payload. Raises WireError when it is none."""
    fields = dict(header)
    kind = _ITEMS.get(fields.pop("kind", ""))
    if kind is None:
        raise WireError(f"an item of kind {header.get('kind')!r} is not known")
    if kind is Block:
        fields["data"] = bytes(payload)
    for name in ("position", "former"):
        if fields.get(name) is not None:
            fields[name] = FilePosition.from_dict(fields[name])
    item: Item = kind(**fields)
    return item


def unpack_chunk(header: Header, payload: bytes) -> Chunk:
    """As unpack_item, for what must be a chunk."""
    item = unpack_item(header, payload)
    if not isinstance(item, ByteRange | Block):
        raise WireError(f"{type(item).__name__} is not a chunk")
    return item


def pack_partial(partial: Partial) -> tuple[Header, bytes]:
    """A partial as header and payload."""
    columns = [getattr(partial, name) for name in COLUMNS]
    entries = partial.measured.narrow() if len(partial.measured) else []
    keys = [*partial.sections, *partial.methods]
    rejected_lines = [line for _, _, line in partial.rejects]
    columns += [array("q", map(len, keys)), array("q", map(len, rejected_lines))]
    packed = [Narrow(len(column), *narrowed(column)) for column in columns]
    header: Header = {
        "lines": partial.lines,
        "rejected": partial.rejected,
        "future": partial.future,
        "total_bytes": str(partial.total_bytes),
        "sections": len(partial.sections),
        "rejects": [(offset, reason) for offset, reason, _ in partial.rejects],
        "columns": [(count, width, least) for count, width, least, _ in packed],
        "measured": [(count, width, least) for count, width, least, _ in entries],
        "key_text": len(partial.measured.key_text),
    }
    texts = [partial.measured.key_text, *keys, *rejected_lines]
    return header, b"".join([*(column.data for column in (*packed, *entries)), *texts])


def unpack_partial(header: Header, payload: bytes | memoryview) -> Partial:
    """The partial of a header and payload. Raises WireError when they do not fit together."""
    columns, rest = _columns(header["columns"], memoryview(payload))  # a slice of it copies nothing
    entries, rest = _columns(header["measured"], rest)
    *named, key_lengths, line_lengths = [
        widened(width, least, count, data) for count, width, least, data in columns
    ]
    key_text, rest = rest[: header["key_text"]], rest[header["key_text"] :]
    texts = _texts([*key_lengths, *line_lengths], rest)
    keys, rejected_lines = texts[: len(key_lengths)], texts[len(key_lengths) :]
    sections = header["sections"]
    partial = Partial(
        lines=header["lines"],
        rejected=header["rejected"],
        future=header["future"],
        total_bytes=int(header["total_bytes"]),
        sections=keys[:sections],
        methods=keys[sections:],
        rejects=[
            (offset, reason, line)
            for (offset, reason), line in zip(header["rejects"], rejected_lines, strict=True)
        ],
    )
    for name, column in zip(COLUMNS, named, strict=True):
        setattr(partial, name, column)
    if entries:
        partial.measured = Packed(entries, key_text)
    return partial


def _columns(packed: Sequence[tuple[int, int, int]], payload: memoryview) -> tuple[list[Narrow], memoryview]:
    """The columns of these counts, widths and least values, and what stands behind them."""
    columns, at = [], 0
    for count, width, least in packed:
        stop = at + count * width
        if width not in WIDTHS:
            raise WireError(f"a column of {width} bytes a value")
        if stop > len(payload):
            raise WireError("a partial is cut short")
        columns.append(Narrow(count, width, least, payload[at:stop]))
        at = stop
    return columns, payload[at:]


def _texts(sizes: Sequence[int], data: memoryview) -> list[bytes]:
    ends = list(accumulate(sizes))
    if (ends[-1] if ends else 0) != len(data):
        raise WireError("a partial's keys do not fill its frame")
    return [bytes(data[end - size : end]) for end, size in zip(ends, sizes, strict=True)]
