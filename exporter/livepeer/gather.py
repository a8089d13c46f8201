"""Concurrent requests of which one failure cancels all."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def gather_or_cancel(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run coroutines concurrently; if one fails, cancel the others.

    In Python 3.11, the errors of a task group are part of a reference cycle, which keeps all pages being read in memory
    until the garbage collector runs. This function leaves no cycle.

    Raises:
        Exception: the first error, after all coroutines have ended.
    """
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        tasks.clear()  # the error's traceback refers to this frame, and the tasks to the error
