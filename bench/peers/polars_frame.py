"""Polars: ``scan_csv`` with its columns and types given, and lazy ``group_by``."""

import os
from typing import TYPE_CHECKING, Any

from bench.peers.answer import Answer
from bench.peers.peer import COLUMNS, LINE, Peer, Task, distribution, read_json, say, script

if TYPE_CHECKING:
    from polars import LazyFrame

_CELL = ("time", "section", "status")


def fold(task: Task) -> Answer:
    """The answer."""
    os.environ["POLARS_MAX_THREADS"] = str(task.threads)  # it looks when it is imported
    import polars as pl

    both = (pl.col("hits").sum(), pl.col("bytes").sum())
    hit = _lines(task) if task.odd else _table(task)
    if task.question == "cells":
        hit = hit.group_by(_CELL).agg(both).collect(engine="streaming").lazy()
    # One scan feeds all three.
    by: list[Any] = pl.collect_all([hit.group_by(name).agg(both) for name in _CELL], engine="streaming")
    times, sections, statuses = by
    at = times["time"].str.to_datetime("[%d/%b/%Y:%H:%M:%S", strict=False).dt.epoch("s")
    return Answer(
        hits=times["hits"].sum(),
        bytes=times["bytes"].sum(),
        first=at.min(),
        last=at.max(),
        seconds=times.height,
        busiest=times["hits"].max(),
        heaviest=times["bytes"].max(),
        squares=times["hits"].pow(2).sum(),
        sections=dict(sections.select("section", "hits").iter_rows()),
        statuses={str(status): count for status, count in statuses.select("status", "hits").iter_rows()},
    )


def _table(task: Task) -> "LazyFrame":
    """The log as a table."""
    import polars as pl

    types = {"status": pl.Int16, "size": pl.Int64}
    schema = {name: types.get(name, pl.String) for name in COLUMNS[task.format]}
    log = pl.scan_csv(task.path, separator=" ", has_header=False, schema=schema, null_values={"size": "-"})
    section = pl.col("request").str.extract(r"^[^ ]+ (/[^/?# ]*)", 1).fill_null("-").alias("section")
    return log.select("time", section, "status", hits=pl.lit(1, pl.Int64), bytes=pl.col("size").fill_null(0))


def _lines(task: Task) -> "LazyFrame":
    """The log as lines of any bytes, each taken to pieces by a regex."""
    import polars as pl

    log = pl.scan_csv(
        task.path,
        separator="\x1f",
        quote_char=None,
        has_header=False,
        schema={"line": pl.String},
        encoding="utf8-lossy",
    )
    fields = log.select(pl.col("line").str.extract_groups(LINE).struct.unnest())
    return fields.filter(pl.col("3").is_not_null()).select(
        time="[" + pl.col("1"),
        section=pl.col("2").fill_null("-"),
        status="3",
        hits=pl.lit(1, pl.Int64),
        bytes=pl.col("4").cast(pl.Int64, strict=False).fill_null(0),
    )


PEER = Peer("Polars", distribution("polars"), script(__name__), read_json, threads=lambda: True)

if __name__ == "__main__":
    say(fold)
