"""Asks Livepeer Studio for its sessions; the only module that imports httpx.

The key travels on each request to our own base URL and nowhere else: redirects are not followed, links are not used,
and proxies and netrc of the environment are ignored unless asked for. No text of an answer gets into an exception,
since the API's error bodies echo the key.
"""

import asyncio
import json
import math
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, Protocol

import httpx

from exporter.livepeer.body import Body, BodyBudget, inflated
from exporter.livepeer.decoding import read_page
from exporter.livepeer.errors import (
    BadRequestError,
    ConnectError,
    DecodeError,
    DNSError,
    ForbiddenError,
    NotFoundError,
    PaginationError,
    PollError,
    PollTimeoutError,
    RateLimitError,
    RedirectError,
    RetryDeadlineExceededError,
    ServerError,
    TLSError,
    UnauthorizedError,
)
from exporter.livepeer.gather import gather_or_cancel
from exporter.livepeer.pagination import Fetch, IdRange, Page, Walked, walk
from exporter.livepeer.server_clock import ServerClock, retry_after
from exporter.sessions.session import Session
from exporter.version import VERSION

MAX_CURSOR: Final = 1024
RETRIES: Final = 2
"""How often a 500, 502, 503 or 504 is asked again within one poll."""

RETRY_BASE: Final = 0.5
"""Seconds; doubled with every retry, half of it by chance."""

LONGEST_RETRY_WAIT: Final = 5.0
"""Seconds that a poll waits for a retry; a longer ``Retry-After`` is left to the next poll."""

KEEPALIVE: Final = 4.0
"""Seconds an idle connection is kept; upstream closes it after five, and we must not race it."""

MAX_ASKED_BY_PARENT: Final = 20
"""Up to so many parent streams are asked for one by one; for more, all sessions are read and filtered."""

SKEW_TOLERANCE: Final = 60.0
"""Seconds that our idea of the server's time may be wrong before the sessions of a window are asked for anew."""

Filter = dict[str, Any]


class Meter(Protocol):
    """Told about every request; the telemetry of an account implements it."""

    def request(self, code: str, seconds: float, size: int) -> None:
        """A request ended: status code (``none`` without a response), seconds, bytes of the response body."""

    def retry(self) -> None:
        """A request is repeated."""

    def throttled(self) -> None:
        """The API answered 429."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which sessions are wanted.

    Attributes:
        session_window: seconds; sessions seen, or created and not yet seen, within it.
        recording_window: seconds; recorded sessions seen within it, for the state of their recordings.
        stream_ids: only these parent streams; empty is all.
        ids: only this part of the id space.
    """

    session_window: float
    recording_window: float
    stream_ids: frozenset[str] = frozenset()
    ids: IdRange = IdRange()


@dataclass(frozen=True, slots=True)
class Answer:
    """What one poll read: the walk, and the server's time in Unix seconds when it began."""

    walked: Walked
    server_time: float

    @property
    def sessions(self) -> Sequence[Session]:
        """All sessions that were read, each once."""
        return tuple(self.walked.sessions.values())


def open_trust(*, ca_file: str | None, trust_env: bool) -> ssl.SSLContext:
    """Whom we trust to be the API; costly, so that all accounts share one.

    Raises:
        OSError: the CA file cannot be read, or holds no certificate (``ssl.SSLError``).
    """
    return ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context(trust_env=trust_env)


