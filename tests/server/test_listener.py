"""The listener on a real socket: requests, limits and shutdown."""

import asyncio
import errno
import logging
import os
import resource
import socket
import threading
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from exporter.config import Address
from exporter.server.connection import MAX_PIPELINED_REQUESTS, Limits
from exporter.server.connection_table import REQUEST_GRACE
from exporter.server.listener import Listener
from tests.server.raw_client import GET, RawClient, run, running_listener, static_app, wait_until
from tests.support.deadlines import NEVER
from tests.support.logged import lines
from tests.support.loop import SteppableLoop, advance

HOUR = 3600.0
TIMEOUTS = Limits(header_timeout=1 * HOUR, response_timeout=2 * HOUR, idle_timeout=3 * HOUR)
"""Timeouts that expire only if a test advances the time of the event loop."""


async def closed_after(seconds: float, listener: Listener) -> None:
    """Check that the only connection stays open for most of a timeout, and is closed at its end."""
    await wait_until(lambda: listener.connections == 1)
    for _ in range(9):
        advance(seconds / 10)
        await asyncio.sleep(0.005)
    assert listener.connections == 1
    advance(seconds / 10)
    await wait_until(lambda: listener.connections == 0)


def test_a_connection_is_reused_for_the_next_request() -> None:
    async def scenario() -> None:
        async with running_listener(static_app()) as listener:
            client = await RawClient.connect(listener.port)
            responses = [await client.request(), await client.request()]
            assert [(response.status, response.body) for response in responses] == [(200, b"up 1\n")] * 2
            await client.close()

    run(scenario)


def test_nagles_algorithm_is_disabled() -> None:
    async def scenario() -> None:
        async with running_listener(static_app()) as listener:
            client = await RawClient.connect(listener.port)
            await client.request()
            (connection,) = listener._table
            accepted = connection.transport.get_extra_info("socket")
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            await client.close()

    run(scenario)


def test_responses_have_a_date_header_and_no_server_header() -> None:
    async def scenario() -> None:
        listener = Listener(static_app(), Address("127.0.0.1", 0), now=lambda: 1_700_000_000.0)
        await listener.start()
        client = await RawClient.connect(listener.port)
        headers = (await client.request()).headers
        assert parsedate_to_datetime(headers["date"]).timestamp() == 1_700_000_000.0
        assert "server" not in headers
        await client.close()
        await listener.stop(0)

    run(scenario)


def test_the_date_header_is_updated() -> None:
    async def scenario() -> None:
        seconds = iter(range(1_700_000_000, 1_800_000_000))
        listener = Listener(static_app(), Address("127.0.0.1", 0), now=lambda: next(seconds))
        await listener.start()
        dates = set()
        for _ in range(3):
            client = await RawClient.connect(listener.port)
            dates.add((await client.request()).headers["date"])
            await client.close()
            advance(2)
            await asyncio.sleep(0.01)
        assert len(dates) > 1
        await listener.stop(0)

    run(scenario)


def test_an_empty_host_listens_on_ipv4_and_ipv6() -> None:
    async def scenario() -> None:
        listener = Listener(static_app(), Address("", 0))
        await listener.start()
        hosts = ["127.0.0.1", "::1"] if socket.has_dualstack_ipv6() else ["127.0.0.1"]
        for host in hosts:
            client = RawClient(*await asyncio.open_connection(host, listener.port))
            assert (await client.request()).status == 200
            await client.close()
        await listener.stop(0)

    run(scenario)


def test_V15_a_listener_on_several_addresses_serves_them_all_within_one_limit() -> None:
    async def scenario() -> None:
        addresses = [Address(host, 0) for host in ("127.0.0.1", "127.0.0.2", "127.0.0.1")]
        listener = Listener(static_app(), *addresses, limits=Limits(max_connections=2))
        await listener.start()
        places = list(zip([address.host for address in addresses], listener.ports, strict=True))
        assert places[0] == ("127.0.0.1", listener.port)
        clients = [RawClient(*await asyncio.open_connection(*place)) for place in places]
        for client in clients:
            assert (await client.request()).status == 200
            assert listener.connections <= 2
            await client.close()
        await listener.stop(0)
        for place in places:
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(*place)

    run(scenario)


