"""Parsers: a chunk of log becomes a Partial. One definition, a quick way and, later, a native twin."""
