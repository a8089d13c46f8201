"""The clock: on time, never two of a kind, and not to be put off by the wall clock."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import pytest

from exporter.polling.scheduler import PATIENCE, Clock
from tests.support.harness import Time
from tests.support.loop import in_loop

SHORT = 0.05


class Work:
    """A job that counts, and waits while it is held up."""

    def __init__(self, wait: float = SHORT) -> None:
        self.wait = wait
        self.begun = self.ended = self.skips = self.at_once = self.most_at_once = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def poll(self) -> float:
        self.begun += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.go_on.wait()
        finally:
            self.at_once -= 1
        self.ended += 1
        return self.wait

    def on_skipped(self) -> None:
        self.skips += 1


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; a test's own deadline ends a wait in vain."""
    while not condition():  # noqa: ASYNC110 - it becomes so without an event
        await asyncio.sleep(0.005)


def real_clock() -> Clock:
    return Clock(time.time, time.monotonic)


@in_loop
async def test_a_job_is_done_at_once_and_again_after_every_interval() -> None:
    clock, work = real_clock(), Work()
    clock.add("a", work, SHORT)
    await clock.start()
    await until(lambda: work.ended >= 4)
    await clock.stop()


@in_loop
async def test_a_job_waits_for_its_first_turn() -> None:
    clock, early, late = real_clock(), Work(), Work()
    clock.add("early", early, SHORT)
    clock.add("late", late, SHORT, delay=3600)
    await clock.start()
    await until(lambda: early.ended >= 3)
    assert late.begun == 0
    await clock.stop()


@in_loop
async def test_R02_a_job_that_takes_longer_than_its_interval_never_overlaps_and_skips_are_told() -> None:
    clock, work = real_clock(), Work()
    work.go_on.clear()
    clock.add("a", work, SHORT)
    await clock.start()
    await until(lambda: work.skips >= 3)
    assert (work.begun, work.most_at_once) == (1, 1)
    work.go_on.set()
    await until(lambda: work.ended >= 3)
    assert work.most_at_once == 1
    await clock.stop()


@in_loop
async def test_a_job_that_asks_for_a_longer_wait_gets_it() -> None:
    clock, work, other = real_clock(), Work(wait=3600.0), Work()
    clock.add("a", work, SHORT)
    clock.add("b", other, SHORT)
    await clock.start()
    await until(lambda: other.ended >= 5)
    assert work.begun == 1
    await clock.stop()


@in_loop
async def test_a_job_can_be_added_while_the_clock_runs() -> None:
    clock, work = real_clock(), Work()
    await clock.start()
    clock.add("a", work, SHORT)
    await until(lambda: work.ended >= 2)
    await clock.stop()


@in_loop
async def test_a_job_that_is_removed_is_cancelled_and_awaited() -> None:
    clock, work, other = real_clock(), Work(), Work()
    work.go_on.clear()
    clock.add("a", work, SHORT)
    clock.add("b", other, SHORT)
    await clock.start()
    await until(lambda: work.begun == 1)
    await clock.remove("a")
    assert (work.at_once, work.ended) == (0, 0)
    before = other.ended
    await until(lambda: other.ended >= before + 3)
    assert work.begun == 1
    await clock.stop()


@in_loop
async def test_R04_a_job_that_is_removed_tells_when_it_would_have_been_due() -> None:
    clock, waiting, done = real_clock(), Work(), Work(wait=3600.0)
    clock.add("waiting", waiting, SHORT, delay=600)
    clock.add("done", done, SHORT)
    await clock.start()
    await until(lambda: done.ended == 1)
    await asyncio.sleep(0)
    assert 500 < await clock.remove("waiting") <= 600
    assert 3500 < await clock.remove("done") <= 3600
    await clock.stop()


