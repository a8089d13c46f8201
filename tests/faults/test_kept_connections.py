"""Row V05 of the fault matrix: connections that the server drops instead of responding to another request."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from exporter.livepeer.errors import ConnectError, KeptConnectionError
from tests.livepeer.clients import SCOPE, RecordingMeter, livepeer_client
from tests.support.harness import harness
from tests.support.loop import in_loop
from tests.support.rows import ident, page, row
from tests.support.upstream import reply

RESPONSE = reply(page(row(1)), headers={"Connection": "keep-alive"})


@dataclass
class DroppingServer:
    """A server that responds to the first request of a connection, and drops the connection at the second one.

    Attributes:
        reset: whether a connection is dropped by a reset.
        answers_new: whether new connections still get a response.
        targets: how often each target was requested.
        connections: number of connections accepted so far.
        dropped: number of requests without a response.
    """

    reset: bool = False
    answers_new: bool = True
    targets: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    dropped: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await self._read_request(reader)
            if self.answers_new:
                writer.write(RESPONSE)
                await writer.drain()
                await self._read_request(reader)
            self.dropped += 1
            if self.reset:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()

    async def _read_request(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.targets[head.split(b" ")[1].decode()] += 1


@asynccontextmanager
async def serving(server: DroppingServer) -> AsyncIterator[str]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/api"
    finally:
        listener.close()


@pytest.mark.parametrize("reset", [False, True])
@in_loop
async def test_V05_a_request_on_a_dropped_connection_is_sent_once_more_on_a_new_one(reset: bool) -> None:
    server = DroppingServer(reset=reset)
    async with serving(server) as url, harness(url) as program:
        for _ in range(9):
            await program.poll()
            assert program.last_scrape.value("up") == 1
        assert program.last_scrape.sessions() == {ident(1)}
        assert program.last_scrape.value("exporter_api_retries_total") == server.dropped > 0
        # Each answered request had its own connection: two per poll, and one for the recordings before the session
        # window, which have an interval of their own.
        assert server.connections == 2 * 9 + 1


@in_loop
async def test_V05_a_dropped_new_connection_is_a_failure() -> None:
    server = DroppingServer(answers_new=False)
    async with serving(server) as url, harness(url) as program:
        await program.poll()
        assert program.last_scrape.failures() == {"connect": 1}
    assert set(server.targets.values()) == {1}


@in_loop
async def test_V05_a_request_is_repeated_only_once() -> None:
    server = DroppingServer()
    async with serving(server) as url, livepeer_client(url) as client:
        await client.check()
        server.answers_new = False
        with pytest.raises(ConnectError, match="connection failed"):
            await client.check()
    assert list(server.targets.values()) == [3]
    assert server.dropped == 2


@in_loop
async def test_V05_a_request_is_not_repeated_after_the_deadline() -> None:
    server, meter = DroppingServer(), RecordingMeter()
    async with serving(server) as url, livepeer_client(url, meter=meter) as client:
        await client.check()
        with pytest.raises(KeptConnectionError):
            await client.sessions(SCOPE, within=-1.0)
    assert (server.dropped, meter.retries) == (1, 0)
