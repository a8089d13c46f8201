"""Which streams of an account are polled because of an event, and when."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from exporter.metrics import catalogue
from exporter.metrics.instruments import Telemetry
from exporter.polling.request_budget import RequestBudget

MIN_INTERVAL: Final = 1.0
"""Seconds from the start of one poll of a stream to the start of the next, of any stream of the account."""

MIN_REQUESTS: Final = 3
"""Requests of a poll of a stream: seen, pending and recorded sessions, a page each."""

MAX_PENDING: Final = 1000
"""Streams that wait for a poll; further ones are left to the next poll of the account."""

MAX_TIMES: Final = 100
"""Events of one poll whose lag is measured."""


class StreamPoller(Protocol):
    """Polls single streams; never raises."""

    async def poll_stream(self, stream_id: str) -> bool:
        """Poll a stream; return whether it is shown."""


class HintQueue:
    """The streams of one account that have changed. Several events of a stream before its poll cause one poll.

    Args:
        poller: of the account.
        budget: of requests.
        telemetry: the account's instruments.
        server_now: Unix seconds of the API's clock.
        monotonic: seconds.
        sleep: waits for some seconds.
        has_stream: whether a stream is polled at all.
    """

    def __init__(
        self,
        poller: StreamPoller,
        budget: RequestBudget,
        telemetry: Telemetry,
        *,
        server_now: Callable[[], float],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        has_stream: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._poller = poller
        self._budget = budget
        self._telemetry = telemetry
        self._server_now = server_now
        self._monotonic = monotonic
        self._sleep = sleep
        self._has_stream = has_stream
        self._pending: dict[str, deque[float]] = {}
        self._added = asyncio.Event()
        self._next_start = monotonic()

    def add(self, stream_id: str, time: float | None) -> None:
        """Poll a stream as soon as it is allowed.

        Args:
            stream_id: of the parent stream.
            time: of the event, Unix seconds of the API's clock.
        """
        if not self._has_stream(stream_id):
            return
        if stream_id in self._pending or len(self._pending) >= MAX_PENDING:
            self._telemetry.count(catalogue.HINTS_SAVED)
        else:
            self._pending[stream_id] = deque(maxlen=MAX_TIMES)
        if time is not None and stream_id in self._pending:
            self._pending[stream_id].append(time)
        self._added.set()

    async def run(self) -> None:
        """Poll the streams, one at a time, until this is cancelled."""
        while True:
            await self._added.wait()
            while self._pending:
                await self._poll_next()
            self._added.clear()

    async def _poll_next(self) -> None:
        while (wait := max(self._next_start - self._monotonic(), self._budget.wait_for(MIN_REQUESTS))) > 0:
            await self._sleep(wait)
        stream_id = next(iter(self._pending))
        times = self._pending.pop(stream_id)
        self._next_start = self._monotonic() + MIN_INTERVAL
        if await self._poller.poll_stream(stream_id):
            now = self._server_now()
            for time in times:
                self._telemetry.observe(catalogue.WEBHOOK_LAG, max(0.0, now - time))
