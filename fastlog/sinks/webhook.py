"""A notification as the body of a POST. It needs aiohttp, of the extra ``fastlog[serve]``.

No redirect is followed and nothing of the reply is read but its head, whatever it
says and however long it is. Addresses of the local link are refused, where clouds keep the
secrets of their machines, whatever name leads there (CWE-918). Proxies are those of the
environment (``HTTPS_PROXY``, ``NO_PROXY``).
"""

import asyncio
import ipaddress
import os
import socket
from typing import Any

import aiohttp

from fastlog.sinks.delivery import DeliveryError

_HEADERS = {"Content-Type": "application/json", "User-Agent": "fastlog"}
_METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200")))
"""Where clouds keep them that is not of the local link."""


class Webhook:
    """POSTs to one URL, each time on a connection of its own: alerts are rare."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def deliver(self, data: bytes) -> None:
        """Post ``data``. Raises DeliveryError unless the answer is a 2xx."""
        try:
            status = await self._post(data)
        except (aiohttp.ClientError, OSError, ValueError, EOFError) as error:
            # Never the text of the error itself: it may show the URL.
            raise DeliveryError(_reason(error)) from None
        if 300 <= status < 400:
            raise DeliveryError(f"answered {status}: redirects are not followed")
        if not 200 <= status < 300:
            raise DeliveryError(f"answered {status}")

    async def _post(self, data: bytes) -> int:
        connector = aiohttp.TCPConnector(force_close=True, socket_factory=_socket)
        async with (
            aiohttp.ClientSession(
                connector=connector,
                trust_env=True,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            ) as session,
            session.post(self._url, data=data, headers=_HEADERS, allow_redirects=False) as response,
        ):
            response.close()  # instead of reading the rest
            return response.status

    def kill(self) -> None:
        """Nothing outlives the task that posts."""


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket for one address that the name of the host has led to."""
    family, kind, protocol, _, where = address
    host = ipaddress.ip_address(where[0])
    host = getattr(host, "ipv4_mapped", None) or host
    if host.is_link_local or host in _METADATA:
        raise PermissionError(0, "an address of the local link is not posted to")
    return socket.socket(family, kind, protocol)


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "its certificate, or the way that it speaks TLS, is not accepted"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its host is not known"
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno)
    if isinstance(cause, PermissionError):
        return str(cause.strerror)
    if isinstance(error, aiohttp.ServerDisconnectedError | asyncio.IncompleteReadError):
        return "hung up without an answer"
    return f"no answer of HTTP ({type(error).__name__})"
