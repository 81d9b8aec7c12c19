"""DuckDB: ``read_csv`` with its columns and types given, and one query."""

from bench.peers.answer import Answer
from bench.peers.peer import COLUMNS, LINE, Peer, Task, distribution, read_json, say, script
from bench.peers.sql import answer, select

_TYPES = {"status": "SMALLINT", "size": "BIGINT"}


def fold(task: Task) -> Answer:
    """The answer."""
    import duckdb

    epoch = "CAST(epoch(try_strptime(time, '[%d/%b/%Y:%H:%M:%S')) AS BIGINT)"
    connection = duckdb.connect(config={"threads": task.threads, "preserve_insertion_order": False})
    query = select(_lines() if task.odd else _table(task), epoch, task.question)
    return answer(connection.execute(query, [task.path]).fetchall())


def _table(task: Task) -> str:
    """The log as a table."""
    columns = ", ".join(f"'{name}': '{_TYPES.get(name, 'VARCHAR')}'" for name in COLUMNS[task.format])
    return f"""
        SELECT time, regexp_extract(request, '^[^ ]+ (/[^/?# ]*)', 1) AS section, status,
               coalesce(size, 0) AS size
        FROM read_csv(?, delim = ' ', quote = '"', escape = '"', header = false, auto_detect = false,
                      nullstr = '-', columns = {{{columns}}})"""


def _lines() -> str:
    """The log as lines of any bytes, each taken to pieces by a regex."""
    return f"""
        SELECT '[' || f.time AS time, f.section AS section, f.status AS status,
               coalesce(try_cast(f.size AS BIGINT), 0) AS size
        FROM (SELECT regexp_extract(line, '{LINE}', ['time', 'section', 'status', 'size']) AS f
              FROM read_csv(?, delim = '\x1f', quote = '', escape = '', header = false, auto_detect = false,
                            strict_mode = false, ignore_errors = true,
                            columns = {{'line': 'VARCHAR'}}))
        WHERE f.status <> ''"""


PEER = Peer("DuckDB", distribution("duckdb"), script(__name__), read_json, threads=lambda: True)

if __name__ == "__main__":
    say(fold)
