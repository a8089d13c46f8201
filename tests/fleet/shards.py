"""Several shards of one account, each a whole exporter, against the simulator in the same process."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.config import Settings
from exporter.livepeer.transport import HTTPClient
from exporter.metrics.page_store import PageStore
from exporter.metrics.text_format import Format
from exporter.polling.poller import Poller
from exporter.runtime.build import create_livepeer_client, create_page_store, create_poller, create_telemetry
from exporter.runtime.environment import Environment
from exporter.simulator.api import create_app
from tests.support.canary import KEY
from tests.support.clock import ManualClock
from tests.support.harness import Scrape, parse_page
from tests.support.rows import Row

URL = "http://127.0.0.1:9/api"


class Account:
    """An account whose sessions a test assigns.

    Attributes:
        current_rows: its sessions.
    """

    def __init__(self, current_rows: Sequence[Row] = ()) -> None:
        self.current_rows = current_rows

    def rows(self, now: float) -> Sequence[Row]:
        return self.current_rows


def without_keyset(api: ASGIApp) -> ASGIApp:
    """Return the API as if it ignored cursors that are ids, so that pagination falls back to offsets."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        if "skip" not in query.get("cursor", "skip"):
            del query["cursor"]
        await api({**scope, "query_string": urlencode(query).encode()}, receive, send)

    return app


@dataclass
class MeasuringTransport(httpx.AsyncBaseTransport):
    """A transport that calls an application and measures its responses.

    Attributes:
        api: the application.
        sizes: the size of each page in bytes, by the filters of its request, which identify the walk.
        border_requests: the number of requests for the first id after a border.
    """

    api: ASGIApp
    sizes: dict[str, list[int]] = field(default_factory=dict)
    border_requests: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await httpx.ASGITransport(self.api).handle_async_request(request)
        body = await response.aread()
        if request.url.params["limit"] == "1":
            self.border_requests += 1
        else:
            self.sizes.setdefault(request.url.params["filters"], []).append(len(body))
        stream = httpx.ByteStream(body)
        return httpx.Response(response.status_code, headers=response.headers, stream=stream, request=request)


@dataclass(frozen=True, slots=True)
class Shard:
    """One exporter."""

    poller: Poller
    page_store: PageStore
    transport: MeasuringTransport

    async def poll(self) -> None:
        """Poll once; check that the poll succeeds."""
        self.transport.sizes.clear()
        await self.poller.poll()
        assert self.poller.status.failure is None, self.poller.status

    def scrape(self) -> Scrape:
        page = b"".join(self.page_store.page(Format.TEXT).plain()).decode()
        return parse_page(page, Format.TEXT)


@asynccontextmanager
async def shards(account: Account, count: int, *, keyset: bool = True, **settings: Any) -> AsyncIterator[list[Shard]]:
    """Create the shards of an account; a single one is an exporter without sharding."""
    clock = ManualClock()
    api = create_app(account, key=KEY, now=clock.now)
    environment = Environment(clock.now, clock.monotonic, random.Random(1).random, lambda _: None, sleep=clock.sleep)
    created = []
    for index in range(count):
        chosen = Settings(base_url=URL, api_key=SecretStr(KEY), shard_index=index, shard_count=count, **settings)
        transport = MeasuringTransport(api if keyset else without_keyset(api))
        created.append(_create_shard(chosen, environment, transport))
    yield created
    await asyncio.gather(*(shard.transport.aclose() for shard in created))


def _create_shard(settings: Settings, environment: Environment, transport: MeasuringTransport) -> Shard:
    account = settings.accounts[0]
    telemetry = create_telemetry(account.name, settings)
    page_store = create_page_store(settings, environment)
    in_memory = httpx.AsyncClient(transport=transport)
    http_client = HTTPClient(kept=in_memory, fresh=in_memory)
    client = create_livepeer_client(http_client, account, settings, environment, telemetry)
    poller = create_poller(account, settings, environment, client, telemetry, page_store)
    poller.publish_initial()
    return Shard(poller, page_store, transport)
