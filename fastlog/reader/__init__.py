"""The reader's role: sources become chunks, in an order, never further ahead than the hub allows.

Replay and follow differ here alone: in where chunks come from, and in the ticks
with which follow tells that nothing more was there.
"""
