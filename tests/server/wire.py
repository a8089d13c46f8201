"""A client that speaks HTTP by hand, so that it can do what no good client does."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.config import Address
from exporter.server.connection import Limits
from exporter.server.listener import Listener

GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """One connection to a listener."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, port: int, *, tls: ssl.SSLContext | None = None, limit: int = 1 << 16) -> "Wire":
        """Connect to 127.0.0.1; about `limit` bytes are read ahead."""
        name = "localhost" if tls else None
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name, limit=limit))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, *, head: bool = False) -> Answer:
        raw = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in raw[1:] if line)}
        length = 0 if head else int(headers.get("content-length", "0"))
        return Answer(int(raw[0].split()[1]), headers, await self.reader.readexactly(length))

    async def ask(self, request: bytes = GET) -> Answer:
        await self.send(request)
        return await self.answer()

    async def rest(self) -> bytes:
        """What comes until the server closes; a reset is an end like any other."""
        got = bytearray()
        try:
            while piece := await self.reader.read(1 << 16):
                got += piece
        except ConnectionError:
            pass
        return bytes(got)

    async def close(self) -> None:
        self.writer.transport.abort()
        with suppress(OSError):
            await self.writer.wait_closed()


def page(body: bytes = b"up 1\n") -> ASGIApp:
    """An application that answers every request with the same bytes."""

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", str(len(body)).encode())],
            }
        )
        await send({"type": "http.response.body", "body": body})

    return answer


@asynccontextmanager
async def listening(
    app: ASGIApp,
    *,
    limits: Limits | None = None,
    tls: Callable[[], ssl.SSLContext | None] = lambda: None,
) -> AsyncIterator[Listener]:
    """A listener on a free loopback port."""
    listener = Listener(app, Address("127.0.0.1", 0), limits=limits or Limits(), tls=tls)
    await listener.start()
    try:
        yield listener
    finally:
        await listener.stop(0.2)


async def until(condition: Callable[[], bool]) -> None:
    """Come back when the condition holds; the scenario's own deadline ends a wait in vain."""
    while not condition():  # noqa: ASYNC110  # what is waited for happens in the server or the system, without an event
        await asyncio.sleep(0.01)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario, which must end by itself within a minute; what it leaves in the loop is a failure."""

    async def bounded() -> None:
        problems: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: problems.append(str(context)))
        async with asyncio.timeout(60):
            await scenario()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            await asyncio.wait(left, timeout=5)
        assert not [task for task in left if not task.done()]
        assert problems == []

    asyncio.run(bounded())
