"""Reading all pages: sessions that exist during the whole pagination are neither missed nor returned twice."""

import asyncio
from random import Random

import pytest
from msgspec.structs import replace

from exporter.livepeer.errors import (
    BadRequestError,
    PaginationError,
    PollError,
    RateLimitError,
    RetryDeadlineExceededError,
    ServerError,
)
from exporter.livepeer.keyset import KeysetSupport
from exporter.livepeer.page_reader import PageRequest, ReadSessions, ResponsePage
from exporter.livepeer.pagination import read_all
from tests.livepeer.paged_server import PagedServer, decoded, paged_server, read
from tests.support.loop import in_loop
from tests.support.rows import START, ident

SCHEDULES = 1_000
"""For each way of pagination; `tests.fuzz.schedule_fuzzer` runs schedules with the simulator."""


class Schedule:
    """Random changes of a server's sessions between the pages.

    Attributes:
        always: the ids that existed during the whole pagination.
        ever: the ids that existed at any time.
    """

    def __init__(self, random: Random, server: PagedServer) -> None:
        self._random = random
        self._server = server
        self._time = START * 1000
        self.always = set(server.ids)
        self.ever = set(server.ids)

    def change(self) -> None:
        for _ in range(self._random.choice((0, 0, 1, 1, 2))):
            self._random.choice((self._create, self._update, self._remove, self._remove))()

    def _create(self) -> None:
        session_id = ident(self._random.getrandbits(32))
        self._server.put(session_id, self._time)
        self.ever.add(session_id)

    def _update(self) -> None:
        if self._server.ids:
            self._time += 1000
            self._server.put(self._random.choice(self._server.ids), self._time)

    def _remove(self) -> None:
        """Remove a session from the result: it is deleted, or no longer matches the filters."""
        if self._server.ids:
            session_id = self._random.choice(self._server.ids)
            self._server.remove(session_id)
            self.always.discard(session_id)


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("mode", "parts", "sizes", "limits"),
    [("keyset", 1, (0, 30), (2, 6)), ("parallel", 4, (16, 30), (2, 3)), ("offset", 4, (0, 30), (4, 8))],
)
@in_loop
async def test_P22_P23_no_session_is_missed_or_doubled_while_others_come_and_go(
    mode: str, parts: int, sizes: tuple[int, int], limits: tuple[int, int]
) -> None:
    failures = parallel_reads = 0
    for seed in range(SCHEDULES):
        random = Random(seed)
        server = paged_server(random.randint(*sizes) or 1, limit=random.randint(*limits), keyset=mode != "offset")
        schedule = Schedule(random, server)
        server.before_response = schedule.change

        async def fetch(request: PageRequest, server: PagedServer = server, random: Random = random) -> ResponsePage:
            for _ in range(random.randrange(3) if parts > 1 else 0):
                await asyncio.sleep(0)
            return await server.fetch(request)

        try:
            found = await read(fetch, parts=parts)
        except PaginationError:  # so many changes that the count does not match: better no result than a wrong one
            failures += 1
            continue
        assert schedule.always <= found.sessions.keys() <= schedule.ever, f"schedule {seed}"
        assert server.offsets or not found.duplicates, f"schedule {seed}"
        parallel_reads += found.pages > 8 and not server.offsets
    assert failures < SCHEDULES // 20
    assert bool(parallel_reads) or mode == "offset"


@in_loop
async def test_P22_without_keyset_pagination_offsets_are_used() -> None:
    server = paged_server(50, limit=10, keyset=False)
    found = await read(server.fetch)
    assert sorted(found.sessions) == server.ids
    assert server.offsets


@in_loop
async def test_a_server_that_sorts_by_another_field_is_an_error() -> None:
    server = paged_server(30, limit=10)
    server.ids.reverse()
    with pytest.raises(PaginationError):
        await read(server.fetch)


@pytest.mark.parametrize("error", [BadRequestError(400), ServerError(500)])
@in_loop
async def test_if_a_keyset_cursor_is_rejected_offsets_are_used(error: PollError) -> None:
    server = paged_server(50, limit=10)

    async def fetch(request: PageRequest) -> ResponsePage:
        if request.cursor is not None and not request.cursor.startswith("skip"):
            raise error
        return await server.fetch(request)

    assert sorted((await read(fetch)).sessions) == server.ids


