"""Runs the poll of each account on its interval, with APScheduler, whatever the wall clock does.

APScheduler 3 schedules by the wall clock: after it steps back by an hour, jobs wait for an hour. So the due time of
each job is also kept by the monotonic clock, and a watchdog reschedules all jobs when the two clocks drift apart.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import msgspec
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from exporter.logs import event

logger = logging.getLogger(__name__)

HEARTBEAT: Final = 1.0
"""Seconds between two heartbeats of the scheduler, and between two checks of the watchdog."""

MAX_SILENCE: Final = 30.0
"""Seconds without a heartbeat after which the scheduler counts as stopped."""

MAX_DRIFT: Final = 1.0
"""Seconds that the wall clock may drift from the monotonic clock between two checks."""


class Job(Protocol):
    """A job that runs on an interval."""

    async def poll(self) -> float:
        """Run once; return the seconds until it is due again. Must not raise."""

    def on_skipped(self) -> None:
        """Handle that the job was due while it was running."""


class Scheduler(Protocol):
    """Runs jobs on their intervals. Tests use one that they advance themselves."""

    def ticking(self) -> bool:
        """Return whether jobs are still run."""

    def add(self, name: str, job: Job, interval: float, delay: float = 0.0) -> None:
        """Add a job; it is first due after ``delay`` seconds."""

    async def remove(self, name: str) -> float:
        """Remove a job and cancel its current run; return the seconds until it would have been due."""

    async def start(self) -> None:
        """Start running jobs."""

    async def stop(self) -> None:
        """Stop running jobs."""


class _Interval(IntervalTrigger):  # type: ignore[misc]  # APScheduler has no types
    """An interval that skips the times it has missed.

    APScheduler's own lists all of them, which after a large step forward takes all time and memory: a machine without
    a battery-backed clock boots in 1970.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds=seconds, timezone=UTC)
        self._step = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        if previous is not None and previous < now:
            previous += (now - previous) // self._step * self._step
        following: datetime | None = super().get_next_fire_time(previous, now)
        return following


class _Entry(msgspec.Struct):
    """A job with its due time in monotonic seconds, and its current run."""

    job: Job
    interval: float
    due: float
    task: asyncio.Task[None] | None = None


class PollScheduler:
    """Runs each job in a task of its own, and never two runs of the same job at once.

    Args:
        now: Unix seconds of the wall clock, which APScheduler uses.
        monotonic: seconds.
        sleep: waits for some seconds.
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
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            # Left out, it would be imported by `start`, which then fails halfway if there is no file descriptor (R11).
            executors={"default": AsyncIOExecutor()},
            job_defaults={"misfire_grace_time": None, "coalesce": True},
        )
        self._entries: dict[str, _Entry] = {}
        self._heartbeat_at = monotonic()
        self._watchdog: asyncio.Task[None] | None = None

    def ticking(self) -> bool:
        """Return whether the scheduler still runs jobs; for ``/livez``."""
        return self._monotonic() - self._heartbeat_at < MAX_SILENCE

    def add(self, name: str, job: Job, interval: float, delay: float = 0.0) -> None:
        """Add a job; it is first due after ``delay`` seconds."""
        entry = self._entries[name] = _Entry(job, interval, self._monotonic() + delay)
        self._scheduler.add_job(
            self._on_due,
            _Interval(interval),
            args=[name],
            id=_job_id(name),
            max_instances=1,
            next_run_time=self._wall_time(entry.due),
        )

    async def remove(self, name: str) -> float:
        """Remove a job and cancel its current run; return the seconds until it would have been due."""
        entry = self._entries.pop(name)
        self._scheduler.remove_job(_job_id(name))
        await _cancel(entry.task)
        return max(0.0, entry.due - self._monotonic())

    async def start(self) -> None:
        """Start running jobs on the current event loop."""
        self._scheduler.add_job(self._on_heartbeat, _Interval(HEARTBEAT), id=_HEARTBEAT_ID)
        self._scheduler.start()
        self._watchdog = asyncio.create_task(self._watch_clocks(), name="clock watchdog")

    async def stop(self) -> None:
        """Stop running jobs; current runs are cancelled and awaited."""
        self._scheduler.pause()
        await asyncio.sleep(0)  # APScheduler would cancel a job that is about to start, and log an error
        self._scheduler.shutdown(wait=False)
        await _cancel(self._watchdog)
        for entry in self._entries.values():
            await _cancel(entry.task)

    async def _on_heartbeat(self) -> None:
        self._heartbeat_at = self._monotonic()

    async def _on_due(self, name: str) -> None:
        # The work is a task of its own, because APScheduler only logs what goes wrong in a job.
        entry = self._entries.get(name)
        if entry is None:
            return
        entry.due = self._monotonic() + entry.interval
        if entry.task is not None and not entry.task.done():
            entry.job.on_skipped()
            return
        entry.task = asyncio.create_task(self._run(name, entry), name=f"poll {name}")

    async def _run(self, name: str, entry: _Entry) -> None:
        started = self._monotonic()
        wait = await entry.job.poll()
        if wait != entry.interval and self._entries.get(name) is entry:
            # A backoff counts from the end of a failed run, the interval from the start of any run.
            entry.due = max(started + entry.interval, self._monotonic() + wait)
            self._reschedule(name, entry)

    def _reschedule(self, name: str, entry: _Entry) -> None:
        self._scheduler.modify_job(_job_id(name), next_run_time=self._wall_time(entry.due))

    def _wall_time(self, due: float) -> datetime:
        ahead = max(0.0, due - self._monotonic())
        return datetime.fromtimestamp(self._now(), UTC) + timedelta(seconds=ahead)

    async def _watch_clocks(self) -> None:
        offset = self._now() - self._monotonic()
        while True:
            await self._sleep(HEARTBEAT)
            step = self._now() - self._monotonic() - offset
            offset += step
            if abs(step) > MAX_DRIFT:
                event(logger, logging.WARNING, "wall clock stepped, jobs rescheduled", seconds=round(step, 1))
                for name, entry in self._entries.items():
                    self._reschedule(name, entry)
                self._scheduler.modify_job(_HEARTBEAT_ID, next_run_time=self._wall_time(self._monotonic()))


_HEARTBEAT_ID: Final = "heartbeat"


def _job_id(name: str) -> str:
    return f"poll {name}"


async def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
