"""The server with TLS on a real socket: who is let in, and how certificates change under it."""

import asyncio
import logging
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.config import Address
from exporter.server.connection import Limits
from exporter.server.listener import Listener
from exporter.server.web_config import WebConfigError
from exporter.server.web_config_reload import LOOK_EVERY, WebConfigFile
from tests.server.certificates import Authority, replace
from tests.server.wire import GET, Wire, listening, page, run, until

QUICK = Limits(header_timeout=0.4, answer_timeout=0.8, idle_timeout=0.4)


@dataclass
class Site:
    """A CA, a web config file, and the seconds that the file's keeper believes have passed."""

    directory: Path
    authority: Authority
    seconds: float = 0.0

    def write(self, more: str = "") -> Path:
        path = self.directory / "web.yml"
        text = f"tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n{more}"
        replace(path, text.encode())
        return path

    def file(self, more: str = "") -> WebConfigFile:
        return WebConfigFile(self.write(more), monotonic=lambda: self.seconds)

    def wait_for_a_look(self) -> None:
        self.seconds += LOOK_EVERY

    @asynccontextmanager
    async def serving(
        self, more: str = "", *, app: ASGIApp | None = None, limits: Limits | None = None
    ) -> AsyncIterator[Listener]:
        async with listening(app or page(), limits=limits, tls=self.file(more).context) as listener:
            yield listener

    async def status(self, listener: Listener, context: ssl.SSLContext | None = None) -> int:
        wire = await Wire.to(listener.port, tls=context or self.authority.trusting())
        try:
            return (await wire.ask()).status
        finally:
            await wire.close()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    authority = Authority(tmp_path)
    authority.server()
    return Site(tmp_path, authority)


REQUIRED = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
IF_GIVEN = "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n"
REFUSED = (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)


def test_S10_a_scrape_over_tls(site: Site) -> None:
    async def scenario() -> None:
        async with site.serving() as listener:
            assert await site.status(listener) == 200

    run(scenario)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_S10_the_least_version_is_kept_to(site: Site, version: ssl.TLSVersion) -> None:
    async def scenario() -> None:
        client = site.authority.trusting()
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        async with site.serving("  min_version: " + version.name.replace("v1_", "1") + "\n") as listener:
            if version == ssl.TLSVersion.TLSv1_2:
                assert await site.status(listener, client) == 200
            else:
                with pytest.raises(REFUSED):
                    await site.status(listener, client)

    run(scenario)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_S10_a_client_certificate_is_truly_required(site: Site, version: ssl.TLSVersion, tmp_path: Path) -> None:
    async def scenario() -> None:
        stranger = Authority(tmp_path, "other").client("stranger")
        async with site.serving(REQUIRED) as listener:
            for shown, let_in in ((None, False), (stranger, False), (site.authority.client(), True)):
                context = site.authority.trusting(shown)
                context.maximum_version = version
                if let_in:
                    assert await site.status(listener, context) == 200
                else:
                    with pytest.raises(REFUSED):
                        await site.status(listener, context)

    run(scenario)


def test_S10_a_client_certificate_is_checked_if_given(site: Site, tmp_path: Path) -> None:
    async def scenario() -> None:
        stranger = Authority(tmp_path, "other").client("stranger")
        async with site.serving(IF_GIVEN) as listener:
            assert await site.status(listener) == 200
            assert await site.status(listener, site.authority.trusting(site.authority.client())) == 200
            with pytest.raises(REFUSED):
                await site.status(listener, site.authority.trusting(stranger))

    run(scenario)


@pytest.mark.parametrize("name", ["cert_file", "key_file", "client_ca_file"])
def test_R09_S10_what_is_no_regular_file_is_refused_before_it_is_opened(site: Site, name: str) -> None:
    device = site.directory / "device"
    device.symlink_to(os.devnull)  # a pipe would do as well, but would never end if it were opened
    path = site.write(IF_GIVEN)
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(rf"(?<= {name}: ).*", "device", text), encoding="utf-8")
    with pytest.raises(WebConfigError, match=f"^{name}: is not a regular file$"):
        WebConfigFile(path)


