"""What is said of a log, by fastlog or by a peer, and where two answers differ."""

from dataclasses import dataclass, fields

Table = dict[str, int]
"""Hits by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a peer says of a log; None is what it does not say.

    The seconds are compared by their number, the most hits and the most bytes in one of
    them, and the sum of the squares of their hits, which changes when a hit is moved.
    """

    lines: int | None = None
    hits: int | None = None
    bytes: int | None = None
    first: int | None = None  # epoch seconds
    last: int | None = None
    seconds: int | None = None
    busiest: int | None = None
    heaviest: int | None = None
    squares: int | None = None
    sections: Table | None = None
    statuses: Table | None = None

    def said(self) -> tuple[str, ...]:
        """The fields that it says."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) is not None)


def differences(answer: Answer, reference: Answer) -> dict[str, str]:
    """Where the answer is not the reference's, among what both say: ``{"hits": "hits 99 for 100"}``."""
    found = {}
    for name in answer.said():
        ours, theirs = getattr(answer, name), getattr(reference, name)
        if theirs is None or ours == theirs:
            continue
        if isinstance(ours, dict):
            names = sorted(ours.keys() | theirs.keys())
            wrong = [at for at in names if ours.get(at, 0) != theirs.get(at, 0)]
            hits = sum(abs(ours.get(at, 0) - theirs.get(at, 0)) for at in wrong)
            found[name] = f"{len(wrong)} of {len(names)} {name} ({hits:,} hits)"
        else:
            found[name] = f"{name} {ours:,} for {theirs:,}"
    return found
