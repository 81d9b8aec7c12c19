"""The keys of a JSON format, made ready for the compiled parser: see json.h."""

from collections.abc import Container
from typing import NamedTuple

from fastlog.formats.json_keys import ROLES, JsonKeys

MOST_KEYS, MOST_NODES, MOST_KEY_BYTES = 64, 16, 4096
"""FL_JSON_KEYS and FL_JSON_NODES of json.h; keys longer than that are for the definition."""


class Wanted(NamedTuple):
    """A key that is looked for in the objects of a node: its value goes to ``slot``, or, where ``child``
    is not 0, it is an object of that node."""

    node: int
    text: bytes
    slot: int
    child: int


class KeyProgram(NamedTuple):
    """The keys in numbers. The slots of role ``r`` of ROLES, or of the host behind them, are ``first[r]``
    up to ``first[r + 1]``, in the order in which they count. ``unit`` is that of the duration, in
    microseconds."""

    keys: tuple[Wanted, ...]
    first: tuple[int, ...]
    unit: float
    has_status: bool


def key_program(keys: JsonKeys, needs: Container[str] = ()) -> KeyProgram | None:
    """The program of a JSON format; None where only the definition reads its lines.

    ``needs`` are the fields that rules look at: the host is read for them alone.
    """
    wanted: list[Wanted] = []
    nodes = {"": 0}
    first = [0]
    for role in (*ROLES, "host"):
        asked = role != "host" or role in needs
        paths = [path for path, named in keys.roles if named == role and asked]
        for slot, path in enumerate(paths, first[-1]):
            wanted.append(Wanted(_node(path, nodes, wanted), path.rpartition(".")[2].encode(), slot, 0))
        first.append(first[-1] + len(paths))
    if (
        len(wanted) > MOST_KEYS
        or len(nodes) > MOST_NODES
        or any(len(key.text) > MOST_KEY_BYTES for key in wanted)
    ):
        return None
    return KeyProgram(tuple(wanted), tuple(first), keys.unit(), keys.wants("status"))


def _node(path: str, nodes: dict[str, int], wanted: list[Wanted]) -> int:
    """The number of the node that holds the last key of a path; keys above it become wanted."""
    parent = path.rpartition(".")[0]
    if parent not in nodes:
        above = _node(parent, nodes, wanted)
        nodes[parent] = len(nodes)
        wanted.append(Wanted(above, parent.rpartition(".")[2].encode(), 0, nodes[parent]))
    return nodes[parent]
