"""The metrics of the process: the tail of every scrape. Those of Python and the system are prometheus-client's."""

import platform
from collections.abc import Callable

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client import generate_latest as as_text
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics

from exporter.metrics import catalogue
from exporter.metrics.catalogue import PROCESS_FAMILIES, Family
from exporter.metrics.catalogue.outcomes import CLOSE_REASONS
from exporter.metrics.text_format import Format, render_family
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
        reduced: whether to omit reducible families and those of prometheus-client.
    """

    def __init__(
        self,
        *,
        revision: str,
        series: Callable[[], int],
        series_limit: int,
        shard: tuple[int, int],
        now: Callable[[], float],
        reduced: bool = False,
    ) -> None:
        self._series = series
        self._now = now
        self._samples: dict[Family, dict[tuple[str, ...], float]] = {family: {} for family in PROCESS_FAMILIES}
        self._texts: dict[Format, bytes] = {}  # of the samples, until one changes
        self._library = CollectorRegistry(auto_describe=False)
        if not reduced:
            ProcessCollector(registry=self._library)
            PlatformCollector(registry=self._library)
        self._shown = [family for family in PROCESS_FAMILIES if not (reduced and family.reducible)]
        self._set(catalogue.BUILD_INFO, 1, VERSION, clean(revision, MAX_ID), platform.python_version())
        self._set(catalogue.SHARD_INFO, 1, str(shard[0]), str(shard[1]))
        for reason in CLOSE_REASONS:
            self._set(catalogue.CONNECTIONS_CLOSED, 0, reason)
        self.set_series_limit(series_limit)
        self.config_loaded(ok=True)

    def set_series_limit(self, limit: int) -> None:
        """Set the series limit."""
        self._set(catalogue.SERIES_LIMIT, limit)

    def config_loaded(self, *, ok: bool) -> None:
        """Record an attempt to load the configuration; a failure keeps the time of the last success."""
        self._set(catalogue.RELOAD_OK, ok)
        if ok:
            self._set(catalogue.RELOAD_TIME, self._now())

    def count_closed_connection(self, reason: str) -> None:
        """Count a connection that the server has closed.

        Raises:
            KeyError: the reason is not one of `CLOSE_REASONS`.
        """
        count = self._samples[catalogue.CONNECTIONS_CLOSED][reason,]
        self._set(catalogue.CONNECTIONS_CLOSED, count + 1, reason)

    def tail(self, form: Format) -> bytes:
        """Return the text of all families; in OpenMetrics it ends with the end marker."""
        self._set(catalogue.SERIES, self._series())
        if form not in self._texts:
            self._texts[form] = "".join(
                render_family(family, self._samples[family], form) for family in self._shown
            ).encode()
        render = as_openmetrics if form is Format.OPENMETRICS else as_text
        library: bytes = render(self._library)
        return self._texts[form] + library

    def _set(self, family: Family, value: float, *labels: str) -> None:
        if self._samples[family].get(labels) != value:
            self._samples[family][labels] = value
            self._texts.clear()
