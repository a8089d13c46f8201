"""Requests to `GET /session`: headers, concurrency and metering; retries and faults are tested in ``tests/faults``."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from exporter.livepeer.errors import BadRequestError, ConnectError, MissingKeyError, RateLimitError
from exporter.livepeer.query import MAX_PARENT_QUERIES, Scope
from exporter.version import VERSION
from tests.livepeer.clients import SCOPE, RecordingMeter, livepeer_client
from tests.support.canary import KEY
from tests.support.loop import in_loop
from tests.support.rows import page, row
from tests.support.upstream import Request, always, reply, upstream


@in_loop
async def test_every_request_has_the_key_and_the_user_agent() -> None:
    async with upstream(always(reply())) as server, livepeer_client(server.url) as client:
        await client.sessions(SCOPE)
    assert {request.headers["user-agent"] for request in server.requests} == {f"livepeer-session-exporter/{VERSION}"}
    assert all(request.headers["authorization"] == f"Bearer {KEY}" for request in server.requests)


@in_loop
async def test_cookies_are_not_stored() -> None:
    cookie = {"Set-Cookie": "tracker=1; Path=/"}
    async with upstream(always(reply(headers=cookie))) as server, livepeer_client(server.url) as client:
        await client.sessions(SCOPE)
    assert not [request for request in server.requests if "cookie" in request.headers]


@in_loop
async def test_concurrent_requests_are_limited() -> None:
    running = peak = 0

    async def script(_request: Request) -> AsyncIterator[bytes]:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.01)
        yield reply()
        running -= 1

    async with upstream(script) as server, livepeer_client(server.url, concurrency=2) as client:
        stream_ids = frozenset(f"parent-{number}" for number in range(MAX_PARENT_QUERIES))
        await client.sessions(Scope(3600, 14_400, stream_ids=stream_ids))
    assert peak == 2


@in_loop
async def test_every_request_is_measured_with_its_status_and_body_size() -> None:
    meter = RecordingMeter()
    body = page(row(1))
    async with upstream(always(reply(body))) as server, livepeer_client(server.url, meter=meter) as client:
        await client.check()
        server.script = always(reply(b"", 418))
        with pytest.raises(BadRequestError, match="418"):
            await client.check()
        server.script = always(b"")
        with pytest.raises(ConnectError, match="connection failed"):
            await client.check()
    assert meter.requests == [("200", len(body)), ("418", 0), ("none", 0)]


@in_loop
async def test_D09_a_request_that_is_cancelled_since_another_one_failed_is_not_measured() -> None:
    meter = RecordingMeter()
    both_sent = asyncio.Event()

    async def script(request: Request) -> AsyncIterator[bytes]:
        if "record" not in request.query["filters"]:
            await both_sent.wait()
            yield reply(b"", 429)
            return
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n["
        both_sent.set()
        await asyncio.Event().wait()

    async with upstream(script) as server, livepeer_client(server.url, meter=meter) as client:
        with pytest.raises(RateLimitError):
            await client.sessions(SCOPE)
    assert (len(server.requests), meter.requests) == (2, [("429", 0)])


@in_loop
async def test_without_a_key_no_request_is_sent() -> None:
    def no_key() -> str:
        raise MissingKeyError("no API key is set")

    async with upstream(always(reply())) as server, livepeer_client(server.url, key=no_key) as client:
        with pytest.raises(MissingKeyError):
            await client.check()
    assert server.connections == 0
