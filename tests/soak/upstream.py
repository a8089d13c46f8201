"""The API of one account on a real socket, which keeps connections open, and breaks down when it is told to."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from email.utils import formatdate
from urllib.parse import parse_qsl, urlsplit

from exporter.simulator.query import parse_query
from exporter.simulator.table import Table, encode_page
from tests.soak.faults import Fault
from tests.soak.turnover import Turnover
from tests.support.canary import KEY
from tests.support.upstream import Reset, reply


class Upstream:
    """Answers from a crowd of sessions.

    Args:
        crowd: whose sessions are served.
        rng: for the faults.

    Attributes:
        fault: what befalls every request while it is set.
        met: how many requests each fault met, by its id.
        clean: requests that met none.
        strangers: requests without the key, of which there must be none.
        url: the API's base URL.
    """

    def __init__(self, crowd: Turnover, rng: random.Random) -> None:
        self.crowd = crowd
        self.fault: Fault | None = None
        self.met: Counter[str] = Counter()
        self.clean = 0
        self.strangers = 0
        self.url = ""
        self._rng = rng
        self._shelf = Table(())
        self._made = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        # Whatever goes wrong on the way is the client's business.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            try:
                stays = True
                while stays:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                    fault = self.fault
                    async for piece in self._answer(head, fault):
                        writer.write(piece)
                        await writer.drain()
                    stays = fault is None or fault.wire is None
            except Reset:
                writer.transport.abort()
            finally:
                writer.close()
                await writer.wait_closed()

    async def _answer(self, head: str, fault: Fault | None) -> AsyncIterator[bytes]:
        self.strangers += f"authorization: bearer {KEY}\r\n" not in head.lower()
        whole = self._page(dict(parse_qsl(urlsplit(head.split(" ")[1]).query)), fault)
        if fault is None:
            self.clean += 1
        else:
            self.met[fault.id] += 1
        if fault is None or fault.wire is None:
            yield whole
            return
        async for piece in fault.wire(whole, self._rng):
            yield piece

    def _page(self, question: Mapping[str, str], fault: Fault | None) -> bytes:
        if self._made != self.crowd.now:
            self._shelf, self._made = Table(self.crowd.rows()), self.crowd.now
        query = parse_query(question)
        page = self._shelf.page(query)
        body = fault.content(page.rows, self._rng) if fault and fault.content else encode_page(page.rows)
        headers = {"Connection": "keep-alive", "Date": formatdate(time.time(), usegmt=True)}
        if query.count and page.rows:
            headers["X-Total-Count"] = str(page.total)
        if page.next_offset is not None:
            headers["Link"] = f'<http://127.0.0.1/api/session?cursor=skip{page.next_offset}>; rel="next"'
        return reply(body, headers=headers)


@asynccontextmanager
async def listening(upstream: Upstream) -> AsyncIterator[Upstream]:
    """Serve on a free loopback port as long as the context lasts."""
    tasks: set[asyncio.Task[None]] = set()

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        with suppress(asyncio.CancelledError):  # the end of the soak
            await upstream.serve(reader, writer)

    server = await asyncio.start_server(tracked, "127.0.0.1", 0)
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api"
    try:
        yield upstream
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
