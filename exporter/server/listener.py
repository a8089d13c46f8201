"""Listener on one or more addresses: accepts connections, enforces their limits, and closes them on shutdown.

Only uvicorn's protocol is used. Its server installs signal handlers, exits the process if the port is in use, and
cannot change its TLS context. Here each connection gets the context that is current when it is accepted, so a new
certificate or client certificate requirement applies to new connections and leaves open ones alone.
"""

import asyncio
import asyncio.sslproto
import contextlib
import functools
import logging
import os
import socket
import ssl
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Final

from starlette.types import ASGIApp
from uvicorn import Config

from exporter.config import Address
from exporter.logs import event
from exporter.server.connection import Connection, Limits
from exporter.server.connection_table import CloseReason, ConnectionTable, is_readable
from exporter.server.middleware import chunk_bodies, ignore_cancellation
from exporter.server.sending_limit import SendingLimit

logger = logging.getLogger(__name__)

_BACKLOG: Final = 1024
_MAX_UNSENT: Final = 64 * 1024  # bytes that the kernel holds for a client that does not read, instead of megabytes
_MAX_ACCEPTS: Final = 64  # per event, so that a flood of connections does not starve the loop
_RETRY_DELAY: Final = 0.1  # seconds before accepting again when no descriptor is left
_RETRY_DELAY_AFTER_CLOSE: Final = 0.005  # seconds until a closed connection has released its descriptor
_RETRY_DELAY_WHEN_FULL: Final = 0.02  # seconds until a place may be free
_WARNING_INTERVAL: Final = 60.0  # seconds
_DEADLINE_CHECK_INTERVAL: Final = 1.0  # seconds; at most a quarter of the shortest timeout
_STALL_CHECKS: Final = 3  # in the grace period
_CLOSE_TIMEOUT: Final = 1.0  # seconds for aborted connections and cancelled responses to end
_TLS_READ_BUFFER: Final = 32 * 1024  # bytes, two TLS records

# Each TLS connection of this process has such a buffer. asyncio's default is 256 KiB, half of what a client that does
# not read holds (V01).
asyncio.sslproto.SSLProtocol.max_size = _TLS_READ_BUFFER


