"""The rules file: read whole, understood, and checked before any log is read."""
