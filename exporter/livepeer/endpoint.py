"""One request to `GET /session`: authentication, timeout, retries and metering.

The API key is sent with requests to the configured base URL only: redirects and links are not followed. Error messages
never contain text of a response, since the API's error bodies repeat the key.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final, NamedTuple, Protocol

import httpx

from exporter.cooperative import run_yielding
from exporter.livepeer.body import Body, BodyBudget, decompress
from exporter.livepeer.errors import (
    KeptConnectionError,
    PollError,
    PollTimeoutError,
    RetryDeadlineExceededError,
    ServerError,
    UnauthorizedError,
)
from exporter.livepeer.page_limit import PageLimit
from exporter.livepeer.response import raise_for_status
from exporter.livepeer.server_clock import ServerClock
from exporter.livepeer.transport import ConnectionTrace, HTTPClient, connection_error

RETRIED_STATUSES: Final = (500, 502, 503, 504)
"""Not 429, which fails the poll: `exporter.polling.backoff` waits for its `Retry-After`."""

MAX_RETRIES: Final = 2

RETRY_BASE: Final = 0.5
"""Seconds; the bound of the random delay before the first retry is twice as long, and doubles with every retry."""

MAX_RETRY_DELAY: Final = 5.0
"""Seconds a poll waits for a retry. If the server requests a longer wait, the poll fails instead."""


class Meter(Protocol):
    """Receives measurements of the requests; implemented by the account's instruments."""

    def request(self, code: str, seconds: float, size: int) -> None:
        """Record a finished request.

        Args:
            code: HTTP status, or ``none`` if there was no response.
            seconds: duration.
            size: bytes of the response body.
        """

    def retry(self) -> None:
        """Record that a request is repeated."""

    def throttled(self) -> None:
        """Record a response with status 429."""


class Received(NamedTuple):
    """A response with status 200.

    Attributes:
        response: the response; its body has been read.
        body: the decompressed body.
        limit: the requested maximum number of sessions.
    """

    response: httpx.Response
    body: Body
    limit: int


