"""One HTTP connection: uvicorn's protocol with limits.

uvicorn has no timeout for a connection that sends nothing or sends its headers slowly, none for a client that does not
read, and, with httptools, no limit on headers; it lets an application finish its response after the client has
disconnected; and it logs a warning for each invalid request.
"""

import asyncio
import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import httptools
from starlette.types import Message, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from exporter.server.middleware import ClientDisconnectedError

logger = logging.getLogger(__name__)

WRITE_BUFFER_SIZE: Final = 16 * 1024
"""Bytes in a transport's write buffer above which an application waits before it sends more."""
MAX_PIPELINED_REQUESTS: Final = 8
"""Requests that may be queued on a connection behind the one in progress."""

Timeout = Literal["header_timeout", "response_timeout", "idle_timeout"]
"""The attributes of `Limits` that bound what a client may take."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one listener.

    Attributes:
        max_connections: open connections; when full, the longest-idle one is closed for a new one.
        max_header_bytes: size of a request line and its headers together.
        header_timeout: seconds from the connection (including the TLS handshake), or from the first byte of a further
            request, to the end of the headers.
        response_timeout: seconds from the end of the headers until the client has received the complete response.
            Prometheus itself gives up after its scrape_timeout, 10 s by default.
        idle_timeout: seconds between a response and the next request. Longer than the usual scrape interval, so that
            a connection and its TLS handshake are reused.
    """

    max_connections: int = 512
    max_header_bytes: int = 16_384
    header_timeout: float = 10.0
    response_timeout: float = 60.0
    idle_timeout: float = 120.0


