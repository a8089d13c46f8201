"""When streams are polled: at once, at most one a second and account, and within the budget."""

import asyncio
from collections.abc import Callable

from exporter.metrics.catalogue import PREFIX
from exporter.metrics.instruments import Telemetry
from exporter.polling.hints import MAX_EVENTS, MAX_PENDING, HintQueue, StreamPollOutcome
from exporter.polling.request_budget import RequestBudget
from tests.support.clock import ManualClock
from tests.support.loop import in_loop

SHOWN, UNUSED, UNFINISHED = StreamPollOutcome


class Polled:
    """Records the polls of streams, each of which takes three requests and no time."""

    def __init__(self, limit: int = 60) -> None:
        self.time = ManualClock()
        self.telemetry = Telemetry("a")
        self.budget = RequestBudget(limit, self.time.monotonic)
        self.polls: list[tuple[str, float]] = []
        self.outcome = SHOWN
        self.during: Callable[[], None] = lambda: None
        self.may_poll = asyncio.Event()
        self.may_poll.set()
        self.queue = self.create_queue()

    def create_queue(self) -> HintQueue:
        return HintQueue(
            self.budget,
            self.telemetry,
            server_now=self.time.now,
            monotonic=self.time.monotonic,
            sleep=self.time.sleep,
            has_stream=lambda stream: stream != "foreign",
        )

    async def wait_for_streams(self) -> None:
        await self.may_poll.wait()

    async def poll_stream(self, stream_id: str) -> StreamPollOutcome:
        self.polls.append((stream_id, self.time.monotonic() - 1000))
        for _ in range(3):
            self.budget.spend()
        self.during()
        await asyncio.sleep(0)
        return self.outcome

    async def run_until(self, condition: Callable[[], bool]) -> None:
        task = asyncio.create_task(self.queue.run(self))
        while not condition() and not task.done():  # noqa: ASYNC110  # the clock is advanced by the queue
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert condition()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def run(self, polls: int) -> None:
        await self.run_until(lambda: len(self.polls) == polls)

    def account_polled(self, began: float | None = None, *, with_recordings: bool = True) -> None:
        now = self.time.monotonic()
        self.queue.on_account_polled(now if began is None else began, with_recordings=with_recordings)

    def value(self, name: str) -> float:
        samples = (each for metric in self.telemetry.collect() for each in metric.samples)
        return sum(each.value for each in samples if each.name == PREFIX + name)

    @property
    def saved(self) -> float:
        return self.value("exporter_hints_saved_total")

    @property
    def lags(self) -> tuple[float, float]:
        """The number of lags, and their sum."""
        return self.value("webhook_lag_seconds_count"), self.value("webhook_lag_seconds_sum")


@in_loop
async def test_a_stream_is_polled_at_once_and_the_next_a_second_later() -> None:
    polled = Polled()
    for name in ("a", "b", "c"):
        polled.queue.add(name, None)
    await polled.run(3)
    assert polled.polls == [("a", 0.0), ("b", 1.0), ("c", 2.0)]
    assert polled.saved == 0


@in_loop
async def test_V19_a_flood_of_events_causes_no_more_polls_than_the_budget_allows() -> None:
    polled = Polled(limit=9)
    for number in range(3000):
        polled.queue.add(f"stream-{number % 5}", None)
    await polled.run(5)
    assert [round(time) for _, time in polled.polls] == [0, 1, 2, 60, 61]
    assert polled.saved == 2995


@in_loop
async def test_an_event_during_the_poll_of_its_stream_causes_another_poll() -> None:
    polled = Polled()
    polled.during = lambda: polled.queue.add("a", None) if len(polled.polls) == 1 else None
    polled.queue.add("a", None)
    await polled.run(2)
    assert polled.polls == [("a", 0.0), ("a", 1.0)]
    assert polled.saved == 0


@in_loop
async def test_the_lag_is_measured_for_each_event_of_a_good_poll_and_never_negative() -> None:
    polled = Polled()
    now = polled.time.now()
    for time in (now - 7, now - 2, now + 100, None):
        polled.queue.add("a", time)
    await polled.run(1)
    assert polled.lags == (3, 9)


@in_loop
async def test_the_lag_of_an_event_whose_poll_is_not_used_lasts_until_the_next_poll_of_the_account() -> None:
    polled = Polled()
    polled.outcome = UNUSED
    polled.queue.add("a", polled.time.now())
    await polled.run(1)
    polled.account_polled(polled.time.monotonic() - 1)  # it began before the event
    assert polled.lags == (0, 0)
    polled.time.advance(20)
    polled.account_polled()
    polled.account_polled()
    assert polled.lags == (1, 20)
    assert polled.saved == 0  # it was polled


