"""The memory of response bodies, and their decompression."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.livepeer.body import CHUNKS_PER_TURN, MAX_PAGE_BYTES, NORMAL_BODY_BYTES, Body, BodyBudget, decompress
from exporter.livepeer.errors import DecodeError, ResponseTooLargeError
from tests.support.cooperative import run_to_end
from tests.support.loop import in_loop

SHARE = MAX_PAGE_BYTES // 4


class Sender:
    """A body that a test sends chunk by chunk.

    Attributes:
        consumed: bytes that were read so far.
    """

    def __init__(self) -> None:
        self.consumed = 0
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def send(self, *chunks: bytes | None) -> None:
        """Make chunks available, or the end for None, and let the reader run."""
        for chunk in chunks:
            self._chunks.put_nowait(chunk)
        for _ in range(10):
            await asyncio.sleep(0)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._chunks.get()) is not None:
            self.consumed += len(chunk)
            yield chunk


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_a_body_is_read_completely(chunks: list[bytes]) -> None:
    async def read() -> Body:
        sender = Sender()
        await sender.send(*chunks, None)
        return await BodyBudget(readers=4).read(sender, content_length="")

    assert asyncio.run(read()) == b"".join(chunks)


@in_loop
async def test_U13_other_tasks_run_while_a_body_of_many_small_chunks_is_read() -> None:
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10 * CHUNKS_PER_TURN):
            yield b"x"

    task = asyncio.create_task(count_turns())
    await BodyBudget(readers=4).read(chunks(), content_length="")
    task.cancel()
    assert turns > 5


@in_loop
async def test_a_large_body_is_read_completely() -> None:
    chunks = [bytes([number]) * (NORMAL_BODY_BYTES // 4) for number in range(9)]
    sender = Sender()
    await sender.send(*chunks, None)
    assert await BodyBudget(readers=4).read(sender, content_length="") == b"".join(chunks)


@in_loop
async def test_U13_a_body_of_the_maximum_size_is_read_and_a_larger_one_is_not() -> None:
    budget, sender = BodyBudget(readers=4), Sender()
    await sender.send(b" " * MAX_PAGE_BYTES, None)
    assert len(await budget.read(sender, content_length=str(MAX_PAGE_BYTES))) == MAX_PAGE_BYTES
    await sender.send(b" " * MAX_PAGE_BYTES, b" ")
    with pytest.raises(ResponseTooLargeError):
        await budget.read(sender, content_length="")


@in_loop
async def test_U13_a_body_with_a_content_length_that_is_too_large_is_not_read() -> None:
    sender = Sender()
    await sender.send(b"[]", None)
    with pytest.raises(ResponseTooLargeError):
        await BodyBudget(readers=4).read(sender, content_length=str(MAX_PAGE_BYTES + 1))
    assert sender.consumed == 0


@in_loop
async def test_U13_only_one_body_at_a_time_exceeds_its_share() -> None:
    budget, first, second = BodyBudget(readers=4), Sender(), Sender()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(budget.read(sender, content_length="")) for sender in (first, second)]
        for sender in (first, second):
            await sender.send(b" " * SHARE, b" ", b" ")
        assert (first.consumed, second.consumed) == (SHARE + 2, SHARE + 1)
        for sender in (first, second):
            await sender.send(None)
    assert [len(task.result()) for task in tasks] == [SHARE + 2, SHARE + 2]


@in_loop
async def test_a_cancelled_body_frees_the_budget_for_the_next() -> None:
    budget, first, second = BodyBudget(readers=4), Sender(), Sender()
    failing = asyncio.create_task(budget.read(first, content_length=""))
    await first.send(b" " * (SHARE + 1))
    waiting = asyncio.create_task(budget.read(second, content_length=""))
    await second.send(b" " * (SHARE + 1), None)
    assert not waiting.done()
    failing.cancel()
    assert len(await waiting) == SHARE + 1


@in_loop
async def test_small_bodies_do_not_wait_for_a_large_one() -> None:
    budget, large, small = BodyBudget(readers=4), Sender(), Sender()
    growing = asyncio.create_task(budget.read(large, content_length=""))
    await large.send(b" " * (SHARE + 1))
    await small.send(b"[]", None)
    assert await budget.read(small, content_length="2") == b"[]"
    await large.send(None)
    await growing


@pytest.mark.parametrize(
    ("encoding", "compressed"),
    [
        ("", b"[1]"),
        ("identity", b"[1]"),
        ("gzip", gzip.compress(b"[1]")),
        (" GZIP ", gzip.compress(b"[1]")),
        ("x-gzip", gzip.compress(b"[1]")),
        ("deflate", zlib.compress(b"[1]")),
    ],
    ids=["none", "identity", "gzip", "upper case", "x-gzip", "deflate"],
)
def test_U12_supported_encodings_are_decompressed(encoding: str, compressed: bytes) -> None:
    assert run_to_end(decompress(compressed, encoding)) == b"[1]"


@pytest.mark.parametrize(
    ("encoding", "compressed"),
    [
        ("br", b"[1]"),
        ("gzip", b"[1]"),
        ("gzip", gzip.compress(b"[1]")[:-1]),
        ("gzip", gzip.compress(b"[1]") + b"x"),
        ("gzip", b""),
    ],
    ids=["unsupported", "not compressed", "truncated", "trailing data", "empty"],
)
def test_U12_unsupported_and_invalid_encodings_are_errors(encoding: str, compressed: bytes) -> None:
    with pytest.raises(DecodeError):
        run_to_end(decompress(compressed, encoding))


def test_U14_a_body_that_is_too_large_decompressed_is_an_error() -> None:
    with pytest.raises(ResponseTooLargeError):
        run_to_end(decompress(gzip.compress(b" " * (MAX_PAGE_BYTES + 1)), "gzip"))
