"""The open connections of a listener, and which of them are closed to make room."""

import asyncio
import contextlib
import fcntl
import heapq
import select
import socket
import sys
import termios
from collections.abc import Callable, Iterator
from typing import Final, Literal, cast

from uvicorn.server import ServerState

from exporter.server.connection import Connection, Limits, Timeout

CloseReason = Literal["evicted", "slow"] | Timeout
"""Why the server closes a connection: for a new one, as the slowest of too many that are sending, or by a timeout."""

REQUEST_GRACE: Final = 0.25
"""Seconds that a client has for its first request, or for the next one, before its place is given to another client."""


class ConnectionTable:
    """The open connections of a listener.

    Args:
        limits: limits of the listener.
        on_close: called with the reason when the table closes a connection, except for shutdown.

    Attributes:
        state: uvicorn's state, which every connection adds itself to.
        changed: set when a connection was closed, or a handshake ended.
        max_sending: connections that may wait for their client to read; the others are kept free for new ones.
    """

    def __init__(self, limits: Limits, on_close: Callable[[CloseReason], None]) -> None:
        self.state: Final = ServerState()
        self.changed: Final = asyncio.Event()
        self.max_sending: Final = limits.max_connections - limits.max_connections // 4
        self._limits = limits
        self._on_close = on_close
        # The start of a TLS handshake, oldest first; None for plain HTTP, whose clients have nothing to do before that.
        self._handshakes: dict[asyncio.Task[None], float | None] = {}

    def __len__(self) -> int:
        return len(self.state.connections) + len(self._handshakes)

    def __iter__(self) -> Iterator[Connection]:
        return iter(cast("list[Connection]", list(self.state.connections)))

    def add_handshake(self, handshake: asyncio.Task[None], tls_start: float | None) -> None:
        """Add a connection that was accepted, until it adds itself to `state`.

        Args:
            handshake: the task that opens the connection.
            tls_start: when its TLS handshake began; None for plain HTTP, which is never closed for another client.
        """
        self._handshakes[handshake] = tls_start

    def discard_handshake(self, handshake: asyncio.Task[None]) -> None:
        """Remove a connection that has added itself to `state`, or failed to."""
        self._handshakes.pop(handshake, None)
        self.changed.set()

    @property
    def is_full(self) -> bool:
        """Whether the maximum number of connections is open."""
        return len(self) >= self._limits.max_connections

    @property
    def may_exceed_sending(self) -> bool:
        """Whether there are more connections than may be sending."""
        return len(self.state.connections) > self.max_sending

    def count_sending(self) -> int:
        """Return the number of connections that wait for their client to read."""
        return sum(connection.is_sending for connection in self)

    def close_slowest(self, now: float) -> int:
        """If too many connections wait for their client to read, close those with the lowest bytes per second.

        Returns:
            The number of connections that were closed.
        """
        sending = [connection for connection in self if connection.is_sending]
        excess = max(0, len(sending) - self.max_sending)
        for connection in heapq.nsmallest(excess, sending, key=lambda each: each.sending_rate(now)):
            self._abort(connection, "slow")
        return excess

    def close_idle(self, now: float) -> bool:
        """Close connections that no client uses, or else the longest-idle one, or else the oldest TLS handshake.

        A connection whose request has arrived but was not yet read is not idle, and neither is one that was just
        accepted or has just got its response.

        Returns:
            False if none can be closed now.
        """
        idle = [connection for connection in self if connection.is_idle]
        closed_by_client, waiting = _poll(idle)
        if closed_by_client:
            for connection in closed_by_client:
                self._abort(connection, None)
            return True
        candidates = [each for each in idle if each.is_reading_headers or each not in waiting]
        longest = min(candidates, key=lambda connection: connection.idle_since, default=None)
        if longest is not None and longest.idle_since <= now - REQUEST_GRACE:
            self._abort(longest, "evicted")
            return True
        handshakes = ((each, start) for each, start in self._handshakes.items() if start is not None)
        oldest, start = next(handshakes, (None, now))
        if oldest is not None and start <= now - REQUEST_GRACE:
            del self._handshakes[oldest]
            oldest.cancel()
            self._on_close("evicted")
            return True
        return False

    def close_overdue(self, now: float) -> None:
        """Close the connections whose deadline has passed."""
        for connection in self:
            if connection.deadline < now:
                self._abort(connection, connection.timeout)

    def shut_down(self) -> None:
        """Close every connection after the response in progress."""
        for handshake in list(self._handshakes):
            handshake.cancel()
        for connection in self:
            connection.shutdown()

    def sending_progress(self) -> dict[Connection, int]:
        """Return what the client of each connection that waits for it has received."""
        return {connection: connection.received for connection in self if connection.is_sending}

    def abort_stalled(self, progress: dict[Connection, int]) -> None:
        """Close every connection whose client has received nothing since its progress was recorded."""
        for connection, received in self.sending_progress().items():
            if progress.get(connection) == received:
                connection.transport.abort()

    def abort_all(self) -> None:
        """Close every connection now."""
        for connection in self:
            connection.transport.abort()

    async def wait_until_empty(self, timeout: float) -> None:  # noqa: ASYNC109  # a timeout is not an error here
        """Wait until every connection is closed, or until the timeout."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while len(self):
                    self.changed.clear()
                    await self.changed.wait()

    def _abort(self, connection: Connection, reason: CloseReason | None) -> None:
        connection.transport.abort()
        if reason is not None:
            self._on_close(reason)
        # It is reported as closed in the next iteration of the loop; until then it must not be chosen or counted.
        self.state.connections.discard(connection)


def is_readable(source: socket.socket) -> bool:
    """Whether data or a connection is pending."""
    poll = select.poll()
    poll.register(source, select.POLLIN)
    return bool(poll.poll(0))


def _poll(connections: list[Connection]) -> tuple[list[Connection], set[Connection]]:
    """Return the connections that the client has closed, and those with data that was not read yet."""
    by_descriptor = {connection.transport.get_extra_info("socket").fileno(): connection for connection in connections}
    by_descriptor.pop(-1, None)  # closed a moment ago
    poll = select.poll()
    for descriptor in by_descriptor:
        poll.register(descriptor, select.POLLIN)
    ready = [descriptor for descriptor, _ in poll.poll(0)]
    waiting = {descriptor for descriptor in ready if _unread_size(descriptor)}
    return (
        [by_descriptor[descriptor] for descriptor in ready if descriptor not in waiting],
        {by_descriptor[descriptor] for descriptor in waiting},
    )


def _unread_size(descriptor: int) -> int:
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)
