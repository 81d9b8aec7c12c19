"""``--listen``: an HTTP server on the loop of the hub that shows how the run stands.

It is read by strangers as well as by Prometheus, so everything about a connection is bounded: one
request each, a few kilobytes of it, a few seconds; and the oldest connection makes room for a new
one, so that a crowd of slow ones keeps nobody out. aiohttp, of the extra ``fastlog[serve]``, gets a
connection once the head of its request is whole: one that waits costs no more than its socket.
"""

import asyncio
import ipaddress
import logging
import resource
import socket
from collections.abc import Callable
from typing import cast

from aiohttp import hdrs, web

from fastlog.config import listen_address
from fastlog.errors import UsageError
from fastlog.sinks.metrics import CONTENT_TYPE

Page = Callable[[], bytes]
"""Makes the page of metrics, in the format of ``sinks.metrics``."""

WAITING = 1024
"""Connections without a whole request, at most; no more than a quarter of the files that may be open."""
ANSWERED = 64
"""Connections with one, at most: each may hold a page that nobody takes."""
SECONDS = 5.0
"""From the start of a connection to its end, whatever it does."""
REQUEST_BYTES = 32 * 1024
"""Of one request, its body included."""
_FRESH_SECONDS = 0.25
"""A page is shown again for as long: a flood of requests costs the run no more than four pages a second."""
_BACKLOG = 1024
_END_OF_HEAD = b"\r\n\r\n"


class Listener:
    """The server: made before anything is read, so that a port that is taken is known at once.

    ``page`` is called on the loop. Raises UsageError when the address cannot be listened on.
    """

    def __init__(self, address: str, page: Page) -> None:
        self._host, port = listen_address(address)
        self._page = page
        self._shown = b""
        self._shown_at: float | None = None
        self._waiting = _Crowd(min(WAITING, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4))
        self._answered = _Crowd(ANSWERED)
        self._server: asyncio.Server | None = None
        self._socket = _bound(address, self._host, port)
        self._port: int = self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        """Where the metrics are, with the port that was found where 0 was asked for."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/metrics"

    async def start(self) -> None:
        """Accept connections on the running loop."""
        # aiohttp would write faults of a request to standard error, with tracebacks.
        silent = logging.Logger("fastlog.listen", logging.CRITICAL + 1)
        server = web.Server(
            self._answer,
            access_log=None,
            logger=silent,
            keepalive_timeout=SECONDS,
            lingering_time=0,
        )
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(server, self._waiting, self._answered),
            sock=self._socket,
            backlog=_BACKLOG,
        )

    def close(self) -> None:
        """Stop at once. Safe to call twice, and before ``start``."""
        if self._server is not None:
            self._server.close()
        for connection in [*self._waiting.members, *self._answered.members]:
            connection.abort()
        self._socket.close()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {
            hdrs.SERVER: "fastlog",
            hdrs.CACHE_CONTROL: "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        if not self._own_host(request):
            response = web.Response(status=403, text="the Host of this request is not the one here\n")
        elif request.method not in {"GET", "HEAD"}:
            headers[hdrs.ALLOW] = "GET, HEAD"
            response = web.Response(status=405, text="only GET and HEAD\n")
        elif request.path == "/metrics":
            headers[hdrs.CONTENT_TYPE] = CONTENT_TYPE
            response = web.Response(body=self._fresh_page())
        elif request.path == "/healthz":
            response = web.Response(text="ok\n")
        else:
            response = web.Response(status=404, text="there are /metrics and /healthz\n")
        response.headers.update(headers)
        response.force_close()
        return response

    def _fresh_page(self) -> bytes:
        now = asyncio.get_running_loop().time()
        if self._shown_at is None or now - self._shown_at >= _FRESH_SECONDS:
            self._shown, self._shown_at = self._page(), now
        return self._shown

    def _own_host(self, request: web.BaseRequest) -> bool:
        """Whether the one ``Host`` is this server's: a browser may be led here by any other name.

        Its own are the host of ``--listen``, the address that the connection came in at, the
        machine's name, and ``localhost`` where that address is a loopback.
        """
        hosts = request.headers.getall(hdrs.HOST, [])
        transport = request.transport
        if len(hosts) != 1 or transport is None:
            return False
        address = ipaddress.ip_address(transport.get_extra_info("sockname")[0].partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address  # as of a socket for every interface
        own = {self._host.lower(), str(address), socket.gethostname().lower()}
        if address.is_loopback:
            own.add("localhost")
        host, colon, port = hosts[0].lower().rpartition(":")
        if not colon or port.endswith("]"):
            host, port = hosts[0].lower(), "80"
        return port == str(self._port) and host.removeprefix("[").removesuffix("]").rstrip(".") in own


class _Crowd:
    """At most ``bound`` connections, in the order of their coming: the first makes room for another."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self.members: dict[_Connection, None] = {}

    def join(self, connection: "_Connection") -> None:
        if len(self.members) >= self._bound:
            next(iter(self.members)).abort()
        self.members[connection] = None


class _Connection(asyncio.Protocol):
    """One connection within the bounds; ``serve`` makes the handler of aiohttp that answers it."""

    def __init__(self, serve: Callable[[], asyncio.Protocol], waiting: _Crowd, answered: _Crowd) -> None:
        self._serve = serve
        self._crowd = waiting
        self._answered = answered
        self._head = bytearray()
        self._received = 0
        self._handler: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own are of no class of asyncio's
        self._deadline = asyncio.get_running_loop().call_later(SECONDS, self.abort)
        self._crowd.join(self)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > REQUEST_BYTES:
            self.abort()
        elif self._handler is not None:
            self._handler.data_received(data)
        else:
            start = max(0, len(self._head) - len(_END_OF_HEAD))
            self._head += data
            if self._head.find(_END_OF_HEAD, start) >= 0:
                self._answer()

    def _answer(self) -> None:
        assert self._transport is not None
        self._crowd.members.pop(self, None)
        self._crowd = self._answered
        self._crowd.join(self)
        self._handler = self._serve()
        self._handler.connection_made(self._transport)
        self._handler.data_received(bytes(self._head))

    def eof_received(self) -> bool | None:
        return None if self._handler is None else self._handler.eof_received()

    def pause_writing(self) -> None:
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        if self._handler is not None:
            self._handler.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._forget()
        if self._handler is not None:
            self._handler.connection_lost(error)

    def abort(self) -> None:
        """End it now, without what it has not been sent."""
        self._forget()
        if self._transport is not None:
            self._transport.abort()

    def _forget(self) -> None:
        self._crowd.members.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()


def _bound(address: str, host: str, port: int) -> socket.socket:
    """A socket bound to the first address of ``host``."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--listen {address}: no such host: name one of this machine") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(where)
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise UsageError(f"--listen {address}: {error.strerror}: give another host or port") from error
    bound.setblocking(False)
    return bound
