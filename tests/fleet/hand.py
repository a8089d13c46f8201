"""The whole program, turned by hand: real accounts, pollers and requests, but time moves only when a test says so."""

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.config import Settings
from exporter.metrics.text_format import Format
from exporter.polling.scheduler import Job
from exporter.runtime.app import App
from exporter.runtime.environment import Environment
from exporter.simulator.api import SessionSource, create_app
from exporter.simulator.serve import serving
from tests.support.canary import KEY
from tests.support.harness import Scrape, Time, parse_all
from tests.support.rows import Row


@dataclass
class Hand:
    """A schedule that does its jobs when it is told to, in the order in which they are due.

    Attributes:
        time: what it moves.
        delays: after how many seconds each job was to be done for the first time, when it was taken in last.
        polled: when each job was done last, Unix seconds.
        polls: how often any was done.
    """

    time: Time
    delays: dict[str, float] = field(default_factory=dict)
    polled: dict[str, float] = field(default_factory=dict)
    polls: int = 0
    _jobs: dict[str, tuple[Job, float]] = field(default_factory=dict)

    def ticking(self) -> bool:
        return True

    def add(self, name: str, job: Job, interval: float, delay: float = 0.0) -> None:
        self.delays[name] = delay
        self._jobs[name] = (job, self.time.now() + delay)

    async def remove(self, name: str) -> float:
        _, due = self._jobs.pop(name)
        return due - self.time.now()

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        self._jobs.clear()

    async def turn(self, seconds: float) -> None:
        """Let so much time pass, and do all that is due in it."""
        end = self.time.now() + seconds
        while self._jobs:
            name, (job, due) = min(self._jobs.items(), key=lambda each: each[1][1])
            if due > end:
                break
            self.time.advance(due - self.time.now())
            self.polled[name] = due
            self.polls += 1
            self._jobs[name] = (job, due + await job.poll())
        self.time.advance(end - self.time.now())


class Still:
    """An account whose rows are worked out once for each moment, however often they are asked for."""

    def __init__(self, source: SessionSource) -> None:
        self._source = source
        self._at: float | None = None
        self._rows: Sequence[Row] = ()

    def rows(self, now: float) -> Sequence[Row]:
        if now != self._at:
            self._at, self._rows = now, self._source.rows(now)
        return self._rows


def by_first_segment(apis: Mapping[str, ASGIApp]) -> ASGIApp:
    """Several accounts' APIs on one port, each below a path of its own."""

    async def ask(scope: Scope, receive: Receive, send: Send) -> None:
        _, name, rest = scope["path"].split("/", 2)
        await apis[name]({**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}, receive, send)

    return ask


@dataclass(frozen=True, slots=True)
class Fleet:
    """The program and its accounts."""

    app: App
    hand: Hand
    settings: Callable[..., Settings]

    async def apply(self, *accounts: str | dict[str, Any], **others: Any) -> None:
        """Reload with these accounts; those with more than a name as a mapping."""
        await self.app.apply(self.settings(*accounts, **others))

    def scrape(self) -> Scrape:
        page = b"".join(self.app.page_store.page(Format.TEXT).plain()).decode()
        return parse_all(page, Format.TEXT)

    def accounts(self) -> set[str]:
        """Those that are anywhere on the page, its text for people included."""
        shown = {labels["account"] for labels, _ in self.scrape().all("up")}
        assert all(name in self.app.render_status_page() for name in shown)
        return shown


@asynccontextmanager
async def fleet(
    sources: Mapping[str, SessionSource], *accounts: str | dict[str, Any], key_file: str, **others: Any
) -> AsyncIterator[Fleet]:
    """The program with some accounts; ``sources`` has all that there can be, by their names.

    Args:
        sources: the sessions of each.
        accounts: what is polled from the start.
        key_file: holds ``KEY``.
        others: settings.
    """
    clocks = Time()
    apis = {name: create_app(Still(source), key=KEY, now=clocks.now) for name, source in sources.items()}
    async with serving(by_first_segment(apis)) as url:
        origin = url.removesuffix("/api")

        def settings(*names: str | dict[str, Any], **changes: Any) -> Settings:
            entries = [{"name": each} if isinstance(each, str) else each for each in names]
            return Settings(
                accounts=[
                    {"api_key_file": key_file, "base_url": f"{origin}/{each['name']}/api", **each} for each in entries
                ],
                **(others | changes),
            )

        hand = Hand(clocks)
        environment = Environment(
            clocks.now, clocks.monotonic, random.Random(1).random, lambda _: None, sleep=clocks.sleep
        )
        app = App(settings(*accounts), environment, hand)
        await app.start()
        try:
            yield Fleet(app, hand, settings)
        finally:
            await app.stop()
