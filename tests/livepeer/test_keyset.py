"""Keyset pagination."""

import asyncio

import pytest

from exporter.livepeer.errors import PaginationError, RateLimitError
from exporter.livepeer.id_range import ALL_IDS, IdRange
from exporter.livepeer.keyset import KeysetSupport, KeysetUnsupportedError, read_by_keyset
from exporter.livepeer.page_reader import PageReader, PageRequest, ReadSessions, ResponsePage, no_progress
from exporter.simulator.collation import COLLATIONS, Collation, icu_en_us
from tests.livepeer.clients import read_simulated
from tests.livepeer.paged_server import PagedServer, paged_server, read
from tests.support.loop import in_loop
from tests.support.rows import START, ident, row


@in_loop
async def test_a_small_result_is_one_page() -> None:
    server = paged_server(3, limit=10)
    found = await read(server.fetch)
    assert sorted(found.sessions) == server.ids
    assert server.cursors == [None]


@in_loop
async def test_the_last_id_of_a_full_page_is_the_next_cursor() -> None:
    server = paged_server(6, limit=3)
    found = await read(server.fetch, parts=1)
    assert server.cursors == [None, server.ids[2], server.ids[5]]
    assert (found.pages, found.duplicates) == (3, 0)


@in_loop
async def test_parts_of_a_large_result_are_read_in_parallel() -> None:
    server = paged_server(400, limit=20)
    running = peak = 0

    async def fetch(request: PageRequest) -> ResponsePage:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0)
        running -= 1
        return await server.fetch(request)

    found = await read(fetch, parts=4)
    assert sorted(found.sessions) == server.ids
    assert peak == 4
    assert found.pages <= 400 // 20 + 5
    assert found.duplicates == 0


@in_loop
async def test_without_a_total_the_pages_are_read_one_after_the_other() -> None:
    server = paged_server(100, limit=10, counts=False)
    assert sorted((await read(server.fetch)).sessions) == server.ids
    assert len(server.cursors) == 11


@in_loop
async def test_a_shard_reads_only_its_part_of_the_ids() -> None:
    server = paged_server(400, limit=20)
    found = await read(server.fetch, ids=IdRange("4", "8"))
    assert sorted(found.sessions) == [session_id for session_id in server.ids if "4" < session_id <= "8"]
    assert found.pages <= 100 // 20 + 6


@in_loop
async def test_if_one_part_fails_the_others_are_cancelled() -> None:
    server = paged_server(400, limit=20)

    async def fetch(request: PageRequest) -> ResponsePage:
        await asyncio.sleep(0)
        if request.cursor is not None:
            raise RateLimitError(429)
        return await server.fetch(request)

    with pytest.raises(RateLimitError):
        await read(fetch, parts=4)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@in_loop
async def test_P22_an_ignored_cursor_is_detected_on_the_second_page() -> None:
    server = paged_server(50, limit=10, keyset=False)
    with pytest.raises(KeysetUnsupportedError):
        await read_by_keyset(PageReader(server.fetch, ReadSessions(), ALL_IDS, no_progress), 1, KeysetSupport())
    assert len(server.cursors) == 2


@in_loop
async def test_P22_pages_in_another_order_are_detected_on_the_first_page() -> None:
    server = paged_server(50, limit=10)
    server.ids.reverse()
    with pytest.raises(KeysetUnsupportedError):
        await read_by_keyset(PageReader(server.fetch, ReadSessions(), ALL_IDS, no_progress), 1, KeysetSupport())
    assert len(server.cursors) == 1


def with_other_ids(count: int, *others: str, limit: int, collation: Collation = icu_en_us) -> PagedServer:
    server = paged_server(count, limit=limit, collation=collation)
    for session_id in others:
        server.put(session_id, START * 1000)
    return server


@pytest.mark.parametrize("collation", COLLATIONS.values(), ids=COLLATIONS)
@pytest.mark.parametrize("other", ["ABCDEF01-0000-4000-8000-000000000000", "Abc", "-", "zebra"])
@in_loop
async def test_D07_an_id_that_is_no_lower_case_uuid_is_read_whatever_the_collation(
    other: str, collation: Collation
) -> None:
    server = with_other_ids(50, other, limit=7, collation=collation)
    found = await read(server.fetch, parts=1)
    assert found.sessions.keys() == set(server.ids)
    assert (server.offsets, found.duplicates) == ([], 0)


@in_loop
async def test_D07_ids_of_which_none_is_a_uuid_are_read_one_page_after_the_other() -> None:
    server = with_other_ids(0, *(f"Stream-{number}" for number in range(60)), limit=5)
    found = await read(server.fetch, parts=4)
    assert found.sessions.keys() == set(server.ids)
    assert len(server.cursors) == 13