def open_client(trust: ssl.SSLContext, *, trust_env: bool, connections: int) -> httpx.AsyncClient:
    """The HTTP client of one account: HTTP/1.1, few connections, no redirects, nothing kept of cookies."""
    return httpx.AsyncClient(
        verify=trust,
        trust_env=trust_env,
        timeout=None,  # noqa: S113 - httpx's timeouts are per operation; asyncio.timeout bounds the whole request
        limits=httpx.Limits(max_connections=connections, keepalive_expiry=KEEPALIVE),
        headers={"User-Agent": f"livepeer-session-exporter/{VERSION}", "Accept-Encoding": "identity"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )


class Studio:
    """One account's view of the API.

    Args:
        client: does the HTTP.
        base_url: where the API lives, without a slash at the end.
        key: tells the API key of the moment; may raise MissingKeyError.
        clock: the server's time.
        meter: told about every request.
        monotonic: seconds.
        jitter: a random number between 0 and 1.
        sleep: waits so many seconds.
        request_timeout: seconds that one request may take in all.
        page_limit: sessions to a page, at most 1000 upstream.
        concurrency: requests that may be under way at once.
        parts: parts of the id space that one walk may be split into.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        *,
        key: Callable[[], str],
        clock: ServerClock,
        meter: Meter,
        monotonic: Callable[[], float],
        jitter: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        request_timeout: float = 10.0,
        page_limit: int = 1000,
        concurrency: int = 4,
        parts: int = 4,
    ) -> None:
        self._client = client
        self._url = f"{base_url.rstrip('/')}/session"
        self._key = key
        self.clock = clock
        self._meter = meter
        self._monotonic = monotonic
        self._jitter = jitter
        self._sleep = sleep
        self._request_timeout = request_timeout
        self._limit = max(2, page_limit)
        self._parts = parts
        self._slots = asyncio.Semaphore(concurrency)
        self._room = BodyBudget(concurrency)
        self._until = math.inf

    async def sessions(
        self, scope: Scope, on_page: Callable[[Walked], None] = lambda _: None, *, within: float = math.inf
    ) -> Answer:
        """Read all sessions of a scope.

        Args:
            scope: which ones.
            on_page: told after each page, for those who show progress.
            within: seconds that the caller will wait. No request is repeated that would hardly be answered by then: a
                failure tells more than that time was up.

        Raises:
            PollError: of the class that fits; nothing of what was read survives.
        """
        self._until = self._monotonic() + within
        answer, offset = await self._read(scope, on_page)
        if abs(self.clock.now() - self._monotonic() - offset) > SKEW_TOLERANCE:
            # The first answer told that the server lives in another time, so the window was a wrong one.
            answer, _ = await self._read(scope, on_page)
        return answer

    async def check(self) -> Page:
        """Ask for one page, the cheapest question that needs the key.

        Raises:
            PollError: of the class that fits.
        """
        return await self._fetcher([])(None)

    async def _read(self, scope: Scope, on_page: Callable[[Walked], None]) -> tuple[Answer, float]:
        offset = self.clock.now() - self._monotonic()
        began = self._monotonic()
        now = began + offset
        walked = Walked()
        since, recorded = (now - scope.session_window) * 1000, (now - scope.recording_window) * 1000
        seen = [_at_least("lastSeen", since)]
        # The window comes last: a pending session that is seen, or one of the past that wakes up, moves into it.
        earlier: list[list[Filter]] = [[_at_least("createdAt", since), {"id": "lastSeen", "value": 0}]]
        if recorded < since:
            past = [_at_least("lastSeen", recorded), _below("lastSeen", since)]
            earlier.append([{"id": "record", "value": True}, *past])
        for queries in (earlier, [seen]):
            await self._walk_all([query + by for query in queries for by in _parents(scope)], walked, scope, on_page)
        if scope.stream_ids:
            kept = {name: each for name, each in walked.sessions.items() if each.parent_id in scope.stream_ids}
            walked.sessions = kept
        return Answer(walked, self.clock.now() - (self._monotonic() - began)), offset

    async def _walk_all(
        self, queries: list[list[Filter]], walked: Walked, scope: Scope, on_page: Callable[[Walked], None]
    ) -> None:
        parts = self._parts
        fetches = [self._fetcher(query, start=scope.ids.after) for query in queries]
        await gather_or_cancel(
            *(
                walk(fetch, walked, limit=self._limit, concurrency=parts, ids=scope.ids, on_page=on_page)
                for fetch in fetches
            )
        )

    def _fetcher(self, filters: list[Filter], start: str | None = None) -> Fetch:
        query = {"limit": str(self._limit), "order": "id-false"}
        if filters:
            query["filters"] = json.dumps(filters, separators=(",", ":"))

        async def fetch(cursor: str | None) -> Page:
            more = {"count": "1"} if cursor in (None, start) else {}
            if cursor is not None:
                more["cursor"] = cursor.encode("utf-8", "replace").decode()
            async with self._slots:
                response, body = await self._get(query | more)
            reading = read_page(body, self.clock.now())
            return Page(reading, _links_on(response), _count(response), len(body))

        return fetch

    async def _get(self, params: dict[str, str]) -> tuple[httpx.Response, Body]:
        """Ask with retries; U06 of the fault matrix."""
        attempt = 0
        while True:
            began = self._monotonic()
            try:
                return await self._ask(params)
            except ServerError as failure:
                now = self._monotonic()
                wait = failure.retry_after or RETRY_BASE * 2 ** (attempt + 1) * (0.5 + self._jitter() / 2)
                if failure.status not in (500, 502, 503, 504) or attempt == RETRIES or wait > LONGEST_RETRY_WAIT:
                    raise
                if now + wait + (now - began) > self._until:  # should it take as long as this time
                    raise RetryDeadlineExceededError(failure.status, retry_after=failure.retry_after) from None
                attempt += 1
                self._meter.retry()
                await self._sleep(wait)

    async def _ask(self, params: dict[str, str]) -> tuple[httpx.Response, Body]:
        key = self._key()
        try:
            return await self._once(params, key)
        except UnauthorizedError:
            if (fresh := self._key()) == key:
                raise
            return await self._once(params, fresh)

    async def _once(self, params: dict[str, str], key: str) -> tuple[httpx.Response, Body]:
        began = self._monotonic()
        code, size = "none", 0
        try:
            async with (
                asyncio.timeout(self._request_timeout),
                self._stream(params, key) as response,
            ):
                code = str(response.status_code)
                self.clock.learn(response.headers.get("Date"))
                _raise_for(response, self._meter)
                body = await self._room.read(response.aiter_raw(), response.headers.get("Content-Length", ""))
                size = len(body)
                return response, inflated(body, response.headers.get("Content-Encoding", ""))
        except TimeoutError:
            raise PollTimeoutError(f"no complete answer within {self._request_timeout:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:
            raise _unreachable(error) from None
        finally:
            self._meter.request(code, self._monotonic() - began, size)

    def _stream(self, params: dict[str, str], key: str) -> AbstractAsyncContextManager[httpx.Response]:
        # On the request and not on the client: httpx sends a client's headers to any absolute URL.
        return self._client.stream("GET", self._url, params=params, headers={"Authorization": f"Bearer {key}"})


def _at_least(name: str, milliseconds: float) -> Filter:
    return {"id": name, "value": {"gte": int(milliseconds)}}


def _below(name: str, milliseconds: float) -> Filter:
    return {"id": name, "value": {"lt": int(milliseconds)}}


def _parents(scope: Scope) -> list[list[Filter]]:
    if not scope.stream_ids or len(scope.stream_ids) > MAX_ASKED_BY_PARENT:
        return [[]]
    return [[{"id": "parentId", "value": each}] for each in sorted(scope.stream_ids)]


def _raise_for(response: httpx.Response, meter: Meter) -> None:
    status = response.status_code
    if status == 200:
        return
    wait = retry_after(response.headers.get("Retry-After"), response.headers.get("Date"))
    if status == 429:
        meter.throttled()
        raise RateLimitError(status, retry_after=wait)
    if status == 401:
        raise UnauthorizedError(status, hint="check the API key", retry_after=wait)
    if status == 403:
        hint = "the user is suspended, or the key's access rules leave out GET /session"
        raise ForbiddenError(status, hint=hint, retry_after=wait)
    if status == 404:
        raise NotFoundError(status, hint="check the base URL", retry_after=wait)
    if 300 <= status < 400:
        raise RedirectError(f"the API redirects (HTTP {status}), which is not followed: check the base URL")
    if 400 <= status < 500:
        raise BadRequestError(status, retry_after=wait)
    if status >= 500:
        hint = "no ingest configured" if status == 501 else ""
        raise ServerError(status, hint=hint, retry_after=wait)
    raise DecodeError(f"the API answered without a list of sessions (HTTP {status})")


def _links_on(response: httpx.Response) -> bool:
    """Whether the server says that the page was full. Nothing else of a link is used: it names another scheme or host.

    Raises:
        PaginationError: its cursor is monstrous.
    """
    following = response.links.get("next")
    if following and len(following["url"]) > MAX_CURSOR:
        raise PaginationError("the cursor to the next page is too long")
    return following is not None


def _count(response: httpx.Response) -> int | None:
    told = response.headers.get("X-Total-Count", "")
    return int(told) if told.isascii() and told.isdecimal() and len(told) < 16 else None


def _unreachable(error: Exception) -> PollError:
    """Name the cause of an error; its text stays out, since it may hold headers.

    An OSError that is not httpx's is met where there are no descriptors left to load a part of it.
    """
    if isinstance(error, httpx.InvalidURL | UnicodeError):
        return DNSError("the API's host is no name that can be looked up")
    if isinstance(error, httpx.TimeoutException):
        return PollTimeoutError("the connection timed out")
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return TLSError(f"TLS failed: {getattr(cause, 'verify_message', '') or cause.reason or 'handshake'}")
        if isinstance(cause, socket.gaierror):
            return DNSError("the API's host has no address")
        if isinstance(cause, OSError) and cause.errno is not None:
            return ConnectError(f"the connection failed: {os.strerror(cause.errno)}")
        cause = cause.__cause__ or cause.__context__
    return ConnectError(f"the connection failed: {type(error).__name__}")
