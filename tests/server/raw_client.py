"""Raw HTTP client, for requests that no HTTP library sends, and a listener for tests."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.config import Address
from exporter.server.connection import Limits
from exporter.server.listener import Listener
from tests.support.loop import SteppableLoop, run_in_loop, wait_until

__all__ = ["GET", "RawClient", "Response", "run", "running_listener", "static_app", "wait_until"]

GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes


class RawClient:
    """One connection to a listener."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int, *, tls: ssl.SSLContext | None = None, limit: int = 1 << 16) -> "RawClient":
        """Connect to 127.0.0.1; a small `limit` (bytes) makes a slow reader."""
        name = "localhost" if tls else None
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name, limit=limit))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def receive(self) -> Response:
        raw = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in raw[1:] if line)}
        length = int(headers.get("content-length", "0"))
        return Response(int(raw[0].split()[1]), headers, await self.reader.readexactly(length))

    async def request(self, request: bytes = GET) -> Response:
        await self.send(request)
        return await self.receive()

    async def read_until_closed(self) -> bytes:
        """Return what arrives until the server closes or resets the connection."""
        received = bytearray()
        try:
            while data := await self.reader.read(1 << 16):
                received += data
        except ConnectionError:
            pass
        return bytes(received)

    async def close(self) -> None:
        self.writer.transport.abort()
        with suppress(OSError):
            await self.writer.wait_closed()


def static_app(body: bytes = b"up 1\n") -> ASGIApp:
    """Return an application that responds to every request with the same body."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", str(len(body)).encode())],
            }
        )
        await send({"type": "http.response.body", "body": body})

    return app


@asynccontextmanager
async def running_listener(
    app: ASGIApp,
    *,
    limits: Limits | None = None,
    tls: Callable[[], ssl.SSLContext | None] = lambda: None,
) -> AsyncIterator[Listener]:
    """Run a listener on a free loopback port."""
    listener = Listener(app, Address("127.0.0.1", 0), limits=limits or Limits(), tls=tls)
    await listener.start()
    try:
        yield listener
    finally:
        await listener.stop(0.2)


def run(scenario: Callable[[], Awaitable[None]], loop_factory: Callable[[], SteppableLoop] = SteppableLoop) -> None:
    """Run a scenario in a loop; fail if it hangs, or if it leaves tasks or unhandled errors in the loop."""

    async def checked() -> None:
        problems: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: problems.append(str(context)))
        await scenario()
        remaining = asyncio.all_tasks() - {asyncio.current_task()}
        if remaining:
            await asyncio.wait(remaining)
        assert problems == []

    run_in_loop(checked, loop_factory)