def test_V15_a_listener_that_cannot_use_one_of_its_addresses_uses_none() -> None:
    async def scenario() -> None:
        async with running_listener(static_app()) as first:
            second = Listener(static_app(), Address("127.0.0.2", 0), Address("127.0.0.1", first.port))
            with pytest.raises(OSError, match=r"^cannot listen on 127\.0\.0\.1:\d+: Address already in use$"):
                await second.start()
            (port, *_) = second.ports
            await second.stop(0)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.2", port)

    run(scenario)


def test_R07_a_port_in_use_is_a_one_line_error() -> None:
    async def scenario() -> None:
        async with running_listener(static_app()) as first:
            second = Listener(static_app(), Address("127.0.0.1", first.port))
            with pytest.raises(OSError, match=r"^cannot listen on 127\.0\.0\.1:\d+: Address already in use$"):
                await second.start()
            await second.stop(0)

    run(scenario)


def test_R07_an_unknown_host_is_a_one_line_error() -> None:
    async def scenario() -> None:
        with pytest.raises(OSError, match=r"^cannot listen on no-such-host\.invalid:1: [^\n]+$"):
            await Listener(static_app(), Address("no-such-host.invalid", 1)).start()

    run(scenario)


def test_the_port_can_be_reused_after_shutdown() -> None:
    async def scenario() -> None:
        async with running_listener(static_app()) as listener:
            port = listener.port
            client = await RawClient.connect(port)
            await client.request()
        again = Listener(static_app(), Address("127.0.0.1", port))
        await again.start()
        await again.stop(0)
        await client.close()

    run(scenario)


def test_R03_an_idle_connection_does_not_delay_shutdown() -> None:
    async def scenario() -> None:
        listener = Listener(static_app(), Address("127.0.0.1", 0))
        await listener.start()
        client = await RawClient.connect(listener.port)
        await client.request()
        await listener.stop(grace=NEVER)
        assert await client.read_until_closed() == b""
        await client.close()

    run(scenario)


def test_R03_a_connection_that_was_just_accepted_is_closed_at_shutdown() -> None:
    async def scenario() -> None:
        listener = Listener(static_app(), Address("127.0.0.1", 0))
        await listener.start()
        client = socket.create_connection(("127.0.0.1", listener.port))
        while listener.connections == 0:  # noqa: ASYNC110  # one iteration of the loop at a time, to stop in the handshake
            await asyncio.sleep(0)
        await listener.stop(0)
        client.setblocking(True)
        assert await asyncio.to_thread(client.recv, 1) == b""
        client.close()

    run(scenario)


def test_R03_a_response_in_progress_is_finished_before_shutdown() -> None:
    async def scenario() -> None:
        started, may_respond = asyncio.Event(), asyncio.Event()

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            started.set()
            await may_respond.wait()
            await static_app(b"x" * 5_000_000)(scope, receive, send)

        listener = Listener(slow, Address("127.0.0.1", 0))
        await listener.start()
        client = await RawClient.connect(listener.port)
        await client.send(GET)
        await started.wait()
        stopping = asyncio.create_task(listener.stop(grace=30))
        await asyncio.sleep(0)
        with pytest.raises(ConnectionRefusedError):
            await RawClient.connect(listener.port or 1)
        may_respond.set()
        response = await client.receive()
        assert (len(response.body), response.headers["connection"]) == (5_000_000, "close")
        await stopping
        await client.close()

    run(scenario)


def test_R03_a_response_longer_than_the_grace_period_is_aborted() -> None:
    async def scenario() -> None:
        listener = Listener(static_app(b"x" * 50_000_000), Address("127.0.0.1", 0))
        await listener.start()
        client = await RawClient.connect(listener.port, limit=1024)
        await client.send(GET)
        await client.reader.readline()
        await listener.stop(grace=0.2)
        assert listener.connections == 0
        await client.close()

    run(scenario)


def test_R03_an_application_that_never_responds_is_cancelled_without_log_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        started = asyncio.Event()

        async def never_respond(_scope: Scope, _receive: Receive, _send: Send) -> None:
            started.set()
            await asyncio.Event().wait()

        listener = Listener(never_respond, Address("127.0.0.1", 0))
        await listener.start()
        client = await RawClient.connect(listener.port)
        await client.send(GET)
        await started.wait()
        await listener.stop(grace=0.2)
        await client.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scenario)
    assert caplog.records == []


