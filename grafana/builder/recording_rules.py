"""Recording rules: replicas become one and shards add up, for those who query, federate or keep data for long.

No panel and no alert depends on them. Names are level:metric:operation, as the Prometheus guide for rules asks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from exporter.metrics import catalogue
from grafana.builder import queries
from grafana.builder.promql import EVERYWHERE, per_account, per_session, series
from grafana.builder.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded series."""

    record: str
    expr: str

    def plain(self) -> dict[str, Any]:
        """As the rule file has it."""
        return {"record": self.record, "expr": self.expr}


def recordings(limits: Thresholds) -> list[Recording]:
    """All of them: sessions first, then accounts."""
    return [*_sessions(), *_accounts(limits)]


def _sessions() -> Iterator[Recording]:
    """One series per session, whatever the number of replicas."""
    lowest = {"session_healthy"}
    for family in catalogue.session_families(catalogue.Options()):
        if family.labels:
            continue
        name = family.name.removeprefix(catalogue.PREFIX)
        how = "min" if name in lowest else "max"
        yield Recording(f"session:{family.name}:{how}", per_session(series(EVERYWHERE, name), how=how))
    lag = f"session:{catalogue.PREFIX}session_transcoding_lag_seconds:max"
    yield Recording(lag, queries.lag(EVERYWHERE))


def _accounts(limits: Thresholds) -> Iterator[Recording]:
    """One series per account and label: the sum over shards of what replicas agree on."""
    for family in catalogue.TOTAL_FAMILIES:
        name = family.name.removeprefix(catalogue.PREFIX)
        expr = per_account(EVERYWHERE, series(EVERYWHERE, name), *family.labels)
        yield Recording(f"account:{family.name}:sum", expr)
    for counter in (*catalogue.AMOUNTS.values(), catalogue.STARTED, catalogue.RECORDINGS):
        name = counter.name.removeprefix(catalogue.PREFIX)
        rate = f"rate({series(EVERYWHERE, name, window=limits.window)})"
        stem = counter.name.removesuffix("_total")
        yield Recording(f"account:{stem}:rate{limits.window}", per_account(EVERYWHERE, rate, *counter.labels))
