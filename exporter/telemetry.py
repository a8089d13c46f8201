"""What one account's polling did so far: the numbers behind its counters and the ``exporter_*`` families."""

from collections.abc import Iterable
from itertools import product
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric

from exporter import catalogue
from exporter.catalogue import ACCOUNT_FAMILIES, Family
from exporter.ledger import Growth
from exporter.walk import Walked

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

    def unset(self, family: Family) -> None:
        """Take a gauge's sample away: there is nothing to say."""
        self._gauges[family.name].clear()

    def observe(self, family: Family, value: float) -> None:
        """Take a value into a histogram."""
        self._histograms[family.name].labels(self._account).observe(value)

    def request(self, code: str, seconds: float, size: int) -> None:
        """A request to the API ended."""
        self.count(catalogue.API_REQUESTS, 1, code)
        self.count(catalogue.API_BYTES, size)
        self.observe(catalogue.API_DURATION, seconds)

    def retry(self) -> None:
        """A request to the API is repeated."""
        self.count(catalogue.API_RETRIES)

    def throttled(self) -> None:
        """The API answered 429."""
        self.count(catalogue.API_THROTTLED)

    def walked(self, walked: Walked) -> None:
        """A poll's walks have ended well."""
        self.set(catalogue.WALK_PAGES, walked.pages)
        self.count(catalogue.WALK_DUPLICATES, walked.duplicates)
        for (field, reason), count in walked.invalid_values.items():
            self.count(catalogue.INVALID_VALUES, count, field, reason)
        for reason, count in walked.invalid_sessions.items():
            self.count(catalogue.INVALID_SESSIONS, count, reason)

    def grew(self, growth: Growth) -> None:
        """Two polls were compared."""
        for field, amount in growth.amounts.items():
            self.count(catalogue.AMOUNTS[field], amount)
        for field, count in growth.regressions.items():
            self.count(catalogue.REGRESSIONS, count, field)
        for result, count in growth.recordings.items():
            self.count(catalogue.RECORDINGS, count, result)
        self.count(catalogue.STARTED, growth.started)

    def collect(self) -> Iterable[Metric]:
        """The families as prometheus-client has them, without ``_created`` series, in the catalogue's order."""
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith(_CREATED)]
            yield metric