def test_R05_a_client_that_disconnects_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def scenario() -> None:
        async with running_listener(static_app(b"x" * 20_000_000)) as listener:
            client = await RawClient.connect(listener.port, limit=1024)
            await client.send(GET)
            await client.reader.readline()
            await client.close()
            await wait_until(lambda: listener.connections == 0)

    run(scenario)
    assert caplog.records == []


def test_V06_a_client_that_shuts_down_its_side_after_its_requests_is_answered() -> None:
    async def scenario() -> None:
        may_respond = asyncio.Event()

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            await may_respond.wait()
            await static_app(b"x" * 5_000_000)(scope, receive, send)

        async with running_listener(slow) as listener:
            client = await RawClient.connect(listener.port)
            await client.send(GET * 2)
            client.writer.write_eof()
            await asyncio.sleep(0.05)
            may_respond.set()
            responses = [await client.receive() for _ in range(2)]
            assert [len(response.body) for response in responses] == [5_000_000] * 2
            assert await client.read_until_closed() == b""
            await client.close()

    run(scenario)


def test_V06_a_client_that_shuts_down_its_side_before_a_complete_request_is_disconnected() -> None:
    async def scenario() -> None:
        async with running_listener(static_app()) as listener:
            for sent in (b"", GET[:20]):
                client = await RawClient.connect(listener.port)
                await client.send(sent)
                client.writer.write_eof()
                assert await client.read_until_closed() == b""
                await client.close()

    run(scenario)


def test_S04_idle_connections_are_closed_for_a_new_one() -> None:
    async def scenario() -> None:
        async with running_listener(static_app(), limits=replace(TIMEOUTS, max_connections=100)) as listener:
            threads = threading.active_count()
            idle = [await RawClient.connect(listener.port) for _ in range(150)]
            for client in idle[::2]:
                await client.send(b"GET /metrics HTTP/1.1\r\nX-")
            scraper = await RawClient.connect(listener.port)
            assert (await scraper.request()).status == 200
            assert listener.connections <= 100
            assert threading.active_count() <= threads  # threads of earlier tests may end meanwhile
            for client in (*idle, scraper):
                await client.close()

    run(scenario)


def test_S04_a_burst_of_connections_does_not_exceed_the_limit() -> None:
    async def scenario() -> None:
        async with running_listener(static_app(), limits=replace(TIMEOUTS, max_connections=10)) as listener:
            existing = [await RawClient.connect(listener.port) for _ in range(10)]
            await wait_until(lambda: listener.connections == 10)
            # Connected without yielding to the loop, so that it accepts them in one iteration.
            burst = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(60)]
            client = await RawClient.connect(listener.port)
            assert (await client.request()).status == 200
            assert listener.connections <= 10
            for connection in burst:
                connection.close()
            for each in (*existing, client):
                await each.close()

    run(scenario)


def test_S04_busy_connections_are_not_closed_for_a_new_one() -> None:
    async def scenario() -> None:
        may_respond = asyncio.Event()
        started = asyncio.Semaphore(0)

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            started.release()
            await may_respond.wait()
            await static_app()(scope, receive, send)

        async with running_listener(slow, limits=replace(TIMEOUTS, max_connections=2)) as listener:
            busy = [await RawClient.connect(listener.port) for _ in range(2)]
            for client in busy:
                await client.send(GET)
                await started.acquire()
            third = await RawClient.connect(listener.port)
            await third.send(GET)
            may_respond.set()
            assert [(await client.receive()).status for client in (*busy, third)] == [200] * 3
            for client in (*busy, third):
                await client.close()

    run(scenario)


def test_V18_every_client_is_answered_although_there_are_more_than_places() -> None:
    async def scenario() -> None:
        async def request_once(port: int) -> int:
            client = await RawClient.connect(port)
            status = (await client.request()).status
            await client.close()
            return status

        async with running_listener(static_app(), limits=Limits(max_connections=4)) as listener:
            # Connected without yielding to the loop, so that it accepts them in one iteration, before any request.
            found = await asyncio.gather(*(request_once(listener.port) for _ in range(60)))
            assert found == [200] * 60

    run(scenario)


