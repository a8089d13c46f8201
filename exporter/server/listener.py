"""Listens on one address: accepts, secures, limits and finally closes connections.

Only uvicorn's protocol is used, not its server: that takes over the process's signals, exits the process when the
port is taken, and cannot change its TLS context. Here each connection gets the context of its moment, so that a new
certificate, or the need for client certificates, holds from the next connection on and disturbs none that is open.
"""

import asyncio
import contextlib
import functools
import logging
import os
import socket
import ssl
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Final, cast

from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.server import ServerState

from exporter.config import Address
from exporter.logs import event
from exporter.server.connection import Connection, Limits, ending_quietly, in_slices

logger = logging.getLogger(__name__)

_BACKLOG: Final = 1024
_ACCEPTED_AT_ONCE: Final = 64  # so that a flood of connections leaves the loop time for the others
_PAUSE_WITHOUT_DESCRIPTORS: Final = 0.1  # seconds
_PAUSE_FOR_A_CLOSING: Final = 0.005  # seconds until a connection that was closed has given its descriptor back
_WARN_EVERY: Final = 60.0  # seconds
_LOOK_EVERY: Final = 1.0  # seconds between two looks at the deadlines, if none of them is shorter
_LAST_WORDS: Final = 1.0  # seconds for connections and pages to notice that they were cut off


