"""What one account's polling did so far: the numbers behind its counters and the ``exporter_*`` families."""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import Metric

from exporter.metrics import catalogue
from exporter.metrics.catalogue import ACCOUNT_FAMILIES, Family
from exporter.metrics.catalogue.label_values import CODES
from exporter.sessions.counters import Increments

_CREATED: Final = "_created"


class Telemetry:
    """The instruments of one account, in a registry of their own.

    Args:
        account: the label's value.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._registry = CollectorRegistry(auto_describe=False)
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        for family in ACCOUNT_FAMILIES:
            self._declare(family)
        self.set(catalogue.UP, 0)

    def _declare(self, family: Family) -> None:
        labels = ("account", *family.labels)
        if family.kind == "histogram":
            histogram = Histogram(family.name, family.help, labels, registry=self._registry, buckets=family.buckets)
            self._histograms[family.name] = histogram
            histogram.labels(self._account)
            return
        instrument: Counter | Gauge
        if family.kind == "counter":
            instrument = self._counters[family.name] = Counter(
                family.name, family.help, labels, registry=self._registry
            )
        else:
            instrument = self._gauges[family.name] = Gauge(family.name, family.help, labels, registry=self._registry)
        if family.absent == "never":
            for values in product(*family.closed):
                instrument.labels(self._account, *values)

    def count(self, family: Family, amount: float = 1, *labels: str) -> None:
        """Add to a counter."""
        self._counters[family.name].labels(self._account, *labels).inc(amount)

    def set(self, family: Family, value: float, *labels: str) -> None:
        """Set a gauge."""
        self._gauges[family.name].labels(self._account, *labels).set(value)

    def remove_gauge(self, family: Family) -> None:
        """Take a gauge's sample away: there is nothing to say."""
        self._gauges[family.name].clear()

    def observe(self, family: Family, value: float) -> None:
        """Take a value into a histogram."""
        self._histograms[family.name].labels(self._account).observe(value)

    def request(self, code: str, seconds: float, size: int) -> None:
        """A request to the API ended."""
        self.count(catalogue.API_REQUESTS, 1, code if code in CODES else "other")
        self.count(catalogue.API_BYTES, size)
        self.observe(catalogue.API_DURATION, seconds)

    def retry(self) -> None:
        """A request to the API is repeated."""
        self.count(catalogue.API_RETRIES)

    def throttled(self) -> None:
        """The API answered 429."""
        self.count(catalogue.API_THROTTLED)

    def read(self, *, pages: int, duplicates: int) -> None:
        """A poll has read all its pages."""
        self.set(catalogue.WALK_PAGES, pages)
        self.count(catalogue.WALK_DUPLICATES, duplicates)

    def dropped(self, values: Mapping[tuple[str, str], int], sessions: Mapping[str, int]) -> None:
        """Values, by (field, fault), and sessions, by fault, of a poll were dropped."""
        for (field, reason), count in values.items():
            self.count(catalogue.INVALID_VALUES, count, field, reason)
        for reason, count in sessions.items():
            self.count(catalogue.INVALID_SESSIONS, count, reason)

    def grew(self, increments: Increments) -> None:
        """Two polls were compared."""
        for field, amount in increments.amounts.items():
            self.count(catalogue.AMOUNTS[field], amount)
        for field, count in increments.regressions.items():
            self.count(catalogue.REGRESSIONS, count, field)
        for result, count in increments.recordings.items():
            self.count(catalogue.RECORDINGS, count, result)
        self.count(catalogue.STARTED, increments.started)

    def collect(self) -> Iterable[Metric]:
        """The families as prometheus-client has them, without ``_created`` series, in the catalogue's order."""
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith(_CREATED)]
            yield metric
