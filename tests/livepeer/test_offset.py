"""Offset pagination with overlapping pages."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from exporter.livepeer.errors import PaginationError
from exporter.livepeer.id_range import ALL_IDS, IdRange
from exporter.livepeer.offset import MAX_GAPS, read_by_offset
from exporter.livepeer.page_reader import PageReader, PageRequest, ReadSessions, ResponsePage, no_progress
from exporter.simulator.collation import COLLATIONS, Collation, icu_en_us
from tests.livepeer.paged_server import PagedServer, decoded, paged_server
from tests.support.loop import in_loop
from tests.support.rows import START, ident


async def read(server: PagedServer, *, limit: int, ids: IdRange = ALL_IDS) -> ReadSessions:
    into = ReadSessions()

    async def fetch(request: PageRequest) -> ResponsePage:
        return replace(await server.fetch(request), limit=limit)

    await read_by_offset(PageReader(fetch, into, ids, no_progress))
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
async def test_V08_pages_that_become_smaller_than_the_overlap_still_make_progress() -> None:
    server = paged_server(500, limit=100, keyset=False)

    def shrink() -> None:
        server.limit = 10 if server.cursors else 100

    server.before_response = shrink
    found = await read(server, limit=100)
    assert set(found.sessions) == set(server.ids)
    assert len(server.cursors) < 2 * 500 / 10, "at least half of each page is new"


@in_loop
async def test_pages_that_never_overlap_are_an_error() -> None:
    server = paged_server(40, limit=10, keyset=False)

    def replace_all() -> None:
        for session_id in server.ids[:]:
            server.remove(session_id)
        for number in range(40):
            server.put(ident((len(server.requests) << 8) + number), START * 1000)

    server.before_response = replace_all
    with pytest.raises(PaginationError, match="faster than its pages are read"):
        await read(server, limit=10)
    assert len(server.cursors) < 3 * MAX_GAPS


@in_loop
async def test_items_without_a_valid_id_are_no_gap() -> None:
    server = paged_server(3, limit=2, keyset=False)

    async def fetch(request: PageRequest) -> ResponsePage:
        page = await server.fetch(request)
        sessions = [each for each in page.decoded.sessions if each.id != server.ids[1]]
        return replace(page, decoded=decoded(sessions, invalid=page.decoded.items - len(sessions)))

    into = ReadSessions()
    await read_by_offset(PageReader(fetch, into, ALL_IDS, no_progress))
    assert sorted(into.sessions) == [server.ids[0], server.ids[2]]
    assert len(server.cursors) < 5


@in_loop
async def test_pages_in_another_order_are_an_error() -> None:
    server = paged_server(30, limit=10, keyset=False)
    server.ids.reverse()
    with pytest.raises(PaginationError, match="not sorted by id"):
        await read(server, limit=10)


@pytest.mark.parametrize("collation", COLLATIONS.values(), ids=COLLATIONS)
@in_loop
async def test_D07_ids_that_are_no_lower_case_uuids_are_read_whatever_the_collation(collation: Collation) -> None:
    server = paged_server(50, limit=10, keyset=False, collation=collation)
    for session_id in ("ABCDEF01-0000-4000-8000-000000000000", "Abc", "-", "zebra"):
        server.put(session_id, START * 1000)
    found = await read(server, limit=10)
    assert found.sessions.keys() == set(server.ids)


@pytest.mark.parametrize("collation", COLLATIONS.values(), ids=COLLATIONS)
@in_loop
async def test_D07_the_last_shard_has_the_ids_whose_place_the_server_does_not_show(collation: Collation) -> None:
    server = paged_server(50, limit=10, keyset=False, collation=collation)
    uuids = set(server.ids)
    others = {"3FFFFFFF", "40000000", "ABCDEF01-0000-4000-8000-000000000000", "-", "zebra"}
    for session_id in others:
        server.put(session_id, START * 1000)
    found = [(await read(server, limit=10, ids=shard)).sessions.keys() for shard in ALL_IDS.split(4)]
    assert sorted(session_id for each in found for session_id in each) == sorted(uuids | others)
    assert others <= found[-1]


@in_loop
async def test_D07_a_page_that_begins_with_a_new_session_leaves_no_gap_if_it_contains_a_known_one() -> None:
    server = paged_server(0, limit=4, keyset=False, collation=icu_en_us)
    for session_id in ("AA", "bb", "CC", "dd", "EE", "ff", "GG"):
        server.put(session_id, START * 1000)

    def create() -> None:
        if len(server.requests) == 1:
            server.put("cc", START * 1000)

    server.before_response = create
    found = await read(server, limit=4)
    assert {"AA", "bb", "CC", "dd", "EE", "ff", "GG"} <= found.sessions.keys()
    assert server.offsets == sorted(server.offsets)


@in_loop
async def test_pages_that_only_repeat_sessions_are_read_up_to_the_servers_count() -> None:
    server = paged_server(20, limit=4, keyset=False)
    first = server.ids[0]

    def create() -> None:
        if 3 <= len(server.requests) < 6:
            for number in range(3):
                server.put(f"{first[:-2]}{len(server.requests)}{number}", START * 1000)

    existing = set(server.ids)
    server.before_response = create
    assert existing <= (await read(server, limit=4)).sessions.keys()
