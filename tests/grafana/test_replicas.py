"""Totals of an account that several exporters poll: replicas count once, exporters with other streams add up."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from grafana.builder.alerting_rules import alerting_rules
from grafana.builder.recording_rules import recording_rules
from grafana.builder.thresholds import DEFAULT
from tests.fleet.manual import fleet
from tests.grafana.dashboards import Selection, all_queries, interpolate, load
from tests.grafana.recording import INTERVAL, Recording, running_import, scrape, with_timestamps
from tests.support.canary import KEY
from tests.support.rows import START, Row, row

pytestmark = pytest.mark.prometheus

PER_STREAM: Final = 14
STREAMS: Final = ("a", "b")
EXPORTERS: Final = {"a:9877": ("a", KEY), "b:9877": ("b", KEY), "c:9877": ("a", "a-wrong-key")}
"""Stream and key of each exporter, by instance: two sidecars with streams of their own, and one with a wrong key."""


class ActiveSessions:
    """Rows for the simulated API: active sessions of two streams."""

    def rows(self, now: float) -> Sequence[Row]:
        """Return the rows at a time."""
        return [
            row(
                100 * number + index,
                parentId=stream,
                createdAt=(START - 600) * 1000,
                lastSeen=now * 1000,
                sourceBytes=1000 * (now - START),
                sourceSegmentsDuration=now - START,
                profiles=[],
            )
            for number, stream in enumerate(STREAMS)
            for index in range(PER_STREAM)
        ]


async def _record(directory: Path) -> tuple[list[str], float]:
    """Return the samples of six scrapes of each exporter, and the time of the last ones."""
    shared: dict[str, Any] = {
        "poll_interval": INTERVAL,
        # These are real seconds, which no poll takes.
        "poll_deadline": INTERVAL - 1,
        "request_timeout": INTERVAL - 1,
    }
    lines: list[str] = []
    async with AsyncExitStack() as stack:
        running = {}
        base_url: dict[str, str] = {}
        for instance, (stream, key) in EXPORTERS.items():
            key_file = directory / instance.partition(":")[0]
            key_file.write_text(key, encoding="utf-8")
            account = {"name": "main", "stream_ids": [stream], **base_url}
            context = fleet({"main": ActiveSessions()}, account, key_file=str(key_file), **shared)
            running[instance] = await stack.enter_async_context(context)
            if not base_url:  # all poll the API of the first
                base_url = {"base_url": running[instance].settings("main").accounts[0].base_url}
        for _ in range(6):  # as often as they poll: at twice the rate, the versions of Prometheus compute other rates
            for instance, each in running.items():
                await each.scheduler.run_for(INTERVAL)  # the API's clock is that of the first
                lines += with_timestamps(await scrape(each), instance, each.scheduler.clock.now())
        return lines, running["a:9877"].scheduler.clock.now()


@pytest.fixture(scope="module")
def recording(promtool: str, prometheus_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    directory = tmp_path_factory.mktemp("replicas")
    lines, time = asyncio.run(_record(directory))
    with running_import(promtool, prometheus_binary, directory, lines) as prometheus:
        yield Recording(prometheus, time)


def test_exporters_with_the_same_streams_have_the_same_scope_whatever_their_key(recording: Recording) -> None:
    found = recording.query("livepeer_studio_exporter_scope_info")
    scopes = {labels["instance"]: labels["scope"] for labels, _ in found}
    assert scopes["a:9877"] == scopes["c:9877"] != scopes["b:9877"]


def test_the_overview_shows_the_sessions_of_both_streams(recording: Recording) -> None:
    (query,) = [each for each in all_queries(load("livepeer-overview")) if each.location.endswith("Active sessions A")]
    expr = interpolate(query.expr, Selection({}, range_seconds=900, rate_interval="5m"))
    assert [value for _, value in recording.query(expr)] == [PER_STREAM * len(STREAMS)]


def test_recording_rules_add_up_the_sessions_and_bytes_of_both_streams(recording: Recording) -> None:
    rules = {rule.record: rule.expr for rule in recording_rules(DEFAULT)}
    sessions = recording.query(f"{rules['account:livepeer_studio_sessions:sum']}")
    active = [value for labels, value in sessions if labels["state"] == "active"]
    assert active == [PER_STREAM * len(STREAMS)]
    ((_, rate),) = recording.query(rules["account:livepeer_studio_source_bytes:rate5m"])
    assert rate == pytest.approx(1000 * PER_STREAM * len(STREAMS))


def test_only_the_exporter_without_data_is_stale(recording: Recording) -> None:
    (stale,) = [alert for alert in alerting_rules(DEFAULT) if alert.name == "LivepeerDataStale"]
    found = [labels for labels, _ in recording.query(stale.expr)]
    assert found == [{"job": "livepeer", "instance": "c:9877", "account": "main"}]


def test_no_alert_other_than_those_on_the_wrong_key_has_a_condition(recording: Recording) -> None:
    alerts = {alert.name for alert in alerting_rules(DEFAULT) if recording.query(alert.expr)}
    assert alerts == {"LivepeerDataStale", "LivepeerApiErrors"}
