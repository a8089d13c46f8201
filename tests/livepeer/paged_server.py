"""An API in memory that pages as the real one does, and helpers to read it."""

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from exporter.livepeer.decoding import DecodedPage
from exporter.livepeer.id_range import ALL_IDS, IdRange
from exporter.livepeer.page_reader import FetchPage, PageRequest, ReadSessions, ResponsePage
from exporter.livepeer.pagination import read_all
from exporter.sessions.session import Session
from exporter.simulator.collation import Collation, code_points
from tests.support.rows import START, ident


def decoded(sessions: Sequence[Session], *, invalid: int = 0) -> DecodedPage:
    """Return what ``decode_page`` returns for a page with these sessions and some items without an id."""
    ids = [session.id for session in sessions]
    return DecodedPage(
        sessions=list(sessions),
        ids=ids,
        items=len(ids) + invalid,
        invalid_sessions=Counter({"no_id": invalid}) if invalid else Counter(),
    )


@dataclass
class PagedServer:
    """An API in memory.

    Attributes:
        limit: maximum number of sessions per page.
        keyset: whether a cursor without ``skip`` is applied as ``id > cursor``; else it is ignored.
        counts: whether first pages contain the total.
        collation: returns the sort key of an id.
        sessions: the current sessions by id.
        requests: the requests so far.
        before_response: called before every response.
    """

    limit: int
    keyset: bool = True
    counts: bool = True
    collation: Collation = code_points
    sessions: dict[str, Session] = field(default_factory=dict)
    requests: list[PageRequest] = field(default_factory=list)
    before_response: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.ids = sorted(self.sessions, key=self.collation)

    @property
    def cursors(self) -> list[str | None]:
        """The cursors of the requests so far."""
        return [request.cursor for request in self.requests]

    @property
    def offsets(self) -> list[int]:
        """The offsets that were requested with a cursor, in order."""
        return [int(cursor[4:]) for cursor in self.cursors if cursor is not None and cursor.startswith("skip")]

    def put(self, session_id: str, last_seen: float) -> None:
        if session_id not in self.sessions:
            insort(self.ids, session_id, key=self.collation)
        self.sessions[session_id] = Session(id=session_id, last_seen=last_seen)

    def remove(self, session_id: str) -> None:
        del self.sessions[session_id]
        self.ids.remove(session_id)

    async def fetch(self, request: PageRequest) -> ResponsePage:
        self.before_response()
        self.requests.append(request)
        cursor, limit = request.cursor, min(request.limit or self.limit, self.limit)
        start = 0
        if cursor is not None and cursor.startswith("skip"):
            start = int(cursor[4:])
        elif cursor is not None and self.keyset:
            start = bisect_right(self.ids, self.collation(cursor), key=self.collation)
        ids = self.ids[start : start + limit]
        by_id = cursor is not None and not cursor.startswith("skip") and self.keyset
        total = len(self.ids) - (start if by_id else 0) if request.count and self.counts and ids else None
        page = decoded([self.sessions[session_id] for session_id in ids])
        return ResponsePage(page, request.limit or self.limit, has_next=len(ids) == limit, total=total)


def paged_server(
    count: int, *, limit: int, keyset: bool = True, counts: bool = True, collation: Collation = code_points
) -> PagedServer:
    """Return a server with `count` sessions, whose ids are distributed as those of UUIDs are."""
    sessions = {each: Session(id=each, last_seen=START * 1000) for each in uuids(count)}
    return PagedServer(limit, keyset, counts, collation, sessions)


def uuids(count: int) -> list[str]:
    """Return lower-case UUIDs that are evenly distributed, in ascending order."""
    return [ident(number * (16**8 // count)) for number in range(count)]


async def read(fetch: FetchPage, *, parts: int = 4, ids: IdRange = ALL_IDS) -> ReadSessions:
    """Read all pages."""
    into = ReadSessions()
    await read_all(fetch, into, parts=parts, ids=ids)
    return into
