"""The metrics of the process: the tail of every scrape, rendered by prometheus-client."""

import platform
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, PlatformCollector, ProcessCollector
from prometheus_client import generate_latest as as_text
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics

from exporter.metrics import catalogue
from exporter.metrics.catalogue import Family
from exporter.metrics.text_format import Format
from exporter.sessions.session import MAX_ID
from exporter.text import clean
from exporter.version import VERSION


class Process:
    """The instruments of the process.

    Args:
        revision: the source revision of the build; may be empty.
        series: returns the number of session and stream series on the page.
        series_limit: the maximum of them.
        shard: index and count.
        now: Unix seconds; also the load time of the configuration.
    """

    def __init__(
        self,
        *,
        revision: str,
        series: Callable[[], int],
        series_limit: int,
        shard: tuple[int, int],
        now: Callable[[], float],
    ) -> None:
        self.registry: Final = CollectorRegistry(auto_describe=False)
        self._now = now
        self._gauge(catalogue.BUILD_INFO).labels(VERSION, clean(revision, MAX_ID), platform.python_version()).set(1)
        self._gauge(catalogue.SERIES).set_function(series)
        self._limit = self._gauge(catalogue.SERIES_LIMIT)
        self.set_series_limit(series_limit)
        self._gauge(catalogue.SHARD_INFO).labels(str(shard[0]), str(shard[1])).set(1)
        self._reload_ok = self._gauge(catalogue.RELOAD_OK)
        self._reload_time = self._gauge(catalogue.RELOAD_TIME)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.config_loaded(ok=True)

    def _gauge(self, family: Family) -> Gauge:
        return Gauge(family.name, family.help, family.labels, registry=self.registry)

    def set_series_limit(self, limit: int) -> None:
        """Set the series limit."""
        self._limit.set(limit)

    def config_loaded(self, *, ok: bool) -> None:
        """Record an attempt to load the configuration; a failure keeps the time of the last success."""
        self._reload_ok.set(float(ok))
        if ok:
            self._reload_time.set(self._now())

    def tail(self, form: Format) -> bytes:
        """Return the text of all families; in OpenMetrics it ends with the end marker."""
        render = as_openmetrics if form is Format.OPENMETRICS else as_text
        text: bytes = render(self.registry)
        return text
