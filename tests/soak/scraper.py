"""A process that scrapes as fast as it can, reads every page it gets, and behaves badly in between."""

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

from exporter.metrics.text_format import Format
from tests.soak.turnover import STREAM_KEY
from tests.support.harness import parse_page

MOST_PROBLEMS = 100
"""More are of no use to anybody."""

MISCHIEF = 0.5
"""How many of its visits are bad manners instead of scrapes."""


@dataclass
class Score:
    """What a scraper saw: scrapes that were answered 200 and parsed, their bytes of text, and what went wrong.

    ``slowest`` is the longest that a scrape took until its last byte, in seconds; parsing does not count.
    """

    scrapes: int = 0
    mischief: int = 0
    size: int = 0
    slowest: float = 0.0
    problems: list[str] = field(default_factory=list)


def scrape_until(stop: Event, scores: "Queue[Score]", port: int, seed: int) -> None:
    """Scrape until told to stop, or until nobody is left to tell; then hand over the score."""
    rng, score = random.Random(seed), Score()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    parent = parent_process()
    assert parent is not None
    while not stop.is_set() and parent.is_alive():
        try:
            if rng.random() < MISCHIEF:
                rng.choice(_MISCHIEF)(port, rng)
                score.mischief += 1
            else:
                if rng.random() < 0.3:
                    connection.close()  # the next request opens it anew
                _scrape(connection, score, rng)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is what we are looking for
            if len(score.problems) < MOST_PROBLEMS:
                score.problems.append(f"{type(error).__name__}: {error}"[:200])
            connection.close()
    connection.close()
    scores.put(score)


def _scrape(connection: http.client.HTTPConnection, score: Score, rng: random.Random) -> None:
    form, coding = rng.choice(list(Format)), rng.choice(("gzip", "gzip", "identity"))
    began = time.monotonic()
    connection.request("GET", "/metrics", headers={"Accept": form.value, "Accept-Encoding": coding})
    response = connection.getresponse()
    body = response.read()
    score.slowest = max(score.slowest, time.monotonic() - began)
    if response.status != 200 or response.headers["Content-Type"] != form.value:
        raise ValueError(f"answered {response.status}")
    text = (gzip.decompress(body) if response.headers["Content-Encoding"] == "gzip" else body).decode()
    if STREAM_KEY in text:
        raise ValueError("a stream key is on the page")
    parse_page(text, form)
    score.scrapes += 1
    score.size += len(text)


def _visit(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def _vanish(port: int, rng: random.Random) -> None:
    with _visit(port) as visit:
        visit.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        visit.recv(rng.choice((1, 1000)))


def _stop_halfway(port: int, rng: random.Random) -> None:
    with _visit(port) as visit:
        visit.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: y"[: rng.randint(0, 38)])


def _talk_nonsense(port: int, rng: random.Random) -> None:
    with _visit(port) as visit, suppress(ConnectionError):
        visit.sendall(rng.randbytes(rng.randint(1, 4096)))
        visit.shutdown(socket.SHUT_WR)
        visit.recv(4096)


def _read_slowly(port: int, rng: random.Random) -> None:
    with _visit(port) as visit:
        visit.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        for _ in range(rng.randint(1, 20)):
            visit.recv(2048)
            time.sleep(0.005)


def _ask_for_something_else(port: int, rng: random.Random) -> None:
    with _visit(port) as visit, suppress(ConnectionError):
        path = rng.choice(("/", "/livez", "/readyz", "/nothing", "/../etc/passwd", "/" + "x" * 20_000))
        visit.sendall(f"{rng.choice(('GET', 'HEAD', 'DELETE'))} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        visit.recv(4096)


_MISCHIEF: tuple[Callable[[int, random.Random], None], ...] = (
    _vanish,
    _stop_halfway,
    _talk_nonsense,
    _read_slowly,
    _ask_for_something_else,
)
