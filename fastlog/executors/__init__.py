"""Executors: who runs the reader, the workers and the merger, and how they speak.

Decision: children are started as fresh interpreters (``subprocess``, one socket
pair each), not with ``multiprocessing``. A fork would copy a threaded program's
locks in whatever state they are, and hand every child its siblings' descriptors,
so that no end of file would come; ``spawn`` and ``forkserver`` import the
caller's ``__main__`` again. A fresh interpreter that inherits the descriptors
named to it, and nothing else, has neither fault, and works under every program
that imports fastlog.
"""
