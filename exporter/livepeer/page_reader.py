"""Reads pages of one query within bounds, and keeps their sessions."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

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


@dataclass(frozen=True, slots=True)
class ResponsePage:
    """A response of `GET /session`.

    Attributes:
        decoded: the decoded body.
        has_next: whether the response links to a next page, which means that the page is full.
        total: number of sessions that match the query; None if the response does not contain it.
        size: bytes of the body.
    """

    decoded: DecodedPage
    has_next: bool
    total: int | None = None
    size: int = 0


FetchPage = Callable[[str | None], Awaitable[ResponsePage]]
"""Requests the page after a cursor, or the first page for None. Only the first page needs a total."""

OnPage = Callable[[int, int], None]
"""Called after each page with the number of pages and sessions read so far in the poll."""


def no_progress(_pages: int, _sessions: int) -> None:
    """Ignore the progress."""


@dataclass(slots=True)
class ReadSessions:
    """What the queries of one poll have read so far.

    Attributes:
        sessions: the sessions by id.
        pages: number of responses.
        duplicates: number of sessions that were received more than once by the same query.
        invalid_values: number of dropped values by (field, fault).
        invalid_sessions: number of dropped sessions by fault.
    """

    sessions: dict[str, Session] = field(default_factory=dict)
    pages: int = 0
    duplicates: int = 0
    invalid_values: Counter[tuple[str, str]] = field(default_factory=Counter)
    invalid_sessions: Counter[str] = field(default_factory=Counter)

    def add(self, session: Session) -> None:
        """Add a session. If its id is known, the one with the later `lastSeen` is kept."""
        known = self.sessions.get(session.id)
        if known is None or (session.last_seen or 0) > (known.last_seen or 0):
            self.sessions[session.id] = session


class PageReader:
    """One attempt to read all pages of a query.

    Args:
        fetch: requests a page.
        into: receives the sessions; shared by the queries of a poll.
        limit: sessions that are requested per page.
        ids: the ids to keep.
        on_page: called after each page.

    Attributes:
        ids: the ids to keep.
        limit: sessions that are requested per page.
        pages: number of pages read.
        total: the server's count of matching sessions; None if unknown.
    """

    def __init__(self, fetch: FetchPage, into: ReadSessions, limit: int, ids: IdRange, on_page: OnPage) -> None:
        self.ids = ids
        self.limit = limit
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

    async def read(self, cursor: str | None) -> ResponsePage:
        """Request a page.

        Raises:
            PaginationError: the query has too many pages or sessions.
            ResponseTooLargeError: the pages have too many bytes for their number of sessions.
        """
        if self.pages >= MAX_PAGES or self._items >= MAX_SESSIONS:
            raise PaginationError(f"the pages do not end: {self.pages} pages with {self._items} sessions so far")
        page = await self._fetch(cursor)
        self.pages += 1
        self._items += page.decoded.items
        self._bytes += page.size
        self._into.pages += 1
        if self._bytes > BASE_BYTES + BYTES_PER_SESSION * self._items:
            raise ResponseTooLargeError(f"the pages have {self._bytes} bytes for {self._items} sessions")
        return page

    def keep(self, page: ResponsePage, ids: IdRange) -> None:
        """Keep the sessions of a page whose ids are in a range, and count those that were dropped."""
        decoded, into = page.decoded, self._into
        sessions = decoded.sessions
        if not _is_within(decoded, ids):
            sessions = [each for each in sessions if decoded.server_ids.get(each.id, each.id) in ids]
        by_id = {session.id: session for session in sessions}
        # Methods instead of set operators, which would iterate over all ids kept so far for every page.
        into.duplicates += len(sessions) - len(by_id) + len(self._kept_ids.intersection(by_id))
        self._kept_ids.update(by_id)
        if len(by_id) == len(sessions) and into.sessions.keys().isdisjoint(by_id):
            into.sessions.update(by_id)
        else:
            for session in sessions:
                into.add(session)
        self._repeated += len(decoded.sessions) - len({session.id for session in decoded.sessions})
        self._invalid += sum(decoded.invalid_sessions.values())
        into.invalid_values += decoded.invalid_values
        into.invalid_sessions += decoded.invalid_sessions
        self._on_page(into.pages, len(into.sessions))

    def is_last(self, page: ResponsePage, until: str | None) -> bool:
        """Whether no page after this one has ids up to `until`."""
        decoded = page.decoded
        if until is not None and decoded.ascending and decoded.last_id is not None and decoded.last_id > until:
            return True
        # A short page with a link to a next one comes from a server whose limit is lower than the requested one.
        return decoded.items == 0 or (decoded.items < self.limit and not page.has_next)

    async def is_incomplete(self) -> bool:
        """Whether fewer sessions were read than the server counts, both before and after reading.

        The second count is requested only if the first one does not match: sessions may have been deleted meanwhile.
        For a part of the ids, there is no count to compare with.
        """
        if self.ids != ALL_IDS or not self._has_fewer_than(self.total):
            return False
        return self._has_fewer_than((await self.read(None)).total)

    def _has_fewer_than(self, total: int | None) -> bool:
        received = len(self._kept_ids) + self._repeated + self._invalid
        return total is not None and received < total - total // SESSIONS_PER_MISSING


def _is_within(page: DecodedPage, ids: IdRange) -> bool:
    """Whether all ids of a page are known to be in a range; only the first and the last one are compared."""
    first, last = page.first_id, page.last_id
    return page.ascending and first is not None and last is not None and first in ids and last in ids
