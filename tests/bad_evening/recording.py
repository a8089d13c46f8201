"""Scrapes of four exporters throughout the evening. The exporters poll a simulated API on a manual clock."""

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.simulator.api import create_app
from exporter.webhooks.intake import ACCEPTED
from tests.bad_evening.faults import (
    END,
    EXPECTED,
    MAIN,
    REPLICAS,
    SECOND,
    SMALL,
    STREAM_DETAIL,
    THIRD,
    Call,
    Evening,
    Problem,
    problem_of,
)
from tests.bad_evening.world import MINUTE, Broadcast, Sessions
from tests.fleet.manual import Fleet, fleet
from tests.grafana.recording import SAMPLE_LINE, scrape
from tests.support.canary import KEY
from tests.support.clock import ManualClock
from tests.support.rows import START
from tests.support.simulated import static_response
from tests.webhooks.calls import SECRET, body, header

INTERVAL: Final = 30.0
"""Seconds between scrapes, and between polls."""

STEPS: Final = int(END * MINUTE / INTERVAL)

ACCOUNTS: Final[Mapping[str, dict[str, Any]]] = {
    REPLICAS[0]: {"name": MAIN},
    REPLICAS[1]: {"name": MAIN},
    STREAM_DETAIL: {"name": SECOND, "detail": "stream"},
    SMALL: {"name": THIRD},
}
"""The only account of each exporter, by instance."""

_KEY_FILE: Final = "key"
_SECRET_FILE: Final = "webhook-secret"
_TOO_FEW_SERIES: Final = 50

Series = dict[str, list[str]]
"""The values of each series at each step, as promtool writes them."""


