"""What ``--listen`` costs a live log: ``python -m bench.serve --connections 1000 --seconds 30``.

Follows the same steady log twice (see ``bench.follow``): alone, and with so many slow connections,
each of which sends a byte of a request a second and comes again when it is hung up on, while one
client asks for ``/metrics`` once a second. Said: the delay of each second's window in both runs,
and how long a page took. Linux only.
"""

import argparse
import asyncio
import socket
import statistics
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bench.follow import measure
from bench.record import report

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"


class Crowd:
    """The clients, on a loop in a thread of their own."""

    def __init__(self, port: int, connections: int) -> None:
        self._port = port
        self._count = connections
        self.opened = 0
        self.refused = 0
        self.pages: list[float] = []

    @contextmanager
    def here(self) -> Iterator[None]:
        """While this holds, they are."""
        loop = asyncio.new_event_loop()
        done = asyncio.Event()
        thread = threading.Thread(target=loop.run_until_complete, args=(self._all(done),))
        thread.start()
        try:
            yield
        finally:
            loop.call_soon_threadsafe(done.set)
            thread.join()
            loop.close()

    async def _all(self, done: asyncio.Event) -> None:
        tasks = [asyncio.ensure_future(self._slow()) for _ in range(self._count)]
        tasks.append(asyncio.ensure_future(self._scrape()))
        await done.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _slow(self) -> None:
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                self.opened += 1
                try:
                    for byte in REQUEST % self._port:
                        writer.write(bytes([byte]))
                        await writer.drain()
                        await asyncio.sleep(1)
                finally:
                    writer.close()

    async def _scrape(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(REQUEST % self._port + b"\r\n")
            answer = b""
            with suppress(ConnectionError):
                answer = await reader.read()
            writer.close()
            if answer.startswith(b"HTTP/1.1 200"):
                self.pages.append(loop.time() - began)
            else:
                self.refused += 1
            await asyncio.sleep(1)


def compare(connections: int, rate: int, seconds: int, workers: int) -> dict[str, object]:
    """The figures of both runs."""
    alone = measure(rate, seconds, workers)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    crowd = Crowd(port, connections)
    crowded = measure(rate, seconds, workers, arguments=["--listen", str(port)], beside=crowd.here())
    kept = ("delay_median_ms", "delay_max_ms", "fastlog_cpu_seconds")
    return {
        "rate": rate,
        "seconds": seconds,
        "connections": connections,
        "connections_opened": crowd.opened,
        "pages": len(crowd.pages),
        "pages_refused": crowd.refused,
        "page_median_ms": round(statistics.median(crowd.pages) * 1000, 1),
        "page_max_ms": round(max(crowd.pages) * 1000, 1),
        **{f"{name}_alone": alone[name] for name in kept},
        **{f"{name}_crowded": crowded[name] for name in kept},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--rate", type=int, default=5000, help="lines a second")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--no-save", action="store_true")
    chosen = parser.parse_args()
    result = compare(chosen.connections, chosen.rate, chosen.seconds, chosen.workers)
    report("serve", result, kept=not chosen.no_save)
    return 0


if __name__ == "__main__":
    sys.exit(main())
