"""A clock that tests advance."""

import asyncio

from tests.support.rows import START


class ManualClock:
    """A wall clock and a monotonic clock that move only when a test advances them, or when code sleeps by `sleep`.

    Attributes:
        slept: the duration of each sleep, in seconds.
    """

    def __init__(self, start: float = START) -> None:
        self._now = start
        self._monotonic = 1_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        """Return the wall clock's Unix seconds."""
        return self._now

    def monotonic(self) -> float:
        """Return the monotonic clock's seconds."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Advance both clocks."""
        self._now += seconds
        self._monotonic += seconds

    async def sleep(self, seconds: float) -> None:
        """Advance both clocks and yield to the event loop once."""
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)
