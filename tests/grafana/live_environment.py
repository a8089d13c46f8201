"""Two real exporters and a real Prometheus: accounts in which everything happens, and one in which nothing does."""

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
from tests.support.rows import Row
from tests.support.running import PATIENCE, Exporter, Prometheus, running_exporter, running_prometheus
from tests.support.simulated import Upstream, answering, aside, live

LIVELY: Final = 'a+b (main) [.*]|^c$ \\d "x"'
"""The account of a living world; its name would do harm in a query that did not escape it."""

JOB: Final = "livepeer"
WHOLE, ODD, FAILING, EMPTY, SMALL = "whole", "odd", "failing", "empty", "small"
SPEED: Final = 60.0
STREAMS: Final = 28
"""Four of each habit: at any moment some are in trouble."""


class Oddities:
    """Sessions that cannot all be believed: every answer has the one twice, one without id, and values that fall."""

    def rows(self, now: float) -> Sequence[Row]:
        """What the simulator asks for."""
        falling = live(1, sourceBytes=1e9 - now % 1e6, parentId="odd-1")
        nameless = live(2, parentId="odd-2")
        del nameless["id"]
        return (falling, falling, nameless, live(3, sourceSegments=-1, parentId="odd-3"))


class Failing:
    """An API that throttles, and fails, in turn."""

    def __init__(self) -> None:
        self._answers = itertools.cycle([answering(429), answering(500), answering(500), answering(500)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await next(self._answers)(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a person looks at: two streams that are live, unhealthy and recorded, and their sessions."""

    streams: tuple[str, str]
    sessions: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Stage:
    """What the queries are asked of.

    Attributes:
        prometheus: it scrapes both exporters every second.
        instances: the exporters' addresses: the first has all accounts but ``SMALL``, which the second has.
    """

    prometheus: Prometheus
    instances: tuple[str, str]

    def ask(self, promql: str, at: float) -> list[tuple[dict[str, str], float]]:
        """What a query gives at a moment: labels and value of each series.

        Raises:
            AssertionError: Prometheus refuses the query.
        """
        form = urlencode({"query": promql, "time": at})
        connection = http.client.HTTPConnection("127.0.0.1", self.prometheus.port, timeout=PATIENCE)
        try:
            connection.request("POST", "/api/v1/query", form, {"Content-Type": "application/x-www-form-urlencoded"})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert answer["status"] == "success", f"{answer}: {promql}"
        return [(each["metric"], float(each["value"][1])) for each in answer["data"]["result"]]

    def choose(self, at: float) -> Chosen | None:
        """Two streams to look at, if there are two at that moment."""
        # The lively account is the one that is left: its name would need quoting.
        mine = f'account!~"{WHOLE}|{ODD}|{SMALL}|{FAILING}|{EMPTY}"'
        wanted = (
            f"livepeer_studio_session_healthy{{{mine}}} == 0",
            "livepeer_studio_session_issue_info",
            "livepeer_studio_session_recording_status",
            f"changes(livepeer_studio_session_last_seen_timestamp_seconds{{{mine}}}[1m]) > 2",
        )
        rows = self.ask(" and on (session_id) ".join(wanted), at)
        found = sorted({labels["stream_id"]: labels["session_id"] for labels, _ in rows}.items())
        if len(found) < 2:
            return None
        (one, first), (two, second) = found[:2]
        return Chosen((one, two), (first, second))


@contextmanager
def set_up(binary: str, directory: Path) -> Iterator[Stage]:
    """Let it all run as long as the context lasts."""
    world = World(1, STREAMS, start=time.time(), speed=SPEED)
    apps: dict[str, ASGIApp] = {
        LIVELY: create_app(world, key=KEY, now=time.time),
        ODD: create_app(Oddities(), key=KEY, now=time.time),
        FAILING: Failing(),
        EMPTY: Upstream(()),
    }
    with ExitStack() as stack:
        urls = {name: stack.enter_context(aside(app)) for name, app in apps.items()}
        urls[WHOLE] = urls[LIVELY]
        first = _start(stack, directory / "first.yaml", _settings(directory, urls))
        small = _settings(directory, {SMALL: urls[LIVELY]}) | {"max_series": 200, "shard_index": 1, "shard_count": 2}
        second = _start(stack, directory / "second.yaml", small)
        (directory / "second.yaml").write_text("a mistake: true\n", encoding="utf-8")
        second.signal(signal.SIGHUP)
        instances = (f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}")
        scrape = {"job_name": JOB, "scrape_interval": "1s", "static_configs": [{"targets": list(instances)}]}
        (directory / "rules.yaml").write_text(yaml.safe_dump(_ALERT), encoding="utf-8")
        config = {
            "global": {"evaluation_interval": "1s"},
            "rule_files": [str(directory / "rules.yaml")],
            "scrape_configs": [scrape],
        }
        yield Stage(stack.enter_context(running_prometheus(binary, directory, config)), instances)


_ALERT: Final = {
    "groups": [
        {
            "name": "stage",
            "rules": [
                {
                    "alert": "LivepeerStaged",
                    "expr": "livepeer_studio_up == 1",
                    "annotations": {"summary": "an alert for the annotation to find"},
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
        if account["name"] == WHOLE:
            account["detail"] = "stream"
    # A deadline that a machine under load keeps: a poll that failed by chance is trouble where there should be none.
    timing = {"poll_interval": "4s", "poll_deadline": "3900ms", "active_window": "10s"}
    return {"accounts": accounts, **timing, "profile_series": True}


def _start(stack: ExitStack, path: Path, settings: dict[str, Any]) -> Exporter:
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    arguments = ("--config.file", str(path))
    return stack.enter_context(running_exporter(*arguments, variables={"LIVEPEER_API_KEY": ""}))
