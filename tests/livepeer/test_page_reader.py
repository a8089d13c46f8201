"""The bounds of one query, and which sessions of its pages are kept."""

import pytest
from msgspec.structs import replace

from exporter.livepeer.body import MAX_PAGE_BYTES
from exporter.livepeer.errors import PaginationError, ResponseTooLargeError
from exporter.livepeer.page_reader import BASE_BYTES, MAX_PAGES, MAX_SESSIONS, PageRequest, ResponsePage
from exporter.sessions.session import Session
from tests.livepeer.paged_server import decoded, paged_server, read
from tests.support.loop import in_loop
from tests.support.rows import ident


@in_loop
async def test_P04_few_sessions_with_too_many_bytes_are_an_error() -> None:
    server = paged_server(1000, limit=1)

    async def fetch(request: PageRequest) -> ResponsePage:
        return replace(await server.fetch(request), size=MAX_PAGE_BYTES)

    with pytest.raises(ResponseTooLargeError):
        await read(fetch, parts=1)
    assert len(server.cursors) <= 2 + BASE_BYTES // MAX_PAGE_BYTES


@in_loop
async def test_P04_endless_pages_are_an_error_after_the_maximum_number_of_pages() -> None:
    requests = 0

    async def fetch(_: PageRequest) -> ResponsePage:
        nonlocal requests
        requests += 1
        sessions = [Session(id=ident(2 * requests)), Session(id=ident(2 * requests + 1))]
        return ResponsePage(decoded(sessions), 2, has_next=True)

    with pytest.raises(PaginationError):
        await read(fetch)
    assert requests == MAX_PAGES


@in_loop
async def test_P04_endless_pages_are_an_error_after_the_maximum_number_of_sessions() -> None:
    requests = 0
    size = MAX_SESSIONS // 10

    async def fetch(_: PageRequest) -> ResponsePage:
        nonlocal requests
        requests += 1
        return ResponsePage(decoded([Session(id=ident(requests))] * size), size, has_next=True)

    with pytest.raises(PaginationError):
        await read(fetch)
    assert requests == 10


@pytest.mark.parametrize("early_first", [True, False])
@in_loop
async def test_P06_of_two_sessions_with_the_same_id_the_one_seen_later_is_kept(early_first: bool) -> None:
    early, late = Session(id="a", last_seen=1.0), Session(id="a", last_seen=2.0)

    async def fetch(_: PageRequest) -> ResponsePage:
        return ResponsePage(decoded([early, late] if early_first else [late, early]), 10, has_next=False, total=2)

    found = await read(fetch)
    assert found.sessions == {"a": late}
    assert found.duplicates == 1


@in_loop
async def test_a_server_with_a_lower_limit_than_requested_is_read_completely() -> None:
    server = paged_server(20, limit=5)

    async def fetch(request: PageRequest) -> ResponsePage:
        return replace(await server.fetch(request), limit=1000)

    assert sorted((await read(fetch)).sessions) == server.ids
