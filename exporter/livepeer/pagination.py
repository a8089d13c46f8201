"""Reads all pages of one query, missing nothing and doubling nothing while sessions come, go and change.

Two ways of paging, in this order:

* **Keyset**: ``order=id-false``, and the last id of a page is the next cursor. Ids never change, so nothing that is
  there throughout can be missed. It is undocumented upstream, hence checked on every page. As the ids are random,
  the id space is split into parts that are fetched side by side when the first page says that there is much to come.
* **Offset**: the fall-back. Sessions that leave while we read shift the rest towards us, so pages overlap, and each
  must begin at or before the last id that was seen; where it does not, we step back.

The fetching itself is an argument: this module knows neither HTTP nor the API's base URL, and follows no link.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from exporter.livepeer.decoding import Reading
from exporter.livepeer.errors import (
    BadRequestError,
    PaginationError,
    ResponseTooLargeError,
    RetryDeadlineExceededError,
    ServerError,
)
from exporter.livepeer.gather import gather_or_cancel
from exporter.sessions.session import MAX_ID, Session

MAX_PAGES: Final = 5_000
MAX_RECORDS: Final = 500_000
"""What one walk may read before it counts as endless; an account with more sessions wants shards."""

MAX_BYTES: Final = 32 * 1024 * 1024
RICH: Final = 16 * 1024
"""Bytes that all pages of a walk may have before their sessions must not have more than so many each; most have 2 kB.

What a session says of itself is kept, so few sessions with endless texts would fill the memory."""

MAX_IDLE_PAGES: Final = 2
"""Pages in a row that may hold nothing new before a walk by offsets ends: one can be pushed back by new sessions."""

CHURN: Final = 100
"""One session in this many may differ from the server's count: sessions come and go while a walk lasts."""

PART_PAGES: Final = 4
"""Pages at least to a part: the last one of each reaches into the next part, and is half in vain."""

_SPACE: Final = 16**8


@dataclass(frozen=True, slots=True)
class Page:
    """One answer.

    Attributes:
        reading: what it held.
        more: whether the server says that it was full.
        total: how many rows the query has in all; None where the server does not say.
        size: bytes of its body.
    """

    reading: Reading
    more: bool
    total: int | None = None
    size: int = 0


Fetch = Callable[[str | None], Awaitable[Page]]
"""Asks for the page behind a cursor; None is the first page, which alone needs to say the total."""


@dataclass(frozen=True, slots=True)
class IdRange:
    """The ids that a walk is about: ``after < id <= until``; None is no bound. A shard has one."""

    after: str | None = None
    until: str | None = None

    def holds(self, name: str) -> bool:
        """Whether an id lies in the range."""
        return (self.after is None or name > self.after) and (self.until is None or name <= self.until)


@dataclass(slots=True)
class Walked:
    """What the walks of one poll have read so far.

    Attributes:
        sessions: by id; of two with the same id the one that was seen later.
        pages: answers read.
        duplicates: sessions that came more than once.
        offset: whether a walk had to fall back to offsets.
        invalid_values: per (field, fault) what was left out.
        invalid_sessions: per fault what was left out.
    """

    sessions: dict[str, Session] = field(default_factory=dict)
    pages: int = 0
    duplicates: int = 0
    offset: bool = False
    invalid_values: Counter[tuple[str, str]] = field(default_factory=Counter)
    invalid_sessions: Counter[str] = field(default_factory=Counter)

    def add(self, session: Session) -> None:
        """Take a session in; of two with the same id the one that was seen last stays."""
        known = self.sessions.get(session.id)
        if known is None or (session.last_seen or 0) > (known.last_seen or 0):
            self.sessions[session.id] = session


class _KeysetUnsupportedError(Exception):
    """The server does not page by keyset; never leaves this module."""


