"""Reading of files with a time limit: a network drive that does not respond blocks its readers indefinitely."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")

READ_TIMEOUT: Final = 10.0
"""Seconds that the files of a reload may take."""


async def read_files(read: Callable[[], T], *, timeout: float = READ_TIMEOUT) -> T:  # noqa: ASYNC109  # raises OSError
    """Call a function that reads files, in a thread of its own.

    After the timeout the thread is abandoned, since nothing can interrupt it. It is not one of the event loop's
    threads, which would be used up after some reloads.

    Raises:
        OSError: the function took longer than `timeout` seconds.
    """
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="files")
    result = asyncio.get_running_loop().run_in_executor(executor, read)
    try:
        await asyncio.wait([result], timeout=timeout)
        if not result.done():
            raise OSError(f"reading the files took longer than {timeout:g} s")
        return result.result()
    finally:
        result.cancel()
        executor.shutdown(wait=False)
