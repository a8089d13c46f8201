"""Reads all pages of a query while sessions are created, change and leave the result.

Sessions that match the query during the whole pagination are neither missed nor returned twice. Keyset pagination is
used if the server supports it, else offset pagination. Requests are sent by a function that is passed in.
"""

from exporter.livepeer.errors import BadRequestError, PaginationError, RetryDeadlineExceededError, ServerError
from exporter.livepeer.id_range import ALL_IDS, IdRange
from exporter.livepeer.keyset import KeysetSupport, KeysetUnsupportedError, read_by_keyset
from exporter.livepeer.offset import read_by_offset
from exporter.livepeer.page_reader import FetchPage, OnPage, PageReader, ReadSessions, no_progress


async def read_all(
    fetch: FetchPage,
    into: ReadSessions,
    *,
    parts: int,
    ids: IdRange = ALL_IDS,
    on_page: OnPage = no_progress,
    support: KeysetSupport | None = None,
) -> None:
    """Read all pages of a query.

    Args:
        fetch: requests a page.
        into: receives the sessions; may contain those of other queries.
        parts: maximum number of parts of the id space that are read in parallel.
        ids: the ids to read.
        on_page: called after each page.
        support: what earlier queries have shown of the server.

    Raises:
        PaginationError: the pages do not end, contradict each other, or miss sessions.
        PollError: `fetch` failed.
    """
    support = support or KeysetSupport()
    reader = PageReader(fetch, into, ids, on_page)
    try:
        await read_by_keyset(reader, parts, support)
    except (KeysetUnsupportedError, BadRequestError, ServerError) as error:
        if not _suggests_offsets(error, reader, support):
            raise
        reader = PageReader(fetch, into, ids, on_page)
        await read_by_offset(reader)
    if await reader.is_incomplete():
        reader = PageReader(fetch, into, ids, on_page)
        await read_by_offset(reader)
        if await reader.is_incomplete():
            raise PaginationError("the pages contain fewer sessions than the API counts")


def _suggests_offsets(error: Exception, reader: PageReader, support: KeysetSupport) -> bool:
    """Whether an error may be caused by the keyset cursor, so that pagination by offset may succeed."""
    if not isinstance(error, ServerError):
        return True
    if isinstance(error, RetryDeadlineExceededError) or error.status != 500:
        return False
    return reader.pages > 0 and not support.confirmed
