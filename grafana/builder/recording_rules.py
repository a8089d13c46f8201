"""Recording rules: values without replicas and shards, for ad-hoc queries, federation and long-term storage.

No panel or alert depends on them. There are none per session: they would copy every series of every session. Names
are ``level:metric:operation``, as the Prometheus guide on rules recommends.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from exporter.metrics import catalogue
from grafana.builder.promql import NO_FILTERS, per_account, selector
from grafana.builder.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """One recording rule."""

    record: str
    expr: str

    def to_rule(self) -> dict[str, Any]:
        """Return the rule as in a Prometheus rule file."""
        return {"record": self.record, "expr": self.expr}


def recording_rules(thresholds: Thresholds) -> list[RecordingRule]:
    """Return all recording rules: totals and counters of accounts, summed over scopes, the maximum of replicas."""
    return list(_account_rules(thresholds))


def _unprefixed(family: catalogue.Family) -> str:
    return family.name.removeprefix(catalogue.PREFIX)


def _account_rules(thresholds: Thresholds) -> Iterator[RecordingRule]:
    for family in catalogue.TOTAL_FAMILIES:
        expr = per_account(NO_FILTERS, selector(NO_FILTERS, _unprefixed(family)), *family.labels)
        yield RecordingRule(f"account:{family.name}:sum", expr)
    window = thresholds.comparison_window
    for counter in (*catalogue.AMOUNTS.values(), catalogue.STARTED, catalogue.RECORDINGS):
        rate = f"rate({selector(NO_FILTERS, _unprefixed(counter), window=window)})"
        stem = counter.name.removesuffix("_total")
        yield RecordingRule(f"account:{stem}:rate{window}", per_account(NO_FILTERS, rate, *counter.labels))
