"""One connection to the server: uvicorn's, with limits of our own.

uvicorn itself has no deadline for a connection that says nothing or drips its headers, none for a client that does
not read, and no limit on headers with httptools; and it warns in the log about every scanner that passes by.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httptools
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

logger = logging.getLogger(__name__)

SLICE: Final = 512 * 1024
"""Bytes of a body that are handed to the transport at once: what it cannot send it copies, and holds for each slow
reader. Smaller slices were slower to send; larger ones hardly faster."""
HELD: Final = 64 * 1024
"""Bytes that the transport may hold back before the next slice has to wait."""
PIPELINED: Final = 8
"""Requests that may wait on one connection for the answer to another; more is an attack."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one listener gives to its clients.

    Attributes:
        max_connections: open at once; beyond it the one that has been silent longest is closed for the new one.
        max_header_bytes: of a request line and its headers together.
        header_timeout: seconds from the connection, or from the first byte of a further request, to the end of the
            headers, the TLS handshake included.
        answer_timeout: seconds from the end of the headers until the client has taken the whole answer. Prometheus
            gives up after its own scrape_timeout, 10 s by default.
        idle_timeout: seconds between an answer and the next request; longer than the usual scrape interval, so that
            the connection, and its TLS handshake, last.
    """

    max_connections: int = 512
    max_header_bytes: int = 16_384
    header_timeout: float = 10.0
    answer_timeout: float = 60.0
    idle_timeout: float = 120.0


class Connection(HttpToolsProtocol):
    """uvicorn's connection with limits.

    Args:
        config: uvicorn's, loaded.
        state: what the connections of one listener share.
        limits: what a client may take.
        gone: called when the connection is closed.

    Attributes:
        deadline: when the listener shall cut it off, in the loop's time.
        silent_since: when it was accepted or got its last answer, in the loop's time.
    """

    def __init__(self, config: Config, state: ServerState, limits: Limits, gone: Callable[[], None]) -> None:
        super().__init__(config, state, {})
        self._limits = limits
        self._gone = gone
        self._in_head = False
        self._head_size = 0  # what the parser has told
        self._unparsed = 0  # what it may still hold back
        self._refusal = 400
        self._answered: RequestResponseCycle | None = None  # `cycle` is the last one that was asked for
        self.silent_since = self.loop.time()
        self.deadline = self.silent_since + limits.header_timeout

    @property
    def is_waiting(self) -> bool:
        """Whether no answer is on its way, so that closing it hurts nobody."""
        return not self._is_answering and not self.transport.get_write_buffer_size()

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection up; with TLS, after the handshake."""
        super().connection_made(transport)
        # asyncio's own value for plain TCP; for TLS it would hold eight times as much.
        transport.set_write_buffer_limits(high=HELD)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; whoever still answers on it is told, and nobody else begins to."""
        self.pipeline.clear()
        if self._answered is not None:  # uvicorn tells the last one only, and writing to a lost TLS transport fails
            self._answered.disconnected = True
            self._answered.message_event.set()
        super().connection_lost(exc)
        self._gone()

    def data_received(self, data: bytes) -> None:
        """Read the next bytes of requests; what is no request is refused without a word in the log."""
        if self.transport.is_closing():
            return  # TLS hands over what it read before
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.cycle.keep_alive = False  # nobody here speaks anything else: answered as plain HTTP, then closed
        except httptools.HttpParserError:
            self._refuse()
        else:
            if self._in_head:
                # A head that was begun stands behind the end of the last one that is complete.
                self._unparsed += len(data.rpartition(b"\r\n\r\n")[2])
                if self._unparsed > self._limits.max_header_bytes:
                    self._refusal = 431
                    self._refuse()

    def shutdown(self) -> None:
        """Close the connection once what was asked for is answered."""
        if not self.transport.is_closing():  # closed twice, a TLS transport can no longer be aborted
            super().shutdown()

    def on_message_begin(self) -> None:
        """Start a request with its first byte."""
        super().on_message_begin()
        self._in_head = True
        self._head_size = self._unparsed = 0
        if not self._is_answering:
            self.deadline = self.loop.time() + self._limits.header_timeout

    def on_url(self, url: bytes) -> None:
        """Take a piece of the path."""
        super().on_url(url)
        self._count(len(url), 414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        super().on_header(name, value)
        self._count(len(name) + len(value) + len(b": \r\n"), 431)

    def on_headers_complete(self) -> None:
        """Answer the request."""
        self._in_head = False
        if len(self.pipeline) >= PIPELINED:
            raise _Refused
        is_next = not self._is_answering
        if is_next:
            self.deadline = self.loop.time() + self._limits.answer_timeout
        super().on_headers_complete()
        if is_next:
            self._answered = self.cycle
        if any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in self.headers
        ):
            self.cycle.keep_alive = False  # no page reads a body; the rest of it is not waited for

    def on_response_complete(self) -> None:
        """Go on to the next request, or wait for one."""
        following = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()
        if self.transport.is_closing():
            return  # what is left of the answer's time is for the rest of the answer
        if following is not None:
            self._answered = following
            wait = self._limits.answer_timeout
        elif self._in_head:
            wait = self._limits.header_timeout
        else:
            wait = self._limits.idle_timeout
        self.silent_since = self.loop.time()
        self.deadline = self.silent_since + wait

    def timeout_keep_alive_handler(self) -> None:
        """Keep an idle connection; `deadline` bounds it."""

    def _count(self, size: int, refusal: int) -> None:
        self._head_size += size
        if self._head_size > self._limits.max_header_bytes:
            self._refusal = refusal
            raise _Refused

    def _refuse(self) -> None:
        logger.debug("refused what is no request, or too large a one")
        if not self._is_answering:
            self.transport.write(
                STATUS_LINE[self._refusal]
                + b"".join(b"%b: %b\r\n" % header for header in self.server_state.default_headers)
                + b"content-length: 0\r\nconnection: close\r\n\r\n"
            )
            self.transport.close()
        else:  # an answer is on its way; it is finished, and the connection with it
            self.cycle.keep_alive = False


class _Refused(Exception):
    """Stops the parser; it passes this on as an error of its own."""


def ending_quietly(app: ASGIApp) -> ASGIApp:
    """Let the task of an answer be cancelled, which uvicorn takes for a mistake of `app` and logs with a traceback."""

    async def quiet(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await app(scope, receive, send)

    return quiet


def in_slices(app: ASGIApp) -> ASGIApp:
    """Let `app` send bodies of any size at once, while each connection holds little more than a slice of it.

    asyncio copies what the socket does not take at once, all of it, which for many slow readers of a large body is
    a copy each.
    """

    async def sliced(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_slices(message: Message) -> None:
            body: Any = message.get("body", b"")
            if message["type"] != "http.response.body" or len(body) <= SLICE:
                await send(message)
                return
            view = memoryview(body)
            for start in range(0, len(view), SLICE):
                more = message.get("more_body", False) or start + SLICE < len(view)
                await send({"type": "http.response.body", "body": view[start : start + SLICE], "more_body": more})

        await app(scope, receive, send_slices)

    return sliced
