"""Templates of the catalogue: ``{name}`` is a row of its table of fields, all else is literal."""

import re

from fastlog.formats.catalog import FIELDS
from fastlog.formats.fields import END, Field, Layout

_NAME = re.compile(r"\{([a-z ]+)\}")


def parse_template(text: str) -> Layout:
    """The layout of a template. Raises KeyError for a name that the table lacks."""
    pairs: list[tuple[str, Field]] = []
    at = 0
    for found in _NAME.finditer(text):
        pairs.append((text[at : found.start()], FIELDS[found[1]]))
        at = found.end()
    return (*pairs, (text[at:], END)) if text[at:] else tuple(pairs)
