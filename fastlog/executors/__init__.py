"""Executors: who runs the reader, the workers and the merger, and how they speak.

Decision: children are started as fresh interpreters (``subprocess``, one socket
pair each), not with ``multiprocessing``. A fork would copy a threaded program's
locks in whatever state they are, and hand every child its siblings' descriptors,
so that no end of file would come; ``spawn`` and ``forkserver`` import the
caller's ``__main__`` again. A fresh interpreter that inherits the descriptors
named to it, and nothing else, has neither fault, and works under every program
that imports fastlog.

Decision: the command itself, on Linux, copies its first children (``forked``). It
does so before it has a thread, a loop or a file, and every copy closes what is not
its own, so neither fault can come; four interpreters that load the same modules on
two processors were most of what a short log takes. Children that take the place of
dead ones, and those of a program that uses the API, are fresh.

Decision: one copy more reads the rules file (``rules_ahead``): the children would wait
while the command loads what that takes, and by then a second processor has nothing to do.
"""
