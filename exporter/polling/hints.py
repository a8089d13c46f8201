"""Which streams of an account are polled because of an event, and when."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from enum import Enum, auto
from typing import Final, NamedTuple, Protocol

from exporter.metrics import catalogue
from exporter.metrics.instruments import Telemetry
from exporter.polling.request_budget import RequestBudget

MIN_INTERVAL: Final = 1.0
"""Seconds from the start of one poll of a stream to the start of the next, of any stream of the account."""

MIN_REQUESTS: Final = 3
"""Requests of a poll of a stream: seen, pending and recorded sessions, a page each."""

MAX_PENDING: Final = 1000
"""Streams that wait for a poll; further ones are left to the next poll of the account."""

MAX_EVENTS: Final = 100
"""Events of a waiting stream whose lag is measured."""


class StreamPollOutcome(Enum):
    """What became of a poll of a stream."""

    SHOWN = auto()
    UNUSED = auto()  # the next poll of the account shows what it found
    UNFINISHED = auto()  # it failed, or a poll of the account has ended it


class StreamPoller(Protocol):
    """Polls single streams; never raises."""

    async def wait_for_streams(self) -> None:
        """Wait until a stream may be polled."""

    async def poll_stream(self, stream_id: str) -> StreamPollOutcome:
        """Poll a stream."""


class _Event(NamedTuple):
    """An event that is not on the page yet.

    Attributes:
        received: monotonic seconds.
        time: of the event, Unix seconds of the API's clock; None if it is unknown.
        of_recording: whether only a poll that requests recordings shows it.
    """

    received: float
    time: float | None
    of_recording: bool


class HintQueue:
    """The streams of one account that have changed. Several events of a stream before its poll cause one poll.

    Args:
        budget: of requests.
        telemetry: the account's instruments.
        server_now: Unix seconds of the API's clock.
        monotonic: seconds.
        sleep: waits for some seconds.
        has_stream: whether a stream is polled at all.
    """

    def __init__(
        self,
        budget: RequestBudget,
        telemetry: Telemetry,
        *,
        server_now: Callable[[], float],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        has_stream: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._budget = budget
        self._telemetry = telemetry
        self._server_now = server_now
        self._monotonic = monotonic
        self._sleep = sleep
        self._has_stream = has_stream
        self._pending: dict[str, deque[_Event]] = {}
        self._left: deque[_Event] = deque(maxlen=MAX_PENDING)  # to the next poll of the account
        self._added = asyncio.Event()
        self._next_start = monotonic()

    def inherit(self, other: "HintQueue") -> None:
        """Continue from the queue of the same account with other settings."""
        self._left.extend(other._left)
        self._next_start = other._next_start
        for stream_id, events in other._pending.items():
            if self._has_stream(stream_id):
                self._keep(stream_id, events)

    def add(self, stream_id: str, time: float | None, *, of_recording: bool = False) -> None:
        """Poll a stream as soon as it is allowed.

        Args:
            stream_id: of the parent stream.
            time: of the event, Unix seconds of the API's clock; None if its lag is not measured.
            of_recording: whether only a poll that requests recordings shows it.
        """
        if not self._has_stream(stream_id):
            return
        event = _Event(self._monotonic(), time, of_recording)
        if stream_id in self._pending or len(self._pending) >= MAX_PENDING:
            self._telemetry.count(catalogue.HINTS_SAVED)
        if stream_id in self._pending or len(self._pending) < MAX_PENDING:
            self._pending.setdefault(stream_id, deque(maxlen=MAX_EVENTS)).append(event)
            self._added.set()
        else:
            self._left.append(event)

    def on_account_polled(self, began: float, *, with_recordings: bool) -> None:
        """Drop the events that a poll of the account shows.

        Args:
            began: monotonic seconds when the poll began.
            with_recordings: whether it has requested the recordings before the session window.
        """

        def is_shown(event: _Event) -> bool:
            return event.received <= began and (with_recordings or not event.of_recording)

        self._observe(filter(is_shown, self._left))
        self._left = deque((event for event in self._left if not is_shown(event)), MAX_PENDING)
        for stream_id, events in list(self._pending.items()):
            self._observe(filter(is_shown, events))
            others = [event for event in events if not is_shown(event)]
            if others:
                self._pending[stream_id] = deque(others, MAX_EVENTS)
            else:
                del self._pending[stream_id]
                self._telemetry.count(catalogue.HINTS_SAVED)

    async def run(self, poller: StreamPoller) -> None:
        """Poll the streams, one at a time, until this is cancelled."""
        while True:
            await self._added.wait()
            while self._pending:
                await self._poll_next(poller)
            self._added.clear()

    async def _poll_next(self, poller: StreamPoller) -> None:
        while (wait := max(self._next_start - self._monotonic(), self._budget.wait_for(MIN_REQUESTS))) > 0:
            await self._sleep(wait)
        await poller.wait_for_streams()
        if not self._pending:
            return
        stream_id = next(iter(self._pending))
        events = self._pending.pop(stream_id)
        self._next_start = self._monotonic() + MIN_INTERVAL
        outcome = StreamPollOutcome.UNFINISHED
        try:
            outcome = await poller.poll_stream(stream_id)
        finally:
            if outcome is StreamPollOutcome.UNFINISHED:
                self._keep(stream_id, events)
        if outcome is StreamPollOutcome.SHOWN:
            self._observe(events)
        elif outcome is StreamPollOutcome.UNUSED:
            self._left.extend(events)

    def _keep(self, stream_id: str, events: Iterable[_Event]) -> None:
        """Let a stream wait for a poll, with events that precede those it waits with already."""
        self._pending[stream_id] = deque((*events, *self._pending.get(stream_id, ())), MAX_EVENTS)
        self._added.set()

    def _observe(self, events: Iterable[_Event]) -> None:
        now = self._server_now()
        for event in events:
            if event.time is not None:
                self._telemetry.observe(catalogue.WEBHOOK_LAG, max(0.0, now - event.time))
