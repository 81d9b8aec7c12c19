"""Where events go: as JSON lines or text, to standard output or a file; rejected lines; a progress bar.

A renderer turns an event into bytes and does nothing else; an ``Output`` takes bytes
somewhere and knows nothing of events.
"""
