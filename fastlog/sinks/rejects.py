"""Rejected lines in a file: one a line, with its file, byte offset, reason, field and text between tabs."""

from collections.abc import Iterable

from fastlog.errors import FastlogError
from fastlog.model.events import Event, Reject
from fastlog.model.printable import printable
from fastlog.sinks.output import ClosedOutput, Output, Path

_BUFFER = 64 * 1024


class RejectsSink:
    """Writes each Reject to the file at ``path``, created, emptied or cut; other events are not its concern.

    Lines are gathered up to 64 KiB: ``flush`` where somebody may be looking, ``close`` at the end.
    """

    def __init__(
        self, path: Path, *, inputs: Iterable[Path] = (), data: Output | None = None, keep: int = 0
    ) -> None:
        """``data`` is where the other events go, which must be another file; ``keep`` as in Output."""
        self._output = Output(path, option="--rejects", inputs=inputs, other=data, keep=keep)
        self._pending = bytearray()

    def emit(self, event: Event) -> None:
        if not isinstance(event, Reject):
            return
        # Written out, a tab or newline of the line or of the file's name cannot break the columns.
        reason, _, field = event.reason.partition(": ")
        columns = (
            printable(event.file),
            str(event.offset),
            reason,
            printable(field or "-"),
            printable(event.line),
        )
        self._pending += "\t".join(columns).encode() + b"\n"
        if len(self._pending) >= _BUFFER:
            self.flush()

    def flush(self) -> None:
        data, self._pending = bytes(self._pending), bytearray()
        try:
            self._output.write(data)
        except ClosedOutput as error:  # only standard output may end a run without a word
            raise FastlogError(f"{error}: name a file, or keep it reading") from error

    def settle(self) -> int | None:
        """``flush``, then as in Output."""
        self.flush()
        return self._output.settle()

    def close(self) -> None:
        try:
            self.flush()
        finally:
            self._output.close()
