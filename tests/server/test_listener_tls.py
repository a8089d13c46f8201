"""The listener with TLS on a real socket: client certificates, and changes of certificates while it runs."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.config import Address
from exporter.server.connection import Limits
from exporter.server.listener import Listener
from exporter.server.web_config_reload import CHECK_INTERVAL, WebConfigFile
from tests.faults.scripted import memory_bounded
from tests.server.certificates import Authority, replace_file
from tests.server.raw_client import GET, RawClient, run, running_listener, static_app, wait_until
from tests.support.deadlines import HANG, NEVER
from tests.support.loop import advance

HOUR = 3600.0
TIMEOUTS = Limits(header_timeout=1 * HOUR, response_timeout=2 * HOUR, idle_timeout=3 * HOUR)
"""Timeouts that expire only if a test advances the time of the event loop."""


@dataclass
class Workspace:
    """A CA, a web config file, and the clock of its reload."""

    directory: Path
    authority: Authority
    seconds: float = 0.0

    def write(self, more: str = "") -> Path:
        path = self.directory / "web.yml"
        text = f"tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n{more}"
        replace_file(path, text.encode())
        return path

    def file(self, more: str = "") -> WebConfigFile:
        return WebConfigFile(self.write(more), monotonic=lambda: self.seconds)

    def advance_to_next_check(self) -> None:
        self.seconds += CHECK_INTERVAL

    @asynccontextmanager
    async def listening(
        self, more: str = "", *, app: ASGIApp | None = None, limits: Limits | None = None
    ) -> AsyncIterator[Listener]:
        async with running_listener(app or static_app(), limits=limits, tls=self.file(more).context) as listener:
            yield listener

    async def status(self, listener: Listener, context: ssl.SSLContext | None = None) -> int:
        client = await RawClient.connect(listener.port, tls=context or self.authority.client_context())
        try:
            return (await client.request()).status
        finally:
            await client.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    authority = Authority(tmp_path)
    authority.issue_server()
    return Workspace(tmp_path, authority)


def test_V01_a_connection_over_tls_takes_little_memory(workspace: Workspace) -> None:
    async def scenario() -> None:
        async with workspace.listening() as listener:
            context = workspace.authority.client_context()
            with memory_bounded(20 * 128 * 1024):  # for both sides of 20 connections
                clients = [await RawClient.connect(listener.port, tls=context) for _ in range(20)]
                await wait_until(lambda: listener.connections == 20)
            for client in clients:
                await client.close()

    run(scenario)


REQUIRED = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
IF_GIVEN = "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n"
REJECTED = (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)


def test_S10_a_request_over_tls(workspace: Workspace) -> None:
    async def scenario() -> None:
        async with workspace.listening() as listener:
            assert await workspace.status(listener) == 200

    run(scenario)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_S10_the_minimum_version_is_enforced(workspace: Workspace, version: ssl.TLSVersion) -> None:
    async def scenario() -> None:
        client = workspace.authority.client_context()
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        async with workspace.listening("  min_version: " + version.name.replace("v1_", "1") + "\n") as listener:
            if version == ssl.TLSVersion.TLSv1_2:
                assert await workspace.status(listener, client) == 200
            else:
                with pytest.raises(REJECTED):
                    await workspace.status(listener, client)

    run(scenario)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_S10_a_required_client_certificate_is_verified(
    workspace: Workspace, version: ssl.TLSVersion, tmp_path: Path
) -> None:
    async def scenario() -> None:
        untrusted = Authority(tmp_path, "other").issue_client("untrusted")
        async with workspace.listening(REQUIRED) as listener:
            trusted = workspace.authority.issue_client()
            for certificate, is_accepted in ((None, False), (untrusted, False), (trusted, True)):
                context = workspace.authority.client_context(certificate)
                context.maximum_version = version
                if is_accepted:
                    assert await workspace.status(listener, context) == 200
                else:
                    with pytest.raises(REJECTED):
                        await workspace.status(listener, context)

    run(scenario)


def test_S10_an_optional_client_certificate_is_verified_if_given(workspace: Workspace, tmp_path: Path) -> None:
    async def scenario() -> None:
        untrusted = Authority(tmp_path, "other").issue_client("untrusted")
        async with workspace.listening(IF_GIVEN) as listener:
            assert await workspace.status(listener) == 200
            trusted = workspace.authority.issue_client()
            assert await workspace.status(listener, workspace.authority.client_context(trusted)) == 200
            with pytest.raises(REJECTED):
                await workspace.status(listener, workspace.authority.client_context(untrusted))

    run(scenario)


def test_S10_new_connections_get_a_new_certificate_and_open_ones_stay(workspace: Workspace) -> None:
    async def scenario() -> None:
        async with workspace.listening() as listener:
            context = workspace.authority.client_context()
            old = await RawClient.connect(listener.port, tls=context)
            await old.request()
            workspace.authority.issue_server()
            workspace.advance_to_next_check()
            new = await RawClient.connect(listener.port, tls=context)
            assert serial(new) != serial(old)
            assert [(await client.request()).status for client in (old, new)] == [200, 200]
            await old.close()
            await new.close()

    run(scenario)


def test_S10_a_response_in_progress_survives_a_new_certificate(workspace: Workspace) -> None:
    async def scenario() -> None:
        body = b"x" * 20_000_000
        async with workspace.listening(app=static_app(body)) as listener:
            client = await RawClient.connect(listener.port, tls=workspace.authority.client_context(), limit=1024)
            await client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            await client.reader.readline()
            workspace.authority.issue_server()
            workspace.advance_to_next_check()
            assert await workspace.status(listener) == 200
            assert len((await client.read_until_closed()).partition(b"\r\n\r\n")[2]) == len(body)
            await client.close()

    run(scenario)


def test_S10_a_client_certificate_requirement_applies_to_new_connections(workspace: Workspace) -> None:
    async def scenario() -> None:
        async with workspace.listening() as listener:
            existing = await RawClient.connect(listener.port, tls=workspace.authority.client_context())
            assert (await existing.request()).status == 200
            workspace.write(REQUIRED)
            workspace.advance_to_next_check()
            with pytest.raises(REJECTED):
                await workspace.status(listener)
            trusted = workspace.authority.issue_client()
            assert await workspace.status(listener, workspace.authority.client_context(trusted)) == 200
            assert (await existing.request()).status == 200
            await existing.close()

    run(scenario)


def test_S10_a_resumed_session_does_not_bypass_a_new_client_certificate_requirement(workspace: Workspace) -> None:
    async def scenario() -> None:
        async with workspace.listening() as listener:
            context = workspace.authority.client_context()
            context.maximum_version = ssl.TLSVersion.TLSv1_2  # session tickets are part of the handshake
            session = await asyncio.to_thread(handshake, listener.port, context, None)
            workspace.write(REQUIRED)
            workspace.advance_to_next_check()
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await asyncio.to_thread(handshake, listener.port, context, session)

    run(scenario)


@pytest.mark.parametrize(
    "sent", [b"", b"\x16\x03\x01", GET, b"\x00" * 50], ids=["nothing", "incomplete", "http", "zeros"]
)
def test_S04_S09_incomplete_handshakes_are_closed_and_do_not_block_others(
    workspace: Workspace, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def scenario() -> None:
        async with workspace.listening(limits=TIMEOUTS) as listener:
            clients = [await RawClient.connect(listener.port) for _ in range(50)]
            for client in clients:
                await client.send(sent)
            assert await workspace.status(listener) == 200
            advance(TIMEOUTS.header_timeout)
            for client in clients:
                await client.read_until_closed()
                await client.close()
            await wait_until(lambda: listener.connections == 0)

    run(scenario)
    assert caplog.records == []


def test_S04_a_burst_of_handshakes_does_not_exceed_the_limit(workspace: Workspace) -> None:
    async def scenario() -> None:
        async with workspace.listening(limits=replace(TIMEOUTS, max_connections=10)) as listener:
            burst = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(60)]
            assert await workspace.status(listener) == 200
            assert listener.connections <= 10
            for connection in burst:
                connection.close()

    run(scenario)


def test_S04_handshakes_count_as_connections(workspace: Workspace) -> None:
    async def scenario() -> None:
        async with workspace.listening(limits=replace(TIMEOUTS, max_connections=20)) as listener:
            clients = [await RawClient.connect(listener.port) for _ in range(50)]
            assert await workspace.status(listener) == 200
            assert listener.connections <= 20
            for client in clients:
                await client.close()

    run(scenario)


def test_S08_a_tls_client_that_does_not_read_is_disconnected_at_the_response_timeout(workspace: Workspace) -> None:
    async def scenario() -> None:
        async with workspace.listening(app=static_app(b"x" * 30_000_000), limits=TIMEOUTS) as listener:
            client = await RawClient.connect(listener.port, tls=workspace.authority.client_context(), limit=1024)
            await client.send(GET)
            await client.reader.readline()
            advance(TIMEOUTS.response_timeout)
            await wait_until(lambda: listener.connections == 0)
            await client.close()

    run(scenario)


@pytest.mark.parametrize(
    "requests",
    [GET, GET * 4, GET.replace(b"/metrics", b"/short") + GET * 2],
    ids=["one", "four", "after a short response"],
)
def test_R03_R05_unread_responses_over_tls_are_aborted_at_shutdown_without_log_lines(
    workspace: Workspace, requests: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    requested: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        requested.append(scope["path"])
        await static_app(b"x" * (1 if scope["path"] == "/short" else 30_000_000))(scope, receive, send)

    async def scenario() -> None:
        listener = await start_listener(app, workspace.file().context)
        client = await RawClient.connect(listener.port, tls=workspace.authority.client_context(), limit=1024)
        await client.send(requests)
        await wait_until(lambda: "/metrics" in requested)
        await listener.stop(grace=0.2)
        assert listener.connections == 0
        await client.close()

    run(scenario)
    assert caplog.records == []


def test_R05_pipelined_requests_over_tls_are_discarded_after_a_response_timeout(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    requested: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        requested.append(scope["path"])
        await static_app(b"x" * 30_000_000)(scope, receive, send)

    async def scenario() -> None:
        async with workspace.listening(app=app, limits=TIMEOUTS) as listener:
            client = await RawClient.connect(listener.port, tls=workspace.authority.client_context(), limit=1024)
            await client.send(GET * 4)
            await client.reader.readline()
            advance(TIMEOUTS.response_timeout)
            await wait_until(lambda: listener.connections == 0)
            for _ in range(20):  # the next one would start meanwhile
                await asyncio.sleep(0.001)
            await client.close()

    run(scenario)
    assert requested == ["/metrics"]
    assert caplog.records == []


def test_R03_a_connection_that_is_already_closing_at_shutdown_is_aborted(workspace: Workspace) -> None:
    async def scenario() -> None:
        listener = await start_listener(static_app(b"x" * 300_000), workspace.file().context)
        client = await RawClient.connect(listener.port, tls=workspace.authority.client_context(), limit=1024)
        await client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await client.reader.readline()
        (connection,) = listener._table
        await wait_until(connection.transport.is_closing)
        await listener.stop(grace=0.2)
        assert listener.connections == 0
        await client.close()

    run(scenario)


def test_R03_a_large_response_over_tls_is_finished_before_shutdown(workspace: Workspace) -> None:
    async def scenario() -> None:
        body = b"x" * 20_000_000
        listener = await start_listener(static_app(body), workspace.file().context)
        client = await RawClient.connect(listener.port, tls=workspace.authority.client_context(), limit=1024)
        await client.send(GET)
        await client.reader.readline()
        stopping = asyncio.create_task(listener.stop(grace=30))
        assert len((await client.read_until_closed()).partition(b"\r\n\r\n")[2]) == len(body)
        await client.close()
        await stopping

    run(scenario)


def test_R03_a_handshake_does_not_delay_shutdown(workspace: Workspace) -> None:
    async def scenario() -> None:
        listener = await start_listener(static_app(), workspace.file().context, TIMEOUTS)
        client = await RawClient.connect(listener.port)
        await wait_until(lambda: listener.connections == 1)
        await listener.stop(grace=NEVER)
        await client.close()

    run(scenario)


async def start_listener(
    app: ASGIApp, tls: Callable[[], ssl.SSLContext | None], limits: Limits | None = None
) -> Listener:
    listener = Listener(app, Address("127.0.0.1", 0), limits=limits or Limits(), tls=tls)
    await listener.start()
    return listener


def serial(client: RawClient) -> object:
    return client.writer.get_extra_info("peercert")["serialNumber"]


def handshake(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
    """Send one request, and return the session for resumption."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=HANG) as connection,
        context.wrap_socket(connection, server_hostname="localhost", session=session) as tls,
    ):
        tls.sendall(GET)
        if not tls.recv(1024):
            raise ConnectionResetError
        return tls.session
