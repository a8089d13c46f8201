"""A process that scrapes without pauses, parses every page, and opens abusive connections between the scrapes."""

import gzip
import http.client
import random
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import parent_process
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from typing import Final

from exporter.metrics.text_format import Format
from tests.soak.login import authorization
from tests.soak.turnover import STREAM_KEY
from tests.support.harness import parse_page

MAX_PROBLEMS: Final = 100
"""The number of problems that are kept; further ones are ignored."""

MAX_IDLE_SECONDS: Final = 2.5
"""Seconds after which a kept connection is not used again: half of the exporter's idle timeout, which may close it."""

ABUSIVE_SHARE: Final = 0.5
"""The share of connections that are abusive."""


@dataclass
class ScrapeResults:
    """The results of one scraper.

    Attributes:
        scrapes: the number of successful scrapes.
        abusive: the number of abusive connections.
        size: bytes of all pages, as text.
        slowest: seconds of the slowest scrape, without parsing.
        problems: descriptions of failed scrapes.
    """

    scrapes: int = 0
    abusive: int = 0
    size: int = 0
    slowest: float = 0.0
    problems: list[str] = field(default_factory=list)


def scrape_until(stop: Event, queue: "Queue[ScrapeResults]", port: int, seed: int) -> None:
    """Scrape until an event is set or the parent process ends, then put the results into a queue."""
    rng, results = random.Random(seed), ScrapeResults()
    connection, last_used = http.client.HTTPConnection("127.0.0.1", port, timeout=30), 0.0
    parent = parent_process()
    assert parent is not None
    while not stop.is_set() and parent.is_alive():
        try:
            if rng.random() < ABUSIVE_SHARE:
                rng.choice(_ABUSES)(port, rng)
                results.abusive += 1
            else:
                if rng.random() < 0.3 or time.monotonic() - last_used > MAX_IDLE_SECONDS:
                    connection.close()  # the next request opens it again
                last_used = _scrape(connection, results, rng)
        except Exception as error:  # noqa: BLE001 - any exception is a finding
            if len(results.problems) < MAX_PROBLEMS:
                results.problems.append(f"{type(error).__name__}: {error}"[:200])
            connection.close()
    connection.close()
    queue.put(results)


def _scrape(connection: http.client.HTTPConnection, results: ScrapeResults, rng: random.Random) -> float:
    """Scrape and parse; return when the connection became idle, since parsing may take longer than it may be idle."""
    form, coding = rng.choice(list(Format)), rng.choice(("gzip", "gzip", "identity"))
    began = time.monotonic()
    connection.request("GET", "/metrics", headers=_headers(form, coding))
    response = connection.getresponse()
    body = response.read()
    received = time.monotonic()
    results.slowest = max(results.slowest, received - began)
    if response.status != 200 or response.headers["Content-Type"] != form.value:
        raise ValueError(f"status {response.status}, {response.headers['Content-Type']}")
    text = (gzip.decompress(body) if response.headers["Content-Encoding"] == "gzip" else body).decode()
    if STREAM_KEY in text:
        raise ValueError("a stream key is on the page")
    parse_page(text, form)
    results.scrapes += 1
    results.size += len(text)
    return received


def _headers(form: Format, coding: str) -> dict[str, str]:
    return {"Accept": form.value, "Accept-Encoding": coding, "Authorization": authorization()}


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def _request(further: str = "") -> bytes:
    return f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization()}\r\n{further}\r\n".encode()


def _half_close(port: int, _rng: random.Random) -> None:
    """Shut down the sending side after the request (V06).

    Raises:
        ValueError: the response is not complete.
    """
    with _connect(port) as connection:
        connection.sendall(_request())
        connection.shutdown(socket.SHUT_WR)
        received = bytearray()
        while data := connection.recv(1 << 16):
            received += data
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200") or not body.endswith(b"\n"):
        raise ValueError(f"a half-closed connection received {len(received)} bytes: {head[:20]!r}")


def _close_early(port: int, rng: random.Random) -> None:
    with _connect(port) as connection:
        connection.sendall(_request())
        connection.recv(rng.choice((1, 1000)))


def _send_partial_request(port: int, rng: random.Random) -> None:
    with _connect(port) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: y"[: rng.randint(0, 38)])


def _send_random_bytes(port: int, rng: random.Random) -> None:
    with _connect(port) as connection, suppress(ConnectionError):
        connection.sendall(rng.randbytes(rng.randint(1, 4096)))
        connection.shutdown(socket.SHUT_WR)
        connection.recv(4096)


def _read_slowly(port: int, rng: random.Random) -> None:
    with _connect(port) as connection:
        connection.sendall(_request("Connection: close\r\n"))
        for _ in range(rng.randint(1, 20)):
            connection.recv(2048)
            time.sleep(0.005)


def _request_other_path(port: int, rng: random.Random) -> None:
    with _connect(port) as connection, suppress(ConnectionError):
        path = rng.choice(("/", "/livez", "/readyz", "/nothing", "/../etc/passwd", "/" + "x" * 20_000))
        connection.sendall(f"{rng.choice(('GET', 'HEAD', 'DELETE'))} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        connection.recv(4096)


_ABUSES: Final[tuple[Callable[[int, random.Random], None], ...]] = (
    _close_early,
    _half_close,
    _send_partial_request,
    _send_random_bytes,
    _read_slowly,
    _request_other_path,
)
