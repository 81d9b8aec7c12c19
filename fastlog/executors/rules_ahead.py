"""A rules file, read by a copy of the command while the command loads what every run needs.

To load what reads and checks rules takes a tenth of the start of a run. The copy tells the rules alone: where
there is a fault in them, or somebody to notify, the command reads the file itself.
"""

import json
import os
import select
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from fastlog.executors.forked import fork
from fastlog.executors.guard import leave_with_hub

if TYPE_CHECKING:
    from fastlog.model.rules import Rule


_PATIENCE_SECONDS = 5.0
"""How long the command waits for the copy, which may be stopped: signals wait as long."""


class RulesAhead:
    """The copy that reads ``path``. Raises OSError where none can be made."""

    def __init__(self, path: str) -> None:
        with ExitStack() as theirs, ExitStack() as ours:
            told, telling = os.pipe()
            ours.callback(os.close, told)
            theirs.callback(os.close, telling)
            tied, lifeline = os.pipe()
            ours.callback(os.close, lifeline)
            theirs.callback(os.close, tied)
            self._process = fork(partial(_tell, path, telling, tied, os.getpid()), [telling, tied])
            self._told, self._ours = told, ours.pop_all()

    def rules(self) -> "Sequence[Rule] | None":
        """What is in the file, to be asked once; None where that is still to be read."""
        from fastlog.model.rules import Rule

        poll = select.poll()
        poll.register(self._told, select.POLLIN)
        try:
            if not poll.poll(_PATIENCE_SECONDS * 1000):
                return None
            with open(self._told, "rb", closefd=False) as told:
                said = told.read()
            return None if self._process.wait() else tuple(Rule(**rule) for rule in json.loads(said))
        finally:
            self.close()

    def close(self) -> None:
        """End the copy, if it has not ended. Safe to call twice."""
        self._ours.close()
        self._process.kill()
        self._process.wait()


def _tell(path: str, telling_fd: int, tied: int, parent: int) -> None:
    leave_with_hub(tied, parent)
    from fastlog.rulebook.file import read_rules

    if not stat.S_ISREG(os.stat(path).st_mode):  # what is read there once is gone
        return
    file = read_rules(path)
    if file.notify:
        return
    with open(telling_fd, "wb") as telling:
        telling.write(json.dumps([rule._asdict() for rule in file.rules]).encode())
    os._exit(0)
