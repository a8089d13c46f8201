"""The walk: whatever happens between its pages, nothing that was there throughout is missed or doubled."""

import asyncio
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.livepeer.body import MAX_PAGE_BYTES
from exporter.livepeer.decoding import DecodedPage
from exporter.livepeer.errors import (
    BadRequestError,
    PaginationError,
    PollError,
    RateLimitError,
    ResponseTooLargeError,
    ServerError,
)
from exporter.livepeer.id_range import IdRange
from exporter.livepeer.page_reader import BASE_BYTES, MAX_PAGES, MAX_SESSIONS, FetchPage, ReadSessions, ResponsePage
from exporter.livepeer.pagination import read_all
from exporter.sessions.session import Session
from tests.support.loop import in_loop
from tests.support.rows import START, ident

SCHEDULES = 10_000


def reading(sessions: Sequence[Session], *, unreadable: int = 0) -> DecodedPage:
    """A page's reading as ``decode_page`` would have it."""
    ids = [session.id for session in sessions]
    return DecodedPage(
        sessions=list(sessions),
        items=len(ids) + unreadable,
        first_id=ids[0] if ids else None,
        last_id=ids[-1] if ids else None,
        ascending=ids == sorted(ids),
        invalid_sessions=Counter({"no_id": unreadable}) if unreadable else Counter(),
    )


@dataclass
class Server:
    """An API in memory that pages as the real one does.

    Attributes:
        limit: rows to a page at most.
        keyset: whether a cursor without ``skip`` means ``id > cursor``; else it is ignored.
        counts: whether it says how many rows there are.
        sessions: what it has at the moment, by id.
        asked: the cursors that it was asked for.
        happen: called before every answer.
    """

    limit: int
    keyset: bool = True
    counts: bool = True
    sessions: dict[str, Session] = field(default_factory=dict)
    asked: list[str | None] = field(default_factory=list)
    happen: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.ids = sorted(self.sessions)

    def put(self, name: str, last_seen: float) -> None:
        if name not in self.sessions:
            insort(self.ids, name)
        self.sessions[name] = Session(id=name, last_seen=last_seen)

    def take(self, name: str) -> None:
        del self.sessions[name]
        self.ids.remove(name)

    @property
    def was_read_by_offset(self) -> bool:
        return any(cursor is not None and cursor.startswith("skip") for cursor in self.asked)

    async def fetch(self, cursor: str | None) -> ResponsePage:
        self.happen()
        self.asked.append(cursor)
        start = 0
        if cursor is not None and cursor.startswith("skip"):
            start = int(cursor[4:])
        elif cursor is not None and self.keyset:
            start = bisect_right(self.ids, cursor)
        ids = self.ids[start : start + self.limit]
        total = len(self.ids) if cursor is None and self.counts and ids else None
        return ResponsePage(reading([self.sessions[name] for name in ids]), len(ids) == self.limit, total)


def server(count: int, *, limit: int, keyset: bool = True, counts: bool = True) -> Server:
    """A server with so many sessions, whose ids are spread as those of UUIDs are."""
    ids = [f"{number * (16**8 // count):08x}" for number in range(count)]
    return Server(limit, keyset, counts, {name: Session(id=name, last_seen=START * 1000) for name in ids})


async def walked(fetch: FetchPage, *, limit: int, concurrency: int = 4, ids: IdRange | None = None) -> ReadSessions:
    into = ReadSessions()
    await read_all(fetch, into, limit=limit, parts=concurrency, ids=ids or IdRange())
    return into