def test_S10_a_new_certificate_is_shown_to_new_connections_and_disturbs_no_open_one(site: Site) -> None:
    async def scenario() -> None:
        async with site.serving() as listener:
            context = site.authority.trusting()
            old = await Wire.to(listener.port, tls=context)
            await old.ask()
            site.authority.server()
            site.wait_for_a_look()
            new = await Wire.to(listener.port, tls=context)
            assert serial(new) != serial(old)
            assert [(await wire.ask()).status for wire in (old, new)] == [200, 200]
            await old.close()
            await new.close()

    run(scenario)


def test_S10_an_answer_on_its_way_survives_a_new_certificate(site: Site) -> None:
    async def scenario() -> None:
        body = b"x" * 20_000_000
        async with site.serving(app=page(body)) as listener:
            wire = await Wire.to(listener.port, tls=site.authority.trusting(), limit=1024)
            await wire.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            await wire.reader.readline()
            site.authority.server()
            site.wait_for_a_look()
            assert await site.status(listener) == 200
            assert len((await wire.rest()).partition(b"\r\n\r\n")[2]) == len(body)
            await wire.close()

    run(scenario)


def test_S10_the_need_for_client_certificates_holds_from_the_next_connection_on(site: Site) -> None:
    async def scenario() -> None:
        async with site.serving() as listener:
            open_one = await Wire.to(listener.port, tls=site.authority.trusting())
            assert (await open_one.ask()).status == 200
            site.write(REQUIRED)
            site.wait_for_a_look()
            with pytest.raises(REFUSED):
                await site.status(listener)
            assert await site.status(listener, site.authority.trusting(site.authority.client())) == 200
            assert (await open_one.ask()).status == 200
            await open_one.close()

    run(scenario)


def test_S10_a_session_of_before_does_not_get_round_the_client_certificate(site: Site) -> None:
    async def scenario() -> None:
        async with site.serving() as listener:
            context = site.authority.trusting()
            context.maximum_version = ssl.TLSVersion.TLSv1_2  # its tickets come with the handshake
            session = await asyncio.to_thread(handshake, listener.port, context, None)
            site.write(REQUIRED)
            site.wait_for_a_look()
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await asyncio.to_thread(handshake, listener.port, context, session)

    run(scenario)


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01", GET, b"\x00" * 50], ids=["nothing", "half", "http", "zeros"])
def test_S04_S09_what_never_becomes_tls_is_closed_and_hinders_nobody(
    site: Site, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def scenario() -> None:
        async with site.serving(limits=QUICK) as listener:
            wires = [await Wire.to(listener.port) for _ in range(50)]
            for wire in wires:
                await wire.send(sent)
            assert await site.status(listener) == 200
            for wire in wires:
                await wire.rest()
                await wire.close()
            await until(lambda: listener.connections == 0)

    run(scenario)
    assert caplog.records == []


def test_S04_a_burst_of_handshakes_does_not_exceed_the_limit(site: Site) -> None:
    async def scenario() -> None:
        async with site.serving(limits=Limits(max_connections=10)) as listener:
            burst = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(60)]
            assert await site.status(listener) == 200
            assert listener.connections <= 10
            for connection in burst:
                connection.close()

    run(scenario)


def test_S04_handshakes_count_as_connections(site: Site) -> None:
    async def scenario() -> None:
        async with site.serving(limits=Limits(max_connections=20)) as listener:
            wires = [await Wire.to(listener.port) for _ in range(50)]
            assert await site.status(listener) == 200
            assert listener.connections <= 20
            for wire in wires:
                await wire.close()

    run(scenario)


