"""A notification on the standard input of a program, which is started anew for each."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO

from fastlog.sinks.delivery import DeliveryError


class Program:
    """Runs one command line, without a shell, in a process group of its own. Its output is discarded."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._group: int | None = None

    async def deliver(self, data: bytes) -> None:
        """Run it over ``data``. Raises DeliveryError unless it ends with status 0.

        A program that is cancelled is killed with all that it has started.
        """
        process = self._start()
        assert process.stdin is not None
        try:
            await asyncio.gather(_feed(process.stdin, data), _end(process))
        except BaseException:
            process.stdin.close()
            self.kill()
            await _end(process)
            raise
        finally:
            self._group = None
        status = process.wait()
        if status:
            raise DeliveryError(f"exit status {status}" if status > 0 else f"killed by signal {-status}")

    def _start(self) -> "subprocess.Popen[bytes]":
        """Not by way of the loop: a run that ends before that has told of it would not know its group."""
        try:
            process = subprocess.Popen(
                [
                    argument.encode() for argument in self._command
                ],  # in the rules file's own, whatever the locale
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise DeliveryError(f"cannot be run: {error.strerror}") from None
        self._group = process.pid
        return process

    def kill(self) -> None:
        """Kill the program and its children, if it is running."""
        if self._group is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._group, signal.SIGKILL)


async def _feed(stdin: IO[bytes], data: bytes) -> None:
    """Write ``data`` to its standard input; a program that does not read all of it is its own affair."""
    loop = asyncio.get_running_loop()
    with stdin as pipe:
        fd = pipe.fileno()
        os.set_blocking(fd, False)
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(fd, left) :]
            except BlockingIOError:
                await _told(loop.add_writer, loop.remove_writer, fd)
            except BrokenPipeError:
                return


async def _end(process: "subprocess.Popen[bytes]") -> None:
    """Wait until it has ended; of one that was seen to have, no process is left to wait for."""
    if process.returncode is not None:
        return
    try:
        fd = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # a system, a kernel or a sandbox that has none
        await asyncio.to_thread(process.wait)
        return
    loop = asyncio.get_running_loop()
    try:
        await _told(loop.add_reader, loop.remove_reader, fd)
    finally:
        os.close(fd)
    process.wait()


async def _told(add: Callable[..., object], remove: Callable[[int], object], fd: int) -> None:
    """Wait until the loop, asked by ``add``, calls for ``fd``."""
    called = asyncio.Event()
    add(fd, called.set)
    try:
        await called.wait()
    finally:
        remove(fd)
