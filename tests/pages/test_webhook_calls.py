"""Calls over a real socket: paths, methods, and bodies that are too large, slow or broken."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from exporter.config import Address
from exporter.pages.webhook_calls import MAX_BODY, create_webhook_app
from exporter.server.connection import Limits
from exporter.server.listener import Listener
from exporter.webhooks.intake import Intake
from tests.support.loop import in_loop
from tests.support.rows import START
from tests.webhooks.calls import SECRET, body, header
from tests.webhooks.test_intake import Webhook


@asynccontextmanager
async def receiving(webhook: Webhook, body_timeout: float = 10.0) -> AsyncIterator[int]:
    intake = Intake(lambda: (SECRET,), lambda: START, webhook.telemetry, webhook.seen, webhook.hints)
    app = create_webhook_app({"a": intake, "my account": intake}.get, body_timeout=body_timeout)
    listener = Listener(app, Address("127.0.0.1", 0), limits=Limits())
    await listener.start()
    try:
        yield listener.port
    finally:
        await listener.stop(0.1)


async def raw(port: int, data: bytes, *, eof: bool = False) -> bytes:
    """Send bytes and return the status line of the response; empty without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        if eof:
            writer.write_eof()
        return await reader.readline()
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@in_loop
async def test_a_signed_call_is_accepted_and_anything_else_is_not() -> None:
    webhook, content = Webhook(), body()
    signed = {"Livepeer-Signature": header(content)}
    async with receiving(webhook) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        accepted = await client.post("/webhook/a", content=content, headers=signed)
        assert (accepted.status_code, accepted.content) == (204, b"")
        refused = await client.post("/webhook/a", content=content)
        assert (refused.status_code, refused.text) == (401, "unauthorized\n")
        assert (await client.post("/webhook/my%20account", content=content, headers=signed)).status_code == 204
        for path in ("/webhook/b", "/webhook/a/", "/webhook/", "/", "/metrics", "/livez"):
            assert (await client.post(path, content=content, headers=signed)).status_code == 404
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
            assert (await client.request(method, "/webhook/a", headers=signed)).status_code == 405
    assert webhook.hints.found == [("parent-1", START), ("parent-1", None)]  # the second one is repeated


@in_loop
async def test_a_call_before_the_accounts_are_polled_is_refused_so_that_it_is_repeated() -> None:
    transport = httpx.ASGITransport(create_webhook_app(lambda _: None, has_started=lambda: False))
    async with httpx.AsyncClient(transport=transport, base_url="http://a") as client:
        assert (await client.post("/webhook/a", content=body())).status_code == 503
        assert (await client.post("/", content=body())).status_code == 404


@in_loop
async def test_V19_a_body_that_is_too_large_is_refused_before_it_is_read() -> None:
    webhook = Webhook()
    async with receiving(webhook) as port:
        announced = b"POST /webhook/a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1)
        assert (await raw(port, announced)).startswith(b"HTTP/1.1 413")
        chunk = b"%x\r\n%b\r\n" % (MAX_BODY + 1, b" " * (MAX_BODY + 1))
        chunked = b"POST /webhook/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk
        assert (await raw(port, chunked)).startswith(b"HTTP/1.1 413")
        content = body(payload={"filling": "x" * 60_000})
        async with httpx.AsyncClient() as client:
            url, signed = f"http://127.0.0.1:{port}/webhook/a", {"Livepeer-Signature": header(content)}
            assert (await client.post(url, content=content, headers=signed)).status_code == 204
    assert webhook.count("webhooks_total", result="too_large") == 2


@in_loop
async def test_V19_a_slow_or_broken_body_ends_and_is_not_an_event() -> None:
    webhook = Webhook()
    head = b"POST /webhook/a HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"
    async with receiving(webhook, body_timeout=0.05) as port:
        assert (await raw(port, head)).startswith(b"HTTP/1.1 408")
        assert (await raw(port, head, eof=True)).startswith(b"HTTP/1.1 408")
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        await writer.drain()
        writer.transport.abort()
    assert webhook.count("webhooks_total", result="too_slow") == 2
    assert webhook.count("webhooks_total", result="accepted") == 0
    assert webhook.hints.found == []
