"""The parts that every query is built from: selectors and aggregations over replicas and shards.

``selector`` accepts only metrics of the catalogue and adds the matchers that the metric's labels allow. A misspelt
metric therefore fails the build, and no query ignores a dashboard variable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Final

from exporter.metrics import catalogue

SESSION_KEY: Final = ("job", "account", "stream_id", "session_id")
"""Labels that identify a session, independent of the replica that exports it."""

SCOPE_KEY: Final = ("job", "account", "scope")
"""Labels that identify what an exporter polls of an account. Replicas have the same scope; shards, and sidecars with
different streams, have different ones."""


ON_ACCOUNT: Final = "on (job, instance, account)"
"""Matches the values of an account with the scope of the exporter that has them."""


def _metric_labels() -> Mapping[str, tuple[str, ...]]:
    labels: dict[str, tuple[str, ...]] = {}
    for family, subject_labels in catalogue.everything(catalogue.EVERY_OPTION):
        suffixes = ("_bucket", "_sum", "_count") if family.type == "histogram" else ("",)
        labels |= {family.name + suffix: (*subject_labels, *family.labels) for suffix in suffixes}
    return labels


METRIC_LABELS: Final = _metric_labels()
"""Label names by metric name, for every metric of the catalogue."""


TARGET_LABELS: Final = ("cluster", "job", "instance")
"""Labels that Prometheus adds; not every Prometheus adds ``cluster``."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Matchers by label name; a matcher applies to the metrics that have the label."""

    matchers: Mapping[str, str]

    def applicable(self, labels: tuple[str, ...]) -> list[str]:
        """Return the matchers for a metric with these labels. Those on the labels of the target always apply."""
        return [matcher for label, matcher in self.matchers.items() if label in (*TARGET_LABELS, *labels)]


NO_FILTERS: Final = Filters({})
ACCOUNT_FILTERS: Final = Filters(
    {
        "cluster": 'cluster=~"$cluster"',
        "job": 'job=~"$job"',
        "instance": 'instance=~"$instance"',
        "account": 'account=~"$account"',
    }
)
STREAM_FILTERS: Final = Filters({**ACCOUNT_FILTERS.matchers, "stream_id": 'stream_id=~"$stream"'})
SESSION_FILTERS: Final = Filters({**STREAM_FILTERS.matchers, "session_id": 'session_id=~"$session"'})


def filters_of_list(variable: str, label: str = "session_id") -> Filters:
    """Return the filters for the sessions or streams of a hidden variable; see ``variables.session_list``.

    By default Grafana encloses the values in parentheses. Without them Prometheus 2.42 looks the values up, instead of
    comparing the id of every session with the regular expression, which takes ten times as long.
    """
    selected = (STREAM_FILTERS.matchers.get(label, ""), f'{label}=~"${{{variable}:pipe}}"')
    return Filters({**STREAM_FILTERS.matchers, label: ", ".join(filter(None, selected))})


def selector(filters: Filters, name: str, *matchers: str, window: str = "") -> str:
    """Return an instant or range vector selector.

    Args:
        filters: matchers that apply where the metric has the label.
        name: a metric of the catalogue without the common prefix, or the full name of one of prometheus-client.
        matchers: additional matchers, such as ``state="active"``.
        window: a duration; makes the result a range vector.

    Raises:
        LookupError: the metric is not in the catalogue.
    """
    full_name, labels = _resolve(name)
    inside = ", ".join([*filters.applicable(labels), *matchers])
    return f"{full_name}{{{inside}}}".replace("{}", "") + (f"[{window}]" if window else "")


def metric_labels(name: str) -> tuple[str, ...]:
    """Return the labels of a metric, with those of its target.

    Args:
        name: as for ``selector``.

    Raises:
        LookupError: the metric is not in the catalogue.
    """
    return ("job", "instance", *_resolve(name)[1])


def _resolve(name: str) -> tuple[str, tuple[str, ...]]:
    """Return the full name of a metric and its labels."""
    full_name = catalogue.PREFIX + name
    if full_name in METRIC_LABELS:
        return full_name, METRIC_LABELS[full_name]
    if any(fnmatch(name, pattern) for pattern in catalogue.EXPOSED_BY_LIBRARY):
        return name, ()
    raise LookupError(f"the catalogue has no metric {name}")


def per_session(expr: str, *labels: str, aggregation: str = "max") -> str:
    """Aggregate to one value per session (and the extra labels), for any number of replicas."""
    return f"{aggregation} by ({', '.join((*SESSION_KEY, *labels))}) ({expr})"


def per_account(filters: Filters, expr: str, *labels: str, by: tuple[str, ...] = ("job", "account")) -> str:
    """Sum over scopes, taking the maximum of the replicas of each scope.

    Args:
        filters: as for ``selector``.
        expr: a vector of values per account.
        labels: labels of the metric to keep.
        by: other labels to keep; empty sums over all accounts.
    """
    kept = ", ".join((*by, *labels))
    return f"sum by ({kept}) ({per_scope(filters, expr, *labels)})".replace("sum by () ", "sum")


def per_scope(filters: Filters, expr: str, *labels: str, offset: str = "") -> str:
    """Aggregate to one value per account and scope: the maximum of its replicas.

    Args:
        filters: as for ``selector``.
        expr: a vector of values per account.
        labels: labels of the metric to keep.
        offset: a duration; the values of that long ago, of the exporters that there were.
    """
    at = f" offset {offset}" if offset else ""
    expr += at
    info = selector(filters, "exporter_scope_info") + at
    return f"max by ({', '.join((*SCOPE_KEY, *labels))}) ({expr} * {ON_ACCOUNT} group_left (scope) {info})"


def with_name(filters: Filters, expr: str) -> str:
    """Add the stream's name as a label to values per session."""
    return named(SESSION_KEY, selector(filters, "session_info"), expr)


def named(keys: tuple[str, ...], info: str, expr: str) -> str:
    """Add the label ``name`` of the series of ``info`` to values per ``keys``.

    ``topk`` selects one name, since replicas can export different names until both have polled a change. It runs on the
    names of the values only: on all names it would build a heap per session, which is most of a query's cost.
    """
    key = ", ".join(keys)
    return f"max by ({key}, name) (topk by ({key}) (1, {info} * on ({key}) group_left () ({expr})))"