class Listener:
    """A server for one address.

    Args:
        app: the pages; lifespan events are not sent.
        address: where to listen; port 0 takes any free one, an empty host or `::` both IPv4 and IPv6.
        limits: what a client may take.
        tls: the TLS context for the next connection, or None for plain HTTP; asked for each connection.
        now: Unix time in seconds, for the Date header.
    """

    def __init__(
        self,
        app: ASGIApp,
        address: Address,
        *,
        limits: Limits = Limits(),  # noqa: B008  # it is immutable
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._address = address
        self._limits = limits
        self._tls = tls
        self._now = now
        self._state = ServerState()
        self._openings: dict[asyncio.Task[None], None] = {}  # from accepted to ready for a request, oldest first
        self._left = asyncio.Event()  # a connection was closed, or has been opened
        self._next_warning = 0.0  # about descriptors, in the loop's time
        self._socket: socket.socket | None = None
        self._watch: asyncio.Task[None] | None = None
        self._resume: asyncio.TimerHandle | None = None
        self._config = Config(
            ending_quietly(in_slices(app)),
            http=Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            workers=1,  # else it asks the environment
            proxy_headers=False,
            forwarded_allow_ips=[],
            server_header=False,
            timeout_keep_alive=0,  # the deadlines do that
        )
        self._config.load()

    @property
    def port(self) -> int:
        """The port that is listened on; 0 before `start` if any free one was asked for."""
        return int(self._socket.getsockname()[1]) if self._socket is not None else self._address.port

    @property
    def connections(self) -> int:
        """How many connections are open, half-open ones included."""
        return len(self._state.connections) + len(self._openings)

    async def start(self) -> None:
        """Bind and listen.

        Raises:
            OSError: the address is taken, unknown or forbidden; the text is one line for people.
        """
        loop = asyncio.get_running_loop()
        try:
            self._socket = await _bound(self._address)
        except socket.gaierror as error:
            raise OSError(f"cannot listen on {self._address}: {error.strerror}") from None
        except OSError as error:  # Python's own text says the address once more
            raise OSError(f"cannot listen on {self._address}: {os.strerror(error.errno or 0)}") from None
        self._socket.setblocking(False)
        self._date()
        self._watch = loop.create_task(self._look_at_deadlines())
        loop.add_reader(self._socket, self._accept)

    async def stop(self, grace: float) -> None:
        """Take no new connections, close the waiting ones, and let answers finish for `grace` seconds."""
        loop = asyncio.get_running_loop()
        if self._socket is None:
            return
        if self._resume is not None:
            self._resume.cancel()
        loop.remove_reader(self._socket)
        self._socket.close()
        self._socket = None
        for opening in list(self._openings):
            opening.cancel()
        for connection in self._connections():
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._emptied()
        for connection in self._connections():
            connection.transport.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await self._emptied()
        if self._state.tasks:  # nobody listens any more
            for task in self._state.tasks:
                task.cancel()
            await asyncio.wait(self._state.tasks, timeout=_LAST_WORDS)
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    async def _emptied(self) -> None:
        while self.connections:
            self._left.clear()
            await self._left.wait()

    def _accept(self) -> None:
        for turn in range(_ACCEPTED_AT_ONCE):
            if self._socket is None:
                return
            try:
                accepted, _address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # descriptors or kernel memory ran out
                # Linux says so also where nobody waits; only in the first turn it is known that somebody does.
                if turn == 0:
                    self._wait_for_descriptors(self._socket, error)
                return
            accepted.setblocking(False)
            # asyncio does it only where the socket names its protocol; without it the body of an answer waits for the
            # headers to be acknowledged, which the client puts off.
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.connections >= self._limits.max_connections and not self._make_room():
                accepted.close()
                continue
            opening = asyncio.get_running_loop().create_task(self._open(accepted))
            self._openings[opening] = None
            opening.add_done_callback(functools.partial(self._opened, accepted))

    def _wait_for_descriptors(self, listening: socket.socket, error: OSError) -> None:
        """Close a silent connection for the one that waits outside, and try again soon.

        The system goes on telling that somebody waits, so listening on would keep the loop busy.
        """
        loop = asyncio.get_running_loop()
        if loop.time() >= self._next_warning:
            self._next_warning = loop.time() + _WARN_EVERY
            event(logger, logging.WARNING, "cannot accept a connection", reason=error.strerror)
        pause = _PAUSE_FOR_A_CLOSING if self._make_room() else _PAUSE_WITHOUT_DESCRIPTORS
        loop.remove_reader(listening)
        self._resume = loop.call_later(pause, loop.add_reader, listening, self._accept)

    def _make_room(self) -> bool:
        """Close the connection that has been silent longest; False if all are busy."""
        waiting = [connection for connection in self._connections() if connection.is_waiting]
        if waiting:
            longest = min(waiting, key=lambda connection: connection.silent_since)
            longest.transport.abort()
            # It says goodbye in the next round of the loop; until then it must not be chosen, or counted, again.
            self._state.connections.discard(longest)
            return True
        if self._openings:
            opening = next(iter(self._openings))
            del self._openings[opening]
            opening.cancel()
            return True
        return False

    async def _open(self, accepted: socket.socket) -> None:
        context = self._tls()
        loop = asyncio.get_running_loop()
        try:
            if context is None:
                await loop.connect_accepted_socket(self._connection, accepted)
            else:
                await loop.connect_accepted_socket(
                    self._connection,
                    accepted,
                    ssl=context,
                    ssl_handshake_timeout=self._limits.header_timeout,
                    # From the end of the last answer, of which a part may still have to be sent.
                    ssl_shutdown_timeout=self._limits.answer_timeout,
                )
        except OSError as error:  # TLS errors are among them
            event(logger, logging.DEBUG, "a connection failed before its first request", reason=type(error).__name__)

    def _opened(self, accepted: socket.socket, opening: asyncio.Task[None]) -> None:
        self._openings.pop(opening, None)
        if opening.cancelled():  # perhaps before anybody took the socket over
            accepted.close()
        self._left.set()

    def _connection(self) -> Connection:
        return Connection(self._config, self._state, self._limits, self._left.set)

    def _connections(self) -> list[Connection]:
        return cast("list[Connection]", list(self._state.connections))

    async def _look_at_deadlines(self) -> None:
        loop = asyncio.get_running_loop()
        limits = self._limits
        pause = min(_LOOK_EVERY, limits.header_timeout / 4, limits.answer_timeout / 4, limits.idle_timeout / 4)
        while True:
            await asyncio.sleep(pause)
            self._date()
            for connection in self._connections():
                if connection.deadline < loop.time():
                    connection.transport.abort()

    def _date(self) -> None:
        self._state.default_headers = [(b"date", formatdate(self._now(), usegmt=True).encode())]


async def _bound(address: Address) -> socket.socket:
    if address.host in ("", "::") and socket.has_dualstack_ipv6():
        return socket.create_server(("::", address.port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG)
    host = address.host or "0.0.0.0"  # noqa: S104  # no host means every interface
    found = await asyncio.get_running_loop().getaddrinfo(
        host.encode(),  # given text, Python would load its tables of all the scripts that names can have
        address.port,
        type=socket.SOCK_STREAM,
        flags=socket.AI_PASSIVE,
    )
    # As Go does: of a name's addresses the first of IPv4, else the first.
    family, _, _, _, where = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return socket.create_server(where[:2], family=family, backlog=_BACKLOG)
