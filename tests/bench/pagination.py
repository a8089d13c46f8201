"""P7: a walk of many pages with the latency of a remote API, and the client's CPU time for a page."""

import random
import time
from collections import deque
from contextlib import AsyncExitStack
from typing import Final

import httpx

from exporter.livepeer.client import LivepeerClient
from exporter.livepeer.decoding import decode_page
from exporter.livepeer.endpoint import SessionsEndpoint
from exporter.livepeer.query import Scope
from exporter.livepeer.server_clock import ServerClock
from exporter.livepeer.transport import HTTPClient, create_http_client, create_ssl_context
from exporter.metrics.instruments import Telemetry
from tests.bench.processes import KEY, running_upstream
from tests.bench.report import EXPORTER, GoalResult, Measurement, Results
from tests.support.cooperative import run_to_end

LATENCY: Final = 0.05
WALK: Final = "a walk of 100 pages with 50 ms latency"
CPU: Final = "CPU of the client for a page"
SEQUENTIAL: Final = f"{EXPORTER}, sequential requests"
CONCURRENCY: Final = 6
"""More than the default: parallel requests help against latency, and not against a slow API."""

HTTPX: Final = "AsyncClient.get"


async def compare(rounds: int, *, pages: int, limit: int) -> Results:
    """Compare concurrent with sequential walks, then the exporter's client with httpx's ``get``.

    Args:
        rounds: rounds of both walks.
        pages: in each walk.
        limit: sessions on each page.
    """
    seconds: dict[str, list[float]] = {EXPORTER: [], SEQUENTIAL: []}
    scope = Scope(session_window=3600, recording_window=3600)
    with running_upstream(pages * limit, "--latency", str(LATENCY)) as upstream:
        for _ in range(rounds):
            for name, concurrency in ((EXPORTER, CONCURRENCY), (SEQUENTIAL, 1)):
                async with AsyncExitStack() as resources:
                    http = await resources.enter_async_context(_http_client(concurrency))
                    client = _livepeer_client(http, f"{upstream.url}/api", limit, concurrency)
                    await client.check()
                    began = time.perf_counter()
                    await client.sessions(scope)
                    seconds[name].append(time.perf_counter() - began)
    concurrent, sequential = (
        Measurement(WALK, name, pages * limit, "s", tuple(values)) for name, values in seconds.items()
    )
    cpu, httpx_cpu = await _compare_clients(rounds * 30)
    walk = f"a walk of {pages} pages with 50 ms latency, compared with sequential requests"
    page = "CPU of the client for a page of 1,000, compared with AsyncClient.get"
    return Results(
        (concurrent, sequential, cpu, httpx_cpu),
        (
            GoalResult("P7", walk, concurrent.ratio_to(sequential), goal=1 / 4),
            GoalResult("P7", page, cpu.ratio_to(httpx_cpu), goal=1.1),
        ),
    )


async def _compare_clients(rounds: int) -> tuple[Measurement, Measurement]:
    """Measure the CPU time of this process for a page of 1,000 sessions, without that of decoding it."""
    request_and_decode, get, decode = [], [], []
    with running_upstream(1000) as upstream:
        url = f"{upstream.url}/api"
        async with _http_client(1) as http, httpx.AsyncClient() as baseline:
            client = _livepeer_client(http, url, 1000, 1)
            params = {"limit": "1000", "order": "id-false", "count": "1"}
            headers = {"Authorization": f"Bearer {KEY}"}

            async def measure_exporter() -> None:
                began = time.process_time()
                await client.check()
                request_and_decode.append(time.process_time() - began)

            async def measure_httpx() -> None:
                began = time.process_time()
                response = await baseline.get(f"{url}/session", params=params, headers=headers)
                get.append(time.process_time() - began)
                # Decoded at once, as in the exporter, so that the state of memory and caches is the same in both.
                began = time.process_time()
                run_to_end(decode_page(response.content, time.time()))
                decode.append(time.process_time() - began)

            order = deque((measure_exporter, measure_httpx))
            for _ in range(rounds):
                for measure in order:
                    await measure()
                order.rotate()
    request = tuple((total - page) * 1000 for total, page in zip(request_and_decode, decode, strict=True))
    return (
        Measurement(CPU, EXPORTER, 1000, "ms", request),
        Measurement(CPU, HTTPX, 1000, "ms", tuple(seconds * 1000 for seconds in get)),
    )


def _http_client(connections: int) -> HTTPClient:
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
