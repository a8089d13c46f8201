"""A Prometheus with recorded scrapes of two exporters, whose accounts show everything that the dashboards do.

The exporters poll and are scraped on a manual clock for a quarter of an hour, and the samples are imported into
Prometheus. So the recording is always the same, takes seconds, and does not depend on the load of the machine.
"""

import asyncio
import http.client
import itertools
import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.simulator.api import SessionSource
from exporter.simulator.world import World
from tests.fleet.manual import Fleet, fleet
from tests.support.canary import KEY, scanner
from tests.support.deadlines import HANG
from tests.support.rows import START, Row, row
from tests.support.running import Prometheus, running_prometheus
from tests.support.simulated import static_response

SIMULATED: Final = 'a+b (main) [.*]|^c$ \\d "x"'
"""Account of the simulator at ``--detail=session``. Unescaped, its name would change or break a query."""

STREAM_DETAIL: Final = "stream-detail"
"""Account of the simulator at ``--detail=stream``."""

INVALID: Final = "invalid"
"""Account with duplicate sessions and invalid and decreasing values."""

FAILING: Final = "failing"
"""Account whose polls fail."""

EMPTY: Final = "empty"
"""Account without sessions."""

LIMITED: Final = "limited"
"""Account of the second exporter, whose series limit is too low for it."""

JOB: Final = "livepeer"
INSTANCES: Final = ("exporter-1:9877", "exporter-2:9877")
"""The first has all accounts but ``LIMITED``, which the second has."""

INTERVAL: Final = 60.0
"""Seconds between two polls of each account, and between two scrapes."""

SCRAPES: Final = 16
SPEED: Final = 4.0
STREAM_COUNT: Final = 48
"""Four streams of each kind that the simulator has, and more, so that at any time some are unhealthy."""

_NOT_SIMULATED: Final = f"{STREAM_DETAIL}|{INVALID}|{FAILING}|{EMPTY}|{LIMITED}"


class InvalidSessions:
    """Rows for the simulated API: a duplicate with decreasing values, one without id, and one with a negative value."""

    def rows(self, now: float) -> Sequence[Row]:
        """Return the rows at a time."""
        seen = {"createdAt": (START - 600) * 1000, "lastSeen": now * 1000}
        decreasing = row(1, sourceBytes=1e9 - (now - START), parentId="invalid-1", **seen)
        without_id = row(2, parentId="invalid-2", id=..., **seen)
        return (decreasing, decreasing, without_id, row(3, sourceSegments=-1, parentId="invalid-3", **seen))


class NoSessions:
    """No rows for the simulated API."""

    def rows(self, now: float) -> Sequence[Row]:
        """Return no rows."""
        return ()


class FailingApi:
    """An API that returns 429 and 500 in turn."""

    def __init__(self) -> None:
        self._apps = itertools.cycle([static_response(429), *[static_response(500)] * 3])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        await next(self._apps)(scope, receive, send)