class Schedule:
    """What happens to a server's sessions between the pages of one walk.

    Attributes:
        throughout: the ids that were there from the first page to the last.
        ever: the ids that were there at some time.
    """

    def __init__(self, chance: Random, at: Server) -> None:
        self._chance = chance
        self._server = at
        self._time = START * 1000
        self.throughout = set(at.ids)
        self.ever = set(at.ids)

    def happen(self) -> None:
        for _ in range(self._chance.choice((0, 0, 1, 1, 2))):
            self._chance.choice((self._create, self._bump, self._leave, self._leave))()

    def _create(self) -> None:
        name = f"{self._chance.getrandbits(32):08x}"
        self._server.put(name, self._time)
        self.ever.add(name)

    def _bump(self) -> None:
        if self._server.ids:
            self._time += 1000
            self._server.put(self._chance.choice(self._server.ids), self._time)

    def _leave(self) -> None:
        """A session ends, so that the filter holds it no more, or is deleted: to the walk it is the same."""
        if self._server.ids:
            name = self._chance.choice(self._server.ids)
            self._server.take(name)
            self.throughout.discard(name)


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("mode", "concurrency", "sizes", "limits"),
    [("keyset", 1, (0, 30), (2, 6)), ("split", 4, (16, 30), (2, 3)), ("offset", 4, (0, 30), (4, 8))],
)
@in_loop
async def test_P22_P23_nothing_that_was_there_throughout_is_missed_or_doubled(
    mode: str, concurrency: int, sizes: tuple[int, int], limits: tuple[int, int]
) -> None:
    refused = split_up = 0
    for seed in range(SCHEDULES):
        chance = Random(seed)
        at = server(chance.randint(*sizes) or 1, limit=chance.randint(*limits), keyset=mode != "offset")
        schedule = Schedule(chance, at)
        at.happen = schedule.happen

        async def fetch(cursor: str | None, at: Server = at, chance: Random = chance) -> ResponsePage:
            for _ in range(chance.randrange(3) if concurrency > 1 else 0):
                await asyncio.sleep(0)
            return await at.fetch(cursor)

        try:
            found = await walked(fetch, limit=at.limit, concurrency=concurrency)
        except (
            PaginationError
        ):  # so much came and went that the count could not be trusted: no walk rather than half of one
            refused += 1
            continue
        assert schedule.throughout <= found.sessions.keys() <= schedule.ever, f"schedule {seed}"
        assert at.was_read_by_offset or not found.duplicates, f"schedule {seed}"
        split_up += found.pages > 8 and not at.was_read_by_offset
    assert refused < SCHEDULES // 20
    assert bool(split_up) or mode == "offset"


@in_loop
async def test_a_small_answer_is_one_page() -> None:
    at = server(3, limit=10)
    found = await walked(at.fetch, limit=10)
    assert sorted(found.sessions) == at.ids
    assert at.asked == [None]


@in_loop
async def test_the_last_id_of_a_full_page_is_the_next_cursor() -> None:
    at = server(6, limit=3)
    found = await walked(at.fetch, limit=3, concurrency=1)
    assert at.asked == [None, at.ids[2], at.ids[5]]
    assert (found.pages, found.duplicates, at.was_read_by_offset) == (3, 0, False)


@in_loop
async def test_a_server_with_a_smaller_limit_is_read_to_its_end() -> None:
    at = server(20, limit=5)
    assert sorted((await walked(at.fetch, limit=1000)).sessions) == at.ids


@in_loop
async def test_a_large_answer_is_fetched_in_parts_side_by_side() -> None:
    at = server(400, limit=20)
    under_way = most = 0

    async def fetch(cursor: str | None) -> ResponsePage:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return await at.fetch(cursor)

    found = await walked(fetch, limit=20, concurrency=4)
    assert sorted(found.sessions) == at.ids
    assert most == 4
    assert found.pages <= 400 // 20 + 5
    assert found.duplicates == 0


@in_loop
async def test_without_a_count_the_walk_goes_page_by_page() -> None:
    at = server(100, limit=10, counts=False)
    assert sorted((await walked(at.fetch, limit=10)).sessions) == at.ids
    assert len(at.asked) == 11


@in_loop
async def test_P22_a_cursor_that_is_not_honoured_is_noticed_and_offsets_are_used() -> None:
    at = server(50, limit=10, keyset=False)
    found = await walked(at.fetch, limit=10)
    assert sorted(found.sessions) == at.ids
    assert at.was_read_by_offset
    assert at.asked[-1] is not None
    assert at.asked[-1].startswith("skip")


