"""Several requests at once, all or nothing."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def gather_or_cancel(*works: Coroutine[Any, Any, None]) -> None:
    """Do all of these at once; the first failure stops the others, and comes out as it is.

    A task group would do the same, but Python 3.11's keeps its failures in a cycle of references, and with them every
    page that was being read: megabytes that only the garbage collector finds, which seldom runs.

    Raises:
        Exception: what the first of them raised, once all the others have ended.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        tasks.clear()  # a failure knows this function, which must not know the failure
