"""A real Prometheus scrapes the running program, which polls the simulator."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import yaml

from exporter.metrics.catalogue import BACKOFF_UNTIL, EVERY_OPTION, PREFIX, Family, everything
from tests.support.canary import KEY
from tests.support.rows import Row, ident
from tests.support.running import Exporter, Prometheus, running_exporter, running_prometheus, until
from tests.support.simulated import Upstream, aside, live

pytestmark = [pytest.mark.process, pytest.mark.prometheus]

STALENESS = 5


def rows() -> tuple[Row, ...]:
    """A session of every kind."""
    return (
        live(1),
        live(2, isHealthy=False, issues=["the GOP is 11 s long"]),
        live(3, lastSeen=0, isHealthy=None),
        live(4, age=600, recordingStatus="failed"),
    )


@dataclass(frozen=True, slots=True)
class Site:
    """An exporter with an account by sessions and one by streams, and the Prometheus that scrapes it."""

    upstream: Upstream
    alive: ExitStack  # closing it is the end of the upstream
    exporter: Exporter
    prometheus: Prometheus


@pytest.fixture(scope="module")
def site(prometheus_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    (directory / "key").write_text(KEY)
    upstream = Upstream(rows())
    with ExitStack() as stack:
        alive = stack.enter_context(ExitStack())
        url = alive.enter_context(aside(upstream))
        account = {"api_key_file": str(directory / "key"), "base_url": url}
        settings = {
            "accounts": [{"name": "a", **account}, {"name": "b", "detail": "stream", **account}],
            "poll_interval": "1s",
            "max_staleness": f"{STALENESS}s",
            "profile_series": True,
            "playback_ids": True,
            "project_ids": True,
        }
        (directory / "settings.yaml").write_text(yaml.safe_dump(settings))
        arguments = ("--config.file", str(directory / "settings.yaml"))
        exporter = stack.enter_context(running_exporter(*arguments, variables={"LIVEPEER_API_KEY": ""}))
        exporter.wait_for("poll finished", 2)
        scrape = {
            "job_name": "livepeer",
            "scrape_interval": "1s",
            "static_configs": [{"targets": [f"127.0.0.1:{exporter.port}"]}],
        }
        prometheus = stack.enter_context(running_prometheus(prometheus_binary, directory, {"scrape_configs": [scrape]}))
        until(lambda: prometheus.value("up") == 1, "a scrape")
        yield Site(upstream, alive, exporter, prometheus)


def names(family: Family) -> str:
    """A name that Prometheus knows a family by."""
    return f"{family.name}_bucket" if family.type == "histogram" else family.name


def test_promtool_finds_nothing_to_criticise(site: Site, promtool: str) -> None:
    page = site.exporter.ask().body
    done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_scrape_is_up_and_in_the_format_that_prometheus_likes_best(site: Site) -> None:
    (target,) = site.prometheus.targets()
    assert (target["health"], target["lastError"]) == ("up", "")
    assert site.prometheus.value(f'{PREFIX}up{{account="a"}}') == 1


def test_every_metric_of_the_catalogue_can_be_queried(site: Site) -> None:
    until(lambda: site.prometheus.value(f'{PREFIX}up{{account="b"}}') == 1, "the other account")
    families = [family for family, _ in everything(EVERY_OPTION) if family is not BACKOFF_UNTIL]
    missing = [family.name for family in families if not site.prometheus.query(names(family))]
    assert missing == []


def test_the_series_of_a_session_vanish_when_it_is_gone_and_the_others_stay(site: Site) -> None:
    series = f'count({{__name__=~"{PREFIX}session_.+", account="a", session_id="%s"}})'
    before = site.prometheus.value(series % ident(2))
    assert (site.prometheus.value(series % ident(1)) or 0) > 15
    site.upstream.rows_ = rows()[1:]
    until(lambda: site.prometheus.value(series % ident(1)) is None, "the series to vanish")
    assert site.prometheus.value(series % ident(2)) == before


def test_when_the_upstream_dies_its_data_stays_until_it_is_stale_and_then_only_counters_stay(site: Site) -> None:
    """The last test of this module: there is no upstream after it."""
    site.alive.close()
    query = site.prometheus.value
    until(lambda: query(f'{PREFIX}up{{account="a"}}') == 0, "the failure to show")
    shown = f'count({PREFIX}session_active{{account="a"}})'
    until(lambda: query(shown) is None, "the data to disappear")
    until(lambda: query(f'count({PREFIX}stream_active{{account="b"}})') is None, "that of the other account")

    # It was shown while the polls failed already, as long as it was not too old.
    kept = f'{shown} and on() {PREFIX}up{{account="a"}} == 0'
    assert query(f"count_over_time(({kept})[2m:1s])")
    age = f'(time() - {PREFIX}snapshot_timestamp_seconds{{account="a"}}) and on() {shown}'
    oldest = query(f"max_over_time(({age})[2m:1s])")
    assert oldest is not None
    assert STALENESS - 3 < oldest < STALENESS + 5  # a scrape later, on a machine that others load as well

    for family in ("sessions", "sessions_by_health", "ingest_rate_bytes_per_second", "session_info"):
        assert query(f'count({PREFIX}{family}{{account="a"}})') is None
    for family in ("snapshot_timestamp_seconds", "source_bytes_total", "exporter_polls_total", BACKOFF_UNTIL.name):
        assert query(f'{PREFIX}{family.removeprefix(PREFIX)}{{account="a"}}') is not None
    assert query(f'{PREFIX}exporter_poll_failures_total{{account="a",class="connect"}}') != 0
    assert query("up") == 1
