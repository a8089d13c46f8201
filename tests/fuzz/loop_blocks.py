"""How long the event loop is blocked, in CPU time, so that other processes have no influence."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass
class LoopBlocks:
    """The longest time between two returns to the event loop, in seconds of the thread's CPU time."""

    longest: float = 0.0


@asynccontextmanager
async def measured_blocks() -> AsyncIterator[LoopBlocks]:
    """Measure every iteration of the event loop within the context."""
    blocks = LoopBlocks()
    heartbeat = asyncio.create_task(_measure(blocks))
    await asyncio.sleep(0)
    try:
        yield blocks
    finally:
        await asyncio.sleep(0)
        heartbeat.cancel()
        await asyncio.gather(heartbeat, return_exceptions=True)


async def _measure(blocks: LoopBlocks) -> None:
    last = time.thread_time()
    while True:
        await asyncio.sleep(0)  # one iteration of the loop, in which every other task that is ready runs once
        now = time.thread_time()
        blocks.longest, last = max(blocks.longest, now - last), now
