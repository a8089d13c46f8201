"""Clients that do not read their responses (V01), on real sockets."""

import asyncio
import logging
import platform
import resource
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import get_args

import pytest
from starlette.types import Message, Receive, Scope, Send

from exporter.config import Address
from exporter.metrics.catalogue.outcomes import CLOSE_REASONS
from exporter.server.connection import Limits
from exporter.server.connection_table import REQUEST_GRACE, CloseReason
from exporter.server.listener import Listener
from exporter.server.memory import release_free_memory
from exporter.server.sending_limit import MANY_SLOW_CLIENTS, RELEASE_DELAYS, WARNING_INTERVAL, SendingLimit
from tests.server.raw_client import GET, RawClient, run, static_app, wait_until
from tests.support.logged import lines
from tests.support.loop import advance

HOUR = 3600.0
TIMEOUTS = Limits(header_timeout=1 * HOUR, response_timeout=2 * HOUR, idle_timeout=3 * HOUR)
SIZE = 20_000_000
"""Bytes of the page, far more than sockets and buffers hold."""
PROBE = GET.replace(b"/metrics", b"/livez")


async def pages(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with a large page, or with a small one to probes."""
    await static_app(b"x" * SIZE if scope["path"] == "/metrics" else b"ok\n")(scope, receive, send)


@asynccontextmanager
async def counting_listener(limits: Limits) -> AsyncIterator[tuple[Listener, list[str]]]:
    """Run a listener; the list receives the reason for each connection that it closes."""
    reasons: list[str] = []
    listener = Listener(pages, Address("127.0.0.1", 0), limits=limits, on_close=reasons.append)
    await listener.start()
    try:
        yield listener, reasons
    finally:
        await listener.stop(0)


def stuck_client(listener: Listener) -> socket.socket:
    """Request the page with a tiny receive buffer, and do not read it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", listener.port))
    client.sendall(GET)
    return client


def close(clients: Sequence[socket.socket]) -> None:
    for client in clients:
        client.close()


def test_V01_a_quarter_of_the_places_stays_free_while_clients_do_not_read(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with counting_listener(replace(TIMEOUTS, max_connections=40)) as (listener, reasons):
            stuck = [stuck_client(listener) for _ in range(60)]
            await wait_until(lambda: len(reasons) == 30)
            assert set(reasons) == {"slow"}
            client = await RawClient.connect(listener.port)
            assert (await client.request(PROBE)).body == b"ok\n"
            assert len(reasons) == 30, "nothing is closed without need"
            # While it receives the page, it is one more that the server sends to: one of the others may be closed.
            assert len((await client.request()).body) == SIZE
            await client.close()
            close(stuck)

    run(scenario)
    ((level, message, fields),) = lines(caplog)
    assert (level, fields["limit"]) == ("WARNING", 30)
    assert message == "closed the slowest connections, since too many clients do not read their responses"


def test_V01_the_connection_with_the_lowest_rate_is_closed() -> None:
    async def scenario() -> None:
        async with counting_listener(replace(TIMEOUTS, max_connections=4)) as (listener, reasons):
            reader = await RawClient.connect(listener.port, limit=1024)
            await reader.send(GET)
            received = len(await reader.reader.readexactly(SIZE // 2))
            stuck = [stuck_client(listener) for _ in range(2)]
            await wait_until(lambda: listener._table.count_sending() == 3)
            advance(60)
            stuck.append(stuck_client(listener))
            await wait_until(lambda: bool(reasons))
            assert (reasons, listener.connections) == (["slow"], 3)
            remaining = [connection.client for connection in listener._table]
            assert stuck[-1].getsockname() in remaining, "it has just begun"
            while received < SIZE:
                received += len(piece := await reader.reader.read(1 << 16))
                assert piece, "it has read more than the others"
            await reader.close()
            close(stuck)

    run(scenario)


def test_V01_there_is_one_warning_a_minute_with_the_number_of_closed_connections(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        async with counting_listener(replace(TIMEOUTS, max_connections=4)) as (listener, reasons):
            stuck = []
            for count in range(1, 4):
                while len(reasons) < count:
                    stuck.append(stuck_client(listener))
                    await asyncio.sleep(0.05)
            assert len(caplog.records) == 1
            advance(WARNING_INTERVAL)
            await wait_until(lambda: len(caplog.records) == 2)
            assert sum(fields["closed"] for _, _, fields in lines(caplog)) == len(reasons)
            close(stuck)

    run(scenario)


def test_V01_an_application_ends_when_its_client_has_gone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    started, ended = asyncio.Event(), asyncio.Event()

    async def endless(_scope: Scope, _receive: Receive, send: Send) -> None:
        start: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"999999999")]}
        await send(start)
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(1 << 16), "more_body": True})
                started.set()
                await asyncio.sleep(0)
        except OSError:
            ended.set()
            raise

    async def scenario() -> None:
        listener = Listener(endless, Address("127.0.0.1", 0), limits=TIMEOUTS)
        await listener.start()
        client = stuck_client(listener)
        await started.wait()
        client.close()
        await ended.wait()
        await listener.stop(0)

    run(scenario)
    assert caplog.records == []


