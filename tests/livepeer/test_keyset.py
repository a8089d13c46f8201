"""Keyset pagination."""

import asyncio

import pytest

from exporter.livepeer.errors import RateLimitError
from exporter.livepeer.id_range import ALL_IDS, IdRange
from exporter.livepeer.keyset import KeysetUnsupportedError, read_by_keyset
from exporter.livepeer.page_reader import PageReader, ReadSessions, ResponsePage, no_progress
from tests.livepeer.paged_server import paged_server, read
from tests.support.loop import in_loop


@in_loop
async def test_a_small_result_is_one_page() -> None:
    server = paged_server(3, limit=10)
    found = await read(server.fetch, limit=10)
    assert sorted(found.sessions) == server.ids
    assert server.cursors == [None]


@in_loop
async def test_the_last_id_of_a_full_page_is_the_next_cursor() -> None:
    server = paged_server(6, limit=3)
    found = await read(server.fetch, limit=3, parts=1)
    assert server.cursors == [None, server.ids[2], server.ids[5]]
    assert (found.pages, found.duplicates) == (3, 0)


@in_loop
async def test_parts_of_a_large_result_are_read_in_parallel() -> None:
    server = paged_server(400, limit=20)
    running = peak = 0

    async def fetch(cursor: str | None) -> ResponsePage:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0)
        running -= 1
        return await server.fetch(cursor)

    found = await read(fetch, limit=20, parts=4)
    assert sorted(found.sessions) == server.ids
    assert peak == 4
    assert found.pages <= 400 // 20 + 5
    assert found.duplicates == 0


@in_loop
async def test_without_a_total_the_pages_are_read_one_after_the_other() -> None:
    server = paged_server(100, limit=10, counts=False)
    assert sorted((await read(server.fetch, limit=10)).sessions) == server.ids
    assert len(server.cursors) == 11


@in_loop
async def test_a_shard_reads_only_its_part_of_the_ids() -> None:
    server = paged_server(400, limit=20)
    found = await read(server.fetch, limit=20, ids=IdRange("4", "8"))
    assert sorted(found.sessions) == [session_id for session_id in server.ids if "4" < session_id <= "8"]
    assert found.pages <= 100 // 20 + 6


@in_loop
async def test_if_one_part_fails_the_others_are_cancelled() -> None:
    server = paged_server(400, limit=20)

    async def fetch(cursor: str | None) -> ResponsePage:
        await asyncio.sleep(0)
        if cursor is not None:
            raise RateLimitError(429)
        return await server.fetch(cursor)

    with pytest.raises(RateLimitError):
        await read(fetch, limit=20, parts=4)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@in_loop
async def test_P22_an_ignored_cursor_is_detected_on_the_second_page() -> None:
    server = paged_server(50, limit=10, keyset=False)
    with pytest.raises(KeysetUnsupportedError):
        await read_by_keyset(PageReader(server.fetch, ReadSessions(), 10, ALL_IDS, no_progress), parts=1)
    assert len(server.cursors) == 2


@in_loop
async def test_P22_pages_in_another_order_are_detected_on_the_first_page() -> None:
    server = paged_server(50, limit=10)
    server.ids.reverse()
    with pytest.raises(KeysetUnsupportedError):
        await read_by_keyset(PageReader(server.fetch, ReadSessions(), 10, ALL_IDS, no_progress), parts=1)
    assert len(server.cursors) == 1
