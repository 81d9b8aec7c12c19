"""Every failure that fastlog raises, under one root.

The command line prints ``str(error)`` as one line and leaves with
``error.exit_status``; a caller of the API catches ``FastlogError``.
"""


class FastlogError(Exception):
    """Root of all errors. The message names the file or option and what to do.

    Notes (``add_note``) are shown below it: the text at fault, and a caret under the place.
    """

    exit_status = 1


class UsageError(FastlogError):
    """An option, a format or a rule that cannot be used: nothing was read."""

    exit_status = 2


class FormatError(UsageError):
    """A log format that does not compile, or that fits none of the first lines."""


class RuleError(UsageError):
    """A rules file with faults in it. The message is the first fault; the notes have them all."""


class SourceError(FastlogError):
    """A file that cannot be opened or read; the others still are."""


class WireError(FastlogError):
    """A frame between two processes that is not what was agreed."""


class WorkerError(FastlogError):
    """A child process failed, and what it was doing could not be done by another."""


class RecordError(FastlogError):
    """The record of ``--state`` cannot be written; the one before is still there."""
