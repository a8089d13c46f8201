"""One poll after the other of one account by one or many shards, each a whole exporter, against the simulator."""

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
from exporter.metrics.instruments import Telemetry
from exporter.metrics.page_store import PageStore
from exporter.metrics.text_format import Format
from exporter.polling.poller import Poller
from exporter.runtime.build import create_livepeer_client, create_page_store, create_poller
from exporter.runtime.environment import Environment
from exporter.simulator.api import create_app
from tests.support.canary import KEY
from tests.support.harness import Scrape, Time, parse_all
from tests.support.rows import Row

URL = "http://127.0.0.1:9/api"


class Account:
    """The sessions that an account has at the moment."""

    def __init__(self) -> None:
        self.now: Sequence[Row] = ()

    def rows(self, now: float) -> Sequence[Row]:
        return self.now


def without_keyset(api: ASGIApp) -> ASGIApp:
    """The API as it would be if a cursor that is an id meant nothing: the fall-back has to do."""

    async def ask(scope: Scope, receive: Receive, send: Send) -> None:
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        if "skip" not in query.get("cursor", "skip"):
            del query["cursor"]
        await api({**scope, "query_string": urlencode(query).encode()}, receive, send)

    return ask


@dataclass
class Meter(httpx.AsyncBaseTransport):
    """A network that counts: per walk, which is told by its filters, the size of each answer."""

    api: ASGIApp
    sizes: dict[str, list[int]] = field(default_factory=dict)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await httpx.ASGITransport(self.api).handle_async_request(request)
        body = await answer.aread()
        self.sizes.setdefault(request.url.params["filters"], []).append(len(body))
        stream = httpx.ByteStream(body)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=stream, request=request)


@dataclass(frozen=True, slots=True)
class Shard:
    """One exporter."""

    poller: Poller
    board: PageStore
    meter: Meter

    async def poll(self) -> None:
        self.meter.sizes.clear()
        await self.poller.poll()
        assert self.poller.status.failure is None, self.poller.status

    def scrape(self) -> Scrape:
        page = b"".join(self.board.page(Format.TEXT).plain()).decode()
        return parse_all(page, Format.TEXT)


@asynccontextmanager
async def shards(account: Account, count: int, *, keyset: bool = True, **settings: Any) -> AsyncIterator[list[Shard]]:
    """So many exporters that share an account; one is an exporter without shards."""
    clocks = Time()
    api = create_app(account, key=KEY, now=clocks.now)
    environment = Environment(clocks.now, clocks.monotonic, random.Random(1).random, lambda _: None, sleep=clocks.sleep)
    made = []
    for index in range(count):
        chosen = Settings(base_url=URL, api_key=SecretStr(KEY), shard_index=index, shard_count=count, **settings)
        meter = Meter(api if keyset else without_keyset(api))
        made.append(_shard(chosen, environment, meter))
    yield made
    await asyncio.gather(*(each.meter.aclose() for each in made))


def _shard(settings: Settings, environment: Environment, meter: Meter) -> Shard:
    account = settings.accounts[0]
    telemetry, board = Telemetry(account.name), create_page_store(settings, environment)
    in_memory = httpx.AsyncClient(transport=meter)
    http_client = HTTPClient(kept=in_memory, fresh=in_memory)
    client = create_livepeer_client(http_client, account, settings, environment, telemetry)
    poller = create_poller(account, settings, environment, client, telemetry, board)
    poller.publish_initial()
    return Shard(poller, board, meter)
