"""How much of an answer is read, alone and beside others."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.livepeer.body import CHUNKS_PER_TURN, MAX_PAGE_BYTES, NORMAL_BODY_BYTES, Body, BodyBudget
from exporter.livepeer.errors import ResponseTooLargeError
from tests.support.loop import in_loop

SHARE = MAX_PAGE_BYTES // 4


class Sender:
    """A body that grows when it is told to.

    Attributes:
        sent: how many bytes were taken from it.
    """

    def __init__(self) -> None:
        self.sent = 0
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def send(self, *pieces: bytes | None) -> None:
        """Offer these pieces, None being the end, and let the reader take what it wants to take."""
        for piece in pieces:
            self._pieces.put_nowait(piece)
        for _ in range(10):
            await asyncio.sleep(0)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            self.sent += len(piece)
            yield piece


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_a_body_is_what_was_sent(pieces: list[bytes]) -> None:
    async def read() -> Body:
        sender = Sender()
        await sender.send(*pieces, None)
        return await BodyBudget(readers=4).read(sender, content_length="")

    assert asyncio.run(read()) == b"".join(pieces)


@in_loop
async def test_U13_others_get_their_turn_while_a_body_of_very_many_small_parts_is_read() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(10 * CHUNKS_PER_TURN):
            yield b"x"

    task = asyncio.create_task(others())
    await BodyBudget(readers=4).read(parts(), content_length="")
    task.cancel()
    assert turns > 5  # at every hundredth part


@in_loop
async def test_a_body_of_unusual_size_is_what_was_sent() -> None:
    pieces = [bytes([number]) * (NORMAL_BODY_BYTES // 4) for number in range(9)]
    sender = Sender()
    await sender.send(*pieces, None)
    assert await BodyBudget(readers=4).read(sender, content_length="") == b"".join(pieces)


@in_loop
async def test_the_largest_page_is_read_and_a_byte_more_is_not() -> None:
    room, sender = BodyBudget(readers=4), Sender()
    await sender.send(b" " * MAX_PAGE_BYTES, None)
    assert len(await room.read(sender, content_length=str(MAX_PAGE_BYTES))) == MAX_PAGE_BYTES
    await sender.send(b" " * MAX_PAGE_BYTES, b" ")
    with pytest.raises(ResponseTooLargeError):
        await room.read(sender, content_length="")


@in_loop
async def test_a_body_that_announces_too_much_is_not_read_at_all() -> None:
    sender = Sender()
    await sender.send(b"[]", None)
    with pytest.raises(ResponseTooLargeError):
        await BodyBudget(readers=4).read(sender, content_length=str(MAX_PAGE_BYTES + 1))
    assert sender.sent == 0


@in_loop
async def test_only_one_answer_at_a_time_outgrows_its_share() -> None:
    room, first, second = BodyBudget(readers=4), Sender(), Sender()
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(room.read(sender, content_length="")) for sender in (first, second)]
        for sender in (first, second):
            await sender.send(b" " * SHARE, b" ", b" ")
        assert (first.sent, second.sent) == (SHARE + 2, SHARE + 1)
        for sender in (first, second):
            await sender.send(None)
    assert [len(task.result()) for task in reading] == [SHARE + 2, SHARE + 2]


@in_loop
async def test_an_answer_that_fails_makes_room_for_the_next() -> None:
    room, first, second = BodyBudget(readers=4), Sender(), Sender()
    failing = asyncio.create_task(room.read(first, content_length=""))
    await first.send(b" " * (SHARE + 1))
    waiting = asyncio.create_task(room.read(second, content_length=""))
    await second.send(b" " * (SHARE + 1), None)
    assert not waiting.done()
    failing.cancel()
    assert len(await waiting) == SHARE + 1


@in_loop
async def test_small_answers_do_not_wait_for_a_large_one() -> None:
    room, large, small = BodyBudget(readers=4), Sender(), Sender()
    growing = asyncio.create_task(room.read(large, content_length=""))
    await large.send(b" " * (SHARE + 1))
    await small.send(b"[]", None)
    assert await room.read(small, content_length="2") == b"[]"
    await large.send(None)
    await growing