def test_V01_R03_clients_that_receive_nothing_do_not_use_up_the_time_for_shutdown() -> None:
    async def scenario() -> None:
        async with counting_listener(TIMEOUTS) as (listener, _):
            stuck = stuck_client(listener)
            reader = await RawClient.connect(listener.port, limit=1024)
            await reader.send(GET)
            received = len(await reader.reader.readexactly(1000))
            await wait_until(lambda: listener._table.count_sending() == 2)
            stopping = asyncio.create_task(listener.stop(grace=HOUR))
            await asyncio.sleep(0)
            while received < SIZE // 2:
                received += len(await reader.reader.read(1 << 16))
            advance(HOUR / 3)
            await wait_until(lambda: listener.connections == 1)
            while piece := await reader.reader.read(1 << 16):
                received += len(piece)
            assert received > SIZE, "page and headers"
            await stopping
            await reader.close()
            stuck.close()

    run(scenario)


def test_V01_the_kernel_holds_little_for_a_client_that_does_not_read() -> None:
    async def scenario() -> None:
        async with counting_listener(TIMEOUTS) as (listener, _):
            client = stuck_client(listener)
            await wait_until(lambda: listener._table.count_sending() == 1)
            (connection,) = listener._table
            accepted = connection.transport.get_extra_info("socket")
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 64 * 1024
            client.close()

    run(scenario)


def test_V01_memory_is_returned_when_many_slow_clients_have_gone() -> None:
    async def scenario() -> None:
        async with counting_listener(TIMEOUTS) as (listener, _):
            releases: list[float] = []
            now = 0.0
            limit = SendingLimit(listener._table, lambda: releases.append(now))
            stuck = [stuck_client(listener) for _ in range(MANY_SLOW_CLIENTS)]
            await wait_until(lambda: listener._table.count_sending() == MANY_SLOW_CLIENTS)
            limit.update(now)
            assert releases == []
            close(stuck)
            await wait_until(lambda: listener.connections == 0)
            for now in range(1, 100):  # the function above reads it
                limit.update(now)
            assert releases == [1 + delay for delay in RELEASE_DELAYS]

    run(scenario)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no function for it")
def test_V01_free_memory_of_the_heap_is_returned_to_the_system() -> None:
    blocks = [bytes([1]) * 32_768 for _ in range(4000)]
    del blocks[:-1]  # the last one keeps glibc from returning what is below it
    before = resident_memory()
    release_free_memory()
    assert resident_memory() < before - 64 * 2**20
    assert blocks


def test_V01_every_reason_for_a_closed_connection_is_counted() -> None:
    found: list[str] = []
    for each in get_args(CloseReason):
        found += get_args(each) or [each]
    assert sorted(found) == sorted(CLOSE_REASONS)


@pytest.mark.parametrize(
    ("sent", "reason", "seconds"),
    [
        (b"", "header_timeout", TIMEOUTS.header_timeout),
        (GET, "response_timeout", TIMEOUTS.response_timeout),
        (PROBE, "idle_timeout", TIMEOUTS.idle_timeout),
    ],
)
def test_V01_a_timeout_is_reported_as_the_reason(sent: bytes, reason: str, seconds: float) -> None:
    async def scenario() -> None:
        async with counting_listener(TIMEOUTS) as (listener, reasons):
            client = await RawClient.connect(listener.port, limit=1024)
            await client.send(sent)
            if sent:
                await client.reader.readline()
            await wait_until(lambda: listener.connections == 1)
            await asyncio.sleep(0.05)
            advance(seconds + 1)
            await wait_until(lambda: listener.connections == 0)
            assert reasons == [reason]
            await client.close()

    run(scenario)


def test_V01_an_idle_connection_that_makes_room_is_reported_as_evicted() -> None:
    async def scenario() -> None:
        async with counting_listener(replace(TIMEOUTS, max_connections=1)) as (listener, reasons):
            idle = await RawClient.connect(listener.port)
            await idle.request(PROBE)
            await asyncio.sleep(0.05)
            advance(2 * REQUEST_GRACE)
            client = await RawClient.connect(listener.port)
            assert (await client.request(PROBE)).status == 200
            assert reasons == ["evicted"]
            for each in (idle, client):
                await each.close()

    run(scenario)


def resident_memory() -> int:
    """Return the resident memory of this process in bytes."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * resource.getpagesize()
