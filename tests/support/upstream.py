"""An upstream on a real socket that plays a script byte by byte; `tests.support.simulated` has one that behaves."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked: the target as the request line has it, and the headers by their names in small letters."""

    target: str
    headers: Mapping[str, str]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))


Script = Callable[[Request], AsyncIterator[bytes]]
"""What is written in answer to a request, piece by piece; then the connection is closed, or reset by a ``Reset``."""


class Reset(Exception):
    """The connection goes at once, without a goodbye."""


class Upstream:
    """A server that knows no HTTP beyond the end of a request's head: all that it says stands in the script.

    Attributes:
        script: what it plays; a test may change it from one poll to the next.
        requests: what it was asked, in order.
        connections: how many were opened.
        port: where it listens.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        # Whatever goes wrong on the way is the client's business; a cancelled script is the end of the test.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            try:
                await self._answer(_parsed(await reader.readuntil(b"\r\n\r\n")), writer)
            except Reset:
                _reset(writer)
            finally:
                writer.close()
                await writer.wait_closed()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self.requests.append(request)
        async for piece in self.script(request):
            writer.write(piece)
            await writer.drain()

    async def end(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _parsed(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines if line)
    return Request(first.split(" ")[1], {name.lower(): value.strip() for name, _, value in fields})


def _reset(writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


@asynccontextmanager
async def upstream(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Upstream]:
    """A scripted server on a free loopback port as long as the context lasts."""
    player = Upstream(script)
    server = await asyncio.start_server(player.serve, "127.0.0.1", 0, ssl=tls)
    player.port = server.sockets[0].getsockname()[1]
    player.url = f"{'https' if tls else 'http'}://127.0.0.1:{player.port}/api"
    try:
        yield player
    finally:
        server.close()
        await player.end()


def reply(body: bytes = b"[]", status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole answer; ``headers`` come on top of those that HTTP needs, or replace them."""
    fields = {"Content-Length": str(len(body)), "Connection": "close", **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Anything\r\n{lines}\r\n".encode("latin-1") + body


def always(answer: bytes) -> Script:
    """A script that writes the same bytes every time."""

    async def script(_request: Request) -> AsyncIterator[bytes]:
        yield answer

    return script


def drip(answer: bytes, every: float) -> Script:
    """A script that writes a byte every so many seconds."""

    async def script(_request: Request) -> AsyncIterator[bytes]:
        for place in range(len(answer)):
            yield answer[place : place + 1]
            await asyncio.sleep(every)

    return script


def cut(answer: bytes, *, reset: bool) -> Script:
    """A script that stops after some bytes: with a reset, or with an ordinary end."""

    async def script(_request: Request) -> AsyncIterator[bytes]:
        yield answer
        await asyncio.sleep(0.05)  # the client must have read the bytes before the reset wipes them out
        if reset:
            raise Reset

    return script
