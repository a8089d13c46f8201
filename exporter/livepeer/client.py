"""The sessions of one account, read from Livepeer Studio's API."""

import math
from collections import Counter
from collections.abc import Sequence

import msgspec

from exporter.cooperative import run_yielding
from exporter.livepeer.decoding import decode_page
from exporter.livepeer.endpoint import SessionsEndpoint
from exporter.livepeer.gather import gather_or_cancel
from exporter.livepeer.keyset import KeysetSupport
from exporter.livepeer.page_limit import PageLimit
from exporter.livepeer.page_reader import FetchPage, OnPage, PageRequest, ReadSessions, ResponsePage, no_progress
from exporter.livepeer.pagination import read_all
from exporter.livepeer.query import Filters, Scope, request_parameters
from exporter.livepeer.response import has_next_page, total_count
from exporter.livepeer.server_clock import MAX_STEP
from exporter.sessions.session import Session


class SessionsResult(msgspec.Struct, frozen=True):
    """The sessions of a scope.

    Attributes:
        sessions: the sessions, each once.
        server_time: the server's time in Unix seconds when reading began.
        pages: number of responses.
        duplicates: number of sessions that were received more than once.
        invalid_values: number of dropped values by (field, fault).
        invalid_sessions: number of dropped sessions by fault.
    """

    sessions: Sequence[Session]
    server_time: float
    pages: int = 1
    duplicates: int = 0
    invalid_values: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    invalid_sessions: Counter[str] = msgspec.field(default_factory=Counter)


class LivepeerClient:
    """Reads the sessions of one account.

    Args:
        endpoint: requests the pages.
        page_limit: sessions per page; the API's maximum is 1000.
        parts: maximum number of parts of the id space that are read in parallel.
    """

    def __init__(self, endpoint: SessionsEndpoint, *, page_limit: int = 1000, parts: int = 2) -> None:
        self.clock = endpoint.clock
        self._endpoint = endpoint
        self._page_limit = PageLimit(max(2, page_limit))
        self._parts = parts
        self._keyset_support = KeysetSupport()

    async def sessions(
        self, scope: Scope, on_page: OnPage = no_progress, *, within: float = math.inf, recordings: bool = True
    ) -> SessionsResult:
        """Read all sessions of a scope.

        Args:
            scope: the sessions to read.
            on_page: called after each page, to show progress.
            within: seconds after which the caller gives up. Retries that would probably take longer are not sent, so
                that the caller gets the error itself instead of running into its timeout.
            recordings: whether recorded sessions before the session window are read.

        Raises:
            PollError: reading failed; the class depends on the cause.
        """
        self.clock.start_poll()
        self._page_limit.start_poll()
        deadline = self.clock.monotonic() + within
        offset = self._clock_offset()
        result = await self._read(scope, on_page, deadline, recordings=recordings)
        if abs(self._clock_offset() - offset) > MAX_STEP:
            # The windows of the scope were computed before the first response showed that the server's clock differs.
            result = await self._read(scope, on_page, deadline, recordings=recordings)
        self._page_limit.on_success()
        return result

    def credentials(self) -> bytes:
        """Return a digest of the base URL and the current API key.

        Raises:
            MissingKeyError: there is no valid key, and there has not been one before.
        """
        return self._endpoint.credentials()

    async def check(self) -> ResponsePage:
        """Read one page, to check the base URL and the key.

        Raises:
            PollError: reading failed; the class depends on the cause.
        """
        return await self._page_fetcher([], deadline=math.inf)(PageRequest(count=True))

    def _clock_offset(self) -> float:
        return self.clock.now() - self.clock.monotonic()

    async def _read(self, scope: Scope, on_page: OnPage, deadline: float, *, recordings: bool) -> SessionsResult:
        started = self.clock.monotonic()
        read = ReadSessions()
        for queries in scope.queries(self.clock.now(), recordings=recordings):
            fetchers = [self._page_fetcher(query, deadline) for query in queries]
            await gather_or_cancel(
                *(
                    read_all(
                        fetch, read, parts=self._parts, ids=scope.ids, on_page=on_page, support=self._keyset_support
                    )
                    for fetch in fetchers
                )
            )
        sessions = list(read.sessions.values())
        if scope.stream_ids:
            sessions = [session for session in sessions if session.parent_id in scope.stream_ids]
        return SessionsResult(
            sessions=sessions,
            server_time=self._clock_offset() + started,
            pages=read.pages,
            duplicates=read.duplicates,
            invalid_values=read.invalid_values,
            invalid_sessions=read.invalid_sessions,
        )

    def _page_fetcher(self, filters: Filters, deadline: float) -> FetchPage:
        async def fetch(request: PageRequest) -> ResponsePage:
            parameters = request_parameters(filters, request.cursor, count=request.count)
            page_limit = PageLimit(request.limit) if request.limit else self._page_limit
            response, body, limit = await self._endpoint.get(parameters, page_limit, deadline)
            page = await run_yielding(decode_page(body, self.clock.now()))
            return ResponsePage(page, limit, has_next_page(response), total_count(response), len(body))

        return fetch
