"""Programs that answer what fastlog answers, one module each: how it is asked, and how its answer is read.

The questions:

- ``totals``: hits and bytes; by second; by section; by status. ``fastlog --json`` keeps as much.
- ``cells``: hits and bytes for every second, section and status together.
  ``fastlog --json --stats --stats-window 1`` keeps and prints as much.

Each peer is asked in the quickest way found for it, not the first: a column store reads the
log as a table with spaces between its columns, and groups by the stamp's text, so that a
time is parsed once for each second. All of the logs' stamps are UTC; no peer but fastlog
and the naive one looks at the zone.
"""
