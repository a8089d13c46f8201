"""The client reads all sessions of a scope by the server's clock; faults are tested in ``tests/faults``."""

import json
from email.utils import formatdate
from typing import Any

import pytest

from exporter.livepeer.id_range import IdRange
from exporter.livepeer.query import MAX_PARENT_QUERIES, Scope
from tests.livepeer.clients import SCOPE, livepeer_client, read_simulated
from tests.support.clock import ManualClock
from tests.support.loop import in_loop
from tests.support.rows import START, ident, page, row
from tests.support.upstream import Request, always, reply, upstream


def filters(request: Request) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(request.query["filters"])
    return found


@in_loop
async def test_the_query_for_recently_seen_sessions_is_sent_last() -> None:
    async with upstream(always(reply())) as server, livepeer_client(server.url) as client:
        await client.sessions(SCOPE)
    first_group, last_group = SCOPE.queries(START)
    *earlier, last = map(filters, server.requests)
    assert sorted(earlier, key=str) == sorted(first_group, key=str)
    assert [last] == last_group
    assert {(each.query["limit"], each.query["order"]) for each in server.requests} == {("1000", "id-false")}


@in_loop
async def test_the_sessions_within_the_windows_are_returned_and_no_others() -> None:
    rows = [
        row(1),
        row(2, lastSeen=0),
        row(3, lastSeen=0, createdAt=(START - 4000) * 1000),
        row(4, lastSeen=(START - 4000) * 1000),
        row(5, lastSeen=(START - 4000) * 1000, record=False),
        row(6, lastSeen=(START - 15_000) * 1000),
    ]
    result = await read_simulated(rows)
    assert {session.id for session in result.sessions} == {ident(1), ident(2), ident(4)}


@in_loop
async def test_the_windows_follow_the_servers_clock() -> None:
    rows = [row(1, lastSeen=(START + 100_000 - 10) * 1000, createdAt=START * 1000), row(2)]
    result = await read_simulated(rows, server_ahead=100_000)
    assert [session.id for session in result.sessions] == [ident(1)]
    assert result.server_time == pytest.approx(START + 100_000, abs=1)


@in_loop
async def test_sessions_are_read_twice_only_when_the_servers_clock_turns_out_to_differ() -> None:
    clocks = ManualClock(START - 7200)
    date = {"Date": formatdate(START, usegmt=True)}
    async with upstream(always(reply(headers=date))) as server, livepeer_client(server.url, clocks) as client:
        await client.sessions(SCOPE)
        assert len(server.requests) == 6
        await client.sessions(SCOPE)
        assert len(server.requests) == 9
        assert client.clock.skew == 7200.5


@in_loop
async def test_only_sessions_of_the_given_parent_streams_are_returned() -> None:
    rows = [row(1), row(2), row(3)]
    result = await read_simulated(rows, Scope(3600, 14_400, stream_ids=frozenset({"parent-1", "parent-3"})))
    assert {session.id for session in result.sessions} == {ident(1), ident(3)}


@in_loop
async def test_for_many_parent_streams_all_sessions_are_read_and_filtered() -> None:
    stream_ids = frozenset(f"parent-{number}" for number in range(MAX_PARENT_QUERIES + 1))
    async with upstream(always(reply(page(row(1), row(99))))) as server, livepeer_client(server.url) as client:
        result = await client.sessions(Scope(3600, 14_400, stream_ids=stream_ids))
    assert [session.id for session in result.sessions] == [ident(1)]
    assert len(server.requests) == 3


@in_loop
async def test_only_sessions_of_the_given_id_range_are_returned() -> None:
    rows = [row(number << 28) for number in range(16)]
    result = await read_simulated(rows, Scope(3600, 14_400, ids=IdRange("4", "8")), page_limit=2)
    assert {session.id for session in result.sessions} == {ident(number << 28) for number in (4, 5, 6, 7)}


@in_loop
async def test_a_large_account_is_read_completely_without_duplicates() -> None:
    rows = [row(number << 20) for number in range(600)]
    result = await read_simulated(rows, page_limit=50)
    assert len(result.sessions) == 600
    assert result.duplicates == 0


@in_loop
async def test_progress_is_reported_after_each_page() -> None:
    progress: list[tuple[int, int]] = []
    body = reply(page(row(1), row(2)))
    async with upstream(always(body)) as server, livepeer_client(server.url, concurrency=1) as client:
        result = await client.sessions(SCOPE, lambda pages, sessions: progress.append((pages, sessions)))
    assert progress == [(1, 2), (2, 2), (3, 2)]
    assert (result.pages, len(result.sessions)) == (3, 2)


@in_loop
async def test_a_check_reads_one_page_and_returns_the_total() -> None:
    response = reply(page(row(1)), headers={"X-Total-Count": "77"})
    async with upstream(always(response)) as server, livepeer_client(server.url) as client:
        found = await client.check()
    assert (found.total, found.decoded.items, len(server.requests)) == (77, 1, 1)
