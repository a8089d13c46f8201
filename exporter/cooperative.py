"""Long work in short steps, so that a scrape never waits for a poll.

A thread would not do: rendering holds the interpreter's lock. So work over many sessions is a generator that yields
every few hundred of them, and whoever drives it decides what happens in between.
"""

import asyncio
from collections.abc import Generator, Iterator, Sequence
from typing import Final, TypeVar

T = TypeVar("T")
Item = TypeVar("Item")

Steps = Generator[None, None, T]
"""Work that yields between its steps and returns its result."""

SIZE: Final = 1000
"""Sessions to a step: a page of the API, or a few milliseconds of work at most."""


def slices(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Cut a sequence into pieces of a step's size."""
    for start in range(0, len(items), SIZE):
        yield items[start : start + SIZE]


def release(items: list[Item]) -> Steps[None]:
    """Empty a list: to free many things takes its time, too."""
    while items:
        del items[-SIZE:]
        yield


def at_once(steps: Steps[T]) -> T:
    """Do all steps without a pause."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result


async def run_yielding(steps: Steps[T]) -> T:
    """Do all steps, and let the event loop serve others in between."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result
        await asyncio.sleep(0)
