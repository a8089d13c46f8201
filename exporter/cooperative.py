"""Long computations in short steps, so that a poll does not block scrapes.

Rendering holds the interpreter lock, so a thread would not help. A computation over many sessions is written as a
generator instead: it yields after every batch, and the event loop serves requests in between.
"""

import asyncio
from collections.abc import Generator, Iterator, Sequence
from typing import Final, TypeVar

T = TypeVar("T")
Item = TypeVar("Item")

Cooperative = Generator[None, None, T]
"""A computation that yields between its steps and returns its result."""

BATCH_SIZE: Final = 1000
"""Sessions per step: one page of the API, at most a few milliseconds of work."""

SMALL_BATCH_SIZE: Final = 64
"""Sessions per step of work for each of their transcoding profiles, of which a session has up to 64 (V02)."""


def batches(items: Sequence[Item], size: int = BATCH_SIZE) -> Iterator[Sequence[Item]]:
    """Split a sequence into batches of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def release(items: list[Item]) -> Cooperative[None]:
    """Empty a list in batches, since deallocating many objects at once would block the event loop."""
    while items:
        del items[-BATCH_SIZE:]
        yield


async def run_yielding(computation: Cooperative[T]) -> T:
    """Run a computation to its end and return its result; other tasks run between its steps."""
    while True:
        try:
            next(computation)
        except StopIteration as finished:
            result: T = finished.value
            return result
        await asyncio.sleep(0)
