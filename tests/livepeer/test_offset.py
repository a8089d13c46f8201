"""Offset pagination with overlapping pages."""

from itertools import pairwise

import pytest

from exporter.livepeer.errors import PaginationError
from exporter.livepeer.id_range import ALL_IDS
from exporter.livepeer.offset import read_by_offset
from exporter.livepeer.page_reader import PageReader, ReadSessions, no_progress
from tests.livepeer.paged_server import PagedServer, paged_server
from tests.support.loop import in_loop


async def read(server: PagedServer, *, limit: int) -> ReadSessions:
    into = ReadSessions()
    await read_by_offset(PageReader(server.fetch, into, limit, ALL_IDS, no_progress))
    return into


@in_loop
async def test_all_pages_are_read() -> None:
    server = paged_server(50, limit=10, keyset=False)
    found = await read(server, limit=10)
    assert sorted(found.sessions) == server.ids


@in_loop
async def test_P22_the_offset_is_reduced_if_pages_do_not_overlap() -> None:
    server = paged_server(40, limit=10, keyset=False)
    existing = set(server.ids)
    removed: set[str] = set()

    def remove_three() -> None:
        # Sessions that were already read leave the result, so the following ones move to lower offsets.
        if server.offsets:
            for session_id in server.ids[:3]:
                removed.add(session_id)
                server.remove(session_id)

    server.before_response = remove_three
    found = await read(server, limit=10)
    assert existing - removed <= set(found.sessions)
    assert any(later < earlier for earlier, later in pairwise(server.offsets))


@in_loop
async def test_P22_offsets_follow_the_page_size_of_the_server_not_the_requested_one() -> None:
    server = paged_server(2500, limit=100, keyset=False)
    found = await read(server, limit=1000)
    assert set(found.sessions) == set(server.ids)
    assert len(server.cursors) < 40


@in_loop
async def test_pages_in_another_order_are_an_error() -> None:
    server = paged_server(30, limit=10, keyset=False)
    server.ids.reverse()
    with pytest.raises(PaginationError, match="not sorted by id"):
        await read(server, limit=10)
