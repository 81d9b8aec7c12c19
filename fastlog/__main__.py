"""``fastlog`` and ``python -m fastlog``: the command."""

import gc
import signal


def main() -> int:
    """Run the command; the exit status. Ctrl-C ends it as it ends ``cat``, until fastlog answers."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is to be ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # then nobody would tell how a child ended
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    gc.disable()  # until all is loaded: what is loaded stays, and each look at it takes a while
    from fastlog import cli

    return cli.main()


if __name__ == "__main__":
    raise SystemExit(main())
