"""When streams are polled: at once, at most one a second and account, and within the budget."""

import asyncio
from collections.abc import Callable

from exporter.metrics.catalogue import PREFIX
from exporter.metrics.instruments import Telemetry
from exporter.polling.hints import MAX_PENDING, HintQueue
from exporter.polling.request_budget import RequestBudget
from tests.support.clock import ManualClock
from tests.support.loop import in_loop


class Polled:
    """Records the polls of streams, each of which takes three requests."""

    def __init__(self, limit: int = 60) -> None:
        self.time = ManualClock()
        self.telemetry = Telemetry("a")
        self.budget = RequestBudget(limit, self.time.monotonic)
        self.polls: list[tuple[str, float]] = []
        self.good = True
        self.queue = HintQueue(
            self,
            self.budget,
            self.telemetry,
            server_now=self.time.now,
            monotonic=self.time.monotonic,
            sleep=self.time.sleep,
            has_stream=lambda stream: stream != "foreign",
        )

    async def poll_stream(self, stream_id: str) -> bool:
        self.polls.append((stream_id, self.time.monotonic() - 1000))
        for _ in range(3):
            self.budget.spend()
        return self.good

    async def run_until(self, condition: Callable[[], bool]) -> None:
        task = asyncio.create_task(self.queue.run())
        while not condition() and not task.done():  # noqa: ASYNC110  # the clock is advanced by the queue
            await asyncio.sleep(0)
        assert condition()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def value(self, name: str) -> float:
        samples = (each for metric in self.telemetry.collect() for each in metric.samples)
        return sum(each.value for each in samples if each.name == PREFIX + name)


@in_loop
async def test_a_stream_is_polled_at_once_and_the_next_a_second_later() -> None:
    polled = Polled()
    for name in ("a", "b", "c"):
        polled.queue.add(name, None)
    await polled.run_until(lambda: len(polled.polls) == 3)
    assert polled.polls == [("a", 0.0), ("b", 1.0), ("c", 2.0)]


@in_loop
async def test_V19_a_flood_of_events_causes_no_more_polls_than_the_budget_allows() -> None:
    polled = Polled(limit=9)
    for number in range(3000):
        polled.queue.add(f"stream-{number % 5}", None)
    await polled.run_until(lambda: len(polled.polls) == 5)
    assert [round(time) for _, time in polled.polls] == [0, 1, 2, 60, 61]
    assert polled.value("exporter_hints_saved_total") == 2995


@in_loop
async def test_the_lag_is_measured_for_each_event_of_a_good_poll_and_never_negative() -> None:
    polled = Polled()
    now = polled.time.now()
    for time in (now - 7, now - 2, now + 100, None):
        polled.queue.add("a", time)
    await polled.run_until(lambda: len(polled.polls) == 1)
    assert polled.value("webhook_lag_seconds_count") == 3
    assert polled.value("webhook_lag_seconds_sum") == 9
    polled.good = False
    polled.queue.add("a", now)
    await polled.run_until(lambda: len(polled.polls) == 2)
    assert polled.value("webhook_lag_seconds_count") == 3


def test_streams_that_are_not_polled_and_too_many_streams_do_not_wait() -> None:
    polled = Polled()
    polled.queue.add("foreign", None)
    for number in range(MAX_PENDING + 7):
        polled.queue.add(f"stream-{number}", 1.0)
    assert polled.value("exporter_hints_saved_total") == 7
