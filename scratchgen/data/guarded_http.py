"""An HTTP request that no server can make last too long or grow too large.

A socket's timeout bounds one wait, not their sum: a server that sends a byte a second is never late. And http.client
reads some things to their end before it returns: header lines, chunk sizes, the body of a redirect. So the guard stands
where every byte passes, between the socket and http.client, and watches the clock and the count there.

Outside the deadline, though each has a limit of its own: looking up the name, connecting, the TLS handshake.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any, NamedTuple
from urllib.request import (
    AbstractHTTPHandler,
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPRedirectHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

# Headers and the framing of chunks come on top of the bytes that are asked for.
_OVERHEAD = 1 << 20


class Limits(NamedTuple):
    """What one request may take.

    timeout: the longest silence, in seconds; ends_at: the `time.monotonic()` at which to stop; max_bytes: the largest
    body.
    """

    timeout: float
    ends_at: float
    max_bytes: int


def open_guarded(url: str, limits: Limits) -> HTTPResponse:
    """The response to GET url, with redirects followed, over HTTP or HTTPS only; close it after use.

    Raises, here and while the response is read, OSError (HTTPError for a status that is no success, URLError,
    TimeoutError), http.client.HTTPException or, for a malformed URL, ValueError.

    >>> open_guarded("ftp://example.org/", Limits(timeout=1.0, ends_at=time.monotonic() + 1.0, max_bytes=100))
    Traceback (most recent call last):
    urllib.error.URLError: <urlopen error unknown url type: ftp>
    """
    # Not build_opener(): that adds handlers for ftp:, file: and data:, to which a redirect could then lead.
    opener = OpenerDirector()
    guarded = _GuardedHandler(limits)
    for handler in (
        ProxyHandler(),
        guarded,
        HTTPRedirectHandler(),
        HTTPErrorProcessor(),
        HTTPDefaultErrorHandler(),
        UnknownHandler(),
    ):
        opener.add_handler(handler)
    try:
        response = opener.open(Request(url, headers={"User-Agent": "scratchgen"}), timeout=limits.timeout)
    except BaseException:
        for unfinished in guarded.responses:  # urllib forgets a redirect whose body it could not read
            unfinished.close()
        raise
    assert isinstance(response, HTTPResponse)
    return response


class _GuardedHandler(AbstractHTTPHandler):
    """urllib's handler for http: and https:, with guarded responses."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits
        self.responses: list[HTTPResponse] = []

    def http_open(self, request: Request) -> HTTPResponse:
        return self._open(HTTPConnection, request)

    def https_open(self, request: Request) -> HTTPResponse:
        return self._open(HTTPSConnection, request)

    http_request = https_request = AbstractHTTPHandler.do_request_

    def _open(self, connection_type: type[HTTPConnection], request: Request) -> HTTPResponse:
        def connect(host: str, **options: Any) -> HTTPConnection:
            connection = connection_type(host, **options)
            response_type: Callable[..., HTTPResponse] = partial(_GuardedResponse, limits=self._limits)
            connection.response_class = response_type  # type: ignore[assignment]
            return connection

        response = self.do_open(connect, request)
        self.responses.append(response)
        return response


class _GuardedResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, limits: Limits, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_GuardedSocket(sock, self.fp.detach(), limits), buffer_size=1 << 16)


class _GuardedSocket(io.RawIOBase):
    """A socket's incoming bytes, until the time or the bytes run out."""

    def __init__(self, sock: socket.socket, incoming: io.RawIOBase, limits: Limits) -> None:
        self._sock = sock
        self._incoming = incoming
        self._limits = limits
        self._bytes_left = limits.max_bytes + _OVERHEAD

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        time_left = self._limits.ends_at - time.monotonic()
        if time_left <= 0:
            raise TimeoutError("the deadline has passed")
        if self._bytes_left <= 0:
            raise OSError(f"more than {self._limits.max_bytes + _OVERHEAD} bytes were sent")
        self._sock.settimeout(min(self._limits.timeout, time_left))
        count = self._incoming.readinto(buffer)
        self._bytes_left -= count or 0
        return count

    def close(self) -> None:
        self._incoming.close()
        super().close()