def test_V18_a_request_that_has_arrived_is_answered_before_its_connection_is_closed_for_a_new_one() -> None:
    async def scenario() -> None:
        async with running_listener(static_app(), limits=Limits(max_connections=2)) as listener:
            idle = [await RawClient.connect(listener.port) for _ in range(2)]
            for client in idle:
                await client.request()
            await wait_until(lambda: all(each.is_idle for each in listener._table))
            advance(2 * REQUEST_GRACE)
            # The new one first, so that the loop accepts it before it reads the requests.
            new = socket.create_connection(("127.0.0.1", listener.port))
            for client in idle:
                client.writer.write(GET)  # sent at once
            assert [(await client.receive()).status for client in idle] == [200, 200]
            client = RawClient(*await asyncio.open_connection(sock=new))
            assert (await client.request()).status == 200
            for each in (*idle, client):
                await each.close()

    run(scenario)


def test_V18_a_connection_that_its_client_has_closed_makes_room_before_an_idle_one() -> None:
    async def scenario() -> None:
        async with running_listener(static_app(), limits=Limits(max_connections=2)) as listener:
            idle = await RawClient.connect(listener.port)
            await idle.request()
            await wait_until(lambda: all(each.is_idle for each in listener._table))
            advance(2 * REQUEST_GRACE)
            closed = socket.create_connection(("127.0.0.1", listener.port))
            await wait_until(lambda: listener.connections == 2)
            new = socket.create_connection(("127.0.0.1", listener.port))
            closed.close()
            client = RawClient(*await asyncio.open_connection(sock=new))
            assert (await client.request()).status == 200
            assert (await idle.request()).status == 200
            for each in (idle, client):
                await each.close()

    run(scenario)


@pytest.mark.parametrize("iterations", range(8))
def test_V18_a_connection_that_was_just_accepted_is_answered_although_the_loop_was_blocked(iterations: int) -> None:
    async def scenario() -> None:
        async with running_listener(static_app(), limits=replace(TIMEOUTS, max_connections=1)) as listener:
            sockets = [connect_and_request(listener.port)]
            for _ in range(iterations):
                await asyncio.sleep(0)
            sockets.append(connect_and_request(listener.port))
            advance(4 * REQUEST_GRACE)  # as if the loop had been blocked at this point of opening the first connection
            clients = [RawClient(*await asyncio.open_connection(sock=each)) for each in sockets]
            assert [(await client.receive()).status for client in clients] == [200, 200]
            for client in clients:
                await client.close()

    run(scenario)


@pytest.mark.parametrize("names", [(b"Host", b"Host"), (b"Host", b"hOST"), (b"Host", b"X", b"HOST")])
def test_S09_a_request_with_two_host_headers_is_rejected(names: tuple[bytes, ...]) -> None:
    async def scenario() -> None:
        async with running_listener(static_app()) as listener:
            client = await RawClient.connect(listener.port)
            headers = b"".join(name + b": localhost\r\n" for name in names)
            response = await client.request(b"GET / HTTP/1.1\r\n" + headers + b"\r\n")
            assert (response.status, response.headers["connection"]) == (400, "close")
            await client.close()

    run(scenario)


@pytest.mark.parametrize(("version", "status"), [(b"1.1", 400), (b"1.0", 200)])
def test_S09_a_request_without_a_host_header_is_rejected_in_HTTP_1_1_only(version: bytes, status: int) -> None:
    async def scenario() -> None:
        async with running_listener(static_app()) as listener:
            client = await RawClient.connect(listener.port)
            response = await client.request(b"GET / HTTP/" + version + b"\r\nX-Host: localhost\r\n\r\n")
            assert (response.status, response.headers["connection"]) == (status, "close")
            await client.close()

    run(scenario)


def test_S04_a_connection_without_a_request_is_closed() -> None:
    async def scenario() -> None:
        async with running_listener(static_app(), limits=TIMEOUTS) as listener:
            client = await RawClient.connect(listener.port)
            await closed_after(TIMEOUTS.header_timeout, listener)
            assert await client.read_until_closed() == b""
            await client.close()

    run(scenario)


