"""An API in memory that pages as the real one does, and helpers to read it."""

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from exporter.livepeer.decoding import DecodedPage
from exporter.livepeer.id_range import ALL_IDS, IdRange
from exporter.livepeer.page_reader import FetchPage, ReadSessions, ResponsePage
from exporter.livepeer.pagination import read_all
from exporter.sessions.session import Session
from tests.support.rows import START


def decoded(sessions: Sequence[Session], *, invalid: int = 0) -> DecodedPage:
    """Return what ``decode_page`` returns for a page with these sessions and some items without an id."""
    ids = [session.id for session in sessions]
    return DecodedPage(
        sessions=list(sessions),
        items=len(ids) + invalid,
        first_id=ids[0] if ids else None,
        last_id=ids[-1] if ids else None,
        ascending=ids == sorted(ids),
        invalid_sessions=Counter({"no_id": invalid}) if invalid else Counter(),
    )


@dataclass
class PagedServer:
    """An API in memory.

    Attributes:
        limit: maximum number of sessions per page.
        keyset: whether a cursor without ``skip`` is applied as ``id > cursor``; else it is ignored.
        counts: whether first pages contain the total.
        sessions: the current sessions by id.
        cursors: the cursors of the requests so far.
        before_response: called before every response.
    """

    limit: int
    keyset: bool = True
    counts: bool = True
    sessions: dict[str, Session] = field(default_factory=dict)
    cursors: list[str | None] = field(default_factory=list)
    before_response: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.ids = sorted(self.sessions)

    @property
    def offsets(self) -> list[int]:
        """The offsets that were requested with a cursor, in order."""
        return [int(cursor[4:]) for cursor in self.cursors if cursor is not None and cursor.startswith("skip")]

    def put(self, session_id: str, last_seen: float) -> None:
        if session_id not in self.sessions:
            insort(self.ids, session_id)
        self.sessions[session_id] = Session(id=session_id, last_seen=last_seen)

    def remove(self, session_id: str) -> None:
        del self.sessions[session_id]
        self.ids.remove(session_id)

    async def fetch(self, cursor: str | None) -> ResponsePage:
        self.before_response()
        self.cursors.append(cursor)
        start = 0
        if cursor is not None and cursor.startswith("skip"):
            start = int(cursor[4:])
        elif cursor is not None and self.keyset:
            start = bisect_right(self.ids, cursor)
        ids = self.ids[start : start + self.limit]
        total = len(self.ids) if cursor is None and self.counts and ids else None
        page = decoded([self.sessions[session_id] for session_id in ids])
        return ResponsePage(page, has_next=len(ids) == self.limit, total=total)


def paged_server(count: int, *, limit: int, keyset: bool = True, counts: bool = True) -> PagedServer:
    """Return a server with `count` sessions, whose ids are distributed as those of UUIDs are."""
    ids = [f"{number * (16**8 // count):08x}" for number in range(count)]
    sessions = {session_id: Session(id=session_id, last_seen=START * 1000) for session_id in ids}
    return PagedServer(limit, keyset, counts, sessions)


async def read(fetch: FetchPage, *, limit: int, parts: int = 4, ids: IdRange = ALL_IDS) -> ReadSessions:
    """Read all pages."""
    into = ReadSessions()
    await read_all(fetch, into, limit=limit, parts=parts, ids=ids)
    return into