@pytest.mark.parametrize("other", ["skipabc", "skip5", "skip", "my-skip"])
@in_loop
async def test_D07_an_id_that_the_api_would_apply_as_an_offset_is_no_cursor(other: str) -> None:
    rows = [row(1), row(2), row(3), row(4, id=other), row(5, id="zebra-1"), row(6, id="zebra-2")]
    found = await read_simulated(rows, page_limit=4, parts=1)
    assert {session.id for session in found.sessions} == {each["id"] for each in rows}
    assert found.duplicates == 0, "it is not read by offset"


@in_loop
async def test_D07_a_page_without_an_id_that_can_be_a_cursor_is_read_by_offset() -> None:
    rows = [row(1), *(row(number, id=f"skip{number}") for number in range(10, 20))]
    found = await read_simulated(rows, page_limit=4, parts=1)
    assert {session.id for session in found.sessions} == {each["id"] for each in rows}
    assert found.duplicates > 0


@pytest.mark.parametrize("parts", [1, 4])
@pytest.mark.parametrize("collation", COLLATIONS.values(), ids=COLLATIONS)
@in_loop
async def test_D07_shards_are_disjoint_and_complete_next_to_their_borders(collation: Collation, parts: int) -> None:
    next_to_borders = ("3FFFFFFF", "40000000", "40000000-A", "7fffffff!", "7FFFFFFF", "8", "80", "80000001", "C", "c")
    server = with_other_ids(100, *next_to_borders, "F", "Z", limit=5, collation=collation)
    found = [await read(server.fetch, parts=parts, ids=shard) for shard in ALL_IDS.split(4)]
    assert sorted(session_id for each in found for session_id in each.sessions) == sorted(server.ids)
    assert server.offsets == []


@in_loop
async def test_D07_next_to_a_border_one_request_decides() -> None:
    server = with_other_ids(2, "7FFFFFFF", limit=10)
    shards = ALL_IDS.split(2)
    await read(server.fetch, ids=shards[0])
    assert PageRequest("80000000", limit=1) in server.requests
    server.remove("7FFFFFFF")
    server.requests.clear()
    await read(server.fetch, ids=shards[0])
    assert server.requests == [PageRequest(count=True)]


@pytest.mark.parametrize("created", [ident(0x80000000), "80000000-A", "7FFFFFFF-A"])
@in_loop
async def test_D07_a_session_that_is_created_next_to_a_border_does_not_confuse_the_others(created: str) -> None:
    server = with_other_ids(0, ident(0x10000000), "7FFFFFFF", "80000000-B", ident(0x90000000), limit=10)
    existing = set(server.ids)

    def create() -> None:
        if len(server.requests) == 2:  # the page has been read, the border has not
            server.put(created, START * 1000)

    server.before_response = create
    found = [await read(server.fetch, ids=shard) for shard in ALL_IDS.split(2)]
    ids = [session_id for each in found for session_id in each.sessions]
    assert existing <= set(ids) <= existing | {created}
    assert len(ids) == len(set(ids))
    assert {ident(0x10000000), "7FFFFFFF"} <= found[0].sessions.keys()


@in_loop
async def test_D07_a_border_that_changes_with_every_request_is_an_error() -> None:
    server = with_other_ids(0, ident(1), "7FFFFFFF", limit=10)

    def create() -> None:
        if server.requests:  # after the page has been read, each time after the last cursor
            server.put("80000000-" + "0" * len(server.requests), START * 1000)

    server.before_response = create
    with pytest.raises(PaginationError, match="faster than they are read"):
        await read(server.fetch, ids=ALL_IDS.split(2)[0])


@pytest.mark.parametrize("others", [("AA", "BB", "CC"), ("zz", "ZZZ", "zzzz" * 10)])
@in_loop
async def test_D07_a_shard_detects_an_ignored_cursor_on_a_single_page(others: tuple[str, ...]) -> None:
    server = with_other_ids(0, *others, limit=10)
    server.keyset = False
    for shard in ALL_IDS.split(3)[:2]:
        with pytest.raises(KeysetUnsupportedError):
            reader = PageReader(server.fetch, ReadSessions(), shard, no_progress)
            await read_by_keyset(reader, 1, KeysetSupport())


@in_loop
async def test_D07_an_id_that_is_returned_twice_shows_that_the_cursor_is_ignored() -> None:
    server = with_other_ids(0, *(f"Stream-{number}" for number in range(20)), limit=5)
    server.keyset = False
    with pytest.raises(KeysetUnsupportedError):
        await read_by_keyset(PageReader(server.fetch, ReadSessions(), ALL_IDS, no_progress), 1, KeysetSupport())
    assert len(server.cursors) == 2