@pytest.mark.parametrize("data", [b"\r\n", b"X-Drip: 1\r\n"], ids=["empty lines", "headers"])
def test_S04_slowly_sent_headers_do_not_extend_the_deadline(data: bytes) -> None:
    async def scenario() -> None:
        async with running_listener(static_app(), limits=TIMEOUTS) as listener:
            client = await RawClient.connect(listener.port)
            await client.send(b"GET / HTTP/1.1\r\n" if data.strip() else b"\r\n")

            async def send_slowly() -> None:
                while True:
                    await client.send(data)
                    advance(TIMEOUTS.header_timeout / 20)
                    await asyncio.sleep(0.005)

            sending = asyncio.create_task(send_slowly())
            assert await client.read_until_closed() == b""
            sending.cancel()
            await asyncio.wait([sending])
            if not sending.cancelled():
                assert isinstance(sending.exception(), ConnectionError)
            await client.close()

    run(scenario)


def test_S04_the_headers_of_a_further_request_have_a_timeout() -> None:
    async def scenario() -> None:
        async with running_listener(static_app(), limits=TIMEOUTS) as listener:
            client = await RawClient.connect(listener.port)
            await client.request()
            await client.send(b"GET / HTTP/1.1\r\nX-")
            (connection,) = listener._table
            await wait_until(lambda: connection.is_reading_headers)  # until then the idle timeout applies
            await closed_after(TIMEOUTS.header_timeout, listener)
            assert await client.read_until_closed() == b""
            await client.close()

    run(scenario)


def test_a_response_may_take_longer_than_the_header_timeout() -> None:
    async def scenario() -> None:
        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            for _ in range(10):
                advance(TIMEOUTS.header_timeout / 6)
                await asyncio.sleep(0.001)
            await static_app()(scope, receive, send)

        async with running_listener(slow, limits=TIMEOUTS) as listener:
            client = await RawClient.connect(listener.port)
            assert (await client.request()).status == 200
            await client.close()

    run(scenario)


def test_S04_a_connection_is_closed_at_the_idle_timeout() -> None:
    async def scenario() -> None:
        async with running_listener(static_app(), limits=TIMEOUTS) as listener:
            client = await RawClient.connect(listener.port)
            await client.request()
            await closed_after(TIMEOUTS.idle_timeout, listener)
            assert await client.read_until_closed() == b""
            await client.close()

    run(scenario)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X-Many: a\r\n" * 2_000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nX-Endless: " + b"a" * 20_000, 431),
    ],
    ids=["path", "header", "many headers", "unfinished header"],
)
def test_S05_a_request_that_is_too_large_is_rejected(request_: bytes, status: int) -> None:
    async def scenario() -> None:
        async with running_listener(static_app()) as listener:
            client = await RawClient.connect(listener.port)
            response = await client.request(request_)
            assert (response.status, response.headers["connection"]) == (status, "close")
            assert await client.read_until_closed() == b""
            await client.close()

    run(scenario)


def test_S05_headers_received_in_pieces_are_counted_once() -> None:
    async def scenario() -> None:
        async with running_listener(static_app(), limits=Limits(max_header_bytes=1000)) as listener:
            client = await RawClient.connect(listener.port)
            for _ in range(3):
                await client.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-First: " + b"a" * 800 + b"\r\n")
                await asyncio.sleep(0.05)
                assert (await client.request(b"X-Second: b\r\n\r\n")).status == 200
            await client.close()

    run(scenario)


def test_S06_many_concurrent_requests_get_complete_responses() -> None:
    async def scenario() -> None:
        body = bytes(range(256)) * 4000
        async with running_listener(static_app(body)) as listener:
            clients = [await RawClient.connect(listener.port) for _ in range(200)]
            responses = await asyncio.gather(*(client.request() for client in clients))
            assert all(response.body == body for response in responses)
            for client in clients:
                await client.close()

    run(scenario)


def test_S08_a_slow_reader_holds_a_chunk_of_the_body_instead_of_a_copy() -> None:
    async def scenario() -> None:
        body = b"x" * 30_000_000
        async with running_listener(static_app(body)) as listener:
            clients = [await RawClient.connect(listener.port, limit=1024) for _ in range(20)]
            before = resident_memory()
            for client in clients:
                await client.send(GET)
                await client.reader.readline()
            await asyncio.sleep(0.2)
            assert resident_memory() - before < 100 << 20  # twenty copies of the body are 600 MB
            for client in clients:
                await client.close()

    run(scenario)


