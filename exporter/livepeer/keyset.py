"""Keyset pagination: the last id of a page is the cursor of the next one.

With `order=id-false`, the API applies a cursor without the word ``skip`` as ``id > cursor``. Ids never change, so a
session that exists during the whole pagination cannot be missed. The behaviour is undocumented and therefore verified
on every page, by the server's own order, whatever the collation of its database: lower-case UUIDs are ascending, and no
id is returned twice. Since UUIDs are random, parts of the id space are read in parallel.
"""

from collections.abc import Mapping, Sequence
from string import ascii_letters, digits
from typing import Final

import msgspec

from exporter.livepeer.errors import PaginationError
from exporter.livepeer.gather import gather_or_cancel
from exporter.livepeer.id_range import ALL_IDS, IdRange, is_uuid, uuids_in
from exporter.livepeer.page_reader import PageReader, PageRequest, ResponsePage, Rows

MIN_PAGES_PER_PART: Final = 4
"""The last page of a part usually extends into the next part, so small parts waste requests."""

MAX_BORDER_REQUESTS: Final = 20
"""Requests for the first id after a border; more than one is needed only if sessions are created there meanwhile."""

LAST_CURSOR: Final = "z" * 36
BEFORE_LAST_CURSOR: Final = frozenset(f"-_{digits}{ascii_letters}") - {"z", "Z"}
"""A cursor, and first characters of ids that precede it in all collations."""


class KeysetUnsupportedError(Exception):
    """The server does not support keyset pagination; handled in `exporter.livepeer.pagination`."""


class KeysetSupport(msgspec.Struct):
    """What the pages of an account have shown.

    Attributes:
        confirmed: whether a keyset cursor was ever applied. A later error is then not caused by the cursor.
    """

    confirmed: bool = False


async def read_by_keyset(reader: PageReader, parts: int, support: KeysetSupport) -> None:
    """Read all pages of a query.

    Args:
        reader: reads the pages and keeps the sessions.
        parts: maximum number of parts of the id space that are read in parallel.
        support: updated by each page after a cursor.

    Raises:
        KeysetUnsupportedError: the pages are not sorted by id, or the cursor is ignored.
        PollError: a page could not be read.
    """
    ids = reader.ids
    first = _KeysetWalk(reader, ids, support)
    response = await first.read_page(count=True)
    items = response.decoded.items
    reader.total = response.total
    while not first.finished and not is_uuid(first.cursor or ""):  # a part can only begin after a UUID
        items += (await first.read_page()).decoded.items
    if first.finished:
        return
    remaining = (reader.total or 0) * ids.fraction_of_following() - items
    parts = max(1, min(parts, int(remaining / response.limit / MIN_PAGES_PER_PART)))
    walks = [_KeysetWalk(reader, part, support) for part in IdRange(first.cursor, ids.until).split(parts)]
    await gather_or_cancel(*(walk.read() for walk in walks))


