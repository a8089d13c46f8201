"""Prometheus in agent mode: its samples arrive in Thanos Receive and in VictoriaMetrics, and are equal."""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from tests.engines.comparison import Labels, Result
from tests.engines.programs import Programs, named
from tests.engines.report import Report
from tests.engines.servers import Api, raw_samples, running_victoria_metrics
from tests.engines.stage import (
    differences,
    page,
    scrape_config,
    serving_account,
    static_sessions,
    stored,
)
from tests.engines.thanos import RECEIVE_LABELS, REPLICA, running_query, running_receive, with_duplicates
from tests.support.running import running_exporter, running_prometheus, wait_until

SCRAPES: Final = 15
PRECISION: Final = 1e-12
"""Relative; VictoriaMetrics stores 15 decimal digits."""


def agent_config(replica: str, urls: Sequence[str], scrapes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the configuration of an agent that forwards what it scrapes."""
    writes = [{"url": url, "queue_config": {"batch_send_deadline": "1s"}} for url in urls]
    return {"global": {"external_labels": {REPLICA: replica}}, "scrape_configs": scrapes, "remote_write": writes}


def check_remote_write(programs: Programs, directory: Path, report: Report) -> None:
    """Forward the same scrapes to both; compare all samples with each other, and the last ones with the page."""
    agents = {named("Prometheus", programs.prometheus): (programs.prometheus, "--agent")}
    if programs.debian_prometheus:
        name = named("Prometheus", programs.debian_prometheus)
        agents[name] = (programs.debian_prometheus, "--enable-feature=agent")
    with ExitStack() as stack:
        url = stack.enter_context(serving_account(static_sessions()))
        exporter = stack.enter_context(running_exporter("--base-url", url, "--poll-interval", "5m"))
        exporter.wait_for_event("poll finished")
        before = page(exporter)
        receive = stack.enter_context(running_receive(programs.thanos, directory))
        thanos = with_duplicates(stack.enter_context(running_query(programs.thanos, directory, [receive.store])))
        victoria_metrics = stack.enter_context(running_victoria_metrics(programs.victoria_metrics, directory))
        urls = [receive.url, f"http://127.0.0.1:{victoria_metrics.port}/api/v1/write"]
        for name, (binary, flag) in agents.items():
            home = directory / name
            home.mkdir()
            config = agent_config(name, urls, [scrape_config("livepeer", {"one": exporter})])
            stack.enter_context(running_prometheus(binary, home, config, flag))
        for name in agents:
            selector = f'{{{REPLICA}="{name}"}}'
            end = _wait_for_samples([thanos, victoria_metrics], selector)
            one = _milliseconds(thanos.instant(f"{selector}[5m]", end))
            other = _exported(victoria_metrics, selector, end)
            wrong = differences(before, page(exporter), stored(one)) or _first_difference(one, other)
            samples = sum(map(len, one.values()))
            engines = f"{named('Thanos', programs.thanos)} and {named('VictoriaMetrics', programs.victoria_metrics)}"
            text = wrong or f"{len(one)} series with {samples} samples, the same in both"
            report.add(f"agent {name} to {engines}", not wrong, text)


def _wait_for_samples(engines: Sequence[Api], selector: str) -> float:
    """Wait until all engines have enough samples, and return a time before which all of them have arrived."""

    def newest(api: Api) -> float:
        found = api.instant(f"up{selector}[5m]", time.time())
        times = [time for samples in found.values() for time in samples]
        return max(times) if len(times) >= SCRAPES else 0.0

    # The samples of the newest scrape may arrive after its `up`.
    return wait_until(lambda: min(map(newest, engines)), "samples") - 1.5


def _milliseconds(result: Result) -> Result:
    """Return the series without the labels that Thanos Receive adds, with times in milliseconds."""
    return {
        frozenset(pair for pair in labels if pair[0] not in RECEIVE_LABELS): {
            round(1000 * time): value for time, value in samples.items()
        }
        for labels, samples in result.items()
    }


def _exported(api: Api, selector: str, end: float) -> Result:
    """Return the stored samples of VictoriaMetrics until a time, with times in milliseconds."""
    found: dict[Labels, dict[float, float]] = {}
    for line in raw_samples(api, selector):
        pairs = zip(line["timestamps"], line["values"], strict=True)
        found[frozenset(line["metric"].items())] = {time: value for time, value in pairs if time <= 1000 * end}
    return {labels: samples for labels, samples in found.items() if samples}


def _first_difference(one: Result, other: Result) -> str:
    """Return how the samples in two engines differ, or an empty text."""
    if one.keys() != other.keys():
        example = sorted(min(one.keys() ^ other.keys(), key=sorted))
        return f"{len(one.keys() - other.keys())} and {len(other.keys() - one.keys())} series of one only: {example}"
    for labels, samples in one.items():
        if samples.keys() != other[labels].keys():
            return f"{len(samples)} and {len(other[labels])} samples of {sorted(labels)}"
        for time_, value in samples.items():
            if not math.isclose(value, other[labels][time_], rel_tol=PRECISION):
                return f"{value} and {other[labels][time_]} of {sorted(labels)}"
    return ""