def test_S08_a_client_that_does_not_read_is_disconnected_at_the_response_timeout() -> None:
    async def scenario() -> None:
        async with running_listener(static_app(b"x" * 30_000_000), limits=TIMEOUTS) as listener:
            client = await RawClient.connect(listener.port, limit=1024)
            await client.send(GET)
            await client.reader.readline()
            await closed_after(TIMEOUTS.response_timeout, listener)
            assert len(await client.read_until_closed()) < 30_000_000
            await client.close()

    run(scenario)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
    ],
    ids=["TLS ClientHello", "zeros", "HTTP/2", "no path"],
)
def test_S09_invalid_requests_are_rejected_without_log_lines(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def scenario() -> None:
        async with running_listener(static_app()) as listener:
            client = await RawClient.connect(listener.port)
            await client.send(data)
            assert (await client.read_until_closed()).startswith(b"HTTP/1.1 400 ")
            await client.close()

    run(scenario)
    assert caplog.records == []


def test_S09_invalid_data_after_a_request_does_not_affect_its_response() -> None:
    async def scenario() -> None:
        async with running_listener(static_app(b"x" * 3_000_000)) as listener:
            client = await RawClient.connect(listener.port)
            await client.send(GET + b"\x00\x00\x00\x00")
            assert (await client.receive()).body == b"x" * 3_000_000
            assert await client.read_until_closed() == b""
            await client.close()

    run(scenario)


def test_pipelined_requests_are_answered_in_order_up_to_a_limit() -> None:
    async def scenario() -> None:
        async def echo(scope: Scope, receive: Receive, send: Send) -> None:
            await static_app(str(scope["path"]).encode())(scope, receive, send)

        async with running_listener(echo) as listener:
            client = await RawClient.connect(listener.port)
            await client.send(
                b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(MAX_PIPELINED_REQUESTS))
            )
            assert [(await client.receive()).body for _ in range(MAX_PIPELINED_REQUESTS)] == [
                b"/%d" % number for number in range(MAX_PIPELINED_REQUESTS)
            ]
            await client.send(GET * 10_000)
            assert (await client.read_until_closed()).count(b"HTTP/1.1 200") <= MAX_PIPELINED_REQUESTS + 1
            await client.close()

    run(scenario)


def test_S05_the_header_limit_applies_to_each_pipelined_request() -> None:
    async def scenario() -> None:
        async with running_listener(static_app()) as listener:
            client = await RawClient.connect(listener.port)
            large = GET.replace(b"\r\n\r\n", b"\r\nX-Large: " + b"a" * 4000 + b"\r\n\r\n")
            await client.send(large * 6 + GET[:10])
            assert [(await client.receive()).status for _ in range(6)] == [200] * 6
            assert (await client.request(GET[10:])).status == 200
            await client.close()

    run(scenario)


def test_S05_a_pipelined_request_that_is_too_large_closes_the_connection() -> None:
    async def scenario() -> None:
        async with running_listener(static_app()) as listener:
            client = await RawClient.connect(listener.port)
            await client.send(GET * 2 + b"GET / HTTP/1.1\r\nX-Endless: " + b"a" * 20_000)
            assert [(await client.receive()).status for _ in range(2)] == [200] * 2
            assert await client.read_until_closed() == b""
            await client.close()

    run(scenario)


