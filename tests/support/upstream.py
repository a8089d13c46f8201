"""An HTTP server on a real socket that sends scripted bytes; `tests.support.simulated` has a well-behaved one."""

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
    """A received request: the target of the request line, and the headers by lower-case name."""

    target: str
    headers: Mapping[str, str]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))


Script = Callable[[Request], AsyncIterator[bytes]]
"""Yields the bytes to send in response to a request. Then the connection is closed, or reset if `Reset` is raised."""


class Reset(Exception):
    """Raised by a script to reset the connection."""


class Upstream:
    """A server that reads the head of each request and sends what its script yields.

    Attributes:
        script: the current script; a test may replace it between polls.
        requests: the requests received so far.
        connections: number of connections accepted so far.
        port: the TCP port.
        url: the base URL of the API.
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
        # The client may close the connection at any time, and scripts are cancelled at the end of a test.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            try:
                await self._respond(_parse(await reader.readuntil(b"\r\n\r\n")), writer)
            except Reset:
                _reset(writer)
            finally:
                writer.close()
                await writer.wait_closed()

    async def _respond(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self.requests.append(request)
        async for data in self.script(request):
            writer.write(data)
            await writer.drain()

    async def end(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _parse(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines if line)
    return Request(first.split(" ")[1], {name.lower(): value.strip() for name, _, value in fields})


def _reset(writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


@asynccontextmanager
async def upstream(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Upstream]:
    """Run a scripted server on a free loopback port."""
    upstream = Upstream(script)
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, ssl=tls)
    upstream.port = server.sockets[0].getsockname()[1]
    upstream.url = f"{'https' if tls else 'http'}://127.0.0.1:{upstream.port}/api"
    try:
        yield upstream
    finally:
        server.close()
        await upstream.end()


def reply(body: bytes = b"[]", status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """Return a complete response; `headers` are added to the required headers or replace them."""
    fields = {"Content-Length": str(len(body)), "Connection": "close", **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Reason\r\n{lines}\r\n".encode("latin-1") + body


def always(response: bytes) -> Script:
    """Send the same response to every request."""

    async def script(_request: Request) -> AsyncIterator[bytes]:
        yield response

    return script


def truncated(data: bytes, *, reset: bool) -> Script:
    """Send some bytes, then reset or close the connection."""

    async def script(_request: Request) -> AsyncIterator[bytes]:
        yield data
        await asyncio.sleep(0.05)  # a reset discards bytes that the client has not read yet
        if reset:
            raise Reset

    return script