async def walk(
    fetch: Fetch,
    into: Walked,
    *,
    limit: int,
    concurrency: int,
    ids: IdRange = IdRange(),
    on_page: Callable[[Walked], None] = lambda _: None,
) -> None:
    """Read every page of a query.

    Args:
        fetch: asks for one page.
        into: where the sessions go; it may hold those of other walks already.
        limit: rows that a page is asked for, at least 2 (pages by offset overlap).
        concurrency: parts of the id space that may be fetched at the same time.
        ids: the part of the id space that is wanted.
        on_page: told after each page, for those who show progress.

    Raises:
        PollError: what ``fetch`` raises, and PaginationError for a walk that never ends or misses sessions.
    """
    walker = _Walker(fetch, into, limit, ids, on_page)
    try:
        await walker.by_keyset(concurrency)
    except (_KeysetUnsupportedError, BadRequestError, ServerError) as problem:
        if not walker.may_restart(problem):
            raise
        into.offset = True
        walker = _Walker(fetch, into, limit, ids, on_page)
        await walker.by_offset()
    if walker.misses() and not await walker.agrees():
        into.offset = True
        walker = _Walker(fetch, into, limit, ids, on_page)
        await walker.by_offset()
        if walker.misses() and not await walker.agrees():
            raise PaginationError("the pages hold fewer sessions than the API says there are")


