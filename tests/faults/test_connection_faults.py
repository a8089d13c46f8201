"""Rows U16, U17, U19 and U20 of the fault matrix: slow and broken connections, DNS and TLS."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.faults.scripted import VALID, assert_fails, polled
from tests.support.canary import MARK
from tests.support.harness import harness
from tests.support.loop import advance, advance_until, in_loop
from tests.support.rows import ident, page, row
from tests.support.upstream import Request, Script, always, reply, truncated, upstream

HOUR = 3600.0
TIMEOUTS = {"poll_interval": 4 * HOUR, "poll_deadline": 3 * HOUR, "request_timeout": HOUR, "jitter": 0}
"""Timeouts that expire only if a script advances the time of the event loop."""


async def silence(_request: Request) -> AsyncIterator[bytes]:
    advance(HOUR)
    await asyncio.Event().wait()
    yield b""


async def only_headers(_request: Request) -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n["
    advance(HOUR)
    await asyncio.Event().wait()


async def a_byte_at_a_time(_request: Request) -> AsyncIterator[bytes]:
    response = reply(page(row(1)))
    for index in range(len(response)):
        yield response[index : index + 1]
        advance(HOUR / 20)
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("script", [silence, only_headers, a_byte_at_a_time])
@in_loop
async def test_U16_a_slow_response_ends_at_the_request_timeout(script: Script) -> None:
    async with polled(**TIMEOUTS) as (server, program):
        server.script = script
        assert await program.poll() == 4 * HOUR  # the next poll is on time
        program.assert_poll_failed("timeout", ident(1))
        assert program.poller.status.failure == ("timeout", "no complete response within 3600 s")
        server.script = VALID
        await program.poll()
        assert program.last_scrape.value("up") == 1


@in_loop
async def test_U16_many_pages_end_at_the_poll_deadline() -> None:
    async def script(request: Request) -> AsyncIterator[bytes]:
        advance(HOUR / 10)  # requests are concurrent, and none takes an hour
        number = len(server.requests) * 2
        yield reply(page(row(number), row(number + 1)), headers={"Link": '<http://x/?cursor=skip2>; rel="next"'})

    async with polled(**TIMEOUTS, page_limit=2) as (server, program):
        server.script = script
        assert await program.poll() == 4 * HOUR
        program.assert_poll_failed("timeout", ident(1))
        assert program.poller.status.failure == ("timeout", "the poll took longer than 10800 s")


@in_loop
async def test_U16_a_slow_connect_ends_at_the_request_timeout() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        async with harness(f"http://127.0.0.1:{listener.getsockname()[1]}", **TIMEOUTS) as program:
            polling = asyncio.create_task(program.poll())
            await advance_until(polling.done, HOUR / 20)
            assert await polling == 4 * HOUR
        assert program.last_scrape.failures() == {"timeout": 1}
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        pytest.param(truncated(reply(page(row(2)))[:-500], reset=True), "connect", id="reset"),
        pytest.param(
            truncated(reply(b"[]", headers={"Content-Length": "100"}), reset=False), "connect", id="too short"
        ),
        pytest.param(
            always(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n"), "connect", id="no last chunk"
        ),
        pytest.param(
            always(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + page(row(2))[:-1]), "decode", id="no length"
        ),
        pytest.param(always(reply(page(row(2)), headers={"Content-Length": "700"})), "decode", id="too long"),
        pytest.param(truncated(b"HTTP/1.1 200 O", reset=True), "connect", id="reset in the headers"),
        pytest.param(always(b""), "connect", id="closed at once"),
        pytest.param(always(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), "connect", id="not HTTP"),
    ],
)
@in_loop
async def test_U17_a_partial_response_is_never_used(script: Script, failure: str) -> None:
    await assert_fails(script, failure)


@in_loop
async def test_U19_a_closed_port_is_a_connect_failure() -> None:
    async with upstream(VALID) as server:
        closed = server.url
    async with harness(closed) as program:
        await program.poll()
        assert program.last_scrape.failures() == {"connect": 1}


@in_loop
async def test_U19_an_unreachable_address_is_a_connect_failure() -> None:
    # The kernel rejects connections to the broadcast address, so no packet leaves this machine.
    async with harness("https://255.255.255.255/api") as program:
        await program.poll()
        assert program.last_scrape.failures() == {"connect": 1}


class Resolver(asyncio.SelectorEventLoop):
    """An event loop that resolves only the names in `addresses`."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: dict[str, str] = {}
        self.lookups: list[str] = []

    async def getaddrinfo(self, host: Any, port: Any, **rest: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name == "127.0.0.1":
            return await super().getaddrinfo(host, port, **rest)
        self.lookups.append(name)
        if name not in self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.addresses[name], port))]


def test_U19_an_unknown_host_is_resolved_again_by_every_poll() -> None:
    with asyncio.Runner(loop_factory=Resolver) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, Resolver)

        async def scenario() -> None:
            async with (
                upstream(VALID) as server,
                harness(f"http://livepeer.invalid:{server.port}/api", allow_insecure_http=True) as program,
            ):
                await program.poll()
                assert program.last_scrape.failures() == {"dns": 1}
                before = len(loop.lookups)
                loop.addresses["livepeer.invalid"] = "127.0.0.1"
                await program.poll()
                assert len(loop.lookups) > before
                assert program.last_scrape.value("up") == 1

        runner.run(scenario())


@in_loop
async def test_U19_an_invalid_host_name_is_a_dns_failure() -> None:
    async with harness("https://xn--a/api") as program:
        await program.poll()
        assert program.last_scrape.failures() == {"dns": 1}


def tls_context(authority: trustme.CA, *names: str, not_after: datetime | None = None) -> ssl.SSLContext:
    """Return a TLS server context with a certificate for some names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=not_after).configure_cert(context)
    return context


YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.mark.parametrize(
    ("names", "not_after", "trusted"),
    [
        pytest.param(["127.0.0.1"], None, False, id="self-signed"),
        pytest.param(["127.0.0.1"], YESTERDAY, True, id="expired"),
        pytest.param(["other.example"], None, True, id="wrong host"),
    ],
)
@in_loop
async def test_U20_with_an_invalid_certificate_the_key_is_not_sent(
    tmp_path: Path, names: list[str], not_after: datetime | None, trusted: bool
) -> None:
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    async with (
        upstream(VALID, tls=tls_context(authority, *names, not_after=not_after)) as server,
        harness(server.url, ca_file=file if trusted else None) as program,
    ):
        await program.poll()
        assert program.last_scrape.failures() == {"tls": 1}
        assert server.requests == []


@in_loop
async def test_U20_a_private_authority_is_trusted_with_its_ca_file(tmp_path: Path) -> None:
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    async with (
        upstream(VALID, tls=tls_context(authority, "127.0.0.1")) as server,
        harness(server.url, ca_file=file) as program,
    ):
        await program.poll()
        assert program.last_scrape.value("up") == 1


@in_loop
async def test_U20_there_is_no_fallback_to_plain_http() -> None:
    received = b""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        received += await reader.read(4096)
        writer.write(reply(b"", 400))
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with harness(f"https://{host}:{port}/api") as program:
            await program.poll()
    assert program.last_scrape.failures() == {"tls": 1}
    assert received.startswith(b"\x16")
    assert MARK.encode() not in received
