"""The HTTP client and its TLS context, and the mapping of their exceptions to poll errors."""

import os
import socket
import ssl
import sys
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, Self

import certifi
import httpx
import msgspec

from exporter.livepeer.errors import ConnectError, DNSError, PollError, PollTimeoutError, TLSError
from exporter.version import VERSION

KEEPALIVE_EXPIRY: Final = 4.0
"""Seconds an idle connection is kept. The server closes it after 5 s, and a request must not race with that."""


class HTTPClient(msgspec.Struct, frozen=True):
    """The HTTP client of one account.

    Attributes:
        kept: sends requests on idle connections if there are any.
        fresh: sends each request on a new connection.
    """

    kept: httpx.AsyncClient
    fresh: httpx.AsyncClient

    async def aclose(self) -> None:
        """Close all connections."""
        await self.kept.aclose()
        await self.fresh.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()


class ConnectionTrace:
    """Receives httpx's trace events of one request.

    Attributes:
        connected: whether a connection was opened for the request, or was to be opened.
    """

    def __init__(self) -> None:
        self.connected = False

    async def __call__(self, event: str, _details: Mapping[str, Any]) -> None:
        """Handle an event; with a proxy or SOCKS the event's prefix differs."""
        self.connected = self.connected or event.endswith(".connect_tcp.started")


def create_ssl_context(*, ca_file: str | None, trust_env: bool) -> ssl.SSLContext:
    """Create the TLS context for the API. Loading the certificate authorities is slow, so all accounts share one.

    Args:
        ca_file: PEM file of the only authorities to trust; None for the default ones.
        trust_env: whether `SSL_CERT_FILE` and `SSL_CERT_DIR` replace the default authorities, and the keys of the
            connections are written to `SSLKEYLOGFILE`.

    Raises:
        OSError: the CA file cannot be read, contains no certificate (`ssl.SSLError`), or the file of `SSLKEYLOGFILE`
            cannot be written (`KeyLogError`).
    """
    if not trust_env:
        return _create_isolated_context(ca_file or certifi.where())
    try:
        return ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context(trust_env=True)
    except OSError as error:
        if error.filename is None:  # it is set for the key log only
            raise
        raise KeyLogError(f"cannot write the file that SSLKEYLOGFILE names: {error.strerror}") from None


class KeyLogError(OSError):
    """The file of `SSLKEYLOGFILE` cannot be written."""


def _create_isolated_context(ca_file: str) -> ssl.SSLContext:
    """Create what `ssl.create_default_context` does, which cannot be kept from reading `SSLKEYLOGFILE`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    context.load_verify_locations(ca_file)
    return context


def create_http_client(
    ssl_context: ssl.SSLContext, *, trust_env: bool, connections: int, keepalive_expiry: float = KEEPALIVE_EXPIRY
) -> HTTPClient:
    """Create the HTTP client of one account: HTTP/1.1, no redirects, no cookies.

    Args:
        ssl_context: the TLS context for https URLs.
        trust_env: whether the proxy variables of the environment and netrc are used.
        connections: maximum number of concurrent connections.
        keepalive_expiry: seconds an idle connection is kept.
    """

    def client(limits: httpx.Limits) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=ssl_context,
            trust_env=trust_env,
            timeout=None,  # noqa: S113 - httpx's timeouts are per operation; asyncio.timeout bounds the whole request
            limits=limits,
            headers={"User-Agent": f"livepeer-session-exporter/{VERSION}", "Accept-Encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )

    return HTTPClient(
        kept=client(httpx.Limits(max_connections=connections, keepalive_expiry=keepalive_expiry)),
        fresh=client(httpx.Limits(max_connections=connections, max_keepalive_connections=0)),
    )


def connection_error(error: Exception) -> PollError:
    """Map an exception of httpx or the operating system to a `PollError`.

    The exception's text is not used, since it may contain request headers. An OSError that httpx does not wrap occurs
    when no file descriptors are left to import a part of httpx.
    """
    if isinstance(error, httpx.InvalidURL | UnicodeError):
        return DNSError("the API's host name is invalid")
    if isinstance(error, httpx.TimeoutException):
        return PollTimeoutError("the connection timed out")
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return TLSError(
                f"the TLS handshake failed: {getattr(cause, 'verify_message', '') or cause.reason or 'unknown cause'}"
            )
        if isinstance(cause, socket.gaierror):
            return DNSError("the API's host name cannot be resolved")
        if isinstance(cause, OSError) and cause.errno is not None:
            return ConnectError(f"the connection failed: {os.strerror(cause.errno)}")
        cause = cause.__cause__ or cause.__context__
    return ConnectError(f"the connection failed: {type(error).__name__}")
