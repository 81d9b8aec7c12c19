"""What was meant by a word that is not known."""

from collections.abc import Sequence


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """``: did you mean 'x'?``, or nothing where no known word is like it."""
    from difflib import get_close_matches

    close = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
