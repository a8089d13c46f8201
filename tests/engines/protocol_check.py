"""Scrapes with each protocol: the same samples are stored, whatever the engine requests."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.engines.programs import Programs, named, package_version
from tests.engines.report import Report
from tests.engines.servers import Api, running_victoria_metrics
from tests.engines.stage import (
    Page,
    differences,
    page,
    scrape_config,
    serving_account,
    static_sessions,
    stored,
    wait_for_targets,
)
from tests.support.running import Exporter, running_exporter, running_prometheus

PROTOCOLS: Final = (
    "PrometheusProto",
    "OpenMetricsText1.0.0",
    "OpenMetricsText0.0.1",
    "PrometheusText1.0.0",
    "PrometheusText0.0.4",
)
ESCAPING: Final = ("allow-utf-8", "underscores", "dots", "values")


def check_protocols(programs: Programs, directory: Path, report: Report) -> None:
    """Scrape one exporter with each protocol and each version, and compare what is stored with its page."""
    with ExitStack() as stack:
        url = stack.enter_context(serving_account(static_sessions()))
        arguments = ("--base-url", url, "--poll-interval", "5m", "--profile-series")
        exporter = stack.enter_context(running_exporter(*arguments))
        exporter.wait_for_event("poll finished")
        before = page(exporter)
        found: dict[str, Page] = {}
        for name, api, jobs in _scrapers(programs, directory, exporter, stack):
            wait_for_targets(api, "up", len(jobs))
            for job in jobs:
                found[f"{name}, {job}"] = stored(api.instant(f'{{job="{job}"}}', time.time()))
        after = page(exporter)
    stable = sum(value == after.get(labels) for labels, value in before.items())
    for subject, samples in found.items():
        wrong = differences(before, after, samples)
        report.add(f"scrape by {subject}", not wrong, wrong or f"{len(samples)} samples, {stable} compared by value")


def _scrapers(
    programs: Programs, directory: Path, exporter: Exporter, stack: ExitStack
) -> Iterator[tuple[str, Api, list[str]]]:
    """Start the engines; yield their name, API and jobs."""
    jobs = [
        *(scrape_config(each, {"one": exporter}, scrape_protocols=[each]) for each in PROTOCOLS),
        *(scrape_config(each, {"one": exporter}, metric_name_escaping_scheme=each) for each in ESCAPING),
    ]
    default = [scrape_config("default", {"one": exporter})]
    prometheus = {programs.prometheus: [*default, *jobs]}
    if programs.debian_prometheus:
        prometheus[programs.debian_prometheus] = default
    for binary, configs in prometheus.items():
        name = named("Prometheus", binary)
        running = running_prometheus(binary, _create(directory / name), {"scrape_configs": configs})
        yield name, Api(stack.enter_context(running).port, {}), [each["job_name"] for each in configs]
    victoria_metrics = {programs.victoria_metrics: named("VictoriaMetrics", programs.victoria_metrics)}
    if programs.debian_victoria_metrics:
        victoria_metrics[programs.debian_victoria_metrics] = f"VictoriaMetrics {package_version('victoria-metrics')}"
    for binary, name in victoria_metrics.items():
        home = _create(directory / name)
        config = home / "scrape.yml"
        config.write_text(json.dumps({"scrape_configs": default}), encoding="utf-8")
        running_api = running_victoria_metrics(binary, home, f"-promscrape.config={config}")
        yield name, stack.enter_context(running_api), ["default"]


def _create(directory: Path) -> Path:
    directory.mkdir()
    return directory
