"""Scrapes with the headers of Prometheus on a kept connection, with little CPU time of their own."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

ACCEPT: Final = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""The Accept header of Prometheus 3."""

_REQUEST: Final = (
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Prometheus/3\r\n"
    f"Accept: {ACCEPT}\r\nAccept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n"
)
# make_asgi_app is mounted at a path with a slash at its end, and redirects requests without it.
_REQUESTS: Final = {path: _REQUEST.replace("/metrics", path).encode() for path in ("/metrics", "/metrics/")}


@dataclass(frozen=True, slots=True)
class Scrape:
    """The seconds from the request to the last byte of the response, and the size of the body in bytes."""

    seconds: float
    size: int


class Scraper:
    """A connection to one candidate.

    Args:
        port: its port on loopback.
        path: of its metrics.
    """

    def __init__(self, port: int, path: str = "/metrics") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = _REQUESTS[path]
        self._buffer = memoryview(bytearray(1 << 20))
        self._chunked = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def scrape(self) -> Scrape:
        """Send a request and read the whole response.

        Raises:
            ConnectionError: the response is incomplete, not compressed, or its status is not 200.
        """
        began = time.perf_counter()
        size = sum(map(len, self._pieces()))
        return Scrape(time.perf_counter() - began, size)

    def body(self) -> bytes:
        """Return the body of a response, still compressed.

        Raises:
            ConnectionError: as in `scrape`.
        """
        body = b"".join(map(bytes, self._pieces()))
        return _without_chunk_sizes(body) if self._chunked else body

    def _pieces(self) -> Iterator[memoryview | bytes]:
        """Yield the pieces of a body as they arrive; each is valid until the next one."""
        self._socket.sendall(self._request)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._receive()
        head, start = received[:end].lower(), received[end + 4 :]
        if not head.startswith(b"http/1.1 200") or b"content-encoding: gzip" not in head:
            raise ConnectionError("not a compressed response with status 200")
        yield start
        _, found, length = head.partition(b"content-length:")
        self._chunked = not found
        if self._chunked:  # the application of prometheus-client sends no Content-Length, so uvicorn sends chunks
            last = start[-5:]
            while last != b"0\r\n\r\n":
                piece = self._receive()
                last = (last + piece[-5:])[-5:]
                yield piece
        else:
            left = int(length.split(b"\r\n")[0]) - len(start)
            while left > 0:
                piece = self._receive()
                left -= len(piece)
                yield piece

    def _receive(self) -> memoryview:
        size = self._socket.recv_into(self._buffer)
        if not size:
            raise ConnectionError("the connection was closed within a response")
        return self._buffer[:size]


def _without_chunk_sizes(body: bytes) -> bytes:
    chunks = []
    while body:
        length, _, rest = body.partition(b"\r\n")
        size = int(length, 16)
        chunks.append(rest[:size])
        body = rest[size + 2 :]
    return b"".join(chunks)
