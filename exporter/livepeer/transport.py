"""The HTTP client and its TLS context, and the mapping of their exceptions to poll errors."""

import os
import socket
import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpx

from exporter.livepeer.errors import ConnectError, DNSError, PollError, PollTimeoutError, TLSError
from exporter.version import VERSION

HTTPClient = httpx.AsyncClient
"""The type of the HTTP client, for packages that must not import httpx."""

KEEPALIVE_EXPIRY: Final = 4.0
"""Seconds an idle connection is kept. The server closes it after 5 s, and a request must not race with that."""


def create_ssl_context(*, ca_file: str | None, trust_env: bool) -> ssl.SSLContext:
    """Create the TLS context for the API. Loading the certificate authorities is slow, so all accounts share one.

    Args:
        ca_file: PEM file of the only authorities to trust; None for the default ones.
        trust_env: whether `SSL_CERT_FILE` and `SSL_CERT_DIR` replace the default authorities.

    Raises:
        OSError: the CA file cannot be read, or contains no certificate (`ssl.SSLError`).
    """
    return ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context(trust_env=trust_env)


def create_http_client(ssl_context: ssl.SSLContext, *, trust_env: bool, connections: int) -> httpx.AsyncClient:
    """Create the HTTP client of one account: HTTP/1.1, no redirects, no cookies.

    Args:
        ssl_context: the TLS context for https URLs.
        trust_env: whether the proxy variables of the environment and netrc are used.
        connections: maximum number of concurrent connections.
    """
    return httpx.AsyncClient(
        verify=ssl_context,
        trust_env=trust_env,
        timeout=None,  # noqa: S113 - httpx's timeouts are per operation; asyncio.timeout bounds the whole request
        limits=httpx.Limits(max_connections=connections, keepalive_expiry=KEEPALIVE_EXPIRY),
        headers={"User-Agent": f"livepeer-session-exporter/{VERSION}", "Accept-Encoding": "identity"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
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
