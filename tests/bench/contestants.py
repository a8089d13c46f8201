"""This program and the obvious one inside one process, polling from a tape, so that no network is measured."""

import gc
import random
import re
import time
from collections.abc import Callable
from typing import Protocol

import httpx
from starlette.types import ASGIApp, Message

from exporter.config import Settings
from exporter.livepeer.client import LivepeerClient
from exporter.livepeer.endpoint import SessionsEndpoint
from exporter.livepeer.server_clock import ServerClock
from exporter.livepeer.transport import HTTPClient
from exporter.metrics.instruments import Telemetry
from exporter.metrics.process import Process
from exporter.pages import routes as web
from exporter.runtime.build import create_page_store, create_poller
from exporter.runtime.daemon import GC_THRESHOLDS
from exporter.runtime.environment import Environment
from tests.bench.obvious import Obvious, create_app
from tests.bench.processes import KEY
from tests.bench.report import OURS
from tests.bench.scraper import ACCEPT

BASE_URL = "http://127.0.0.1:9/api"
OBVIOUS = "the obvious program"
_TIMES = re.compile(r"\d{13}")


class Tape(httpx.AsyncBaseTransport):
    """A network that records what an upstream answers, and then plays it again without one.

    Questions that differ only in the times in them count as the same. A reel holds the answers of one generation of
    the sessions.

    Args:
        upstream: answers while the tape records.
    """

    def __init__(self, upstream: ASGIApp) -> None:
        self._upstream: httpx.ASGITransport | None = httpx.ASGITransport(upstream)
        self._reel: dict[str, tuple[httpx.Headers, bytes]] = {}
        self._reels = [self._reel]

    def next_reel(self) -> None:
        """From now on record another generation."""
        self._reel = {}
        self._reels.append(self._reel)

    def cut(self) -> None:
        """Record no more: the upstream and its sessions are let go."""
        self._upstream = None

    def play(self, reel: int) -> None:
        """From now on answer as this generation, the first of which is 0."""
        self._reel = self._reels[reel]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request.

        Raises:
            RuntimeError: nobody has asked this while the tape recorded.
        """
        question = _TIMES.sub("T", str(request.url))
        if question not in self._reel:
            if self._upstream is None:
                raise RuntimeError("this question is not on the tape")
            answer = await self._upstream.handle_async_request(request)
            self._reel[question] = answer.headers, await answer.aread()
        headers, body = self._reel[question]
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(body), request=request)


class Contestant(Protocol):
    """A program that can be told to poll, and asked for its page."""

    name: str
    path: str
    app: ASGIApp
    collector: tuple[int, int, int]
    """When it lets Python look for garbage, for `gc.set_threshold`."""

    async def rehearse(self) -> None:
        """Ask everything that a poll asks, and change nothing."""

    async def poll(self) -> None:
        """Poll once."""


class Ours:
    """This program.

    Args:
        client: the network.
        base_url: of the API.
    """

    name = OURS
    path = "/metrics"
    collector = GC_THRESHOLDS

    def __init__(self, client: httpx.AsyncClient, base_url: str = BASE_URL) -> None:
        settings = Settings(base_url=base_url, max_series=100_000_000)
        account = settings.accounts[0]
        environment = Environment(time.time, time.monotonic, random.random, redact=lambda _: None)
        telemetry = Telemetry(account.name)
        board = create_page_store(settings, environment)
        endpoint = SessionsEndpoint(
            HTTPClient(kept=client, fresh=client),
            base_url,
            key=lambda: KEY,
            clock=ServerClock(time.time, time.monotonic),
            meter=telemetry,
            jitter=random.random,
            request_timeout=60.0,
            concurrency=account.walk_concurrency,
        )
        self._livepeer = LivepeerClient(endpoint)
        self._poller = create_poller(account, settings, environment, self._livepeer, telemetry, board)
        self._poller.publish_initial()
        process = Process(revision="bench", series=board.series, series_limit=0, shard=(0, 1), now=time.time)
        health = web.Health(alive=lambda: True, ready=lambda: True)
        self.app: ASGIApp = web.create_app(board, process, health, lambda: "", metrics_path=self.path)

    async def rehearse(self) -> None:
        """Ask everything that a poll asks, and change nothing."""
        await self._livepeer.sessions(self._poller.plan.scope)

    async def poll(self) -> None:
        """Poll once.

        Raises:
            RuntimeError: the poll failed, and so did the benchmark.
        """
        await self._poller.poll()
        if self._poller.status.failure is not None:
            raise RuntimeError(f"a poll failed: {self._poller.status.failure}")


class Theirs:
    """The obvious program.

    Args:
        client: the network.
        base_url: of the API.
    """

    name = OBVIOUS
    path = "/metrics/"
    collector = gc.get_threshold()  # as Python has it

    def __init__(self, client: httpx.AsyncClient, base_url: str = BASE_URL) -> None:
        self._obvious = Obvious(client, base_url)
        self.app: ASGIApp = create_app(self._obvious, interval=3600)

    async def rehearse(self) -> None:
        """Ask everything that a poll asks, and change nothing."""
        await self._obvious.fetch()

    async def poll(self) -> None:
        """Poll once."""
        await self._obvious.poll()


BY_NAME: dict[str, Callable[[httpx.AsyncClient], Contestant]] = {"ours": Ours, "obvious": Theirs}
"""What makes each of them, for the command lines."""


async def scrape(contestant: Contestant) -> bytes:
    """Ask for the page as Prometheus does, but without a socket; the body is compressed.

    Raises:
        RuntimeError: the answer is not 200.
    """
    return b"".join(await answer(contestant))


async def answer(contestant: Contestant) -> list[bytes]:
    """The same body in the parts in which it would go to a socket.

    Raises:
        RuntimeError: the answer is not 200.
    """
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    headers = [(b"host", b"localhost"), (b"accept", ACCEPT.encode()), (b"accept-encoding", b"gzip")]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": contestant.path,
        "raw_path": contestant.path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    await contestant.app(scope, receive, send)
    if messages[0]["status"] != 200:
        raise RuntimeError(f"{contestant.name} answered {messages[0]['status']}")
    return [message.get("body", b"") for message in messages]
