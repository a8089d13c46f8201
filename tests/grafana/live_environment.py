"""Two exporters and a Prometheus, with accounts for every condition that the dashboards show."""

import http.client
import itertools
import json
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import yaml
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.simulator.api import create_app
from exporter.simulator.world import World
from tests.support.canary import KEY
from tests.support.deadlines import HANG
from tests.support.rows import Row
from tests.support.running import Exporter, Prometheus, running_exporter, running_prometheus
from tests.support.simulated import Upstream, live_row, serving_in_thread, static_response

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
SIMULATION_SPEED: Final = 60.0
STREAM_COUNT: Final = 28
"""Four streams of each kind that the simulator has, so that at any time some are unhealthy."""

_NOT_SIMULATED: Final = f"{STREAM_DETAIL}|{INVALID}|{FAILING}|{EMPTY}|{LIMITED}"


class InvalidSessions:
    """Rows for the simulated API: a duplicate with decreasing values, one without id, and one with a negative value."""

    def rows(self, now: float) -> Sequence[Row]:
        """Return the rows at a time."""
        decreasing = live_row(1, sourceBytes=1e9 - now % 1e6, parentId="invalid-1")
        without_id = live_row(2, parentId="invalid-2")
        del without_id["id"]
        return (decreasing, decreasing, without_id, live_row(3, sourceSegments=-1, parentId="invalid-3"))


class FailingApi:
    """An API that returns 429 and 500 in turn."""

    def __init__(self) -> None:
        self._apps = itertools.cycle(
            [static_response(429), static_response(500), static_response(500), static_response(500)]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        await next(self._apps)(scope, receive, send)


@dataclass(frozen=True, slots=True)
class SelectedSessions:
    """Two streams that are active, unhealthy and recorded, and their sessions."""

    streams: tuple[str, str]
    sessions: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Environment:
    """The running programs.

    Attributes:
        prometheus: scrapes both exporters every second.
        instances: addresses of the exporters. The first has all accounts but ``LIMITED``, which the second has.
    """

    prometheus: Prometheus
    instances: tuple[str, str]

    def query(self, promql: str, time: float) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of each series of an instant query.

        Raises:
            AssertionError: Prometheus rejects the query.
        """
        form = urlencode({"query": promql, "time": time})
        connection = http.client.HTTPConnection("127.0.0.1", self.prometheus.port, timeout=HANG)
        try:
            connection.request("POST", "/api/v1/query", form, {"Content-Type": "application/x-www-form-urlencoded"})
            response = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert response["status"] == "success", f"{response}: {promql}"
        return [(each["metric"], float(each["value"][1])) for each in response["data"]["result"]]

    def select(self, time: float) -> SelectedSessions | None:
        """Return two streams with their sessions, or None if there are not two at the time."""
        # Excluding the other accounts avoids quoting the name of the simulated one.
        simulated = f'account!~"{_NOT_SIMULATED}"'
        conditions = (
            f"livepeer_studio_session_healthy{{{simulated}}} == 0",
            "livepeer_studio_session_issue_info",
            "livepeer_studio_session_recording_status",
            f"changes(livepeer_studio_session_last_seen_timestamp_seconds{{{simulated}}}[1m]) > 2",
        )
        samples = self.query(" and on (session_id) ".join(conditions), time)
        sessions = sorted({labels["stream_id"]: labels["session_id"] for labels, _ in samples}.items())
        if len(sessions) < 2:
            return None
        (stream_1, session_1), (stream_2, session_2) = sessions[:2]
        return SelectedSessions((stream_1, stream_2), (session_1, session_2))


@contextmanager
def running_environment(prometheus_binary: str, directory: Path) -> Iterator[Environment]:
    """Run the programs within the context."""
    world = World(1, STREAM_COUNT, start=time.time(), speed=SIMULATION_SPEED)
    apps: dict[str, ASGIApp] = {
        SIMULATED: create_app(world, key=KEY, now=time.time),
        INVALID: create_app(InvalidSessions(), key=KEY, now=time.time),
        FAILING: FailingApi(),
        EMPTY: Upstream(()),
    }
    with ExitStack() as stack:
        urls = {name: stack.enter_context(serving_in_thread(app)) for name, app in apps.items()}
        urls[STREAM_DETAIL] = urls[SIMULATED]
        first = _start(stack, directory / "first.yaml", _settings(directory, urls))
        shard = {"max_series": 200, "shard_index": 1, "shard_count": 2}
        second = _start(stack, directory / "second.yaml", _settings(directory, {LIMITED: urls[SIMULATED]}) | shard)
        (directory / "second.yaml").write_text("unknown_key: true\n", encoding="utf-8")
        second.send_signal(signal.SIGHUP)
        instances = (f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}")
        scrape = {"job_name": JOB, "scrape_interval": "1s", "static_configs": [{"targets": list(instances)}]}
        (directory / "rules.yaml").write_text(yaml.safe_dump(_FIRING_ALERT), encoding="utf-8")
        config = {
            "global": {"evaluation_interval": "1s"},
            "rule_files": [str(directory / "rules.yaml")],
            "scrape_configs": [scrape],
        }
        yield Environment(stack.enter_context(running_prometheus(prometheus_binary, directory, config)), instances)


_FIRING_ALERT: Final = {
    "groups": [
        {
            "name": "test",
            "rules": [
                {
                    "alert": "LivepeerTest",
                    "expr": "livepeer_studio_up == 1",
                    "annotations": {"summary": "for the annotation query of firing alerts"},
                }
            ],
        }
    ]
}


def _settings(directory: Path, urls: dict[str, str]) -> dict[str, Any]:
    key = directory / "key"
    key.write_text(KEY, encoding="utf-8")
    accounts: list[dict[str, Any]] = [
        {"name": name, "base_url": url, "api_key_file": str(key)} for name, url in urls.items()
    ]
    for account in accounts:
        if account["name"] == STREAM_DETAIL:
            account["detail"] = "stream"
    # The deadline is long enough for a loaded machine: no poll may fail in an account that is expected to work.
    timing = {"poll_interval": "4s", "poll_deadline": "3900ms", "active_window": "10s"}
    return {"accounts": accounts, **timing, "profile_series": True}


def _start(stack: ExitStack, path: Path, settings: dict[str, Any]) -> Exporter:
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    arguments = ("--config.file", str(path))
    return stack.enter_context(running_exporter(*arguments, variables={"LIVEPEER_API_KEY": ""}))
