"""Groups that are repeated as often as they fit and never given back, ``(?:...)++``, on every CPython.

Decision: before 3.11.5 (Debian 12 has 3.11.2) a group's possessive repeat goes on from where its last, failed
turn had come (gh-106052), and so rejects every line of most formats. There an atomic group does the same,
a sixth slower. Bytes by themselves, ``[^ ]++``, are repeated rightly everywhere.
"""

import sys
from typing import AnyStr

_LOSES_ITS_PLACE = sys.version_info < (3, 11, 5)


def possessive(group: AnyStr, quantifier: AnyStr) -> AnyStr:
    """``group`` with ``quantifier`` (``*``, ``+`` or ``?``), possessively."""
    if isinstance(group, str):
        return f"(?>{group}{quantifier})" if _LOSES_ITS_PLACE else f"{group}{quantifier}+"
    return b"(?>%b%b)" % (group, quantifier) if _LOSES_ITS_PLACE else b"%b%b+" % (group, quantifier)