@dataclass(frozen=True, slots=True)
class SelectedSessions:
    """Two streams that are active, unhealthy and recorded, and their sessions."""

    streams: tuple[str, str]
    sessions: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Recording:
    """The recorded scrapes.

    Attributes:
        prometheus: contains them.
        time: the time of the last ones, at which queries are evaluated.
    """

    prometheus: Prometheus
    time: float

    def query(self, promql: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of each series of an instant query.

        Raises:
            AssertionError: Prometheus rejects the query.
        """
        form = urlencode({"query": promql, "time": self.time})
        connection = http.client.HTTPConnection("127.0.0.1", self.prometheus.port, timeout=HANG)
        try:
            connection.request("POST", "/api/v1/query", form, {"Content-Type": "application/x-www-form-urlencoded"})
            response = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert response["status"] == "success", f"{response}: {promql}"
        return [(each["metric"], float(each["value"][1])) for each in response["data"]["result"]]

    def select(self) -> SelectedSessions:
        """Return two streams with their sessions."""
        # Excluding the other accounts avoids quoting the name of the simulated one.
        simulated = f'account!~"{_NOT_SIMULATED}"'
        conditions = (
            f"livepeer_studio_session_healthy{{{simulated}}} == 0",
            "livepeer_studio_session_issue_info",
            "livepeer_studio_session_recording_status",
            f"changes(livepeer_studio_session_last_seen_timestamp_seconds{{{simulated}}}[5m]) > 2",
        )
        same_stream = "and on (stream_id) livepeer_studio_stream_issue_info"
        samples = self.query(f"{' and on (session_id) '.join(conditions)} {same_stream}")
        found = sorted({labels["stream_id"]: labels["session_id"] for labels, _ in samples}.items())
        assert len(found) >= 2, "the recording has to end when two suitable streams are active"
        (stream_1, session_1), (stream_2, session_2) = found[:2]
        return SelectedSessions((stream_1, stream_2), (session_1, session_2))


@contextmanager
def running_recording(promtool: str, prometheus_binary: str, directory: Path) -> Iterator[Recording]:
    """Record the scrapes, and run Prometheus with them within the context."""
    lines, time = asyncio.run(record(directory))
    with running_import(promtool, prometheus_binary, directory, lines) as prometheus:
        yield Recording(prometheus, time)


@contextmanager
def running_import(
    promtool: str, prometheus_binary: str, directory: Path, lines: Sequence[str]
) -> Iterator[Prometheus]:
    """Run Prometheus with some samples in the OpenMetrics format within the context."""
    file = directory / "scrapes.txt"
    file.write_text("".join((*lines, "# EOF\n")), encoding="utf-8")
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(file), str(directory / "data")]
    subprocess.run(command, check=True, capture_output=True, timeout=HANG)
    # The recording has no staleness markers: only the samples of the last scrapes are current.
    flags = (f"--query.lookback-delta={INTERVAL - 1:g}s", "--storage.tsdb.retention.time=100y")
    with running_prometheus(prometheus_binary, directory, {}, *flags) as prometheus:
        yield prometheus


async def record(directory: Path) -> tuple[list[str], float]:
    """Return the samples of all scrapes in the OpenMetrics format, and the time of the last ones."""
    (directory / "key").write_text(KEY, encoding="utf-8")
    (directory / "secret").write_text("not the canary key", encoding="utf-8")
    world = World(2, STREAM_COUNT, start=START, speed=SPEED, history=6 * 3600)
    sources: dict[str, SessionSource | ASGIApp] = {
        SIMULATED: world,
        STREAM_DETAIL: world,
        INVALID: InvalidSessions(),
        FAILING: FailingApi(),
        EMPTY: NoSessions(),
        LIMITED: world,
    }
    settings: dict[str, Any] = {
        "key_file": str(directory / "key"),
        "poll_interval": INTERVAL,
        # These are real seconds, which no poll takes.
        "poll_deadline": INTERVAL - 1,
        "request_timeout": INTERVAL - 1,
        "active_window": 2.5 * INTERVAL,
        "profile_series": True,
    }
    # No call arrives, but the metrics of webhooks exist.
    simulated = {"name": SIMULATED, "webhook_secret_file": str(directory / "secret")}
    webhooks = {"webhook_listen_address": "127.0.0.1:9878"}
    shard = {"max_series": 200, "shard_index": 1, "shard_count": 2}
    lines: list[str] = []
    async with AsyncExitStack() as stack:
        accounts = (simulated, {"name": STREAM_DETAIL, "detail": "stream"}, INVALID, FAILING, EMPTY)
        first = await stack.enter_async_context(fleet(sources, *accounts, **(settings | webhooks)))
        second = await stack.enter_async_context(fleet(sources, LIMITED, **(settings | shard)))
        second.app.process.config_loaded(ok=False)
        for number in range(1, SCRAPES + 1):
            for instance, running in zip(INSTANCES, (first, second), strict=True):
                clock = running.scheduler.clock
                # Just before the first account is polled again, so that the data of all accounts is of the same minute.
                await running.scheduler.run_for(START + number * INTERVAL - 1 - clock.now())
                lines += with_timestamps(await scrape(running), instance, clock.now())
        return lines, max(running.scheduler.clock.now() for running in (first, second))


async def scrape(running: Fleet) -> str:
    """Return the metrics page in the text format."""
    transport = httpx.ASGITransport(running.app.create_pages())
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
        response = await client.get("/metrics", headers={"Accept": "text/plain"})
    scanner.scan("a recorded scrape", response.content)
    return response.text


SAMPLE_LINE: Final = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
"""The name, the labels without braces, and the value of a sample in the text format."""


def with_timestamps(page: str, instance: str, time: float) -> Iterator[str]:
    """Yield the samples of a page with the labels of a target and a time, and those that Prometheus adds."""
    target = f'job="{JOB}",instance="{instance}"'
    yield f"up{{{target}}} 1 {time}\n"
    for line in page.splitlines():
        if line.startswith("#"):
            continue
        match = SAMPLE_LINE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        labels = f"{target},{labels}" if labels else target
        yield f"{name}{{{labels}}} {value} {time}\n"
        if name == "livepeer_studio_up" and value == "1.0":  # for the annotations of firing alerts
            yield f'ALERTS{{alertname="LivepeerTest",alertstate="firing",{labels}}} 1 {time}\n'
