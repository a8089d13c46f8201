"""Scrapes as Prometheus does, on a connection that stays; costs as little as it can, since it shares the machine."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

ACCEPT = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""What Prometheus 3 sends."""

_REQUEST = (
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Prometheus/3\r\n"
    f"Accept: {ACCEPT}\r\nAccept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n"
)
# The path that make_asgi_app is mounted at ends with a slash; without it one would be redirected.
_REQUESTS = {path: _REQUEST.replace("/metrics", path).encode() for path in ("/metrics", "/metrics/")}


@dataclass(frozen=True, slots=True)
class Scrape:
    """One answer: seconds from the question to its last byte, and the bytes of its body."""

    seconds: float
    size: int


class Scraper:
    """One connection to one contestant.

    Args:
        port: where it listens on loopback.
        path: of its metrics.
    """

    def __init__(self, port: int, path: str = "/metrics") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = _REQUESTS[path]
        self._room = memoryview(bytearray(1 << 20))
        self._sized = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def scrape(self) -> Scrape:
        """Ask, and read everything.

        Raises:
            ConnectionError: the answer is none, or not 200.
        """
        began = time.perf_counter()
        size = sum(map(len, self._answer()))
        return Scrape(time.perf_counter() - began, size)

    def body(self) -> bytes:
        """The body of an answer, still compressed."""
        found = b"".join(map(bytes, self._answer()))
        return found if self._sized else _joined(found)

    def _answer(self) -> Iterator[memoryview | bytes]:
        """The pieces of a body as they arrive; each holds only until the next one."""
        self._socket.sendall(self._request)
        got = b""
        while (end := got.find(b"\r\n\r\n")) < 0:
            got += self._receive()
        head, start = got[:end].lower(), got[end + 4 :]
        if not head.startswith(b"http/1.1 200") or b"content-encoding: gzip" not in head:
            raise ConnectionError("no answer that Prometheus would take")
        yield start
        _, self._sized, told = head.partition(b"content-length:")
        if self._sized:
            left = int(told.split(b"\r\n")[0]) - len(start)
            while left > 0:
                piece = self._receive()
                left -= len(piece)
                yield piece
        else:  # prometheus-client's application does not say how much it sends, so uvicorn sends chunks
            last = start[-5:]
            while last != b"0\r\n\r\n":
                piece = self._receive()
                last = (last + piece[-5:])[-5:]
                yield piece

    def _receive(self) -> memoryview:
        read = self._socket.recv_into(self._room)
        if not read:
            raise ConnectionError("the answer ended too early")
        return self._room[:read]


def _joined(chunks: bytes) -> bytes:
    parts = []
    while chunks:
        length, _, rest = chunks.partition(b"\r\n")
        size = int(length, 16)
        parts.append(rest[:size])
        chunks = rest[size + 2 :]
    return b"".join(parts)
