"""A simulated account, exporters that poll it, and what the engines store of their pages."""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from exporter.metrics.text_format import Format
from exporter.simulator.api import SessionSource, create_app
from tests.engines.comparison import NAME, Labels, Result, are_close
from tests.engines.servers import Api
from tests.support.canary import KEY
from tests.support.harness import parse_page
from tests.support.rows import Row
from tests.support.running import Exporter, wait_until
from tests.support.simulated import live_row, serving_in_thread

JOB: Final = "livepeer"
ADDED: Final = ("up", "scrape_")
"""Starts of the names that Prometheus and VictoriaMetrics add to each target."""

Page = Mapping[Labels, float]
"""The samples of a page by labels, among them the name."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions in every state, of several streams, which do not change.

    Attributes:
        all_rows: the sessions.
    """

    all_rows: Sequence[Row]

    def rows(self, now: float) -> Sequence[Row]:
        """Return the sessions for the simulated API."""
        return self.all_rows


def static_sessions() -> Sessions:
    """Return sessions in every state, one of them with an invalid value."""
    # Ids from the whole range, so that each shard has some.
    active = [live_row(n, id=str(UUID(int=n << 123)), parentId=f"stream-{n % 10}") for n in range(1, 21)]
    return Sessions(
        [
            *active,
            live_row(21, isHealthy=False, issues=["the GOP is 11 s long"], name='Radio C:\\studio "one"'),
            live_row(22, lastSeen=0, isHealthy=None),
            live_row(23, age=600, recordingStatus="failed", sourceBytes="many"),
        ]
    )


def serving_account(source: SessionSource) -> AbstractContextManager[str]:
    """Serve an account within the context; yields the base URL of its API."""
    return serving_in_thread(create_app(source, key=KEY, now=time.time))


def page(exporter: Exporter) -> Page:
    """Return the samples of the page in the text format."""
    samples = parse_page(exporter.request().body.decode(), Format.TEXT).samples
    return {_normalized(dict(labels) | {NAME: name}): value for (name, labels), value in samples.items()}


def stored(result: Result) -> Page:
    """Return the newest samples of a page as an engine has stored them, without what the engine adds."""
    found = {}
    for labels, samples in result.items():
        by_name = dict(labels)
        if not by_name[NAME].startswith(ADDED):
            found[_normalized({name: by_name[name] for name in by_name if name not in TARGET_LABELS})] = samples[
                max(samples)
            ]
    return found


TARGET_LABELS: Final = ("job", "instance", "replica", "receive", "tenant_id")
"""Labels of the target, of the Prometheus that sent a sample, and of Thanos Receive."""


def _normalized(labels: Mapping[str, str]) -> Labels:
    """Return labels without empty ones, which do not exist for an engine, and with the same bounds in all formats."""
    if "le" in labels:
        labels = {**labels, "le": f"{float(labels['le']):g}"}
    return frozenset((name, value) for name, value in labels.items() if value)


def scrape_config(job: str, exporters: Mapping[str, Exporter], interval: str = "1s", **options: Any) -> dict[str, Any]:
    """Return the scrape configuration of some exporters by the value of ``instance``."""
    targets = [
        {"targets": [f"127.0.0.1:{exporter.port}"], "labels": {"instance": instance}}
        for instance, exporter in exporters.items()
    ]
    return {"job_name": job, "scrape_interval": interval, "static_configs": targets, **options}


def wait_for_targets(api: Api, up: str, count: int) -> None:
    """Wait until a selector of ``up`` has that many targets that were scraped."""

    def scraped() -> bool:
        return any(samples[max(samples)] == count for samples in api.instant(f"sum({up})", time.time()).values())

    wait_until(scraped, f"{count} targets of {up}")


def differences(before: Page, after: Page, found: Page) -> str:
    """Return how the stored samples differ from those of the page, or an empty text.

    Values are compared if they were the same on the page before and after the scrapes.
    """
    missing, added = before.keys() - found.keys(), found.keys() - after.keys()
    stable = {labels for labels in before.keys() & found.keys() if before[labels] == after.get(labels)}
    changed = {labels for labels in stable if not are_close(before[labels], found[labels])}
    parts = {"missing": missing, "added": added, "changed": changed}
    examples = {name: dict(sorted(min(labels, key=sorted))) for name, labels in parts.items() if labels}
    return ", ".join(f"{len(parts[name])} {name}, such as {example}" for name, example in examples.items())
