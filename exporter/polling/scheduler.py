"""Polls every account on time; the only module that imports APScheduler, and it survives wall-clock jumps.

APScheduler 3 plans by the wall clock: after a step back of an hour its jobs wait for an hour. So each account's due
time is kept by the monotonic clock as well, and a watchdog plans the jobs anew when the two clocks drift apart.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from exporter.logs import event

logger = logging.getLogger(__name__)

HEARTBEAT: Final = 1.0
"""Seconds between the scheduler's own ticks, and between two looks of the watchdog."""

PATIENCE: Final = 30.0
"""Seconds without a tick after which the clock counts as stopped."""

STEP: Final = 1.0
"""Seconds that the wall clock may move against the monotonic one between two looks."""


class Job(Protocol):
    """Something that is done again and again."""

    async def poll(self) -> float:
        """Do it once, and answer after how many seconds it is due again. Must not raise."""

    def on_skipped(self) -> None:
        """It was due while it was still being done."""


class Schedule(Protocol):
    """Does jobs on their intervals; ``Clock`` is the one for real life, a test may turn one by hand."""

    def ticking(self) -> bool:
        """Whether jobs still run."""

    def add(self, name: str, job: Job, interval: float, delay: float = 0.0) -> None:
        """Take a job in; it is done for the first time after ``delay`` seconds."""

    async def remove(self, name: str) -> float:
        """Let a job go, stop what it is doing, and answer in how many seconds it would have been due."""

    async def start(self) -> None:
        """Begin to run jobs."""

    async def stop(self) -> None:
        """Run nothing any more."""


class _Every(IntervalTrigger):  # type: ignore[misc]  # APScheduler has no types
    """An interval that leaves out the times it has missed.

    APScheduler lists them all, which after a step forward takes all the time and memory there is: a machine without a
    battery wakes up in 1970.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds=seconds, timezone=UTC)
        self._step = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        if previous is not None and previous < now:
            previous += (now - previous) // self._step * self._step
        following: datetime | None = super().get_next_fire_time(previous, now)
        return following


@dataclass(slots=True)
class _Turn:
    job: Job
    interval: float
    due: float
    task: asyncio.Task[None] | None = None


class Clock:
    """Runs jobs on their intervals, one task to a job, never two of the same at once.

    Args:
        now: Unix seconds of the wall clock that APScheduler goes by.
        monotonic: seconds.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._now = now
        self._monotonic = monotonic
        self._sleep = sleep
        self._scheduler = AsyncIOScheduler(timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True})
        self._turns: dict[str, _Turn] = {}
        self._beat = monotonic()
        self._watchdog: asyncio.Task[None] | None = None

    def ticking(self) -> bool:
        """Whether the scheduler still runs jobs; for ``/livez``."""
        return self._monotonic() - self._beat < PATIENCE

    def add(self, name: str, job: Job, interval: float, delay: float = 0.0) -> None:
        """Take a job in; it is done for the first time after ``delay`` seconds."""
        self._turns[name] = _Turn(job, interval, self._monotonic() + delay)
        self._scheduler.add_job(
            self._tick,
            _Every(interval),
            args=[name],
            id=_job_id(name),
            max_instances=1,
            next_run_time=self._moment(self._turns[name].due),
        )

    async def remove(self, name: str) -> float:
        """Let a job go, stop what it is doing, and answer in how many seconds it would have been due."""
        turn = self._turns.pop(name)
        self._scheduler.remove_job(_job_id(name))
        await _cancelled(turn.task)
        return max(0.0, turn.due - self._monotonic())

    async def start(self) -> None:
        """Begin to run jobs on the running event loop."""
        self._scheduler.add_job(self._heartbeat, _Every(HEARTBEAT), id=_HEARTBEAT_ID)
        self._scheduler.start()
        self._watchdog = asyncio.create_task(self._watch(), name="clock watchdog")

    async def stop(self) -> None:
        """Run nothing any more; what is under way is cancelled and awaited."""
        self._scheduler.pause()
        await asyncio.sleep(0)  # APScheduler would cancel a tick that is about to begin, and log an error
        self._scheduler.shutdown(wait=False)
        await _cancelled(self._watchdog)
        for turn in self._turns.values():
            await _cancelled(turn.task)

    async def _heartbeat(self) -> None:
        self._beat = self._monotonic()

    async def _tick(self, name: str) -> None:
        # A job of APScheduler's must be short: it would log what goes wrong in it, and nothing more.
        turn = self._turns.get(name)
        if turn is None:
            return
        turn.due = self._monotonic() + turn.interval
        if turn.task is not None and not turn.task.done():
            turn.job.on_skipped()
            return
        turn.task = asyncio.create_task(self._run(name, turn), name=f"poll {name}")

    async def _run(self, name: str, turn: _Turn) -> None:
        began = self._monotonic()
        wait = await turn.job.poll()
        if wait != turn.interval and self._turns.get(name) is turn:
            # A wait counts from the end of a poll that failed; the interval from the start of one that did not.
            turn.due = max(began + turn.interval, self._monotonic() + wait)
            self._plan(name, turn)

    def _plan(self, name: str, turn: _Turn) -> None:
        self._scheduler.modify_job(_job_id(name), next_run_time=self._moment(turn.due))

    def _moment(self, due: float) -> datetime:
        ahead = max(0.0, due - self._monotonic())
        return datetime.fromtimestamp(self._now(), UTC) + timedelta(seconds=ahead)

    async def _watch(self) -> None:
        drift = self._now() - self._monotonic()
        while True:
            await self._sleep(HEARTBEAT)
            moved = self._now() - self._monotonic() - drift
            drift += moved
            if abs(moved) > STEP:
                event(logger, logging.WARNING, "the wall clock stepped, planning anew", seconds=round(moved, 1))
                for name, turn in self._turns.items():
                    self._plan(name, turn)
                self._scheduler.modify_job(_HEARTBEAT_ID, next_run_time=self._moment(self._monotonic()))


_HEARTBEAT_ID: Final = "heartbeat"


def _job_id(name: str) -> str:
    return f"poll {name}"


async def _cancelled(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
