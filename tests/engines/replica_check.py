"""Two replicas of two shards: Thanos Query removes the duplicates of the replicas, and the shards add up."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from grafana.builder.recording_rules import recording_rules
from grafana.builder.thresholds import DEFAULT
from tests.engines.comparison import NAME, Kind, Labels, Result, compare
from tests.engines.programs import Programs, named
from tests.engines.remote_write_check import agent_config
from tests.engines.report import Report
from tests.engines.servers import Api
from tests.engines.stage import (
    differences,
    page,
    scrape_config,
    serving_account,
    static_sessions,
    stored,
    wait_for_targets,
)
from tests.engines.thanos import running_query, running_receive, with_duplicates
from tests.grafana.dashboards import Selection, all_queries, interpolate, load
from tests.support.running import Exporter, running_exporter, running_prometheus

SHARDS: Final = 2
REPLICAS: Final = ("a", "b")
WHOLE: Final = "whole"
"""The exporter without shards, whose data is the expected total."""


def check_replicas(programs: Programs, directory: Path, report: Report) -> None:
    """Compare what Thanos Query returns of the replicas with the pages of one, and the totals with those of one."""
    subject = f"{named('Thanos', programs.thanos)} with agents {named('Prometheus', programs.prometheus)}"
    with ExitStack() as stack:
        url = stack.enter_context(serving_account(static_sessions()))
        receive = stack.enter_context(running_receive(programs.thanos, directory))
        query = stack.enter_context(running_query(programs.thanos, directory, [receive.store]))
        exporters = {}
        for replica in REPLICAS:
            exporters[replica] = {str(index): _start(url, index, SHARDS, stack) for index in range(SHARDS)}
            scrapes = [scrape_config("livepeer", exporters[replica])]
            if replica == REPLICAS[0]:
                exporters[WHOLE] = {WHOLE: _start(url, 0, 1, stack)}
                scrapes.append(scrape_config(WHOLE, exporters[WHOLE]))
            home = directory / replica
            home.mkdir()
            config = agent_config(replica, [receive.url], scrapes)
            stack.enter_context(running_prometheus(programs.prometheus, home, config, "--agent"))
        wait_for_targets(with_duplicates(query), 'up{job="livepeer"}', SHARDS * len(REPLICAS))
        wait_for_targets(query, f'up{{job="{WHOLE}"}}', 1)
        for instance, exporter in exporters[REPLICAS[0]].items():
            _check_duplicates(query, instance, exporter, subject, report)
        _check_totals(query, subject, report)


def _start(url: str, index: int, count: int, stack: ExitStack) -> Exporter:
    arguments = ("--base-url", url, "--poll-interval", "5m", "--shard-index", str(index), "--shard-count", str(count))
    exporter = stack.enter_context(running_exporter(*arguments))
    exporter.wait_for_event("poll finished")
    return exporter


def _check_duplicates(query: Api, instance: str, exporter: Exporter, subject: str, report: Report) -> None:
    selector = f'{{job="livepeer", instance="{instance}", __name__=~"livepeer_studio_(session|stream).*"}}'
    before, now = page(exporter), time.time()
    once, all_replicas = query.instant(selector, now), with_duplicates(query).instant(selector, now)
    expected = {labels: value for labels, value in before.items() if _is_selected(labels)}
    wrong = differences(expected, expected, stored(once))
    if len(all_replicas) != len(REPLICAS) * len(once):
        wrong = f"{len(all_replicas)} series with duplicates, {len(once)} without"
    report.add(f"{subject}, replicas of shard {instance}", not wrong, wrong or f"{len(once)} series, each once")


def _is_selected(labels: Labels) -> bool:
    return dict(labels)[NAME].startswith(("livepeer_studio_session", "livepeer_studio_stream"))


def _check_totals(query: Api, subject: str, report: Report) -> None:
    """Compare the results of rules and of panels over all shards with those of the exporter without shards."""
    now = time.time()
    different, count = [], 0
    for location, promql in _queries("livepeer"):
        expected = _without_job(query.instant(dict(_queries(WHOLE))[location], now))
        found = _without_job(query.instant(promql, now))
        difference = compare(expected, found)
        count += 1
        if difference.kind not in (Kind.EQUAL, Kind.TIES):
            different.append(f"{location}: {difference.detail}")
    report.add(
        f"{subject}, {SHARDS} shards with {len(REPLICAS)} replicas each and one exporter",
        not different,
        f"{count} queries; different: {different}",
    )


def _queries(job: str) -> Iterator[tuple[str, str]]:
    """Yield recording rules and the queries of dashboards on streams and sessions, for one job."""
    for rule in recording_rules(DEFAULT):
        yield rule.record, f'{rule.expr} and on (job) group by (job) (up{{job="{job}"}})'
    for uid in ("livepeer-overview", "livepeer-session"):
        for number, query in enumerate(all_queries(load(uid))):
            if "snapshot_timestamp" in query.expr:  # the exporters polled at other times
                continue
            yield f"{query.location} {number}", interpolate(query.expr, Selection({"job": (job,)}, range_seconds=60))


def _without_job(result: Result) -> Result:
    return {
        frozenset(pair for pair in labels if pair[0] not in ("job", "instance", NAME)): samples
        for labels, samples in result.items()
    }
