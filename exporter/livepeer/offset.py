"""Offset pagination with overlapping pages, for servers without keyset pagination.

When sessions leave the result during pagination, the following ones move to lower offsets. Pages therefore overlap, and
each page must begin at or before the last id seen so far. Otherwise sessions may have been missed, and the offset is
reduced.
"""

from typing import Final

from exporter.livepeer.errors import PaginationError
from exporter.livepeer.page_reader import PageReader, ResponsePage

MAX_REPEATED_PAGES: Final = 2
"""Successive pages without a higher id after which pagination ends. One such page can be caused by new sessions."""

OVERLAP_DIVISOR: Final = 10
MAX_OVERLAP_DIVISOR: Final = 2
"""Pages overlap by a tenth of the largest page received, which may be smaller than the limit, and by at most half."""


async def read_by_offset(reader: PageReader) -> None:
    """Read all pages of a query. Each time the overlap is too small, it is doubled.

    Raises:
        PaginationError: the pages are not sorted by id, or do not end.
        PollError: a page could not be read.
    """
    offset = overlap = largest = repeated = 0
    highest: str | None = None
    while True:
        response = await reader.read(f"skip{offset}" if offset else None)
        page = response.decoded
        reader.total = max(filter(None, (reader.total, response.total)), default=None)
        largest = max(largest, page.items)
        overlap = overlap or max(1, largest // OVERLAP_DIVISOR)
        if not page.ascending and (response.has_next or offset):
            raise PaginationError("the pages are not sorted by id")
        if offset and highest is not None and _leaves_gap(response, highest):
            offset = max(0, offset - overlap)
            overlap = min(2 * overlap, max(1, largest // MAX_OVERLAP_DIVISOR))
            continue
        reader.keep(response, reader.ids)
        # Compared by the received ids, not by the kept ones: the first pages may have no session of the shard.
        before, highest = highest, max(filter(None, (highest, page.last_id)), default=None)
        repeated = repeated + 1 if highest == before else 0
        if reader.is_last(response, reader.ids.until):
            return
        if repeated == MAX_REPEATED_PAGES:
            if response.has_next and reader.total is None:
                raise PaginationError("the pages do not end: the last ones contain no new sessions")
            return
        offset += max(1, page.items - overlap)


def _leaves_gap(response: ResponsePage, highest: str) -> bool:
    page = response.decoded
    return page.items == 0 or (page.first_id or "") > highest