class Connection(HttpToolsProtocol):
    """One HTTP connection.

    Args:
        config: uvicorn's configuration, loaded.
        state: shared by the connections of one listener.
        limits: limits of the listener.
        on_closed: called when the connection is closed.
        on_client_slow: called when the response in progress has to wait until the client has received more of it.

    Attributes:
        deadline: when the listener aborts the connection, in the loop's time.
        timeout: the limit that the deadline follows from.
        idle_since: when it was accepted or finished its last response, in the loop's time.
    """

    def __init__(
        self,
        config: Config,
        state: ServerState,
        limits: Limits,
        on_closed: Callable[[], None],
        on_client_slow: Callable[[], None],
    ) -> None:
        super().__init__(config, state, {})
        self.app = self._run_app
        self._limits = limits
        self._on_closed = on_closed
        self._on_client_slow = on_client_slow
        self._response_start = 0.0
        self._written = 0  # bytes of bodies since then
        self._reading_headers = False
        self._parsed_size = 0  # bytes of the current headers that the parser has passed on
        self._unparsed_size = 0  # bytes that it may still buffer
        self._error_status = 400
        self._current_cycle: RequestResponseCycle | None = None  # in progress; `cycle` is the last one received
        self.idle_since = self.loop.time()
        self._start_timeout("header_timeout", self.idle_since)

    @property
    def is_sending(self) -> bool:
        """Whether the client has not yet received what was written."""
        return self.transport.get_write_buffer_size() > 0

    @property
    def received(self) -> int:
        """Bytes of the response that the kernel has taken for the client."""
        return self._written - self.transport.get_write_buffer_size()

    def sending_rate(self, now: float) -> float:
        """Return the bytes per second that the client has received of the response."""
        return self.received / max(now - self._response_start, 0.001)

    @property
    def is_idle(self) -> bool:
        """Whether no response is in progress, so that closing the connection interrupts nothing."""
        return not self._is_responding and not self.is_sending

    @property
    def is_reading_headers(self) -> bool:
        """Whether a part of a request has arrived, but not all of its headers."""
        return self._reading_headers

    @property
    def _is_responding(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the connection; with TLS, after the handshake."""
        super().connection_made(transport)
        # asyncio's defaults are four times as large, and 32 times for TLS.
        transport.set_write_buffer_limits(high=WRITE_BUFFER_SIZE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Discard pipelined requests and signal the disconnection to the response in progress."""
        self.pipeline.clear()
        if (
            self._current_cycle is not None
        ):  # uvicorn signals only the last one; writing to a closed TLS transport fails
            self._current_cycle.disconnected = True
            self._current_cycle.message_event.set()
        super().connection_lost(exc)
        self.app = self.config.loaded_app  # breaks the reference cycle
        self._on_closed()

    def data_received(self, data: bytes) -> None:
        """Parse received data; reject invalid requests without a warning in the log."""
        if self.transport.is_closing():
            return  # TLS passes on data that it read before
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.cycle.keep_alive = False  # no upgrade is supported: respond in HTTP/1.1, then close
        except httptools.HttpParserError:
            self._reject()
        else:
            if self._reading_headers:
                # Incomplete headers begin after the end of the last complete ones.
                self._unparsed_size += len(data.rpartition(b"\r\n\r\n")[2])
                if self._unparsed_size > self._limits.max_header_bytes:
                    self._error_status = 431
                    self._reject()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Finish the responses in progress although the client has shut down its side of the connection.

        Returns:
            Whether the connection stays open; asyncio ignores it for TLS, whose connections cannot be half-closed.
        """
        if not self._is_responding or self.scheme == "https":
            return False
        self.cycle.keep_alive = False  # `cycle` is the last request received
        return True

    def shutdown(self) -> None:
        """Close the connection after the response in progress."""
        if not self.transport.is_closing():  # a TLS transport that is closed twice can no longer be aborted
            super().shutdown()

    def on_message_begin(self) -> None:
        """Start the headers of a request at its first byte."""
        super().on_message_begin()
        self._reading_headers = True
        self._parsed_size = self._unparsed_size = 0
        if not self._is_responding:
            self._start_timeout("header_timeout", self.loop.time())

    def on_url(self, url: bytes) -> None:
        """Receive a part of the URL."""
        super().on_url(url)
        self._count_header_bytes(len(url), 414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Receive a header."""
        super().on_header(name, value)
        self._count_header_bytes(len(name) + len(value) + len(b": \r\n"), 431)

    def on_headers_complete(self) -> None:
        """Start the response, or queue the request behind the one in progress."""
        self._reading_headers = False
        if len(self.pipeline) >= MAX_PIPELINED_REQUESTS or not self._has_valid_host():
            raise _InvalidRequestError
        starts_now = not self._is_responding
        if starts_now:
            self._start_response(self.loop.time())
        super().on_headers_complete()
        if starts_now:
            self._current_cycle = self.cycle
        if any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in self.headers
        ):
            self.cycle.keep_alive = False  # applications do not read bodies, so the connection cannot be reused

    def on_response_complete(self) -> None:
        """Start the next pipelined request, or wait for one."""
        following = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()
        if self.transport.is_closing():
            return  # the response's deadline stays, for data in the write buffer
        self.idle_since = self.loop.time()
        if following is not None:
            self._current_cycle = following
            self._start_response(self.idle_since)
        else:
            self._start_timeout("header_timeout" if self._reading_headers else "idle_timeout", self.idle_since)

    def pause_writing(self) -> None:
        """Let the application wait until the client has received more."""
        super().pause_writing()
        self._on_client_slow()

    def timeout_keep_alive_handler(self) -> None:
        """Keep an idle connection open; `deadline` bounds it."""

    def _start_timeout(self, timeout: Timeout, now: float) -> None:
        self.timeout: Timeout = timeout
        self.deadline: float = now + getattr(self._limits, timeout)

    def _start_response(self, now: float) -> None:
        self._start_timeout("response_timeout", now)
        self._response_start = now
        self._written = 0

    async def _run_app(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.config.loaded_app(scope, receive, functools.partial(self._send, send))

    async def _send(self, send: Send, message: Message) -> None:
        """Send a part of the response in progress.

        Raises:
            ClientDisconnectedError: there is no client any more; uvicorn would ignore this part and all further ones.
        """
        cycle = self._current_cycle
        if cycle is None or cycle.disconnected or self.transport.is_closing():
            if cycle is not None:
                cycle.disconnected = True  # otherwise uvicorn logs that the response is incomplete
            raise ClientDisconnectedError
        await send(message)
        self._written += len(message.get("body", b""))

    def _has_valid_host(self) -> bool:
        """Whether the number of Host headers is what RFC 9112, section 3.2, requires.

        A second one is an error, since proxies may use another one than the server; HTTP/1.0 needs none.
        """
        count = [name for name, _ in self.headers].count(b"host")
        return count == 1 or (count == 0 and self.parser.get_http_version() != "1.1")

    def _count_header_bytes(self, size: int, error_status: int) -> None:
        self._parsed_size += size
        if self._parsed_size > self._limits.max_header_bytes:
            self._error_status = error_status
            raise _InvalidRequestError

    def _reject(self) -> None:
        logger.debug("rejected an invalid or too large request")
        if not self._is_responding:
            self.transport.write(
                STATUS_LINE[self._error_status]
                + b"".join(b"%b: %b\r\n" % header for header in self.server_state.default_headers)
                + b"content-length: 0\r\nconnection: close\r\n\r\n"
            )
            self.transport.close()
        else:  # finish the response in progress, then close
            self.cycle.keep_alive = False


class _InvalidRequestError(Exception):
    """Stops the parser, which raises an HttpParserError in turn."""
