"""The instruments of one account: its counters, and the state of its polling."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import Metric, Sample

from exporter.metrics import catalogue
from exporter.metrics.catalogue import ACCOUNT_FAMILIES, WEBHOOK_FAMILIES, Family
from exporter.metrics.catalogue.family import IN_SHARDS
from exporter.metrics.catalogue.outcomes import CODES, WEBHOOK_RESULTS
from exporter.sessions.counters import Increments
from exporter.sessions.lifecycle import LifecycleIncrements

_CREATED: Final = "_created"
_REDUCIBLE_BUCKETS: Final = frozenset(f"{family.name}_bucket" for family in ACCOUNT_FAMILIES if family.reducible)
_OF_WEBHOOKS: Final = frozenset(family.name for family in WEBHOOK_FAMILIES)


class Telemetry:
    """The instruments of one account, in their own registry.

    Args:
        account: the value of the label.
        reduced: whether to omit the buckets of reducible histograms but +Inf, which both formats require.
    """

    def __init__(self, account: str, *, reduced: bool = False) -> None:
        self._account = account
        self._reduced = reduced
        self._registry = CollectorRegistry(auto_describe=False)
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        self._is_shard = False
        self._webhooks_changed = False
        for family in ACCOUNT_FAMILIES:
            self._declare(family)
        self.set(catalogue.UP, 0)

    def _declare(self, family: Family) -> None:
        labels = ("account", *family.labels)
        if family.type == "histogram":
            histogram = Histogram(family.name, family.help, labels, registry=self._registry, buckets=family.buckets)
            self._histograms[family.name] = histogram
            if family.absent_when != "never":
                return
            for values in product(*family.label_values):
                histogram.labels(self._account, *values)
            return
        instrument: Counter | Gauge
        if family.type == "counter":
            instrument = self._counters[family.name] = Counter(
                family.name, family.help, labels, registry=self._registry
            )
        else:
            instrument = self._gauges[family.name] = Gauge(family.name, family.help, labels, registry=self._registry)
        is_closed_set = len(family.labels) == len(family.label_values)
        if is_closed_set and family.absent_when in ("never", IN_SHARDS):
            for values in product(*family.label_values):
                instrument.labels(self._account, *values)

    def count(self, family: Family, amount: float = 1, *labels: str) -> None:
        """Add to a counter."""
        self._counters[family.name].labels(self._account, *labels).inc(amount)
        self._webhooks_changed |= family.name in _OF_WEBHOOKS

    def set(self, family: Family, value: float, *labels: str) -> None:
        """Set a gauge."""
        self._gauges[family.name].labels(self._account, *labels).set(value)

    def remove(self, family: Family) -> None:
        """Remove the samples of a gauge."""
        self._gauges[family.name].clear()

    def become_shard(self) -> None:
        """Remove the counters that a shard does not export; they are not counted from now on."""
        self._is_shard = True
        for family in ACCOUNT_FAMILIES:
            if not family.in_shards:
                self._counters[family.name].clear()

    def show_webhooks(self) -> None:
        """Show the families of webhooks from now on, each series that can have a value at 0 or as it is."""
        for event, result in product(catalogue.WEBHOOKS.label_values[0][:-1], ("accepted", "repeated")):
            self.count(catalogue.WEBHOOKS, 0, event, result)
        for result in WEBHOOK_RESULTS[2:]:
            self.count(catalogue.WEBHOOKS, 0, "none", result)
        for family in (catalogue.MULTISTREAM_EVENTS, catalogue.HINTED_POLLS, catalogue.HINTS_SAVED):
            for values in product(*family.label_values):
                self.count(family, 0, *values)
        self._histograms[catalogue.WEBHOOK_LAG.name].labels(self._account)

    def observe(self, family: Family, value: float, *labels: str) -> None:
        """Observe a value in a histogram."""
        self._histograms[family.name].labels(self._account, *labels).observe(value)
        self._webhooks_changed |= family.name in _OF_WEBHOOKS

    def request(self, code: str, seconds: float, size: int) -> None:
        """Count a finished API request.

        Args:
            code: the status code, or ``none`` without a response.
            seconds: its duration.
            size: bytes of the response body.
        """
        self.count(catalogue.API_REQUESTS, 1, code if code in CODES else "other")
        self.count(catalogue.API_BYTES, size)
        self.observe(catalogue.API_DURATION, seconds)

    def retry(self) -> None:
        """Count an API request that is retried."""
        self.count(catalogue.API_RETRIES)

    def throttled(self) -> None:
        """Count an API response with status 429."""
        self.count(catalogue.API_THROTTLED)

    def count_pages(self, *, pages: int, duplicates: int) -> None:
        """Record how many API pages a poll has read, and how many sessions more than once."""
        self.set(catalogue.WALK_PAGES, pages)
        self.count(catalogue.WALK_DUPLICATES, duplicates)

    def count_invalid(self, values: Mapping[tuple[str, str], int], sessions: Mapping[str, int]) -> None:
        """Count invalid values, by (field, reason), and invalid sessions, by reason."""
        for (field, reason), count in values.items():
            self.count(catalogue.INVALID_VALUES, count)
            self.count(catalogue.INVALID_VALUES_BY_FIELD, count, field, reason)
        for reason, count in sessions.items():
            self.count(catalogue.INVALID_SESSIONS, count, reason)

    def count_increments(self, increments: Increments) -> None:
        """Add what has happened between two polls to the counters."""
        for field, amount in increments.amounts.items():
            self.count(catalogue.AMOUNTS[field], amount)
        for field, count in increments.regressions.items():
            self.count(catalogue.REGRESSIONS, count, field)
        for result, count in increments.recordings.items():
            self.count(catalogue.RECORDINGS, count, result)
        self.count(catalogue.STARTED, increments.started)

    def count_lifecycle(self, increments: LifecycleIncrements) -> None:
        """Add what has happened to sessions and streams between two polls."""
        streams, sessions = increments.streams, increments.sessions
        if not self._is_shard:
            for health, seconds in streams.observed.items():
                self.count(catalogue.OBSERVED, seconds, health)
            self.count(catalogue.UNOBSERVED, streams.unobserved)
            self.count(catalogue.EPISODES, streams.episodes)
            self.count(catalogue.RECONNECTS, streams.reconnects)
        self.count(catalogue.NEVER_STARTED, sessions.never_started)
        for seconds in sessions.durations:
            self.observe(catalogue.ENDED_DURATION, seconds)
        for ratio in sessions.unhealthy_ratios:
            self.observe(catalogue.ENDED_UNHEALTHY, ratio)
        for result, found in increments.processing.items():
            for seconds in found:
                self.observe(catalogue.PROCESSING, seconds, result)

    def collect(self) -> Iterable[Metric]:
        """Return the families in the order of the catalogue, without ``_created`` series."""
        yield from map(self._exported, self._registry.collect())

    def changed_webhooks(self) -> Sequence[Metric]:
        """Return ``WEBHOOK_FAMILIES`` if one of them has changed since the last call, otherwise nothing."""
        if not self._webhooks_changed:
            return ()
        self._webhooks_changed = False
        instruments: Mapping[str, Counter | Histogram] = {**self._counters, **self._histograms}
        found = (instruments[family.name].collect() for family in WEBHOOK_FAMILIES)
        return [self._exported(metric) for metrics in found for metric in metrics]

    def _exported(self, metric: Metric) -> Metric:
        metric.samples = [sample for sample in metric.samples if self._is_exported(sample)]
        return metric

    def _is_exported(self, sample: Sample) -> bool:
        if self._reduced and sample.name in _REDUCIBLE_BUCKETS:
            return sample.labels["le"] == "+Inf"
        return not sample.name.endswith(_CREATED)