@in_loop
async def test_a_stream_that_a_poll_of_the_account_has_read_since_is_not_polled() -> None:
    polled = Polled()
    for name in ("a", "b"):
        polled.queue.add(name, polled.time.now())
    polled.time.advance(10)
    began = polled.time.monotonic()
    polled.time.advance(1)
    polled.queue.add("b", polled.time.now())  # coalesced, but the poll that runs may not show it
    polled.time.advance(1)
    polled.account_polled(began)
    assert polled.lags == (2, 24)
    assert polled.saved == 2  # the first event of b, and the poll of a
    await polled.run(1)
    assert [name for name, _ in polled.polls] == ["b"]
    assert polled.lags == (3, 25)


@in_loop
async def test_an_event_of_a_recording_waits_for_a_poll_that_requests_recordings() -> None:
    polled = Polled()
    for name in ("a", "b"):
        polled.queue.add(name, None, of_recording=True)
    polled.queue.add("c", None)
    polled.account_polled(with_recordings=False)
    assert polled.saved == 1
    await polled.run(1)
    polled.account_polled()
    assert polled.saved == 2
    assert [name for name, _ in polled.polls] == ["a"]


@in_loop
async def test_streams_wait_until_they_may_be_polled() -> None:
    polled = Polled()
    polled.may_poll.clear()
    polled.queue.add("a", None)
    polled.queue.add("b", None)
    task = asyncio.create_task(polled.queue.run(polled))
    for _ in range(10):
        await asyncio.sleep(0)
    assert polled.polls == []
    polled.queue.on_account_polled(polled.time.monotonic(), with_recordings=True)
    polled.may_poll.set()
    polled.queue.add("c", None)
    while not polled.polls:  # noqa: ASYNC110
        await asyncio.sleep(0)
    task.cancel()
    assert [name for name, _ in polled.polls] == ["c"]


@in_loop
async def test_a_stream_whose_poll_did_not_finish_is_polled_again_unless_the_account_was() -> None:
    polled = Polled()
    polled.outcome = UNFINISHED
    polled.queue.add("a", polled.time.now())
    await polled.run(1)
    polled.outcome = SHOWN
    await polled.run(2)
    assert polled.lags == (1, 1)
    polled.outcome = UNFINISHED
    polled.queue.add("b", None)
    await polled.run(3)
    polled.account_polled()
    assert polled.saved == 1
    polled.queue.add("c", None)
    await polled.run(4)
    assert [name for name, _ in polled.polls] == ["a", "a", "b", "c"]


@in_loop
async def test_a_queue_continues_another_one() -> None:
    polled = Polled()
    polled.outcome = UNUSED
    polled.queue.add("left", polled.time.now())
    await polled.run(1)
    polled.outcome = SHOWN
    polled.queue.add("a", polled.time.now())
    previous, polled.queue = polled.queue, polled.create_queue()
    polled.queue.inherit(previous)
    polled.time.advance(0.25)
    await polled.run(2)
    assert polled.polls == [("left", 0.0), ("a", 1.0)]  # still one a second
    polled.account_polled()
    assert polled.lags == (2, 2)


@in_loop
async def test_a_poll_that_is_cancelled_leaves_its_stream_to_the_following_queue() -> None:
    polled = Polled()
    polled.queue.add("a", None)
    task = asyncio.create_task(polled.queue.run(polled))
    while not polled.polls:  # noqa: ASYNC110
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    previous, polled.queue = polled.queue, polled.create_queue()
    polled.queue.inherit(previous)
    await polled.run(2)
    assert polled.polls == [("a", 0.0), ("a", 1.0)]


@in_loop
async def test_streams_that_are_not_polled_and_too_many_streams_do_not_wait() -> None:
    polled = Polled()
    polled.queue.add("foreign", None)
    for number in range(MAX_PENDING + 7):
        polled.queue.add(f"stream-{number}", polled.time.now())
    assert polled.saved == 7
    polled.account_polled()
    assert polled.saved == 7 + MAX_PENDING
    assert polled.lags[0] == MAX_PENDING + 7  # the lag of the further ones is measured too


@in_loop
async def test_the_events_of_a_stream_are_bounded_and_the_last_one_counts() -> None:
    polled = Polled()
    for _ in range(MAX_EVENTS + 5):
        polled.queue.add("a", polled.time.now())
    polled.time.advance(1)
    polled.queue.add("a", polled.time.now())
    polled.account_polled(polled.time.monotonic() - 0.5)
    assert polled.lags[0] == MAX_EVENTS - 1
    await polled.run(1)
    assert polled.lags[0] == MAX_EVENTS