@pytest.mark.parametrize(
    "error", [RateLimitError(429), ServerError(503), ServerError(501), RetryDeadlineExceededError(500)]
)
@in_loop
async def test_an_error_that_the_cursor_cannot_have_caused_ends_pagination(error: PollError) -> None:
    server = paged_server(50, limit=10)

    async def fetch(request: PageRequest) -> ResponsePage:
        if request.cursor is not None:
            raise error
        return await server.fetch(request)

    with pytest.raises(type(error)):
        await read(fetch)
    assert len(server.cursors) == 1


@in_loop
async def test_after_a_keyset_cursor_was_applied_an_error_has_another_cause() -> None:
    server, support = paged_server(50, limit=10), KeysetSupport()

    async def fetch(request: PageRequest) -> ResponsePage:
        if len(server.requests) == 3:
            raise ServerError(500)
        return await server.fetch(request)

    with pytest.raises(ServerError):
        await read_all(fetch, ReadSessions(), parts=1, support=support)
    assert support.confirmed
    assert server.offsets == []


@pytest.mark.parametrize(("error", "requests"), [(BadRequestError(422), 2), (ServerError(500), 1)])
@in_loop
async def test_a_rejected_first_page_is_requested_once_more_and_a_failed_one_is_not(
    error: PollError, requests: int
) -> None:
    cursors: list[str | None] = []

    async def fetch(request: PageRequest) -> ResponsePage:
        cursors.append(request.cursor)
        raise error

    with pytest.raises(type(error)):
        await read(fetch)
    assert cursors == [None] * requests


@in_loop
async def test_fewer_sessions_than_counted_are_an_error() -> None:
    server = paged_server(50, limit=10)

    async def fetch(request: PageRequest) -> ResponsePage:
        page = await server.fetch(request)
        return replace(page, total=60 if request.count else None)

    with pytest.raises(PaginationError):
        await read(fetch)


@in_loop
async def test_fewer_sessions_than_counted_are_accepted_if_a_second_count_matches() -> None:
    server = paged_server(50, limit=10)

    def remove_two() -> None:
        for session_id in server.ids[-2:] if len(server.cursors) == 1 else ():
            server.remove(session_id)

    server.before_response = remove_two
    found = await read(server.fetch, parts=1)
    assert len(found.sessions) == 48
    assert not server.offsets
    assert server.cursors[-1] is None


@pytest.mark.parametrize("keyset", [True, False])
@in_loop
async def test_pages_without_valid_ids_end_pagination_and_are_counted(keyset: bool) -> None:
    server = paged_server(30, limit=10, keyset=keyset)

    async def fetch(request: PageRequest) -> ResponsePage:
        cursor = request.cursor
        if cursor is None or (cursor.startswith("skip") and int(cursor[4:]) < 10):
            return await server.fetch(request)
        server.requests.append(request)
        return ResponsePage(decoded([], invalid=10), 10, has_next=True)

    found = await read(fetch)
    assert server.ids[:10] <= sorted(found.sessions) <= server.ids[:19]
    assert found.invalid_sessions["no_id"] >= 10
    assert len(server.cursors) < 12


@pytest.mark.parametrize("total", [None, 20])
@in_loop
async def test_P03_the_same_page_for_every_cursor_is_an_error(total: int | None) -> None:
    server = paged_server(10, limit=10)

    async def fetch(request: PageRequest) -> ResponsePage:
        page = await server.fetch(PageRequest(count=request.count))
        return replace(page, has_next=True, total=total if request.count else None)

    with pytest.raises(PaginationError):
        await read(fetch)
    assert len(server.cursors) < 20


@in_loop
async def test_P05_a_page_of_known_ids_ends_pagination_if_the_count_matches() -> None:
    server = paged_server(10, limit=10)

    async def fetch(request: PageRequest) -> ResponsePage:
        page = await server.fetch(PageRequest(count=request.count))
        return replace(page, has_next=True, total=10 if request.count else None)

    found = await read(fetch)
    assert sorted(found.sessions) == server.ids
    assert found.duplicates >= 10
    assert len(server.cursors) < 10
