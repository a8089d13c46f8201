"""Reads pages of one query within bounds, and keeps their sessions."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from exporter.livepeer.decoding import DecodedPage
from exporter.livepeer.errors import PaginationError, ResponseTooLargeError
from exporter.livepeer.id_range import ALL_IDS, IdRange
from exporter.sessions.session import Session

MAX_PAGES: Final = 5_000
MAX_SESSIONS: Final = 500_000
"""Pages and sessions after which a query counts as endless. Accounts with more sessions need shards."""

BASE_BYTES: Final = 32 * 1024 * 1024
BYTES_PER_SESSION: Final = 16 * 1024
"""The pages of one query may have `BASE_BYTES` and `BYTES_PER_SESSION` for each session; a session usually has 2 kB.

The texts of sessions are kept, so without a bound a few sessions with very long texts would exhaust the memory."""

SESSIONS_PER_MISSING: Final = 100
"""One session in this many may be missing compared with the server's count: sessions come and go during pagination."""


class PageRequest(msgspec.Struct, frozen=True):
    """A request for one page.

    Attributes:
        cursor: the cursor; None for the first page.
        limit: maximum number of sessions; None for the usual one.
        count: whether the total is requested. With a keyset cursor it counts the sessions after the cursor.
    """

    cursor: str | None = None
    limit: int | None = None
    count: bool = False


class ResponsePage(msgspec.Struct, frozen=True):
    """A response of `GET /session`.

    Attributes:
        decoded: the decoded body.
        limit: the requested maximum number of sessions.
        has_next: whether the response links to a next page, which means that the page is full.
        total: number of sessions that match the query; None if the response does not contain it.
        size: bytes of the body.
    """

    decoded: DecodedPage
    limit: int
    has_next: bool
    total: int | None = None
    size: int = 0

    @property
    def is_last(self) -> bool:
        """Whether there is no page after this one.

        A short page with a link to a next one comes from a server whose limit is lower than the requested one.
        """
        return self.decoded.items == 0 or (self.decoded.items < self.limit and not self.has_next)


FetchPage = Callable[[PageRequest], Awaitable[ResponsePage]]

OnPage = Callable[[int, int], None]
"""Called after each page with the number of pages and sessions read so far in the poll."""


def no_progress(_pages: int, _sessions: int) -> None:
    """Ignore the progress."""


class ReadSessions(msgspec.Struct):
    """What the queries of one poll have read so far.

    Attributes:
        sessions: the sessions by id.
        pages: number of responses.
        duplicates: number of sessions that were received more than once by the same query.
        invalid_values: number of dropped values by (field, fault).
        invalid_sessions: number of dropped sessions by fault.
    """

    sessions: dict[str, Session] = msgspec.field(default_factory=dict)
    pages: int = 0
    duplicates: int = 0
    invalid_values: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    invalid_sessions: Counter[str] = msgspec.field(default_factory=Counter)

    def add(self, session: Session) -> None:
        """Add a session. If its id is known, the one with the later `lastSeen` is kept."""
        known = self.sessions.get(session.id)
        if known is None or (session.last_seen or 0) > (known.last_seen or 0):
            self.sessions[session.id] = session


class Rows(msgspec.Struct, frozen=True):
    """Sessions in the order of the server, each with its id as the server sent it."""

    ids: Sequence[str] = ()
    sessions: Sequence[Session] = ()

    def __add__(self, other: "Rows") -> "Rows":
        return Rows([*self.ids, *other.ids], [*self.sessions, *other.sessions]) if self.ids else other

    def slice(self, start: int, end: int) -> "Rows":
        """Return the rows from a position up to another one."""
        return Rows(self.ids[start:end], self.sessions[start:end])


class PageReader:
    """One attempt to read all pages of a query.

    Args:
        fetch: requests a page.
        into: receives the sessions; shared by the queries of a poll.
        ids: the ids to keep.
        on_page: called after each page.

    Attributes:
        ids: the ids to keep.
        pages: number of pages read.
        total: the server's count of matching sessions; None if unknown.
    """

    def __init__(self, fetch: FetchPage, into: ReadSessions, ids: IdRange, on_page: OnPage) -> None:
        self.ids = ids
        self.pages = 0
        self.total: int | None = None
        self._fetch = fetch
        self._into = into
        self._on_page = on_page
        self._kept_ids: set[str] = set()
        self._items = 0
        self._bytes = 0
        self._repeated = 0
        self._invalid = 0

    async def read(self, request: PageRequest) -> ResponsePage:
        """Request a page.

        Raises:
            PaginationError: the query has too many pages or sessions.
            ResponseTooLargeError: the pages have too many bytes for their number of sessions.
        """
        if self.pages >= MAX_PAGES or self._items >= MAX_SESSIONS:
            raise PaginationError(f"the pages do not end: {self.pages} pages with {self._items} sessions so far")
        page = await self._fetch(request)
        self.pages += 1
        self._items += page.decoded.items
        self._bytes += page.size
        self._into.pages += 1
        if self._bytes > BASE_BYTES + BYTES_PER_SESSION * self._items:
            raise ResponseTooLargeError(f"the pages have {self._bytes} bytes for {self._items} sessions")
        return page

    def keep(self, page: DecodedPage, rows: Rows) -> int:
        """Keep sessions of a page, or of earlier ones, and count those that the page lacks.

        Returns:
            The number of sessions that were kept before.
        """
        into, ids = self._into, set(rows.ids)
        # Methods instead of set operators, which would iterate over all ids kept so far for every page.
        known = len(self._kept_ids.intersection(ids))
        into.duplicates += len(rows.ids) - len(ids) + known
        self._kept_ids.update(ids)
        new = {session.id: session for session in rows.sessions}
        if len(new) == len(rows.ids) and into.sessions.keys().isdisjoint(new):
            into.sessions.update(new)
        else:
            for session in rows.sessions:
                into.add(session)
        self._repeated += len(page.ids) - len(set(page.ids))
        self._invalid += sum(page.invalid_sessions.values())
        into.invalid_values += page.invalid_values
        into.invalid_sessions += page.invalid_sessions
        self._on_page(into.pages, len(into.sessions))
        return known

    async def is_incomplete(self) -> bool:
        """Whether fewer sessions were read than the server counts, both before and after reading.

        The second count is requested only if the first one does not match: sessions may have been deleted meanwhile.
        For a part of the ids, there is no count to compare with.
        """
        if self.ids != ALL_IDS or not self._has_fewer_than(self.total):
            return False
        return self._has_fewer_than((await self.read(PageRequest(count=True))).total)

    def _has_fewer_than(self, total: int | None) -> bool:
        received = len(self._kept_ids) + self._repeated + self._invalid
        return total is not None and received < total - total // SESSIONS_PER_MISSING
