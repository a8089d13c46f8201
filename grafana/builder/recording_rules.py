"""Recording rules: values without replicas and shards, for ad-hoc queries, federation and long-term storage.

No panel or alert depends on them. Names are ``level:metric:operation``, as the Prometheus guide on rules recommends.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from exporter.metrics import catalogue
from grafana.builder import queries
from grafana.builder.promql import NO_FILTERS, per_account, per_session, selector
from grafana.builder.thresholds import Thresholds

_MINIMUM_OVER_REPLICAS: Final = {"session_healthy"}
"""Metrics whose lowest value counts if replicas disagree; for all others the highest counts."""


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """One recording rule."""

    record: str
    expr: str

    def to_rule(self) -> dict[str, Any]:
        """Return the rule as in a Prometheus rule file."""
        return {"record": self.record, "expr": self.expr}


def recording_rules(thresholds: Thresholds) -> list[RecordingRule]:
    """Return all recording rules, those on sessions first."""
    return [*_session_rules(), *_account_rules(thresholds)]


def _unprefixed(family: catalogue.Family) -> str:
    return family.name.removeprefix(catalogue.PREFIX)


def _session_rules() -> Iterator[RecordingRule]:
    """Yield one rule per metric on sessions: one series per session, for any number of replicas."""
    for family in catalogue.session_families(catalogue.Options()):
        if family.labels:
            continue
        name = _unprefixed(family)
        aggregation = "min" if name in _MINIMUM_OVER_REPLICAS else "max"
        expr = per_session(selector(NO_FILTERS, name), aggregation=aggregation)
        yield RecordingRule(f"session:{family.name}:{aggregation}", expr)
    lag = f"session:{catalogue.PREFIX}session_transcoding_lag_seconds:max"
    yield RecordingRule(lag, queries.transcoding_lag(NO_FILTERS))


def _account_rules(thresholds: Thresholds) -> Iterator[RecordingRule]:
    """Yield one rule per total and counter of accounts: summed over shards, the maximum of replicas."""
    for family in catalogue.TOTAL_FAMILIES:
        expr = per_account(NO_FILTERS, selector(NO_FILTERS, _unprefixed(family)), *family.labels)
        yield RecordingRule(f"account:{family.name}:sum", expr)
    window = thresholds.comparison_window
    for counter in (*catalogue.AMOUNTS.values(), catalogue.STARTED, catalogue.RECORDINGS):
        rate = f"rate({selector(NO_FILTERS, _unprefixed(counter), window=window)})"
        stem = counter.name.removesuffix("_total")
        yield RecordingRule(f"account:{stem}:rate{window}", per_account(NO_FILTERS, rate, *counter.labels))