@in_loop
async def test_P22_pages_by_offset_overlap_and_step_back_where_they_do_not() -> None:
    at = server(40, limit=10, keyset=False)
    gone: list[str] = []

    def leave() -> None:
        # Whenever an offset is asked for, three sessions that were read already leave: the rest moves towards us.
        if at.asked and (at.asked[-1] or "").startswith("skip"):
            gone.extend(at.ids[:3])
            for name in at.ids[:3]:
                at.take(name)

    at.happen = leave
    throughout = set(at.ids)
    found = await walked(at.fetch, limit=10)
    assert throughout - set(gone) <= set(found.sessions)
    offsets = [int(cursor[4:]) for cursor in at.asked if cursor and cursor.startswith("skip")]
    assert any(later < earlier for earlier, later in pairwise(offsets))


@in_loop
async def test_P22_offsets_move_by_what_the_server_puts_on_a_page_however_much_is_asked_for() -> None:
    at = server(2500, limit=100, keyset=False)
    found = await walked(at.fetch, limit=1000)
    assert set(found.sessions) == set(at.ids)
    assert len(at.asked) < 40


@in_loop
async def test_P04_few_sessions_that_fill_the_memory_end_the_walk() -> None:
    at = server(1000, limit=1)

    async def fetch(cursor: str | None) -> ResponsePage:
        return replace(await at.fetch(cursor), size=MAX_PAGE_BYTES)

    with pytest.raises(ResponseTooLargeError):
        await walked(fetch, limit=2, concurrency=1)
    assert len(at.asked) <= 2 + BASE_BYTES // MAX_PAGE_BYTES


@in_loop
async def test_a_server_that_sorts_by_something_else_is_refused() -> None:
    at = server(30, limit=10)
    at.ids.reverse()
    with pytest.raises(PaginationError):
        await walked(at.fetch, limit=10)


@pytest.mark.parametrize("problem", [BadRequestError(400), ServerError(500)])
@in_loop
async def test_an_error_for_a_keyset_cursor_leads_to_offsets(problem: PollError) -> None:
    at = server(50, limit=10)

    async def fetch(cursor: str | None) -> ResponsePage:
        if cursor is not None and not cursor.startswith("skip"):
            raise problem
        return await at.fetch(cursor)

    assert sorted((await walked(fetch, limit=10)).sessions) == at.ids


@pytest.mark.parametrize("problem", [RateLimitError(429), ServerError(503), ServerError(501)])
@in_loop
async def test_an_error_that_is_not_about_the_cursor_ends_the_walk(problem: PollError) -> None:
    at = server(50, limit=10)

    async def fetch(cursor: str | None) -> ResponsePage:
        if cursor is not None:
            raise problem
        return await at.fetch(cursor)

    with pytest.raises(type(problem)):
        await walked(fetch, limit=10)
    assert len(at.asked) == 1


@in_loop
async def test_a_refused_request_is_tried_once_more_and_no_more() -> None:
    asked: list[str | None] = []

    async def fetch(cursor: str | None) -> ResponsePage:
        asked.append(cursor)
        raise BadRequestError(422)

    with pytest.raises(BadRequestError):
        await walked(fetch, limit=10)
    assert asked == [None, None]


@in_loop
async def test_of_parts_that_fail_one_failure_comes_out_and_the_others_stop() -> None:
    at = server(400, limit=20)

    async def fetch(cursor: str | None) -> ResponsePage:
        await asyncio.sleep(0)
        if cursor is not None:
            raise RateLimitError(429)
        return await at.fetch(cursor)

    with pytest.raises(RateLimitError):
        await walked(fetch, limit=20, concurrency=4)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@in_loop
async def test_fewer_sessions_than_counted_are_a_failure() -> None:
    at = server(50, limit=10)

    async def fetch(cursor: str | None) -> ResponsePage:
        page = await at.fetch(cursor)
        return ResponsePage(page.decoded, page.has_next, 60 if cursor is None else None)

    with pytest.raises(PaginationError):
        await walked(fetch, limit=10)


@in_loop
async def test_fewer_sessions_than_counted_are_fine_when_a_second_count_agrees() -> None:
    at = server(50, limit=10)

    def leave() -> None:
        for name in at.ids[-2:] if len(at.asked) == 1 else ():
            at.take(name)

    at.happen = leave
    found = await walked(at.fetch, limit=10, concurrency=1)
    assert len(found.sessions) == 48
    assert not at.was_read_by_offset
    assert at.asked[-1] is None