class SessionsEndpoint:
    """The endpoint that lists an account's sessions.

    Args:
        client: sends the requests.
        base_url: URL of the API.
        key: returns the current API key; may raise MissingKeyError.
        clock: measures durations, and is updated from the responses with sessions.
        meter: receives measurements of the requests.
        jitter: returns a random number between 0 and 1.
        sleep: waits for a number of seconds.
        request_timeout: maximum seconds of one request, from connecting to the end of the body.
        concurrency: maximum number of concurrent requests.
        permit: called before each request; what it raises ends the poll.
    """

    def __init__(
        self,
        client: HTTPClient,
        base_url: str,
        *,
        key: Callable[[], str],
        clock: ServerClock,
        meter: Meter,
        jitter: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        request_timeout: float = 10.0,
        concurrency: int = 4,
        permit: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._url = f"{base_url.rstrip('/')}/session"
        self._key = key
        self.clock = clock
        self._meter = meter
        self._jitter = jitter
        self._sleep = sleep
        self._request_timeout = request_timeout
        self._permit = permit
        self._slots = asyncio.Semaphore(concurrency)
        self._body_budget = BodyBudget(concurrency)

    def credentials(self) -> bytes:
        """Return a digest of the base URL and the current API key.

        Raises:
            MissingKeyError: there is no valid key, and there has not been one before.
        """
        return hashlib.sha256(f"{self._url} {self._key()}".encode()).digest()

    async def get(self, parameters: Mapping[str, str], limit: PageLimit, deadline: float) -> Received:
        """Request one page, with retries if the server fails; U06 and V08 of the fault matrix.

        After a status or a timeout that a large page can cause, the page is requested with a lower limit.

        Args:
            parameters: the query parameters, without the limit.
            limit: the limit of the page; may be reduced.
            deadline: monotonic seconds; a retry that would probably end after it is not sent.

        Raises:
            PollError: the request failed; the class depends on the cause.
        """
        async with self._slots:
            retries = 0
            while True:
                started, current = self.clock.monotonic(), limit.current
                try:
                    received = await self._get_with_current_key({**parameters, "limit": str(current)}, deadline)
                except (ServerError, PollTimeoutError) as error:
                    is_smaller = _may_be_too_large(error) and limit.reduce(current)
                    delay = self._retry_delay(error, retries, is_smaller=is_smaller)
                    if delay is None:
                        raise
                    if self._ends_after(deadline, started, delay):
                        raise _deadline_exceeded(error) from None
                    retries += not is_smaller
                    self._meter.retry()
                    await self._sleep(delay)
                else:
                    limit.on_page()
                    return Received(*received, current)

    def _ends_after(self, deadline: float, started: float, delay: float = 0.0) -> bool:
        """Whether a retry would end after the deadline if it takes as long as the request that has just failed."""
        now = self.clock.monotonic()
        return now + delay + (now - started) > deadline

    def _retry_delay(self, error: ServerError | PollTimeoutError, retries: int, *, is_smaller: bool) -> float | None:
        """Return the seconds until a retry, or None if the request is not sent again."""
        delay = RETRY_BASE * 2 ** (retries + 1) * (0.5 + self._jitter() / 2)
        if isinstance(error, ServerError):
            delay = error.retry_after or delay
            retry = is_smaller or (error.status in RETRIED_STATUSES and retries < MAX_RETRIES)
        else:
            retry = is_smaller
        return delay if retry and delay <= MAX_RETRY_DELAY else None

    async def _get_with_current_key(self, parameters: dict[str, str], deadline: float) -> tuple[httpx.Response, Body]:
        key = self._key()
        try:
            return await self._get_with_key(parameters, key, deadline)
        except UnauthorizedError:
            if (rotated := self._key()) == key:
                raise
            return await self._get_with_key(parameters, rotated, deadline)

    async def _get_with_key(self, parameters: dict[str, str], key: str, deadline: float) -> tuple[httpx.Response, Body]:
        """Request one page; if a kept connection is closed unanswered, once more on a new one (V05)."""
        started = self.clock.monotonic()
        try:
            return await self._get_once(self._client.kept, parameters, key)
        except KeptConnectionError:
            if self._ends_after(deadline, started):
                raise
        self._meter.retry()
        return await self._get_once(self._client.fresh, parameters, key)

    async def _get_once(
        self, client: httpx.AsyncClient, parameters: dict[str, str], key: str
    ) -> tuple[httpx.Response, Body]:
        self._permit()
        started, trace = self.clock.monotonic(), ConnectionTrace()
        code, size, cancelled = "none", 0, False
        try:
            async with (
                asyncio.timeout(self._request_timeout),
                self._stream(client, parameters, key, trace) as response,
            ):
                code = str(response.status_code)
                if response.status_code == 429:
                    self._meter.throttled()
                raise_for_status(response)
                # After that: an error may come from a proxy, whose clock is not the API's (D01).
                self.clock.update(response.headers.get("Date"))
                body = await self._body_budget.read(response.aiter_raw(), response.headers.get("Content-Length", ""))
                size = len(body)
                encoding = response.headers.get("Content-Encoding", "")
                return response, await run_yielding(decompress(body, encoding))
        except TimeoutError:
            raise PollTimeoutError(f"no complete response within {self._request_timeout:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:
            lost = isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)
            if lost and code == "none" and not trace.connected:
                raise KeptConnectionError("the API closed the connection without a response") from None
            raise connection_error(error) from None
        except asyncio.CancelledError:  # the poll has ended for another reason (D09)
            cancelled = True
            raise
        finally:
            if not cancelled:
                self._meter.request(code, self.clock.monotonic() - started, size)

    def _stream(
        self, client: httpx.AsyncClient, parameters: dict[str, str], key: str, trace: ConnectionTrace
    ) -> AbstractAsyncContextManager[httpx.Response]:
        # The key is a header of the request, not of the client: httpx sends a client's headers to any absolute URL.
        headers = {"Authorization": f"Bearer {key}"}
        return client.stream("GET", self._url, params=parameters, headers=headers, extensions={"trace": trace})


def _may_be_too_large(error: ServerError | PollTimeoutError) -> bool:
    """Whether a smaller page may succeed: after a timeout, also of a proxy, and after 500.

    The API runs a statement for each recorded session of a page, and responds with 500 if one gets no connection.
    """
    return isinstance(error, PollTimeoutError) or error.status in (500, 504)


def _deadline_exceeded(error: ServerError | PollTimeoutError) -> PollError:
    if isinstance(error, PollTimeoutError):
        return error
    return RetryDeadlineExceededError(error.status, retry_after=error.retry_after)
