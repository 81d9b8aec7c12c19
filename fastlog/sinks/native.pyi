"""Statistics windows in columns as JSON, without a Python object for each."""

from fastlog.model.events import StatsColumns

def render_columns(columns: StatsColumns) -> bytes:
    """A line for each window: the bytes that ``NdjsonRenderer`` gives for its ``Stats``."""
