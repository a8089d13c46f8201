"""The whole program on a manual clock: accounts, pollers and requests are real, but a test decides when polls run."""

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.config import Settings
from exporter.metrics.text_format import Format
from exporter.polling.scheduler import Job
from exporter.runtime.app import App
from exporter.runtime.environment import Environment
from exporter.simulator.api import SessionSource, create_app
from exporter.simulator.serve import serving
from tests.support.canary import KEY
from tests.support.clock import ManualClock
from tests.support.harness import Scrape, parse_page
from tests.support.rows import Row

RESOLUTION: Final = 0.001
"""Seconds; a shorter delay would be lost in Unix seconds, and the job would be due again at once, indefinitely."""


@dataclass
class ManualScheduler:
    """A scheduler that runs jobs in the order in which they are due, while a test advances the clock.

    A job that sleeps on the clock delays the following ones.

    Attributes:
        clock: the clock that it advances.
        first_delays: seconds between the last time that each job was added and its first run.
        last_runs: Unix seconds of the last run of each job.
        run_count: number of runs of all jobs.
    """

    clock: ManualClock
    first_delays: dict[str, float] = field(default_factory=dict)
    last_runs: dict[str, float] = field(default_factory=dict)
    run_count: int = 0
    _jobs: dict[str, tuple[Job, float]] = field(default_factory=dict)

    def ticking(self) -> bool:
        return True

    def add(self, name: str, job: Job, interval: float, delay: float = 0.0) -> None:
        self.first_delays[name] = delay
        self._jobs[name] = (job, self.clock.now() + delay)

    async def remove(self, name: str) -> float:
        _, due = self._jobs.pop(name)
        return due - self.clock.now()

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        self._jobs.clear()

    async def run_for(self, seconds: float) -> None:
        """Advance the clock, and run all jobs that become due."""
        end = self.clock.now() + seconds
        while self._jobs:
            name, (job, due) = min(self._jobs.items(), key=lambda each: each[1][1])
            if due > end:
                break
            self._advance_to(due)
            self.last_runs[name] = due
            self.run_count += 1
            self._jobs[name] = (job, due + max(await job.poll(), RESOLUTION))
        self._advance_to(end)

    def _advance_to(self, time: float) -> None:
        self.clock.advance(max(0.0, time - self.clock.now()))


class CachedRows:
    """The sessions of a source, computed once for each time."""

    def __init__(self, source: SessionSource) -> None:
        self._source = source
        self._time: float | None = None
        self._rows: Sequence[Row] = ()

    def rows(self, now: float) -> Sequence[Row]:
        if now != self._time:
            self._time, self._rows = now, self._source.rows(now)
        return self._rows


def by_first_segment(apps: Mapping[str, ASGIApp]) -> ASGIApp:
    """Dispatch requests to one of several applications by the first segment of the path, which is removed."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        _, name, rest = scope["path"].split("/", 2)
        await apps[name]({**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}, receive, send)

    return app


@dataclass(frozen=True, slots=True)
class Fleet:
    """The program and its accounts.

    Attributes:
        app: the program.
        scheduler: its scheduler, which a test runs.
        settings: returns settings with the given accounts; see `apply`.
    """

    app: App
    scheduler: ManualScheduler
    settings: Callable[..., Settings]

    async def apply(self, *accounts: str | dict[str, Any], **others: Any) -> None:
        """Reload with these accounts, each a name or a mapping of its settings."""
        await self.app.apply(self.settings(*accounts, **others))

    def scrape(self) -> Scrape:
        page = b"".join(self.app.page_store.page(Format.TEXT).plain()).decode()
        return parse_page(page, Format.TEXT)

    def accounts(self) -> set[str]:
        """Return the accounts on the metrics page; check that they are on the status page too."""
        names = {labels["account"] for labels, _ in self.scrape().all("up")}
        assert all(name in self.app.render_status_page() for name in names)
        return names


@asynccontextmanager
async def fleet(
    sources: Mapping[str, SessionSource | ASGIApp],
    *accounts: str | dict[str, Any],
    key_file: str,
    clock: ManualClock | None = None,
    **others: Any,
) -> AsyncIterator[Fleet]:
    """Run the program with some accounts.

    Args:
        sources: the sessions or the API of all accounts that may be polled, by name.
        accounts: the accounts at the start, each a name or a mapping of its settings.
        key_file: path of a file that contains `KEY`.
        clock: its clock; by default one that starts at `START`.
        others: further settings.
    """
    clock = clock or ManualClock()
    apis = {
        name: source if callable(source) else create_app(CachedRows(source), key=KEY, now=clock.now)
        for name, source in sources.items()
    }
    async with serving(by_first_segment(apis)) as url:
        origin = url.removesuffix("/api")

        def settings(*names: str | dict[str, Any], **changes: Any) -> Settings:
            entries = [{"name": each} if isinstance(each, str) else each for each in names]
            return Settings(
                accounts=[
                    {"api_key_file": key_file, "base_url": f"{origin}/{quote(each['name'])}/api", **each}
                    for each in entries
                ],
                **(others | changes),
            )

        scheduler = ManualScheduler(clock)
        environment = Environment(
            clock.now, clock.monotonic, random.Random(1).random, lambda _: None, sleep=clock.sleep
        )
        app = App(settings(*accounts), environment, scheduler)
        await app.start()
        try:
            yield Fleet(app, scheduler, settings)
        finally:
            await app.stop()
