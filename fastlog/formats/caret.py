"""Format errors that point at the place."""

from fastlog.errors import FormatError
from fastlog.model.printable import printable

_WIDTH = 90


def format_error(text: str, at: int, what: str) -> FormatError:
    """The error for the place ``at`` of a format string: what is wrong, the string, and a caret."""
    start = max(0, at - _WIDTH // 2) if len(text) > _WIDTH else 0
    shown = printable(text[start : start + _WIDTH])
    column = len(printable(text[start:at]))
    return FormatError(f"--format: {what}\n  {shown}\n  {' ' * column}^")