def test_S08_a_reader_over_tls_that_does_not_take_the_answer_in_time_is_cut_off(site: Site) -> None:
    async def scenario() -> None:
        async with site.serving(app=page(b"x" * 30_000_000), limits=QUICK) as listener:
            wire = await Wire.to(listener.port, tls=site.authority.trusting(), limit=1024)
            await wire.send(GET)
            await until(lambda: listener.connections == 0)
            await wire.close()

    run(scenario)


@pytest.mark.parametrize(
    "requests", [GET, GET * 4, GET.replace(b"/metrics", b"/short") + GET * 2], ids=["one", "four", "after a short one"]
)
def test_R03_R05_answers_over_tls_that_nobody_reads_are_cut_off_without_a_word(
    site: Site, requests: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        await page(b"x" * (1 if scope["path"] == "/short" else 30_000_000))(scope, receive, send)

    async def scenario() -> None:
        listener = await started(answer, site.file().context)
        wire = await Wire.to(listener.port, tls=site.authority.trusting(), limit=1024)
        await wire.send(requests)
        await until(lambda: "/metrics" in asked)
        await listener.stop(grace=0.2)
        assert listener.connections == 0
        await wire.close()

    run(scenario)
    assert caplog.records == []


def test_R05_of_requests_sent_ahead_over_tls_none_is_answered_once_one_took_too_long(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        await page(b"x" * 30_000_000)(scope, receive, send)

    async def scenario() -> None:
        async with site.serving(app=answer, limits=QUICK) as listener:
            wire = await Wire.to(listener.port, tls=site.authority.trusting(), limit=1024)
            await wire.send(GET * 4)
            await until(lambda: listener.connections == 0)
            await asyncio.sleep(0.1)  # for the next one to begin, if it would
            await wire.close()

    run(scenario)
    assert asked == ["/metrics"]
    assert caplog.records == []


def test_R03_a_connection_that_is_closing_when_the_end_comes_is_cut_off_all_the_same(site: Site) -> None:
    async def scenario() -> None:
        listener = await started(page(b"x" * 300_000), site.file().context)
        wire = await Wire.to(listener.port, tls=site.authority.trusting(), limit=1024)
        await wire.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await wire.reader.readline()
        (connection,) = listener._connections()
        await until(connection.transport.is_closing)
        await listener.stop(grace=0.2)
        assert listener.connections == 0
        await wire.close()

    run(scenario)


def test_R03_a_large_answer_over_tls_is_finished_before_the_end(site: Site) -> None:
    async def scenario() -> None:
        body = b"x" * 20_000_000
        listener = await started(page(body), site.file().context)
        wire = await Wire.to(listener.port, tls=site.authority.trusting(), limit=1024)
        await wire.send(GET)
        await wire.reader.readline()
        stopping = asyncio.create_task(listener.stop(grace=30))
        assert len((await wire.rest()).partition(b"\r\n\r\n")[2]) == len(body)
        await wire.close()
        await stopping

    run(scenario)


def test_R03_a_handshake_does_not_hold_up_the_end(site: Site) -> None:
    async def scenario() -> None:
        listener = await started(page(), site.file().context, Limits(header_timeout=1000))
        wire = await Wire.to(listener.port)
        await until(lambda: listener.connections == 1)
        async with asyncio.timeout(20):
            await listener.stop(grace=1000)
        await wire.close()

    run(scenario)


async def started(app: ASGIApp, tls: Callable[[], ssl.SSLContext | None], limits: Limits | None = None) -> Listener:
    listener = Listener(app, Address("127.0.0.1", 0), limits=limits or Limits(), tls=tls)
    await listener.start()
    return listener


def serial(wire: Wire) -> object:
    return wire.writer.get_extra_info("peercert")["serialNumber"]


def handshake(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLSession | None:
    """Connect, ask once, and give the session that could be resumed."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as secured,
    ):
        secured.sendall(GET)
        if not secured.recv(1024):
            raise ConnectionResetError
        return secured.session
