"""A case that fails, made smaller."""

import time
from collections.abc import Callable
from dataclasses import replace

from tests.fuzz.trials import Case

Fails = Callable[[Case], bool]


def shrunk(case: Case, fails: Fails, until: float) -> Case:
    """A smaller case that fails as well: without cuts, lines and bytes that need not be there.

    ``until`` is the value of ``time.monotonic`` at which it is small enough.
    """
    for smaller in (replace(case, chunks=frozenset()), replace(case, blocks=frozenset())):
        case = smaller if fails(smaller) else case
    return _without_bytes(_without_lines(case, fails, until), fails, until)


def _without_lines(case: Case, fails: Fails, until: float) -> Case:
    size = len(case.lines)
    while size:
        at = 0
        while at < len(case.lines) and time.monotonic() < until:
            smaller = replace(case, lines=case.lines[:at] + case.lines[at + size :])
            if smaller.lines and fails(smaller):
                case = smaller
            else:
                at += size
        size //= 2
    return case


def _without_bytes(case: Case, fails: Fails, until: float) -> Case:
    for number, line in enumerate(case.lines):
        size = len(line) // 2
        while size:
            at = 0
            while at < len(line) - 1 and time.monotonic() < until:
                stop = min(at + size, len(line) - 1)  # its last byte stays: it is the end of the line
                smaller = replace(
                    case, lines=(*case.lines[:number], line[:at] + line[stop:], *case.lines[number + 1 :])
                )
                if fails(smaller):
                    case, line = smaller, smaller.lines[number]
                else:
                    at += size
            size //= 2
    return case