class Recorder:
    """Collects the samples of series.

    Args:
        names: the metrics that are needed.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._series: defaultdict[str, list[str]] = defaultdict(lambda: ["_"] * (STEPS + 1))
        self._last: dict[str, set[str]] = {}

    def constant(self, series: str) -> None:
        """Add a series with the value 1 at all times."""
        self._series[series] = ["1"] * (STEPS + 1)

    def scrape(self, step: int, instance: str, page: str | None, problem: Problem | None) -> None:
        """Add a scrape as Prometheus would; without a page it has failed."""
        if problem is Problem.NOT_SCRAPED:
            return
        target = f'job="livepeer", instance="{instance}"'
        found = dict(self._samples(page or "", target))
        if problem is not Problem.ABSENT:
            found[f"up{{{target}}}"] = "1" if page else "0"
        for series, value in found.items():
            self._series[series][step] = value
        for series in self._last.get(instance, set()) - found.keys():
            self._series[series][step] = "stale"
        self._last[instance] = set(found)

    def series(self) -> Series:
        """Return all of them."""
        return dict(self._series)

    def _samples(self, page: str, target: str) -> Iterator[tuple[str, str]]:
        for line in page.splitlines():
            match = SAMPLE_LINE.fullmatch(line)
            if match and match[1] in self._names:
                name, labels, value = match.groups()
                # The tests of promtool begin at the Unix time 0.
                shifted = f"{float(value) - START:.3f}" if name.endswith("_timestamp_seconds") else value
                yield f"{name}{{{target}{f', {labels}' if labels else ''}}}", shifted


class Exporter:
    """An exporter that can be killed and started again, and its API.

    Args:
        instance: its name.
        broadcasts: the sessions of its account.
        calls: of the webhook of its account, in any order. Without any, it has no webhook.
        directory: has the files with the API key and the secret of the webhook.
    """

    def __init__(
        self, instance: str, broadcasts: Collection[Broadcast], calls: Collection[Call], directory: Path
    ) -> None:
        has_webhook = bool(calls)
        self._account = ACCOUNTS[instance] | (
            {"webhook_secret_file": str(directory / _SECRET_FILE)} if has_webhook else {}
        )
        # Required, but nothing listens: calls are passed on directly.
        self._settings = {"webhook_listen_address": "127.0.0.1:9878"} if has_webhook else {}
        self._calls = deque(sorted(calls, key=lambda call: call.minute))
        self._key_file = directory / _KEY_FILE
        self._clock = ManualClock()
        self._api = create_app(Sessions(broadcasts), key=KEY, now=self._clock.now)
        self._problem: Problem | None = None
        self._running: Fleet | None = None
        self._stack = AsyncExitStack()

    async def page_at(self, time: float, problem: Problem | None) -> str | None:
        """Poll until a time in Unix seconds, and return the metrics page; None if the process does not run."""
        calls = list(self._calls_until(time))
        if problem in (Problem.DOWN, Problem.ABSENT):
            await self.stop()
            return None
        self._clock.advance(max(0.0, time - INTERVAL - self._clock.now()))
        running = self._running or await self._start()
        if Problem.FEW_SERIES in (problem, self._problem) and problem is not self._problem:
            limit = {"max_series": _TOO_FEW_SERIES} if problem else {}
            await running.apply(self._account, **limit)
        self._problem = problem
        await running.scheduler.run_for(time - self._clock.now())
        for call in calls:
            self._receive(running, call)
        return await scrape(running)

    async def stop(self) -> None:
        """Kill the process."""
        await self._stack.aclose()
        self._running = None

    def _calls_until(self, time: float) -> Iterator[Call]:
        while self._calls and START + self._calls[0].minute * MINUTE <= time:
            yield self._calls.popleft()

    def _receive(self, running: Fleet, call: Call) -> None:
        intake = running.app.intake_of(self._account["name"])
        assert intake is not None
        now = self._clock.now()
        times = dict.fromkeys(("createdAt", "timestamp"), int(now * 1000))
        content = body(call.event, id=f"event-{round(call.minute * MINUTE)}", **times)
        verdict = intake.take(content, header(content, time=now))
        assert verdict is ACCEPTED, verdict

    async def _start(self) -> Fleet:
        name = self._account["name"]
        context = fleet(
            {name: self._respond},
            self._account,
            key_file=str(self._key_file),
            clock=self._clock,
            **self._settings,
        )
        self._running = await self._stack.enter_async_context(context)
        return self._running

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._failing() or self._api)(scope, receive, send)

    def _failing(self) -> ASGIApp | None:
        status = _STATUS.get(self._problem)
        every_other_minute = self._problem in (Problem.RATE_LIMITED, Problem.SOME_ERRORS)
        if status is None or (every_other_minute and (self._clock.now() - START) // MINUTE % 2):
            return None
        return static_response(status)


_STATUS: Final[Mapping[Problem | None, int]] = {
    Problem.SERVER_ERROR: 500,
    Problem.UNAUTHORIZED: 401,
    Problem.RATE_LIMITED: 429,
    Problem.SOME_ERRORS: 500,
}


async def record(evening: Evening, names: Collection[str], directory: Path) -> Series:
    """Return the series that Prometheus would have.

    Args:
        evening: the sessions and calls of webhooks.
        names: the metrics that are needed.
        directory: for files of the exporters.
    """
    (directory / _KEY_FILE).write_text(KEY, encoding="utf-8")
    (directory / _SECRET_FILE).write_text(SECRET, encoding="utf-8")
    recorder = Recorder(names)
    for account, stream in EXPECTED:
        recorder.constant(
            f'livepeer_expected_live{{account="{account}", stream_id="{stream}", name="{stream.title()}"}}'
        )
    exporters = {
        instance: Exporter(
            instance, evening.broadcasts[account["name"]], evening.calls if instance == SMALL else (), directory
        )
        for instance, account in ACCOUNTS.items()
    }
    for step in range(1, STEPS + 1):
        time = START + step * INTERVAL
        for instance, exporter in exporters.items():
            problem = problem_of(instance, step * INTERVAL / MINUTE)
            page = await exporter.page_at(time, problem)
            recorder.scrape(step, instance, page, problem)
    for exporter in exporters.values():
        await exporter.stop()
    return recorder.series()