@in_loop
async def test_a_job_can_come_back_under_its_name() -> None:
    clock, first, second = real_clock(), Work(), Work()
    clock.add("a", first, SHORT)
    await clock.start()
    await until(lambda: first.ended >= 1)
    await clock.remove("a")
    clock.add("a", second, SHORT)
    await until(lambda: second.ended >= 2)
    assert first.begun == first.ended
    await clock.stop()


@pytest.mark.parametrize("turns", range(8))
@in_loop
async def test_R03_stopping_at_any_moment_of_a_tick_is_no_error(turns: int, caplog: pytest.LogCaptureFixture) -> None:
    clock, work = real_clock(), Work()
    clock.add("a", work, SHORT)
    await clock.start()
    for _ in range(turns):
        await asyncio.sleep(0)
    await clock.stop()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@in_loop
async def test_stopping_cancels_what_is_under_way_and_leaves_no_task_behind() -> None:
    clock, work = real_clock(), Work()
    work.go_on.clear()
    clock.add("a", work, SHORT)
    await clock.start()
    await until(lambda: work.begun == 1)
    await clock.stop()
    assert (work.at_once, work.ended) == (0, 0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


class Watch:
    """A wall clock that can be set, beside a monotonic one that cannot; the watchdog looks all the time."""

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead

    def now(self) -> float:
        return time.time() + self.ahead

    @staticmethod
    async def sleep(_: float) -> None:
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("step", [-3600.0, 3600.0, 50 * 365 * 86_400.0], ids=["hour back", "hour on", "50 years on"])
def test_R01_a_step_of_the_wall_clock_makes_it_plan_anew(step: float, caplog: pytest.LogCaptureFixture) -> None:
    def warnings() -> list[logging.LogRecord]:
        return [each for each in caplog.records if each.name == "exporter.polling.scheduler"]

    # APScheduler goes by the real wall clock. A job planned while ours was an hour ahead of it waits for an hour,
    # as after a step back; one planned while ours was an hour behind runs early, as after a step forward.
    @in_loop
    async def scenario() -> None:
        watch, work = Watch(-step), Work()
        clock = Clock(watch.now, time.monotonic, watch.sleep)
        clock.add("a", work, SHORT)
        await clock.start()
        await asyncio.sleep(5 * SHORT)
        assert bool(work.begun) is (step > 0)
        watch.ahead = 0
        await until(lambda: bool(warnings()))
        before = work.ended
        await until(lambda: work.ended >= before + 3)
        await clock.stop()

    with caplog.at_level(logging.WARNING, "exporter"):
        scenario()
    assert [each.getMessage() for each in warnings()] == ["the wall clock stepped, planning anew"]
    assert abs(getattr(warnings()[0], "fields", {})["seconds"] - step) < 5


@in_loop
async def test_a_slow_drift_of_the_wall_clock_is_no_step(caplog: pytest.LogCaptureFixture) -> None:
    watch, work = Watch(0), Work()

    def now() -> float:
        watch.ahead += 0.001
        return watch.now()

    clock = Clock(now, time.monotonic, watch.sleep)
    clock.add("a", work, 3600.0)
    await clock.start()
    await until(lambda: work.ended == 1)
    await asyncio.sleep(5 * SHORT)
    assert work.begun == 1
    assert not [each for each in caplog.records if each.name == "exporter.polling.scheduler"]
    await clock.stop()


@in_loop
async def test_R13_the_clock_counts_as_ticking_until_its_heart_has_not_beaten_for_a_while() -> None:
    fake = Time()
    sleep: Callable[[float], Awaitable[None]] = Watch.sleep
    clock = Clock(time.time, fake.monotonic, sleep)
    assert clock.ticking()
    fake.advance(PATIENCE - 0.1)
    assert clock.ticking()
    fake.advance(0.1)
    assert not clock.ticking()
    await clock.start()  # the heart beats within a second
    await until(clock.ticking)
    await clock.stop()
    fake.advance(PATIENCE)
    assert not clock.ticking()
