"""Prometheus scrapes the running exporter, which polls the simulator."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import yaml

from exporter.metrics.catalogue import BACKOFF_UNTIL, EVERY_OPTION, PREFIX, Family, everything
from tests.support.canary import KEY
from tests.support.rows import Row, ident
from tests.support.running import Exporter, Prometheus, running_exporter, running_prometheus, wait_until
from tests.support.simulated import Upstream, live_row, serving_in_thread

pytestmark = [pytest.mark.process, pytest.mark.prometheus]

STALENESS = 8


def rows() -> tuple[Row, ...]:
    """Sessions in every state, one of them with an invalid value."""
    return (
        live_row(1),
        live_row(2, isHealthy=False, issues=["the GOP is 11 s long"]),
        live_row(3, lastSeen=0, isHealthy=None),
        live_row(4, age=600, recordingStatus="failed", sourceBytes="many"),
    )


@dataclass(frozen=True, slots=True)
class Deployment:
    """An exporter with an account at detail session and one at detail stream, and the Prometheus that scrapes it."""

    upstream: Upstream
    api: ExitStack  # closing it stops the simulated API
    exporter: Exporter
    prometheus: Prometheus


@pytest.fixture(scope="module")
def deployment(prometheus_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    directory = tmp_path_factory.mktemp("deployment")
    (directory / "key").write_text(KEY)
    upstream = Upstream(rows())
    with ExitStack() as stack:
        api = stack.enter_context(ExitStack())
        url = api.enter_context(serving_in_thread(upstream))
        account = {"api_key_file": str(directory / "key"), "base_url": url}
        webhook = {"webhook_secret_file": str(directory / "key")}
        streams = [row["parentId"] for row in rows()]
        settings = {
            "accounts": [
                {"name": "a", **account, **webhook},
                {"name": "b", "detail": "stream", "stream_ids": streams, **account},
            ],
            "poll_interval": "1s",
            "webhook_listen_address": "127.0.0.1:0",
            "max_staleness": f"{STALENESS}s",
            "profile_series": True,
            "playback_ids": True,
            "project_ids": True,
        }
        (directory / "settings.yaml").write_text(yaml.safe_dump(settings))
        arguments = ("--config.file", str(directory / "settings.yaml"))
        exporter = stack.enter_context(running_exporter(*arguments, variables={"LIVEPEER_API_KEY": ""}))
        exporter.wait_for_event("poll finished", 2)
        scrape = {
            "job_name": "livepeer",
            "scrape_interval": "1s",
            "static_configs": [{"targets": [f"127.0.0.1:{exporter.port}"]}],
        }
        prometheus = stack.enter_context(running_prometheus(prometheus_binary, directory, {"scrape_configs": [scrape]}))
        wait_until(lambda: prometheus.value("up") == 1, "a scrape")
        yield Deployment(upstream, api, exporter, prometheus)


def queried_name(family: Family) -> str:
    """A name under which Prometheus stores a family."""
    return f"{family.name}_bucket" if family.type == "histogram" else family.name


def test_promtool_accepts_the_page(deployment: Deployment, promtool: str) -> None:
    page = deployment.exporter.request().body
    done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_prometheus_scrapes_the_exporter_without_errors(deployment: Deployment) -> None:
    def is_up() -> bool:
        (target,) = deployment.prometheus.targets()
        return (target["health"], target["lastError"]) == ("up", "")

    wait_until(is_up, "a scrape within a second")
    wait_until(lambda: deployment.prometheus.value(f'{PREFIX}up{{account="a"}}') == 1, "a poll within a second")


def test_every_metric_of_the_catalogue_can_be_queried(deployment: Deployment) -> None:
    wait_until(lambda: deployment.prometheus.value(f'{PREFIX}up{{account="b"}}') == 1, "the other account")
    families = [family for family, _ in everything(EVERY_OPTION) if family is not BACKOFF_UNTIL]
    missing = [family.name for family in families if not deployment.prometheus.query(queried_name(family))]
    assert missing == []


def test_the_series_of_a_removed_session_disappear_and_the_others_stay(deployment: Deployment) -> None:
    series = f'count({{__name__=~"{PREFIX}session_.+", account="a", session_id="%s"}})'
    before = deployment.prometheus.value(series % ident(2))
    assert (deployment.prometheus.value(series % ident(1)) or 0) > 15
    deployment.upstream.current_rows = rows()[1:]
    wait_until(lambda: deployment.prometheus.value(series % ident(1)) is None, "the series to disappear")
    wait_until(lambda: deployment.prometheus.value(series % ident(2)) == before, "the other series")


def test_without_the_api_the_data_stays_until_it_is_stale_and_only_counters_remain(deployment: Deployment) -> None:
    """The last test of this module, since it stops the simulated API. It takes as long as data becomes stale."""
    deployment.api.close()
    up, sessions = f'{PREFIX}up{{account="a"}}', f'{PREFIX}sessions{{account="a",state="active"}}'
    snapshot_time = f'{PREFIX}snapshot_timestamp_seconds{{account="a"}}'
    ages = []  # of the data while polls failed, in seconds

    def is_stale() -> bool:
        now = time.time()
        page = deployment.exporter.request().values
        if page[up] == 0 and sessions in page:
            ages.append(now - page[snapshot_time])
        return page[up] == 0 and sessions not in page

    wait_until(is_stale, "the data to become stale")
    assert max(ages) > STALENESS / 2  # how much longer than STALENESS it can stay depends on the load of the machine

    query = deployment.prometheus.value
    for account, family in (("a", "session_active"), ("b", "stream_active")):
        exported = f'count({PREFIX}{family}{{account="{account}"}})'
        wait_until(lambda exported=exported: query(exported) is None, f"{exported} to disappear")  # type: ignore[misc]
    for family in ("sessions", "sessions_by_health", "ingest_rate_bytes_per_second", "session_info"):
        assert query(f'count({PREFIX}{family}{{account="a"}})') is None
    for family in ("snapshot_timestamp_seconds", "source_bytes_total", "exporter_polls_total", BACKOFF_UNTIL.name):
        assert query(f'{PREFIX}{family.removeprefix(PREFIX)}{{account="a"}}') is not None
    assert query(f'{PREFIX}exporter_poll_failures_total{{account="a",class="connect"}}') != 0
    wait_until(lambda: query("up") == 1, "a scrape within a second")
