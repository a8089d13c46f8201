"""The exporter and the reference program inside of one process, for measurements without processes and sockets."""

import gc
import random
import time
from collections.abc import Callable
from typing import Final, Protocol

import httpx
from starlette.types import ASGIApp, Message

from exporter.config import Settings
from exporter.livepeer.client import LivepeerClient
from exporter.livepeer.endpoint import SessionsEndpoint
from exporter.livepeer.server_clock import ServerClock
from exporter.livepeer.transport import HTTPClient
from exporter.metrics.instruments import Telemetry
from exporter.metrics.process import Process
from exporter.pages import routes
from exporter.runtime.build import create_page_store, create_poller
from exporter.runtime.daemon import GC_THRESHOLDS
from exporter.runtime.environment import Environment
from tests.bench.processes import KEY
from tests.bench.reference import REFERENCE, ReferenceProgram, create_app
from tests.bench.report import EXPORTER
from tests.bench.scraper import ACCEPT

BASE_URL: Final = "http://127.0.0.1:9/api"
"""The base URL for a client whose transport needs no network."""


class Candidate(Protocol):
    """A program that polls on request.

    Attributes:
        name: its name in the tables.
        path: the path of its metrics.
        app: its web application.
        gc_thresholds: its arguments of `gc.set_threshold`.
    """

    name: str
    path: str
    app: ASGIApp
    gc_thresholds: tuple[int, int, int]

    async def fetch(self) -> None:
        """Send the requests of a poll, and discard the responses."""

    async def poll(self) -> None:
        """Poll once."""


class ExporterCandidate:
    """The exporter.

    Args:
        client: the HTTP client for the API.
        base_url: of the API.
        environment: clocks and randomness; by default those of the machine.
        recording_interval: seconds; see the setting.
    """

    name = EXPORTER
    path = "/metrics"
    gc_thresholds = GC_THRESHOLDS

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str = BASE_URL,
        environment: Environment | None = None,
        recording_interval: float = 300.0,
    ) -> None:
        settings = Settings(base_url=base_url, max_series=100_000_000, recording_interval=recording_interval)
        account = settings.accounts[0]
        if environment is None:
            environment = Environment(time.time, time.monotonic, random.random, redact=lambda _: None)
        telemetry = Telemetry(account.name)
        page_store = create_page_store(settings, environment)
        endpoint = SessionsEndpoint(
            HTTPClient(kept=client, fresh=client),
            base_url,
            key=lambda: KEY,
            clock=ServerClock(environment.now, environment.monotonic),
            meter=telemetry,
            jitter=environment.jitter,
            request_timeout=60.0,
            concurrency=account.walk_concurrency,
        )
        self._telemetry = telemetry
        self._page_store = page_store
        self._livepeer = LivepeerClient(endpoint)
        self._poller = create_poller(account, settings, environment, self._livepeer, telemetry, page_store)
        self._poller.publish_initial()
        process = Process(revision="bench", series=page_store.series, series_limit=0, shard=(0, 1), now=environment.now)
        health = routes.Health(alive=lambda: True, ready=lambda: True)
        self.app: ASGIApp = routes.create_app(page_store, process, health, lambda _: "", metrics_path=self.path)

    async def fetch(self) -> None:
        """Send the requests of a poll, and discard the responses."""
        await self._livepeer.sessions(self._poller.plan.scope)

    async def poll(self) -> None:
        """Poll once.

        Raises:
            RuntimeError: the poll failed.
        """
        await self._poller.poll()
        if self._poller.status.failure is not None:
            raise RuntimeError(f"a poll failed: {self._poller.status.failure}")


class ReferenceCandidate:
    """The reference program.

    Args:
        client: the HTTP client for the API.
        base_url: of the API.
    """

    name = REFERENCE
    path = "/metrics/"
    gc_thresholds = gc.get_threshold()  # Python's default

    def __init__(self, client: httpx.AsyncClient, base_url: str = BASE_URL) -> None:
        self._program = ReferenceProgram(client, base_url)
        self.app: ASGIApp = create_app(self._program, interval=3600)

    async def fetch(self) -> None:
        """Send the requests of a poll, and discard the responses."""
        await self._program.fetch()

    async def poll(self) -> None:
        """Poll once."""
        await self._program.poll()


CANDIDATES: Final[dict[str, Callable[[httpx.AsyncClient], Candidate]]] = {
    EXPORTER: ExporterCandidate,
    REFERENCE: ReferenceCandidate,
}


async def scrape(candidate: Candidate) -> bytes:
    """Scrape without a socket, with the headers of Prometheus; the body is compressed.

    Raises:
        RuntimeError: the status is not 200.
    """
    return b"".join(await scrape_parts(candidate))


async def scrape_parts(candidate: Candidate, accept: str = ACCEPT, *, compressed: bool = True) -> list[bytes]:
    """Return the same body in the parts that the application sends.

    Args:
        candidate: the program.
        accept: the accepted formats.
        compressed: whether a compressed body is accepted.

    Raises:
        RuntimeError: the status is not 200.
    """
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    headers = [(b"host", b"localhost"), (b"accept", accept.encode())]
    headers += [(b"accept-encoding", b"gzip")] if compressed else []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": candidate.path,
        "raw_path": candidate.path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    await candidate.app(scope, receive, send)
    if messages[0]["status"] != 200:
        raise RuntimeError(f"{candidate.name} returned status {messages[0]['status']}")
    return [message.get("body", b"") for message in messages]
