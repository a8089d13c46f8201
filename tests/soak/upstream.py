"""The API of one account on a real socket with kept connections, and with faults."""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from email.utils import formatdate
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from exporter.simulator.collation import icu_en_us
from exporter.simulator.query import parse_query
from exporter.simulator.table import Table, encode_page
from tests.soak.faults import Fault
from tests.soak.turnover import Turnover
from tests.support.canary import KEY
from tests.support.upstream import Reset, reply

REPLICA_LAG: Final = 3.0
"""Seconds by which the replica is behind: less than two poll intervals.

So no value is below the highest one in three polls in a row, which would be a restart of the value (D04).
"""


class Upstream:
    """Serves the sessions of a turnover.

    Args:
        turnover: the sessions.
        rng: for the faults.

    Attributes:
        turnover: the sessions.
        fault: the fault of all requests while it is set.
        faulty_requests: the number of requests by the id of their fault.
        valid_responses: the number of requests without a fault.
        unauthorized_requests: the number of requests without the key, which has to be 0.
        url: the base URL of the API.
    """

    def __init__(self, turnover: Turnover, rng: random.Random) -> None:
        self.turnover = turnover
        self.fault: Fault | None = None
        self.faulty_requests: Counter[str] = Counter()
        self.valid_responses = 0
        self.unauthorized_requests = 0
        self.url = ""
        self._rng = rng
        self._tables: deque[tuple[float, Table]] = deque()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle the requests of a connection."""
        # The client may close the connection at any time.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            try:
                keep_alive, is_kept = True, False
                while keep_alive:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                    fault = self.fault
                    if fault is not None and fault.drops_connections and is_kept:
                        self.faulty_requests[fault.id] += 1
                        return
                    is_kept = True
                    async for data in self._respond(head, fault):
                        writer.write(data)
                        await writer.drain()
                    keep_alive = fault is None or fault.response is None
            except Reset:
                writer.transport.abort()
            finally:
                writer.close()
                await writer.wait_closed()

    async def _respond(self, head: str, fault: Fault | None) -> AsyncIterator[bytes]:
        self.unauthorized_requests += f"authorization: bearer {KEY}\r\n" not in head.lower()
        response = self._page(dict(parse_qsl(urlsplit(head.split(" ")[1]).query)), fault)
        if fault is None:
            self.valid_responses += 1
        else:
            self.faulty_requests[fault.id] += 1
        if fault is None or fault.response is None:
            yield response
            return
        async for data in fault.response(response, self._rng):
            yield data

    def _page(self, parameters: Mapping[str, str], fault: Fault | None) -> bytes:
        query = parse_query(parameters)
        page = self._current_table(fault).page(query)
        body = fault.content(page.rows, self._rng) if fault and fault.content else encode_page(page.rows)
        headers = {"Connection": "keep-alive", "Date": formatdate(time.time(), usegmt=True)}
        if query.count and page.rows:
            headers["X-Total-Count"] = str(page.total)
        if page.next_offset is not None:
            headers["Link"] = f'<http://127.0.0.1/api/session?cursor=skip{page.next_offset}>; rel="next"'
        return reply(body, headers=headers)

    def _current_table(self, fault: Fault | None) -> Table:
        """The table of the database, or that of its replica."""
        now = self.turnover.now
        if not self._tables or self._tables[-1][0] != now:
            self._tables.append((now, Table(self.turnover.rows(), icu_en_us)))
        while self._tables[0][0] < now - REPLICA_LAG:
            self._tables.popleft()
        is_replica = fault is not None and fault.is_replica and self._rng.random() < 0.5
        return self._tables[0 if is_replica else -1][1]


@asynccontextmanager
async def serving(upstream: Upstream) -> AsyncIterator[Upstream]:
    """Serve on a free loopback port within the context."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        with suppress(asyncio.CancelledError):  # the end of the soak
            await upstream.serve(reader, writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api"
    try:
        yield upstream
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
