"""The scheduler: on time, never two runs of a job at once, and independent of steps of the wall clock."""

import asyncio
import logging
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import pytest

from exporter.polling.scheduler import MAX_DRIFT, MAX_SILENCE, PollScheduler
from tests.support.clock import ManualClock
from tests.support.loop import in_loop

SHORT = 0.05


class Work:
    """A job that counts its runs, and waits while it is blocked."""

    def __init__(self, wait: float = SHORT) -> None:
        self.wait = wait
        self.started = self.ended = self.skips = self.running = self.max_running = 0
        self.unblocked = asyncio.Event()
        self.unblocked.set()

    async def poll(self) -> float:
        self.started += 1
        self.running += 1
        self.max_running = max(self.max_running, self.running)
        try:
            await self.unblocked.wait()
        finally:
            self.running -= 1
        self.ended += 1
        return self.wait

    def on_skipped(self) -> None:
        self.skips += 1


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; the deadline of the test ends a wait in vain."""
    while not condition():  # noqa: ASYNC110 - no event announces it
        await asyncio.sleep(0.005)


def real_scheduler() -> PollScheduler:
    return PollScheduler(time.time, time.monotonic)


def test_R11_starting_imports_nothing_and_so_needs_no_file_descriptor() -> None:
    program = """
import asyncio, sys, time
from exporter.polling.scheduler import PollScheduler

async def imported_by_start():
    scheduler = PollScheduler(time.time, time.monotonic)
    before = set(sys.modules)
    await scheduler.start()
    print(*sorted(sys.modules.keys() - before))
    await scheduler.stop()

asyncio.run(imported_by_start())
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (finished.stdout, finished.stderr) == ("\n", "")


@in_loop
async def test_a_job_runs_immediately_and_after_every_interval() -> None:
    scheduler, work = real_scheduler(), Work()
    scheduler.add("a", work, SHORT)
    await scheduler.start()
    await until(lambda: work.ended >= 4)
    await scheduler.stop()


@in_loop
async def test_a_job_with_a_delay_waits() -> None:
    scheduler, early, late = real_scheduler(), Work(), Work()
    scheduler.add("early", early, SHORT)
    scheduler.add("late", late, SHORT, delay=3600)
    await scheduler.start()
    await until(lambda: early.ended >= 3)
    assert late.started == 0
    await scheduler.stop()


@in_loop
async def test_R02_a_job_longer_than_its_interval_never_overlaps_and_skips_are_reported() -> None:
    scheduler, work = real_scheduler(), Work()
    work.unblocked.clear()
    scheduler.add("a", work, SHORT)
    await scheduler.start()
    await until(lambda: work.skips >= 3)
    assert (work.started, work.max_running) == (1, 1)
    work.unblocked.set()
    await until(lambda: work.ended >= 3)
    assert work.max_running == 1
    await scheduler.stop()


@in_loop
async def test_a_job_that_returns_a_longer_wait_is_delayed() -> None:
    scheduler, work, other = real_scheduler(), Work(wait=3600.0), Work()
    scheduler.add("a", work, SHORT)
    scheduler.add("b", other, SHORT)
    await scheduler.start()
    await until(lambda: other.ended >= 5)
    assert work.started == 1
    await scheduler.stop()


@in_loop
async def test_a_job_can_be_added_to_a_running_scheduler() -> None:
    scheduler, work = real_scheduler(), Work()
    await scheduler.start()
    scheduler.add("a", work, SHORT)
    await until(lambda: work.ended >= 2)
    await scheduler.stop()


@in_loop
async def test_a_removed_job_is_cancelled_and_awaited() -> None:
    scheduler, work, other = real_scheduler(), Work(), Work()
    work.unblocked.clear()
    scheduler.add("a", work, SHORT)
    scheduler.add("b", other, SHORT)
    await scheduler.start()
    await until(lambda: work.started == 1)
    await scheduler.remove("a")
    assert (work.running, work.ended) == (0, 0)
    before = other.ended
    await until(lambda: other.ended >= before + 3)
    assert work.started == 1
    await scheduler.stop()


@in_loop
async def test_R04_removing_a_job_returns_when_it_would_have_been_due() -> None:
    scheduler, waiting, done = real_scheduler(), Work(), Work(wait=3600.0)
    scheduler.add("waiting", waiting, SHORT, delay=600)
    scheduler.add("done", done, SHORT)
    await scheduler.start()
    await until(lambda: done.ended == 1)
    await asyncio.sleep(0)
    assert 500 < await scheduler.remove("waiting") <= 600
    assert 3500 < await scheduler.remove("done") <= 3600
    await scheduler.stop()


