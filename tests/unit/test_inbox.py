"""The hub's inbox: frames come out as they were sent, however they were cut on their way."""

import asyncio
import json
from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlog.errors import WireError
from fastlog.executors.inbox import Inbox
from fastlog.executors.wire import PREFIX, Header, frame

Frame = tuple[Header, bytes]


class Valve:
    """A transport of which it is told whether it is to read on."""

    open = True

    def pause_reading(self) -> None:
        self.open = False

    def resume_reading(self) -> None:
        self.open = True

    def is_closing(self) -> bool:
        return False


def pour(inbox: Inbox, data: bytes, cuts: Sequence[int]) -> int:
    """Put ``data`` in, at most as much at once as each of ``cuts`` says; how many reads it took."""
    at = reads = 0
    while at < len(data):
        space = inbox.get_buffer(-1)
        some = data[at : at + min(len(space), cuts[reads % len(cuts)])]
        space[: len(some)] = some
        inbox.buffer_updated(len(some))
        at, reads = at + len(some), reads + 1
    return reads


async def all_of(inbox: Inbox) -> list[Frame]:
    found = []
    while (received := await inbox.receive()) is not None:
        found.append((received[0], bytes(received[1])))
    return found


frames = st.lists(
    st.tuples(
        st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=3),
        st.one_of(st.binary(max_size=40), st.integers(0, 20_000).map(lambda size: b"ab" * size)),
    ),
    max_size=10,
)


@settings(deadline=None)
@given(
    frames,
    st.lists(st.one_of(st.integers(9, 60), st.integers(60, 1 << 16)), min_size=1, max_size=5),
    st.integers(0, 20),
)
def test_frames_come_out_as_they_were_sent(sent: list[Frame], cuts: list[int], lost: int) -> None:
    """However they were cut; of a last one that is not whole nothing comes."""
    inbox = Inbox()
    data = b"".join(b"".join(frame(*one)) for one in sent)
    pour(inbox, data[: len(data) - lost], cuts)
    inbox.connection_lost(None)
    came = asyncio.run(all_of(inbox))
    assert came == sent[: len(came)]
    assert lost or came == sent


def test_who_waits_is_woken() -> None:
    async def run() -> Frame:
        inbox = Inbox()
        waiting = asyncio.get_running_loop().create_task(inbox.receive())
        await asyncio.sleep(0)
        pour(inbox, b"".join(frame({"kind": "End"}, b"xy")), [3])
        received = await waiting
        assert received is not None
        return received[0], bytes(received[1])

    assert asyncio.run(run()) == ({"kind": "End"}, b"xy")


def test_what_is_no_frame_is_refused_behind_those_that_were() -> None:
    async def run() -> None:
        inbox = Inbox()
        good = b"".join(frame({"a": 1}))
        pour(inbox, good + PREFIX.pack(1 << 31, 0), [1 << 16])
        assert await inbox.receive() == ({"a": 1}, b"")
        with pytest.raises(WireError, match="over the limit"):
            await inbox.receive()

    asyncio.run(run())


def test_a_hub_that_does_not_take_them_is_sent_no_more() -> None:
    """Frames in memory are bounded: reading stops until some were taken."""

    async def run() -> None:
        inbox, valve = Inbox(), Valve()
        inbox.connection_made(cast("asyncio.BaseTransport", valve))
        one = PREFIX.pack(2, 0) + json.dumps({}).encode()
        sent = 0
        while valve.open:
            pour(inbox, one, [100])
            sent += 1
            assert sent < 100
        for _ in range(sent):
            assert await inbox.receive() == ({}, b"")
        assert valve.open

    asyncio.run(run())
