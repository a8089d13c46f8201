"""Crowds of clients: readers that do not read, wrong passwords, and many scrapes at once."""

import http.client
import random
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Final

from tests.soak.login import authorization

SLOW_READERS: Final = 60
SLOW_SECONDS: Final = 20.0
RECEIVE_BUFFER: Final = 4096
"""Bytes of the receive buffer of a slow reader, so that the response stays in the exporter."""

GUESSES: Final = 100
GUESSING_CLIENTS: Final = 20
GUESSING_ADDRESS: Final = "127.0.0.2"
"""The scrapers have 127.0.0.1; addresses take turns in the queue of password checks."""

PARALLEL_CLIENTS: Final = 50
TIMEOUT: Final = 30.0


def read_slowly(port: int, _rng: random.Random) -> None:
    """Request the page on many connections, and do not read the responses (V01)."""
    request = f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization()}\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(SLOW_READERS):
            reader = stack.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            reader.settimeout(TIMEOUT)
            with suppress(ConnectionError):  # the exporter may close slow connections
                reader.connect(("127.0.0.1", port))
                reader.sendall(request)
        time.sleep(SLOW_SECONDS)


def guess_passwords(port: int, rng: random.Random) -> None:
    """Send many wrong passwords at once (V03).

    Raises:
        AssertionError: a response is neither 401 nor 503.
    """
    passwords = [str(rng.random()) for _ in range(GUESSES)]
    found = _together(lambda password: _status(port, password, GUESSING_ADDRESS), passwords, GUESSING_CLIENTS)
    assert found <= {401, 503}, f"wrong passwords were answered with {found}"


def scrape_together(port: int, _rng: random.Random) -> None:
    """Scrape with many clients at once (V18).

    Raises:
        AssertionError: a response is not 200.
    """
    found = _together(lambda _: _status(port), [""] * PARALLEL_CLIENTS, PARALLEL_CLIENTS)
    assert found == {200}, f"parallel scrapes were answered with {found}"


def _together(request: Callable[[str], int], arguments: list[str], threads: int) -> set[int]:
    with ThreadPoolExecutor(threads) as pool:
        return set(pool.map(request, arguments))


def _status(port: int, password: str | None = None, address: str = "127.0.0.1") -> int:
    header = authorization() if password is None else authorization(password)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT, source_address=(address, 0))
    try:
        connection.request("GET", "/metrics", headers={"Authorization": header, "Accept-Encoding": "gzip"})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()
