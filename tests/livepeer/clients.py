"""A client of the API with clocks that stand still, and a meter that records its measurements."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from exporter.livepeer.client import LivepeerClient, SessionsResult
from exporter.livepeer.endpoint import Meter, SessionsEndpoint
from exporter.livepeer.query import Scope
from exporter.livepeer.server_clock import ServerClock
from exporter.livepeer.transport import create_http_client, create_ssl_context
from exporter.simulator.api import Row, create_app
from exporter.simulator.serve import serving
from tests.support.canary import KEY
from tests.support.clock import ManualClock
from tests.support.rows import START

SSL_CONTEXT = create_ssl_context(ca_file=None, trust_env=False)
SCOPE = Scope(session_window=3600, recording_window=14_400)


@dataclass
class RecordingMeter:
    """A meter that records the status and the body size of each request."""

    requests: list[tuple[str, int]] = field(default_factory=list)
    retries: int = 0
    throttles: int = 0

    def request(self, code: str, seconds: float, size: int) -> None:
        self.requests.append((code, size))

    def retry(self) -> None:
        self.retries += 1

    def throttled(self) -> None:
        self.throttles += 1


class FixedAccount:
    """An account of the simulator whose sessions do not change."""

    def __init__(self, *rows: Row) -> None:
        self._rows = rows

    def rows(self, now: float) -> tuple[Row, ...]:
        return self._rows


@asynccontextmanager
async def livepeer_client(
    url: str,
    clocks: ManualClock | None = None,
    meter: Meter | None = None,
    *,
    key: Callable[[], str] = lambda: KEY,
    concurrency: int = 4,
    **options: Any,
) -> AsyncIterator[LivepeerClient]:
    """Open a client; `options` are those of `LivepeerClient`."""
    clocks = clocks or ManualClock()
    async with create_http_client(SSL_CONTEXT, trust_env=False, connections=4) as http_client:
        endpoint = SessionsEndpoint(
            http_client,
            url,
            key=key,
            clock=ServerClock(clocks.now, clocks.monotonic),
            meter=meter or RecordingMeter(),
            jitter=lambda: 0.5,
            sleep=clocks.sleep,
            concurrency=concurrency,
        )
        yield LivepeerClient(endpoint, **options)


async def read_simulated(
    rows: list[Row], scope: Scope = SCOPE, *, server_ahead: float = 0.0, **options: Any
) -> SessionsResult:
    """Read the sessions of a simulated account, whose server's clock is ahead by some seconds."""
    api = create_app(FixedAccount(*rows), key=KEY, now=lambda: START + server_ahead)
    async with serving(api) as url, livepeer_client(url, **options) as client:
        return await client.sessions(scope)
