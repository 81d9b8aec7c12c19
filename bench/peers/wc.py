"""``wc -l``, the floor: reading, and finding newlines."""

from typing import BinaryIO

from bench.peers.answer import Answer
from bench.peers.peer import Peer, program


def read(printed: BinaryIO) -> Answer:
    """``COUNT PATH``."""
    return Answer(lines=int(printed.read().split()[0]))


PEER = Peer("wc -l", program("wc", "--version"), lambda task: ["wc", "-l", task.path], read)
