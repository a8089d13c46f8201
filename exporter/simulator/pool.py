"""The connections of the API server to its database, and what a page costs there."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from heapq import heapify, heappop, heappush

from exporter.simulator.query import SqlError

CONNECTIONS = 10
CONNECTION_TIMEOUT = 5.0  # seconds that a statement waits for a connection


class ConnectionPool:
    """A pool of connections, each of which runs one statement at a time.

    The real server runs one statement for the rows of a page, and one for each recorded row, all of these at once. A
    statement that gets no connection in time fails the request, and the other statements of the request still run.

    Args:
        statement_seconds: duration of a statement.
        connections: number of connections.
        timeout: seconds that a statement waits for a connection.
        monotonic: seconds.
        sleep: waits for a number of seconds.

    Attributes:
        statements: number of statements so far.
    """

    def __init__(
        self,
        statement_seconds: float = 0.0,
        *,
        connections: int = CONNECTIONS,
        timeout: float = CONNECTION_TIMEOUT,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.statements = 0
        self._seconds = statement_seconds
        self._timeout = timeout
        self._monotonic = monotonic
        self._sleep = sleep
        self._free_at = [0.0] * connections  # a heap

    async def run(self, statements: int) -> None:
        """Run statements, and wait until the last one has ended.

        Raises:
            SqlError: a statement got no connection in time.
        """
        now = end = self._monotonic()
        self._free_at = [max(now, each) for each in self._free_at]
        heapify(self._free_at)
        for _ in range(statements):
            if self._free_at[0] > now + self._timeout:
                await self._sleep(self._timeout)
                raise SqlError
            end = heappop(self._free_at) + self._seconds
            heappush(self._free_at, end)
            self.statements += 1
        if end > now:
            await self._sleep(end - now)
