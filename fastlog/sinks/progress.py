"""A bar on a terminal: bytes done of all, lines a second, time left. A bar that fails stops nothing."""

import os
import threading
from typing import Any, TextIO

_KNOWN = "{percentage:3.0f}% {bar} {n_fmt}B of {total_fmt}B  {desc}  {remaining} left"
_UNKNOWN = "{n_fmt}B  {desc}  {elapsed}"
_DELAY = 0.3


class Progress:
    """A bar over ``total`` bytes; None (or 0) where nobody knows how many come, as on standard input.

    It appears only after a moment, so that a short run has none. ``stream`` is standard error
    where a program has one; a stream that fails, or None, leaves the run without a bar.
    """

    def __init__(self, total: int | None, stream: TextIO | None) -> None:
        self._total = total
        self._hidden = False
        self._drawn = False
        self._bar: Any = None
        if stream is not None:
            self._bar = _bar(total or None, stream)

    def update(self, bytes_done: int, lines_done: int) -> None:
        """Say how far the run has come, in all. Cheap: it draws ten times a second at most."""
        if self._bar is None:
            return
        elapsed = self._bar.format_dict["elapsed"]
        self._bar.desc = f"{lines_done / elapsed if elapsed else 0:,.0f} lines/s"
        done = min(bytes_done, self._total) if self._total else bytes_done
        if self._hidden:
            self._bar.n = done
        else:
            self._draw("update", done - self._bar.n)

    def hide(self) -> None:
        """Clear the line, for text on the same terminal."""
        if self._drawn and not self._hidden:
            self._draw("clear")
        self._hidden = True

    def show(self) -> None:
        """Draw the bar again below that text."""
        if self._drawn and self._hidden:
            self._draw("refresh")
        self._hidden = False

    def close(self) -> None:
        """Take the bar away, for good."""
        if self._bar is not None:
            self._draw("close")
        self._bar, self._drawn = None, False

    def _draw(self, action: str, *arguments: int) -> None:
        try:
            self._drawn = bool(getattr(self._bar, action)(*arguments)) or self._drawn
        except OSError:  # the terminal has gone: so does the bar
            self._bar.disable = True
            self._bar, self._drawn = None, False


def _bar(total: int | None, stream: TextIO) -> Any:
    from tqdm.std import tqdm

    class Bar(tqdm):  # type: ignore[type-arg]  # generic in its stub alone
        monitor_interval = 0  # no thread beside the run

    Bar.set_lock(threading.RLock())  # tqdm's own default is a semaphore between processes
    try:
        sized = min(os.get_terminal_size(stream.fileno())) > 0
    except (OSError, ValueError):  # no terminal, or no descriptor
        sized = False
    # A terminal without a size (serial lines, containers) is taken to be the usual one.
    size = {"dynamic_ncols": True} if sized else {"ncols": 80, "nrows": 24}
    return Bar(
        total=total,
        file=stream,
        unit_scale=True,
        leave=False,
        **size,
        miniters=0,
        smoothing=0.05,
        delay=_DELAY,
        bar_format=_KNOWN if total else _UNKNOWN,
    )
