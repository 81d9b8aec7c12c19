"""chdb, ClickHouse in a process: the format of separated columns, which is quicker than a regex a line."""

import json

from bench.peers.answer import Answer
from bench.peers.peer import COLUMNS, LINE, Peer, Task, distribution, read_json, say, script
from bench.peers.sql import answer, select


def fold(task: Task) -> Answer:
    """The answer."""
    import chdb

    settings = f"""
        SETTINGS max_threads = {task.threads}, format_custom_field_delimiter = ' ',
                 format_custom_escaping_rule = 'CSV'"""
    epoch = "toInt64(toUnixTimestamp(parseDateTimeOrNull(time, '[%d/%b/%Y:%H:%i:%S', 'UTC')))"
    query = select(_lines(task) if task.odd else _table(task), epoch, task.question)
    result = chdb.query(query + settings, "JSONCompact")
    return answer(json.loads(str(result))["data"])


def _table(task: Task) -> str:
    """The log as a table."""
    columns = ", ".join(f"{name} String" for name in COLUMNS[task.format])
    return f"""
        SELECT time, extract(request, '^[^ ]+ (/[^/?# ]*)') AS section, status, toInt64OrZero(size) AS size
        FROM file({_quoted(task.path)}, 'CustomSeparated', '{columns}')"""


def _lines(task: Task) -> str:
    """The log as lines, each taken to pieces by a regex."""
    return f"""
        SELECT '[' || f[1] AS time, f[2] AS section, f[3] AS status, toInt64OrZero(f[4]) AS size
        FROM (SELECT extractGroups(line, {_quoted(LINE)}) AS f
              FROM file({_quoted(task.path)}, 'LineAsString', 'line String'))
        WHERE notEmpty(f)"""


def _quoted(text: str) -> str:
    """A literal in which a backslash is itself."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


PEER = Peer("chdb", distribution("chdb"), script(__name__), read_json, threads=lambda: True)

if __name__ == "__main__":
    say(fold)
