"""Reads all pages of a query while sessions are created, change and leave the result.

Sessions that match the query during the whole pagination are neither missed nor returned twice. Keyset pagination is
used if the server supports it, else offset pagination. Requests are sent by a function that is passed in.
"""

from exporter.livepeer.errors import BadRequestError, PaginationError, RetryDeadlineExceededError, ServerError
from exporter.livepeer.id_range import ALL_IDS, IdRange
from exporter.livepeer.keyset import KeysetUnsupportedError, read_by_keyset
from exporter.livepeer.offset import read_by_offset
from exporter.livepeer.page_reader import FetchPage, OnPage, PageReader, ReadSessions, no_progress


async def read_all(
    fetch: FetchPage,
    into: ReadSessions,
    *,
    limit: int,
    parts: int,
    ids: IdRange = ALL_IDS,
    on_page: OnPage = no_progress,
) -> None:
    """Read all pages of a query.

    Args:
        fetch: requests a page.
        into: receives the sessions; may contain those of other queries.
        limit: sessions that are requested per page, at least 2 (pages by offset overlap).
        parts: maximum number of parts of the id space that are read in parallel.
        ids: the ids to read.
        on_page: called after each page.

    Raises:
        PaginationError: the pages do not end, contradict each other, or miss sessions.
        PollError: `fetch` failed.
    """

    def new_reader() -> PageReader:
        return PageReader(fetch, into, limit, ids, on_page)

    reader = new_reader()
    try:
        await read_by_keyset(reader, parts)
    except (KeysetUnsupportedError, BadRequestError, ServerError) as error:
        if not _suggests_offsets(error, reader):
            raise
        reader = new_reader()
        await read_by_offset(reader)
    if await reader.is_incomplete():
        reader = new_reader()
        await read_by_offset(reader)
        if await reader.is_incomplete():
            raise PaginationError("the pages contain fewer sessions than the API counts")


def _suggests_offsets(error: Exception, reader: PageReader) -> bool:
    """Whether an error may be caused by the keyset cursor, so that pagination by offset may succeed."""
    if not isinstance(error, ServerError):
        return True
    if isinstance(error, RetryDeadlineExceededError) or error.status != 500:
        return False
    return reader.pages > 0
