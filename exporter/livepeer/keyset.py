"""Keyset pagination: the last id of a page is the cursor of the next one.

With `order=id-false`, the API applies a cursor without the word ``skip`` as ``id > cursor``. Ids never change, so a
session that exists during the whole pagination cannot be missed. The behaviour is undocumented and therefore verified
on every page. Since ids are random, parts of the id space are read in parallel.
"""

from typing import Final

from exporter.livepeer.gather import gather_or_cancel
from exporter.livepeer.id_range import IdRange
from exporter.livepeer.page_reader import PageReader

MIN_PAGES_PER_PART: Final = 4
"""The last page of a part usually extends into the next part, so small parts waste requests."""


class KeysetUnsupportedError(Exception):
    """The server does not support keyset pagination; handled in `exporter.livepeer.pagination`."""


async def read_by_keyset(reader: PageReader, parts: int) -> None:
    """Read all pages of a query.

    Args:
        reader: reads the pages and keeps the sessions.
        parts: maximum number of parts of the id space that are read in parallel.

    Raises:
        KeysetUnsupportedError: the pages are not sorted by id, or the cursor is ignored.
        PollError: a page could not be read.
    """
    ids = reader.ids
    first = await reader.read(ids.after)
    page = first.decoded
    reader.total = first.total
    reader.keep(first, ids)
    if reader.is_last(first, ids.until):
        return
    if page.last_id is None or not page.ascending or (ids.after or "") >= (page.first_id or ""):
        raise KeysetUnsupportedError
    remaining = (first.total or 0) * ids.fraction_of_following() - page.items
    parts = max(1, min(parts, int(remaining / reader.limit / MIN_PAGES_PER_PART)))
    await gather_or_cancel(*(_read_part(reader, part) for part in IdRange(page.last_id, ids.until).split(parts)))


async def _read_part(reader: PageReader, ids: IdRange) -> None:
    cursor = ids.after
    while True:
        response = await reader.read(cursor)
        page = response.decoded
        if page.items and (page.first_id is None or not page.ascending):
            raise KeysetUnsupportedError
        if cursor is not None and page.first_id is not None and page.first_id <= cursor:
            raise KeysetUnsupportedError
        reader.keep(response, ids)
        cursor = page.last_id or cursor
        if reader.is_last(response, ids.until):
            return