class _Walker:
    """One walk: its own memory of what it read, beside the sessions that all walks of a poll share."""

    def __init__(self, fetch: Fetch, into: Walked, limit: int, ids: IdRange, on_page: Callable[[Walked], None]) -> None:
        self._fetch = fetch
        self._into = into
        self._limit = limit
        self._ids = ids
        self._on_page = on_page
        self._seen: set[str] = set()
        self._pages = 0
        self._records = 0
        self._bytes = 0
        self._repeated = 0
        self._unread = 0
        self._total: int | None = None

    async def by_keyset(self, concurrency: int) -> None:
        first = await self._page(self._ids.after)
        self._total = first.total
        last = self._take(first, self._ids)
        if self._ends(first, self._ids.until):
            return
        if last is None or not first.reading.ascending or (self._ids.after or "") >= (first.reading.first_id or ""):
            raise _KeysetUnsupportedError
        remaining = (first.total or 0) * share(self._ids) - first.reading.items
        parts = max(1, min(concurrency, int(remaining / self._limit / PART_PAGES)))
        ranges = list(split(IdRange(last, self._ids.until), parts))
        await gather_or_cancel(*map(self._part, ranges))

    async def _part(self, part: IdRange) -> None:
        cursor = part.after
        while True:
            page = await self._page(cursor)
            reading = page.reading
            if reading.items and (reading.first_id is None or not reading.ascending):
                raise _KeysetUnsupportedError
            if cursor is not None and reading.first_id is not None and reading.first_id <= cursor:
                raise _KeysetUnsupportedError
            cursor = self._take(page, part) or cursor
            if self._ends(page, part.until):
                return

    async def by_offset(self) -> None:
        """Pages that overlap by a tenth, at most half; an overlap that proves too small is doubled from there on.

        A tenth of what the server puts on a page, which may be less than it was asked for.
        """
        offset = idle = largest = overlap = 0
        last: str | None = None
        while True:
            page = await self._page(f"skip{offset}" if offset else None)
            reading = page.reading
            self._total = max(filter(None, (self._total, page.total)), default=None)
            largest = max(largest, reading.items)
            overlap = overlap or max(1, largest // 10)
            if not reading.ascending and (page.more or offset):
                raise PaginationError("the pages are not in the order that was asked for")
            if offset and last is not None and (reading.items == 0 or (reading.first_id or "") > last):
                offset = max(0, offset - overlap)
                overlap = min(2 * overlap, max(1, largest // 2))
                continue
            # By the ids and not by what is kept of them: a shard has none of its own on the first pages.
            before, last = last, max(filter(None, (last, self._take(page, self._ids))), default=None)
            idle = idle + 1 if last == before else 0
            if self._ends(page, self._ids.until):
                return
            if idle == MAX_IDLE_PAGES:
                if page.more and self._total is None:
                    raise PaginationError("the pages go on and on without anything new")
                return
            offset += max(1, reading.items - overlap)

    async def _page(self, cursor: str | None) -> Page:
        if cursor is not None and len(cursor) > MAX_ID:
            raise PaginationError("the cursor to the next page is too long")
        if self._pages >= MAX_PAGES or self._records >= MAX_RECORDS:
            raise PaginationError(f"the pages do not end: {self._pages} pages with {self._records} sessions so far")
        page = await self._fetch(cursor)
        self._pages += 1
        self._records += page.reading.items
        self._bytes += page.size
        self._into.pages += 1
        if self._bytes > MAX_BYTES + RICH * self._records:
            raise ResponseTooLargeError(f"{self._pages} pages of {self._bytes} bytes for {self._records} sessions")
        return page

    def _take(self, page: Page, part: IdRange) -> str | None:
        """Keep what belongs to this part, and say which id the next page starts behind."""
        reading, into = page.reading, self._into
        kept = reading.sessions
        if not _lies_in(reading, part):
            kept = [each for each in kept if part.holds(reading.spelled.get(each.id, each.id))]
        found = {session.id: session for session in kept}
        # Named methods and no operators: those would look through all that was seen so far, at every page.
        into.duplicates += len(kept) - len(found) + len(self._seen.intersection(found))
        self._seen.update(found)
        if len(found) == len(kept) and into.sessions.keys().isdisjoint(found):
            into.sessions.update(found)  # the usual case, a page at a time
        else:
            for session in kept:
                into.add(session)
        self._repeated += len(reading.sessions) - len({session.id for session in reading.sessions})
        self._unread += sum(reading.invalid_sessions.values())
        into.invalid_values += reading.invalid_values
        into.invalid_sessions += reading.invalid_sessions
        self._on_page(into)
        return reading.last_id

    def _ends(self, page: Page, until: str | None) -> bool:
        reading = page.reading
        if until is not None and reading.ascending and reading.last_id is not None and reading.last_id > until:
            return True
        # A short page that the server still calls full (it links to a next one) is a server with a smaller limit.
        return reading.items == 0 or (reading.items < self._limit and not page.more)

    def misses(self) -> bool:
        """Whether fewer sessions came than the server counted when the walk began."""
        return self._ids == IdRange() and self._short_of(self._total)

    def _short_of(self, total: int | None) -> bool:
        rows = len(self._seen) + self._repeated + self._unread
        return total is not None and rows < total - total // CHURN

    async def agrees(self) -> bool:
        """Whether a second count explains the difference: sessions may have been deleted while we read."""
        return not self._short_of((await self._page(None)).total)

    def may_restart(self, problem: Exception) -> bool:
        """Whether an error speaks against the keyset cursor: only where a page without one was answered before."""
        if isinstance(problem, RetryDeadlineExceededError) or (
            isinstance(problem, ServerError) and problem.status != 500
        ):
            return False
        return isinstance(problem, _KeysetUnsupportedError | BadRequestError) or self._pages > 0


def share(ids: IdRange) -> float:
    """How much of the ids behind a range's start lies in the range, if they are spread as UUIDs are."""
    low, high = _position(ids.after, 0), _position(ids.until, _SPACE)
    return (high - low) / (_SPACE - low)


def _lies_in(reading: Reading, part: IdRange) -> bool:
    """Whether a page is sure to hold nothing but ids of a part; only its ends are looked at."""
    first, last = reading.first_id, reading.last_id
    return reading.ascending and first is not None and last is not None and part.holds(first) and part.holds(last)


def split(ids: IdRange, parts: int) -> Iterator[IdRange]:
    """Cut a range of ids into parts of the same width, as UUIDs fill them.

    Ids that are no UUIDs are spread less evenly, and still each falls into exactly one part.
    """
    low, high = _position(ids.after, 0), _position(ids.until, _SPACE)
    after = ids.after
    for cut in range(1, parts):
        border = f"{low + (high - low) * cut // parts:08x}"
        if (after is None or border > after) and (ids.until is None or border < ids.until):
            yield IdRange(after, border)
            after = border
    yield IdRange(after, ids.until)


def _position(name: str | None, default: int) -> int:
    try:
        return int((name or "")[:8].ljust(8, "0"), 16) if name else default
    except ValueError:
        return default
