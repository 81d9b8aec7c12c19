"""What DuckDB and ClickHouse are asked: one query over a relation of time, section, status, size."""

from collections.abc import Iterable
from typing import Any

from bench.peers.answer import Answer
from bench.peers.peer import Question

_ROWS: dict[Question, str] = {
    "totals": "SELECT time, section, status, 1 AS hits, size AS bytes FROM hit",
    "cells": "SELECT time, section, status, count(*) AS hits, sum(size) AS bytes FROM hit GROUP BY 1, 2, 3",
}
_SECONDS, _SECTIONS, _STATUSES = 0b011, 0b101, 0b110  # as grouping() says it: a bit for what is summed over


def select(hit: str, epoch: str, question: Question) -> str:
    """The query: a row for the seconds, one for each section, one for each status.

    ``hit`` is a SELECT that gives the relation, ``epoch`` an expression of ``time`` (text)
    that gives epoch seconds.
    """
    return f"""
WITH hit AS ({hit}), cell AS ({_ROWS[question]}),
folded AS (
    SELECT grouping(time, section, status) AS kind, time, section, status, sum(hits) AS n, sum(bytes) AS size
    FROM cell GROUP BY GROUPING SETS ((time), (section), (status))
),
named AS (
    SELECT kind, n, size,
        CASE kind WHEN {_SECTIONS} THEN section WHEN {_STATUSES} THEN CAST(status AS VARCHAR) ELSE '' END
            AS name,
        CASE kind WHEN {_SECONDS} THEN {epoch} ELSE 0 END AS epoch
    FROM folded
)
SELECT kind, name, sum(n), sum(size), count(*), max(n), max(size), sum(n * n), min(epoch), max(epoch)
FROM named GROUP BY kind, name
"""


def answer(rows: Iterable[Any]) -> Answer:
    """The answer from the query's rows."""
    sections: dict[str, int] = {}
    statuses: dict[str, int] = {}
    totals: dict[str, int] = {}
    for kind, name, *numbers in rows:
        hits, size, seconds, busiest, heaviest, squares, first, last = map(int, numbers)
        if kind == _SECTIONS:
            sections[name or "-"] = hits
        elif kind == _STATUSES:
            statuses[name] = hits
        else:
            totals = {"hits": hits, "bytes": size, "seconds": seconds, "busiest": busiest}
            totals |= {"heaviest": heaviest, "squares": squares, "first": first, "last": last}
    return Answer(**totals, sections=sections, statuses=statuses)
