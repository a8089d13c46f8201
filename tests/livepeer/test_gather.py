"""Concurrent requests of which one failure cancels all."""

import asyncio
import gc
import weakref
from contextlib import suppress

import pytest

from exporter.livepeer.gather import gather_or_cancel
from tests.support.loop import in_loop


class Page:
    """An object that a failing coroutine refers to."""


async def wait_forever(cancelled: list[bool]) -> None:
    """Wait until cancelled, and record it."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        cancelled.append(True)
        raise


@in_loop
async def test_coroutines_run_concurrently() -> None:
    barrier = asyncio.Barrier(3)

    async def wait_for_others() -> None:
        await barrier.wait()

    await gather_or_cancel(wait_for_others(), wait_for_others(), wait_for_others())


@in_loop
async def test_the_first_error_is_raised_and_the_other_coroutines_are_cancelled() -> None:
    cancelled: list[bool] = []

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        await gather_or_cancel(wait_forever(cancelled), fail(), wait_forever(cancelled))
    assert cancelled == [True, True]


@in_loop
async def test_cancelling_the_caller_cancels_all_coroutines() -> None:
    cancelled: list[bool] = []
    task = asyncio.create_task(gather_or_cancel(wait_forever(cancelled), wait_forever(cancelled)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled == [True, True]


@in_loop
async def test_objects_of_failed_coroutines_are_freed_without_the_garbage_collector() -> None:
    pages: list[weakref.ref[Page]] = []

    async def fail() -> None:
        page = Page()
        pages.append(weakref.ref(page))
        await asyncio.sleep(0)
        raise ValueError("first")

    gc.disable()
    try:
        with suppress(ValueError):
            await gather_or_cancel(fail(), fail())
        await asyncio.sleep(0)  # the loop still has to run the callbacks of the finished tasks
        assert [page() for page in pages] == [None, None]
    finally:
        gc.enable()