@in_loop
async def test_a_removed_job_can_be_replaced_under_its_name() -> None:
    scheduler, first, second = real_scheduler(), Work(), Work()
    scheduler.add("a", first, SHORT)
    await scheduler.start()
    await until(lambda: first.ended >= 1)
    await scheduler.remove("a")
    scheduler.add("a", second, SHORT)
    await until(lambda: second.ended >= 2)
    assert first.started == first.ended
    await scheduler.stop()


@pytest.mark.parametrize("turns", range(8))
@in_loop
async def test_R03_stopping_at_any_moment_of_a_run_is_no_error(turns: int, caplog: pytest.LogCaptureFixture) -> None:
    scheduler, work = real_scheduler(), Work()
    scheduler.add("a", work, SHORT)
    await scheduler.start()
    for _ in range(turns):
        await asyncio.sleep(0)
    await scheduler.stop()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@in_loop
async def test_stopping_cancels_running_jobs_and_leaves_no_task() -> None:
    scheduler, work = real_scheduler(), Work()
    work.unblocked.clear()
    scheduler.add("a", work, SHORT)
    await scheduler.start()
    await until(lambda: work.started == 1)
    await scheduler.stop()
    assert (work.running, work.ended) == (0, 0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


class Watch:
    """A wall clock that can be set; the watchdog checks it all the time."""

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead

    def now(self) -> float:
        return time.time() + self.ahead

    @staticmethod
    async def sleep(_: float) -> None:
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("step", [-3600.0, 3600.0, 50 * 365 * 86_400.0], ids=["hour back", "hour on", "50 years on"])
def test_R01_a_step_of_the_wall_clock_reschedules_all_jobs(step: float, caplog: pytest.LogCaptureFixture) -> None:
    def warnings() -> list[logging.LogRecord]:
        return [each for each in caplog.records if each.name == "exporter.polling.scheduler"]

    # APScheduler uses the real wall clock. A job scheduled while ours was an hour ahead of it waits for an hour,
    # as after a step back; one planned while ours was an hour behind runs early, as after a step forward.
    @in_loop
    async def scenario() -> None:
        watch, work = Watch(-step), Work()
        scheduler = PollScheduler(watch.now, time.monotonic, watch.sleep)
        scheduler.add("a", work, SHORT)
        await scheduler.start()
        if step > 0:
            await until(lambda: bool(work.started))
        else:
            await asyncio.sleep(5 * SHORT)
            assert not work.started
        watch.ahead = 0
        await until(lambda: bool(warnings()))
        before = work.ended
        await until(lambda: work.ended >= before + 3)
        await scheduler.stop()

    with caplog.at_level(logging.WARNING, "exporter"):
        scenario()
    assert [each.getMessage() for each in warnings()] == ["wall clock stepped, jobs rescheduled"]
    assert abs(getattr(warnings()[0], "fields", {})["seconds"] - step) < 5


@in_loop
async def test_a_slow_drift_of_the_wall_clock_is_not_a_step(caplog: pytest.LogCaptureFixture) -> None:
    work, checks = Work(), 0

    async def sleep(seconds: float) -> None:
        nonlocal checks
        checks += 1
        await Watch.sleep(seconds)

    # One clock for both times, since a process can be suspended between two readings of different clocks.
    start = time.time()
    scheduler = PollScheduler(lambda: start + MAX_DRIFT * 0.9 * checks, lambda: 0.0, sleep)
    scheduler.add("a", work, 3600.0)
    await scheduler.start()
    await until(lambda: checks >= 20 and work.ended == 1)
    assert work.started == 1
    assert not [each for each in caplog.records if each.name == "exporter.polling.scheduler"]
    await scheduler.stop()


@in_loop
async def test_R13_the_scheduler_is_ticking_until_its_heartbeat_stops_for_a_while() -> None:
    fake = ManualClock()
    sleep: Callable[[float], Awaitable[None]] = Watch.sleep
    scheduler = PollScheduler(time.time, fake.monotonic, sleep)
    assert scheduler.ticking()
    fake.advance(MAX_SILENCE - 0.1)
    assert scheduler.ticking()
    fake.advance(0.1)
    assert not scheduler.ticking()
    await scheduler.start()  # a heartbeat within a second
    await until(scheduler.ticking)
    await scheduler.stop()
    fake.advance(MAX_SILENCE)
    assert not scheduler.ticking()