class _KeysetWalk:
    """Reads the pages of a range of ids one after the other.

    Attributes:
        cursor: the id after which the next page begins.
        finished: whether all ids of the range have been read.
    """

    def __init__(self, reader: PageReader, ids: IdRange, support: KeysetSupport) -> None:
        self.cursor = ids.after
        self.finished = False
        self._reader = reader
        self._support = support
        self._until = ids.until
        self._highest_uuid = ids.after or ""
        self._pages = 0
        self._undecided = Rows()

    async def read(self) -> None:
        """Read all pages."""
        while not self.finished:
            await self.read_page()

    async def read_page(self, *, count: bool = False) -> ResponsePage:
        """Read the next page."""
        response = await self._reader.read(PageRequest(self.cursor, count=count))
        page = response.decoded
        uuids = uuids_in(page.ids)
        usable = len(page.ids) if response.is_last else _count_up_to_cursor(page.ids)
        if page.items and not usable:  # there is no next cursor
            raise KeysetUnsupportedError
        if uuids != sorted(uuids) or (uuids and uuids[0] <= self._highest_uuid):
            raise KeysetUnsupportedError
        if len(uuids) < len(page.ids) and self._reader.ids != ALL_IDS and not self._support.confirmed:
            await self._verify_support()
        received = Rows(page.ids, page.sessions).slice(0, usable)
        rows = await self._select(received, is_last=response.is_last)
        if self._reader.keep(page, rows):
            raise KeysetUnsupportedError
        self._support.confirmed = self._support.confirmed or (self._pages > 0 and bool(rows.ids))
        self._pages += 1
        self._highest_uuid = uuids[-1] if uuids else self._highest_uuid
        self.cursor = received.ids[-1] if received.ids else self.cursor
        self.finished = self.finished or response.is_last
        return response

    async def _verify_support(self) -> None:
        """Verify that the server applies cursors, on which it depends to which shard an id that is no UUID belongs.

        The pages of a small result do not show it.
        """
        found = await self._first_id_after(LAST_CURSOR, "")
        if found is not None and (is_uuid(found) or found[0] in BEFORE_LAST_CURSOR):
            raise KeysetUnsupportedError
        if found is not None:
            await self._first_id_after(found, "")  # raises if it is the same again
        self._support.confirmed = True

    async def _select(self, page: Rows, *, is_last: bool) -> Rows:
        """Return the rows in the range; those next to the range's end may be returned with the next page."""
        rows, until = self._undecided + page, self._until
        self._undecided = Rows()
        if until is None or (rows.ids and is_uuid(rows.ids[-1]) and rows.ids[-1] <= until):
            return rows
        end = next((place for place, each in enumerate(rows.ids) if is_uuid(each) and each > until), None)
        count = len(rows.ids) if end is None else end
        start = next((place + 1 for place in reversed(range(count)) if is_uuid(rows.ids[place])), 0)
        places = {each: place for place, each in enumerate(rows.ids[start:count], start)}
        first_outside: int | None = count
        if places:
            following = None if end is None else rows.ids[end]
            first_outside = await self._first_place_after(until, places, following, is_last=is_last)
        if first_outside is None:
            self._undecided = rows.slice(start, count)
            return rows.slice(0, start)
        self.finished = end is not None or first_outside < count
        return rows.slice(0, first_outside)

    async def _first_place_after(
        self, border: str, places: Mapping[str, int], following: str | None, *, is_last: bool
    ) -> int | None:
        """Return the place of the first id that the server sorts after a border.

        Args:
            border: the border.
            places: consecutive ids that are not UUIDs, on either side of the border, and their places.
            following: the UUID that follows them, after the border; None if there is none on the page.
            is_last: whether the page is the last one.

        Returns:
            The place; that of the next id if the server sorts all of them before the border; None if this is still
            unknown because another page follows.
        """
        none = max(places.values()) + 1
        cursor = border
        for _ in range(MAX_BORDER_REQUESTS):
            found = await self._first_id_after(cursor, border)
            if found is None:
                return none
            if found in places:
                return places[found]
            if following is not None and is_uuid(found) and found >= following:
                return none
            if following is None and not is_last:
                return None
            cursor = found  # a session that was created meanwhile
        raise PaginationError("the sessions next to a border change faster than they are read")

    async def _first_id_after(self, cursor: str, highest_uuid: str) -> str | None:
        """Return the first id after a cursor; None if there is none.

        Args:
            cursor: the cursor.
            highest_uuid: a UUID, or a prefix of one, that does not follow the cursor.
        """
        page = (await self._reader.read(PageRequest(cursor, limit=1))).decoded
        if not page.items:
            return None
        if not page.ids or page.ids[0] == cursor or (is_uuid(page.ids[0]) and page.ids[0] <= highest_uuid):
            raise KeysetUnsupportedError
        return page.ids[0]


def _count_up_to_cursor(ids: Sequence[str]) -> int:
    """Return how many ids there are up to the last one that can be a cursor; the next page returns the others again.

    The API applies a cursor that contains ``skip`` as an offset, or fails.
    """
    return next((place + 1 for place in reversed(range(len(ids))) if "skip" not in ids[place]), 0)