class Listener:
    """HTTP server on one or more addresses, which share its limits.

    Args:
        app: ASGI application; receives no lifespan events.
        addresses: addresses to listen on; port 0 selects a free port, an empty host or `::` both IPv4 and IPv6.
        limits: limits for the clients of all addresses together.
        tls: returns the TLS context of the next connection, or None for plain HTTP; called for each connection.
        now: Unix time in seconds, for the Date header.
        on_close: called with the reason when the listener closes a connection, except for shutdown.
    """

    def __init__(
        self,
        app: ASGIApp,
        *addresses: Address,
        limits: Limits = Limits(),  # noqa: B008  # immutable
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
        now: Callable[[], float] = time.time,
        on_close: Callable[[CloseReason], None] = lambda _: None,
    ) -> None:
        self._addresses = addresses
        self._limits = limits
        self._tls = tls
        self._now = now
        self._table = ConnectionTable(limits, on_close)
        self._sending_limit = SendingLimit(self._table)
        self._next_warning = 0.0  # about missing descriptors, in the loop's time
        self._sockets: list[socket.socket] = []
        self._deadline_task: asyncio.Task[None] | None = None
        self._retries: dict[socket.socket, asyncio.TimerHandle] = {}
        self._config = _create_config(app)

    @property
    def port(self) -> int:
        """The port of the first address; before `start` it may be 0."""
        return self.ports[0]

    @property
    def ports(self) -> tuple[int, ...]:
        """The port of each address; before `start` it may be 0."""
        return tuple(each.getsockname()[1] for each in self._sockets) or tuple(each.port for each in self._addresses)

    @property
    def connections(self) -> int:
        """The number of open connections, including those in a TLS handshake."""
        return len(self._table)

    async def start(self) -> None:
        """Bind and listen.

        Raises:
            OSError: an address is in use, unknown or not permitted; the message is one line with the address.
        """
        loop = asyncio.get_running_loop()
        for address in self._addresses:
            self._sockets.append(await _listen(address))
        self._update_date()
        self._deadline_task = loop.create_task(self._enforce_deadlines())
        for listening in self._sockets:
            loop.add_reader(listening, self._accept, listening)

    async def stop(self, grace: float) -> None:
        """Stop accepting, close idle connections, and give responses in progress `grace` seconds to finish.

        Clients that have received nothing for a third of that time are disconnected before its end.
        """
        if not self._sockets:
            return
        self._stop_accepting()
        self._sending_limit.stop()
        self._table.shut_down()
        for _ in range(_STALL_CHECKS):
            progress = self._table.sending_progress()
            await self._table.wait_until_empty(grace / _STALL_CHECKS)
            self._table.abort_stalled(progress)
        self._table.abort_all()
        await self._table.wait_until_empty(_CLOSE_TIMEOUT)
        if self._table.state.tasks:  # applications that did not notice the disconnection
            for task in self._table.state.tasks:
                task.cancel()
            await asyncio.wait(self._table.state.tasks, timeout=_CLOSE_TIMEOUT)
        if self._deadline_task is not None:
            self._deadline_task.cancel()
            self._deadline_task = None

    def _stop_accepting(self) -> None:
        for retry in self._retries.values():
            retry.cancel()
        for listening in self._sockets:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        self._sockets.clear()

    def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for attempt in range(_MAX_ACCEPTS):
            if self._table.is_full:
                if not is_readable(listening):
                    return
                if not self._table.close_idle(loop.time()):
                    self._sending_limit.request_check()
                    self._pause_accepting(listening, _RETRY_DELAY_WHEN_FULL)  # it waits in the kernel's queue
                    return
            try:
                accepted, _address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # out of descriptors or kernel memory
                # Linux reports this also if no connection is pending.
                if attempt == 0:
                    self._retry_accept(listening, error)
                return
            accepted.setblocking(False)
            # asyncio sets it only on sockets that name their protocol. Without it, the body of a response waits until
            # the client acknowledges the headers, which it delays.
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            context = self._tls()
            handshake = loop.create_task(self._open(accepted, context))
            self._table.add_handshake(handshake, None if context is None else loop.time())
            handshake.add_done_callback(functools.partial(self._on_handshake_done, accepted))

    def _retry_accept(self, listening: socket.socket, error: OSError) -> None:
        """Close an idle connection to release its descriptor, and accept again after a delay."""
        now = asyncio.get_running_loop().time()
        if now >= self._next_warning:
            self._next_warning = now + _WARNING_INTERVAL
            event(logger, logging.WARNING, "cannot accept a connection", reason=error.strerror)
        self._pause_accepting(listening, _RETRY_DELAY_AFTER_CLOSE if self._table.close_idle(now) else _RETRY_DELAY)

    def _pause_accepting(self, listening: socket.socket, delay: float) -> None:
        """Accept again after a delay.

        The socket stays readable meanwhile, so it is removed from the loop, which would otherwise spin.
        """
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)
        self._retries[listening] = loop.call_later(delay, loop.add_reader, listening, self._accept, listening)

    async def _open(self, accepted: socket.socket, context: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        try:
            if context is None:
                await loop.connect_accepted_socket(self._create_connection, accepted)
            else:
                await loop.connect_accepted_socket(
                    self._create_connection,
                    accepted,
                    ssl=context,
                    ssl_handshake_timeout=self._limits.header_timeout,
                    # Counts from the end of the last response, part of which may still be in the write buffer.
                    ssl_shutdown_timeout=self._limits.response_timeout,
                )
        except OSError as error:  # includes TLS errors
            event(logger, logging.DEBUG, "connection failed before its first request", reason=type(error).__name__)

    def _on_handshake_done(self, accepted: socket.socket, handshake: asyncio.Task[None]) -> None:
        if handshake.cancelled():  # possibly before a transport owned the socket
            accepted.close()
        self._table.discard_handshake(handshake)

    def _create_connection(self) -> Connection:
        return Connection(
            self._config,
            self._table.state,
            self._limits,
            on_closed=self._table.changed.set,
            on_client_slow=self._sending_limit.request_check,
        )

    async def _enforce_deadlines(self) -> None:
        loop = asyncio.get_running_loop()
        limits = self._limits
        shortest = min(limits.header_timeout, limits.response_timeout, limits.idle_timeout)
        while True:
            await asyncio.sleep(min(_DEADLINE_CHECK_INTERVAL, shortest / 4))
            self._update_date()
            self._table.close_overdue(loop.time())
            self._sending_limit.update(loop.time())

    def _update_date(self) -> None:
        self._table.state.default_headers = [(b"date", formatdate(self._now(), usegmt=True).encode())]


async def _listen(address: Address) -> socket.socket:
    try:
        listening = await _bind(address)
    except socket.gaierror as error:
        raise OSError(f"cannot listen on {address}: {error.strerror}") from None
    except OSError as error:  # Python's message repeats the address
        raise OSError(f"cannot listen on {address}: {os.strerror(error.errno or 0)}") from None
    listening.setblocking(False)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        with contextlib.suppress(OSError):  # a kernel without it only holds more for a slow client
            # Accepted sockets inherit it.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MAX_UNSENT)
    return listening


async def _bind(address: Address) -> socket.socket:
    if address.host in ("", "::") and socket.has_dualstack_ipv6():
        return socket.create_server(("::", address.port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG)
    host = address.host or "0.0.0.0"  # noqa: S104  # an empty host means all interfaces
    found = await asyncio.get_running_loop().getaddrinfo(
        host.encode(),  # as str, Python would load its IDNA tables
        address.port,
        type=socket.SOCK_STREAM,
        flags=socket.AI_PASSIVE,
    )
    # As in Go: the first IPv4 address of a name, or else its first address.
    family, _, _, _, socket_address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return socket.create_server(socket_address[:2], family=family, backlog=_BACKLOG)


def _create_config(app: ASGIApp) -> Config:
    config = Config(
        ignore_cancellation(chunk_bodies(app)),
        http=Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        workers=1,  # otherwise uvicorn reads it from the environment
        proxy_headers=False,
        forwarded_allow_ips=[],
        server_header=False,
        timeout_keep_alive=0,  # replaced by `Connection.deadline`
    )
    config.load()
    return config
