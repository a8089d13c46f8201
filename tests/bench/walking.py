"""P7: a walk of many pages from a server that is far away, and what a page costs the client."""

import random
import time
from collections import deque
from contextlib import AsyncExitStack

import httpx

from exporter.config import Settings
from exporter.livepeer.client import LivepeerClient
from exporter.livepeer.decoding import decode_page
from exporter.livepeer.endpoint import SessionsEndpoint
from exporter.livepeer.query import Scope
from exporter.livepeer.server_clock import ServerClock
from exporter.livepeer.transport import HTTPClient, create_http_client, create_ssl_context
from exporter.metrics.instruments import Telemetry
from tests.bench.processes import KEY, running
from tests.bench.report import OURS, Figure, Findings, Verdict

LATENCY = 0.05
WALK = "a walk of 100 pages, 50 ms away"
PAGE = "CPU of the client for a page"
ONE = f"{OURS}, one after the other"
HTTPX = "AsyncClient.get"


async def compare(rounds: int, *, pages: int, limit: int) -> Findings:
    """Our walk side by side and one page after the other, then our client and httpx's own ``get``."""
    seconds: dict[str, list[float]] = {OURS: [], ONE: []}
    scope = Scope(session_window=3600, recording_window=3600)
    many = Settings().accounts[0].walk_concurrency
    with running(["tests.bench.upstream", "--sessions", str(pages * limit), "--latency", str(LATENCY)]) as upstream:
        for _ in range(rounds):
            for name, concurrency in ((OURS, many), (ONE, 1)):
                async with AsyncExitStack() as resources:
                    client = await resources.enter_async_context(_client(concurrency))
                    ours_client = _livepeer_client(client, f"{upstream.url}/api", limit, concurrency)
                    await ours_client.check()
                    began = time.perf_counter()
                    await ours_client.sessions(scope)
                    seconds[name].append(time.perf_counter() - began)
    walks = tuple(Figure(WALK, name, pages * limit, "s", tuple(values)) for name, values in seconds.items())
    ratio = walks[0].to(walks[1])
    cost = await _cost(rounds * 30)
    client_ratio = cost[0].to(cost[1])
    return Findings(
        (*walks, *cost),
        (
            Verdict("P7", f"a walk of {pages} pages at 50 ms, to one page after the other", 1 / 4).of(ratio),
            Verdict("P7", "CPU of the client for a page of 1,000, to AsyncClient.get", 1.1).of(client_ratio),
        ),
    )


async def _cost(rounds: int) -> tuple[Figure, Figure]:
    """CPU of this process for one page of 1,000 sessions; what reading it costs is the same for both, and left out."""
    whole, got, read = [], [], []
    with running(["tests.bench.upstream", "--sessions", "1000"]) as upstream:
        url = f"{upstream.url}/api"
        async with _client(1) as ours, httpx.AsyncClient() as theirs:
            ours_client = _livepeer_client(ours, url, 1000, 1)
            params = {"limit": "1000", "order": "id-false", "count": "1"}
            headers = {"Authorization": f"Bearer {KEY}"}

            async def check() -> None:
                began = time.process_time()
                await ours_client.check()
                whole.append(time.process_time() - began)

            async def get() -> None:
                began = time.process_time()
                answer = await theirs.get(f"{url}/session", params=params, headers=headers)
                got.append(time.process_time() - began)
                # At once, as ours does: memory and caches are as they are there, and the next turn finds them alike.
                began = time.process_time()
                decode_page(answer.content, time.time())
                read.append(time.process_time() - began)

            turns = deque((check, get))
            for _ in range(rounds):
                for turn in turns:
                    await turn()
                turns.rotate()
    return (
        Figure(PAGE, OURS, 1000, "ms", tuple((total - page) * 1000 for total, page in zip(whole, read, strict=True))),
        Figure(PAGE, HTTPX, 1000, "ms", tuple(each * 1000 for each in got)),
    )


def _client(connections: int) -> HTTPClient:
    return create_http_client(
        create_ssl_context(ca_file=None, trust_env=False), trust_env=False, connections=connections
    )


def _livepeer_client(client: HTTPClient, base_url: str, limit: int, concurrency: int) -> LivepeerClient:
    endpoint = SessionsEndpoint(
        client,
        base_url,
        key=lambda: KEY,
        clock=ServerClock(time.time, time.monotonic),
        meter=Telemetry("default"),
        jitter=random.random,
        request_timeout=60.0,
        concurrency=concurrency,
    )
    return LivepeerClient(endpoint, page_limit=limit, parts=concurrency)
