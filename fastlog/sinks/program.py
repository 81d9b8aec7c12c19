"""A notification on the standard input of a program, which is started anew for each."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

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
        null = asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=null,
                stderr=null,
                start_new_session=True,
            )
        except OSError as error:
            raise DeliveryError(f"cannot be run: {error.strerror}") from None
        self._group = process.pid
        try:
            await asyncio.gather(_feed(process, data), process.wait())
        except BaseException:
            self.kill()
            await process.wait()
            raise
        finally:
            self._group = None
        status = process.returncode
        if status:
            raise DeliveryError(f"exit status {status}" if status > 0 else f"killed by signal {-status}")

    def kill(self) -> None:
        """Kill the program and its children, if it is running."""
        if self._group is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._group, signal.SIGKILL)


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    """Write ``data`` to its standard input; a program that does not read all of it is its own affair."""
    assert process.stdin is not None
    try:
        process.stdin.write(data)
        await process.stdin.drain()
    except (OSError, RuntimeError):  # of uvloop, where the program ended before the first byte
        return
    finally:
        process.stdin.close()
