"""Offset pagination with overlapping pages, for servers without keyset pagination.

When sessions leave the result during pagination, the following ones move to lower offsets. Pages therefore overlap, and
each page must contain a session that was read before, or begin at or before the highest UUID read so far. Otherwise
sessions may have been missed, and the offset is reduced.
"""

from typing import Final

import msgspec

from exporter.livepeer.decoding import DecodedPage
from exporter.livepeer.errors import PaginationError
from exporter.livepeer.id_range import ALL_IDS, IdRange, is_uuid, uuids_in
from exporter.livepeer.page_reader import PageReader, PageRequest, Rows

MAX_REPEATED_PAGES: Final = 2
"""Successive pages without a later id after which pagination ends, if the offset has reached the server's count.

One such page can be caused by new sessions."""

MAX_GAPS: Final = 200
"""Reductions of the offset after which pagination fails."""

OVERLAP_DIVISOR: Final = 10
MAX_OVERLAP_DIVISOR: Final = 2
"""Pages overlap by a tenth of the largest page received, which may be smaller than the limit, and by at most half of
a page."""


async def read_by_offset(reader: PageReader) -> None:
    """Read all pages of a query. Each time the overlap is too small, it is doubled.

    Raises:
        PaginationError: the pages are not sorted by id, or do not end.
        PollError: a page could not be read.
    """
    offset = overlap = largest = repeated = gaps = 0
    received = _Received()
    while True:
        response = await reader.read(PageRequest(f"skip{offset}" if offset else None, count=not offset))
        page = response.decoded
        uuids = uuids_in(page.ids)
        reader.total = max(filter(None, (reader.total, response.total)), default=None)
        largest = max(largest, page.items)
        overlap = overlap or max(1, largest // OVERLAP_DIVISOR)
        if uuids != sorted(uuids) and (response.has_next or offset):
            raise PaginationError("the pages are not sorted by id")
        if offset and received.leaves_gap_before(page, uuids):
            gaps += 1
            if gaps > MAX_GAPS:
                raise PaginationError("sessions leave the result faster than its pages are read")
            offset = max(0, offset - overlap)
            overlap = min(2 * overlap, max(1, largest // MAX_OVERLAP_DIVISOR))
            continue
        reader.keep(page, _select(page, reader.ids))
        repeated = 0 if received.add(page, uuids) else repeated + 1
        if response.is_last or (uuids and _is_after(uuids[-1], reader.ids)):
            return
        if repeated >= MAX_REPEATED_PAGES and offset + page.items >= (reader.total or 0):
            if response.has_next and reader.total is None:
                raise PaginationError("the pages do not end: the last ones contain no new sessions")
            return
        # A page may be smaller than those before (V08), and than their overlap.
        offset += max(1, page.items - min(overlap, page.items // MAX_OVERLAP_DIVISOR))


class _Received(msgspec.Struct):
    """The ids received so far, kept or not: the first pages may have no session of the shard."""

    ids: set[str] = msgspec.field(default_factory=set)
    highest_uuid: str = ""

    def leaves_gap_before(self, page: DecodedPage, uuids: list[str]) -> bool:
        """Whether sessions may have been missed between the earlier pages and this one.

        If a page has items without a valid id, these may be the ones that were received before.
        """
        if page.items > len(page.ids):
            return False
        return self.ids.isdisjoint(page.ids) and not (uuids and uuids[0] <= self.highest_uuid)

    def add(self, page: DecodedPage, uuids: list[str]) -> bool:
        """Add the ids of a page, and return whether its last id is after all earlier ones."""
        last = page.ids[-1] if page.ids else None
        is_later = last is not None and last not in self.ids and not (is_uuid(last) and last <= self.highest_uuid)
        self.ids.update(page.ids)
        self.highest_uuid = max((self.highest_uuid, *uuids))
        return is_later


def _select(page: DecodedPage, ids: IdRange) -> Rows:
    """Return the rows of a range. The server's order of other ids than UUIDs is unknown: the last shard has them."""
    if ids == ALL_IDS:
        return Rows(page.ids, page.sessions)
    places = [
        place
        for place, each in enumerate(page.ids)
        if (ids.contains_uuid(each) if is_uuid(each) else ids.until is None)
    ]
    return Rows([page.ids[place] for place in places], [page.sessions[place] for place in places])


def _is_after(uuid: str, ids: IdRange) -> bool:
    return ids.until is not None and uuid > ids.until