def test_a_response_does_not_wait_for_the_request_body() -> None:
    async def scenario() -> None:
        async with running_listener(static_app()) as listener:
            client = await RawClient.connect(listener.port)
            response = await client.request(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
            assert (response.status, response.headers["connection"]) == (200, "close")
            await client.close()

    run(scenario)


def test_an_upgrade_request_is_answered_in_http_1_1(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with running_listener(static_app()) as listener:
            client = await RawClient.connect(listener.port)
            response = await client.request(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
            assert (response.status, response.headers["connection"]) == (200, "close")
            await client.close()

    run(scenario)
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []


def test_R11_an_idle_connection_is_closed_when_no_descriptor_is_left(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with running_listener(static_app(), limits=TIMEOUTS) as listener:
            existing = await RawClient.connect(listener.port)
            await existing.request()
            waiting = socket.socket()
            waiting.setblocking(False)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (free_descriptor(), hard))
            try:
                with pytest.raises(BlockingIOError):
                    waiting.connect(("127.0.0.1", listener.port))
                client = RawClient(*await asyncio.open_connection(sock=waiting))
                assert (await client.request()).status == 200, "in place of the idle one"
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await existing.close()
            await client.close()

    run(scenario)
    assert lines(caplog) == [("WARNING", "cannot accept a connection", {"reason": os.strerror(errno.EMFILE)})]


class RecordingLoop(SteppableLoop):
    """Records the delays, in seconds, after which accepting is resumed."""

    def __init__(self) -> None:
        super().__init__()
        self.accept_delays: list[float] = []

    def call_later(self, delay: float, callback: Any, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:  # type: ignore[override]
        if callback == self.add_reader:
            self.accept_delays.append(delay)
        return super().call_later(delay, callback, *args, **kwargs)


def test_R11_many_pending_connections_are_accepted_quickly_when_no_descriptor_is_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        async with running_listener(static_app(), limits=TIMEOUTS) as listener:
            idle = [await RawClient.connect(listener.port) for _ in range(80)]
            for client in idle:
                await client.request()
            pending = [socket.socket() for _ in range(80)]
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (free_descriptor(), hard))
            try:
                for waiting in pending:
                    waiting.setblocking(False)
                    with pytest.raises(BlockingIOError):
                        waiting.connect(("127.0.0.1", listener.port))
                scrape = RawClient(*await asyncio.open_connection(sock=pending[-1]))
                assert (await scrape.request()).status == 200
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for client in (*idle, scrape):
                await client.close()
            for waiting in pending:
                waiting.close()
            loop = asyncio.get_running_loop()
            assert isinstance(loop, RecordingLoop)
            assert len(loop.accept_delays) > 40, "one for each connection, more or less"
            assert sum(loop.accept_delays) < 1, "8 s with the longer retry delay"

    run(scenario, RecordingLoop)
    assert len(caplog.records) == 1, "one line for all of them"


REQUESTS = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda method, path, version, headers, end: (
            b" ".join((method, path, version)) + b"\r\n" + b"".join(headers) + end
        ),
        st.sampled_from([b"GET", b"HEAD", b"POST", b"CONNECT", b"OPTIONS", b"", b"get", b"\xff"]),
        st.one_of(st.sampled_from([b"/metrics", b"*", b"http://x", b"//", b"/%zz", b"/%ff", b"x:1"]), st.binary()),
        st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9", b"HTTP/2.0", b""]),
        st.lists(
            st.sampled_from(
                [
                    b"Host: x\r\n",
                    b"Connection: close\r\n",
                    b"Connection: upgrade\r\n",
                    b"Upgrade: websocket\r\n",
                    b"Content-Length: 3\r\n",
                    b"Content-Length: -1\r\n",
                    b"Transfer-Encoding: chunked\r\n",
                    b"Expect: 100-continue\r\n",
                    b"X: \x00\r\n",
                    b" folded\r\n",
                    b": \r\n",
                ]
            ),
            max_size=4,
        ),
        st.sampled_from([b"\r\n", b"\r\nabc", b"\n", b"", b"\r\n0\r\n\r\n"]),
    ),
)


def test_any_bytes_leave_the_server_working_and_no_response_is_5xx(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    loop = asyncio.new_event_loop()
    listener = Listener(static_app(), Address("127.0.0.1", 0), limits=TIMEOUTS)
    loop.run_until_complete(listener.start())

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(requests=st.lists(REQUESTS, min_size=1, max_size=3))
    def attempt(requests: list[bytes]) -> None:
        async def scenario() -> None:
            client = await RawClient.connect(listener.port)
            await client.send(b"".join(requests))
            client.writer.write_eof()
            assert b"HTTP/1.1 5" not in await client.read_until_closed()
            await client.close()
            healthy = await RawClient.connect(listener.port)
            assert (await healthy.request()).status == 200
            await healthy.close()

        loop.run_until_complete(scenario())

    try:
        attempt()
    finally:
        loop.run_until_complete(listener.stop(0))
        loop.close()
    assert caplog.records == []


def connect_and_request(port: int) -> socket.socket:
    """Connect and send a request without yielding to the event loop."""
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(GET)
    return client


def resident_memory() -> int:
    """Return the resident memory of this process in bytes."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * resource.getpagesize()


def free_descriptor() -> int:
    """Return the lowest unused descriptor."""
    number = os.open(os.devnull, os.O_RDONLY)
    os.close(number)
    return number
