"""Patterns of stamps: strftime's letters, and the regular expressions that they stand for.

A pattern is ``APACHE``, ``ISO8601``, ``EPOCH``, or any strftime string. Of its letters
the usual ones are known; ``%L`` stands here for a fraction of a second in digits,
``%Q`` and ``%K`` for epoch milliseconds and microseconds.

Source: strftime(3); Apache mod_log_config, ``%{format}t``; ISO 8601, 4.3.2.
"""

import re

from fastlog.formats.possessive import possessive

APACHE = "%d/%b/%Y:%H:%M:%S %z"
ISO8601 = "iso8601"
EPOCH = "%s"
EPOCH_MS = "%Q"
EPOCH_US = "%K"
DATE = "%Y-%m-%d"
CLOCK = "%H:%M:%S"
ANY = "any"
"""Any of the above, told apart by its looks: JSON and LTSV do not say which."""

ROLES = {
    APACHE: "time:apache",
    ISO8601: "time:iso8601",
    EPOCH: "time:epoch",
    EPOCH_MS: "time:epoch_ms",
    DATE: "time:date",
    CLOCK: "time:clock",
}

_ISO = (
    r"(?P<Y>[0-9]{4})-?(?P<m>[0-9]{2})-?(?P<d>[0-9]{2})[Tt ](?P<H>[0-9]{2}):?(?P<M>[0-9]{2}):?(?P<S>[0-9]{2})"
    + possessive("(?:[.,][0-9]{1,12}+)", "?")
    + possessive("(?P<z>Z|z|UTC|GMT| ?[+-][0-9]{2}" + possessive("(?::?[0-9]{2})", "?") + ")", "?")
)
_LETTERS = {
    "Y": r"(?P<Y>[0-9]{4})",
    "y": r"(?P<y>[0-9]{2})",
    "m": r"(?P<m>[0-9]{1,2}+)",
    "d": r"(?P<d>[0-9]{1,2}+)",
    "e": r" ?(?P<d>[0-9]{1,2}+)",
    "j": r"(?P<j>[0-9]{3})",
    "b": r"(?P<b>[A-Za-z]{3})",
    "h": r"(?P<b>[A-Za-z]{3})",
    "B": r"(?P<b>[A-Za-z]{3,9}+)",
    "a": r"[A-Za-z]{3}",
    "A": r"[A-Za-z]{6,9}+",
    "H": r"(?P<H>[0-9]{1,2}+)",
    "k": r" ?(?P<H>[0-9]{1,2}+)",
    "I": r"(?P<I>[0-9]{1,2}+)",
    "l": r" ?(?P<I>[0-9]{1,2}+)",
    "p": r"(?P<p>[AaPp][Mm])",
    "P": r"(?P<p>[AaPp][Mm])",
    "M": r"(?P<M>[0-9]{1,2}+)",
    "S": r"(?P<S>[0-9]{1,2}+)(?:[.,][0-9]{1,12})?",  # gives its fraction back to a ".%L"
    "z": r"(?P<z>[+-][0-9]{4})",
    "Z": r"(?P<z>[A-Za-z]{1,5}+)",
    "u": r"[1-7]",
    "w": r"[0-6]",
    "U": r"[0-9]{2}",
    "W": r"[0-9]{2}",
    "V": r"[0-9]{2}",
    "G": r"[0-9]{4}",
    "g": r"[0-9]{2}",
    "s": r"(?P<s>-?[0-9]{1,12}+)" + possessive(r"(?:\.[0-9]{1,12}+)", "?"),
    "Q": r"(?P<Q>-?[0-9]{1,15}+)",
    "K": r"(?P<K>-?[0-9]{1,18}+)",
    "L": r"[0-9]{1,9}+",
    "%": r"%",
}
_OURS = frozenset("KLQ")
_SHORT = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "D": "%m/%d/%y", "R": "%H:%M", "c": "%a %b %e %H:%M:%S %Y",
          "r": "%I:%M:%S %p", "x": "%m/%d/%y", "X": "%H:%M:%S", "n": "\n", "t": "\t"}  # fmt: skip
_LETTER = re.compile(r"%[EO^_#0-]?(.)|%\Z", re.DOTALL)


def spelled_out(pattern: str, *, strict: bool = False) -> str:
    """A strftime string without its abbreviations; ``strict`` knows none of our own letters.

    Raises KeyError with the letter that is not known.
    """
    text = _LETTER.sub(lambda found: _SHORT.get(found[1] or "", found[0]), pattern)
    for found in _LETTER.finditer(text):
        if found[1] not in _LETTERS or (strict and found[1] in _OURS):
            raise KeyError(found[0])
    return text


def stamp_regex(pattern: str) -> str:
    """The regular expression of a pattern: each part that makes the time is a named group."""
    if pattern == ISO8601:
        return _ISO
    text = spelled_out(pattern)
    parts = []
    seen: set[str] = set()
    at = 0
    for found in _LETTER.finditer(text):
        regex = _LETTERS[found[1]]
        groups = set(re.findall(r"\?P<\w>", regex))
        for group in groups & seen:  # said twice, perhaps by another letter: the first one counts
            regex = regex.replace(group, "?:")
        seen |= groups
        parts += [re.escape(text[at : found.start()]), regex]
        at = found.end()
    parts.append(re.escape(text[at:]))
    return "".join(parts)


def anonymous(regex: str) -> bytes:
    """A regular expression without the names of its groups, to stand in a larger one."""
    return re.sub(r"\?P<\w>", "?:", regex).encode()


def is_whole(pattern: str, *, zoned: bool = False) -> bool:
    """Whether a pattern alone gives date and time; with ``zoned``, the zone too."""
    if pattern in (ISO8601, ANY):
        return True
    groups = set(re.findall(r"\?P<(\w)>", stamp_regex(pattern)))
    day = bool(groups & {"Y", "y"}) and ({"m", "d"} <= groups or {"b", "d"} <= groups or "j" in groups)
    clock = ("H" in groups or {"I", "p"} <= groups) and "M" in groups
    return bool(groups & {"s", "Q", "K"}) or (day and clock and ("z" in groups or not zoned))