@in_loop
async def test_of_a_session_that_comes_twice_the_one_seen_later_is_kept() -> None:
    early, late = Session(id="a", last_seen=1.0), Session(id="a", last_seen=2.0)
    for sessions in ([early, late], [late, early]):

        async def fetch(_: str | None, sessions: list[Session] = sessions) -> ResponsePage:
            return ResponsePage(reading(sessions), has_next=False, total=2)

        found = await walked(fetch, limit=10)
        assert found.sessions == {"a": late}
        assert found.duplicates == 1


@pytest.mark.parametrize("keyset", [True, False])
@in_loop
async def test_pages_without_a_readable_id_end_a_walk_and_are_counted(keyset: bool) -> None:
    at = server(30, limit=10, keyset=keyset)

    async def fetch(cursor: str | None) -> ResponsePage:
        if cursor is None or (cursor.startswith("skip") and int(cursor[4:]) < 10):
            return await at.fetch(cursor)
        at.asked.append(cursor)
        return ResponsePage(reading([], unreadable=10), has_next=True)

    found = await walked(fetch, limit=10)
    assert at.ids[:10] <= sorted(found.sessions) <= at.ids[:19]
    assert found.invalid_sessions["no_id"] >= 10
    assert len(at.asked) < 12


@in_loop
async def test_an_endless_server_is_given_up_after_so_many_pages() -> None:
    asked = 0

    async def fetch(_: str | None) -> ResponsePage:
        nonlocal asked
        asked += 1
        return ResponsePage(reading([Session(id=ident(2 * asked)), Session(id=ident(2 * asked + 1))]), has_next=True)

    with pytest.raises(PaginationError):
        await walked(fetch, limit=2)
    assert asked == MAX_PAGES


@in_loop
async def test_an_endless_server_is_given_up_after_so_many_sessions() -> None:
    asked = 0
    size = MAX_SESSIONS // 10

    async def fetch(_: str | None) -> ResponsePage:
        nonlocal asked
        asked += 1
        return ResponsePage(
            reading([Session(id=ident(asked)), *[Session(id=ident(asked))] * (size - 1)]), has_next=True
        )

    with pytest.raises(PaginationError):
        await walked(fetch, limit=size)
    assert asked == 10


@pytest.mark.parametrize("total", [None, 20])
@in_loop
async def test_P03_the_same_page_for_every_cursor_is_no_whole_answer(total: int | None) -> None:
    at = server(10, limit=10)

    async def fetch(cursor: str | None) -> ResponsePage:
        page = await at.fetch(None)
        return ResponsePage(page.decoded, has_next=True, total=total if cursor is None else None)

    with pytest.raises(PaginationError):
        await walked(fetch, limit=10)
    assert len(at.asked) < 20


@in_loop
async def test_P05_a_page_of_known_ids_ends_the_walk_when_the_count_agrees() -> None:
    at = server(10, limit=10)

    async def fetch(cursor: str | None) -> ResponsePage:
        page = await at.fetch(None)
        return ResponsePage(page.decoded, has_next=True, total=10 if cursor is None else None)

    found = await walked(fetch, limit=10)
    assert sorted(found.sessions) == at.ids
    assert found.duplicates >= 10
    assert len(at.asked) < 10


@in_loop
async def test_a_part_of_the_ids_is_all_that_a_shard_reads() -> None:
    at = server(400, limit=20)
    found = await walked(at.fetch, limit=20, ids=IdRange("4", "8"))
    assert sorted(found.sessions) == [name for name in at.ids if "4" < name <= "8"]
    assert found.pages <= 100 // 20 + 6


HEX = st.text("0123456789abcdef-", min_size=1, max_size=12)


@given(st.lists(HEX, max_size=30), st.none() | HEX, st.none() | HEX, st.integers(1, 8))
def test_the_parts_of_a_range_hold_each_id_exactly_once(
    ids: list[str], after: str | None, until: str | None, parts: int
) -> None:
    whole = IdRange(after, until)
    pieces = whole.split(parts)
    assert 1 <= len(pieces) <= parts
    for name in ids:
        assert sum((name in piece) for piece in pieces) == (name in whole)


def test_the_parts_of_all_ids_are_of_the_same_width() -> None:
    borders = [part.until for part in IdRange().split(4)]
    assert borders == ["40000000", "80000000", "c0000000", None]
