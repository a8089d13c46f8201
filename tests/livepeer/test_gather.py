"""Several requests at once: what comes of a failure, and what stays of it."""

import asyncio
import gc
import weakref
from contextlib import suppress

import pytest

from exporter.livepeer.gather import gather_or_cancel
from tests.support.loop import in_loop


class Page:
    """Something large that a failing request holds."""


async def wait(stopped: list[bool]) -> None:
    """Wait in vain, and note when that is stopped."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        stopped.append(True)
        raise


@in_loop
async def test_all_are_done_side_by_side() -> None:
    barrier = asyncio.Barrier(3)

    async def work() -> None:
        await barrier.wait()

    await gather_or_cancel(work(), work(), work())


@in_loop
async def test_the_first_failure_comes_out_as_it_is_and_stops_the_others() -> None:
    stopped: list[bool] = []

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        await gather_or_cancel(wait(stopped), fail(), wait(stopped))
    assert stopped == [True, True]


@in_loop
async def test_who_is_cancelled_has_stopped_all_of_them() -> None:
    stopped: list[bool] = []
    task = asyncio.create_task(gather_or_cancel(wait(stopped), wait(stopped)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped == [True, True]


@in_loop
async def test_what_a_failure_was_about_is_gone_without_the_garbage_collector() -> None:
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
        await asyncio.sleep(0)  # the loop still has to say that the tasks are done
        assert [page() for page in pages] == [None, None]
    finally:
        gc.enable()
