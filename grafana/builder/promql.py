"""The words that queries are made of: which series, and how replicas and shards become one.

Every metric name passes through ``series``, which refuses what the catalogue does not know and adds the matchers that
fit the metric's labels. So no query can misspell a metric or forget a variable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Final

from exporter.metrics import catalogue

KEY: Final = ("job", "account", "stream_id", "session_id")
"""What makes a session one session, however many replicas tell of it."""

PART: Final = ("job", "account", "index")
"""What makes an account's share one: replicas have the same shard index, shards have not."""


def _known() -> Mapping[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    for family, about in catalogue.everything(catalogue.EVERY_OPTION):
        suffixes = ("_bucket", "_sum", "_count") if family.type == "histogram" else ("",)
        names |= {family.name + suffix: (*about, *family.labels) for suffix in suffixes}
    return names


LABELS: Final = _known()
"""Every series name of our own, with its labels."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which series a query looks at, as matchers by the label that a metric must have for them to apply."""

    matchers: Mapping[str, str]

    def of(self, labels: tuple[str, ...]) -> list[str]:
        """The matchers that fit a metric with these labels; job and instance are the target's and fit every one."""
        return [matcher for label, matcher in self.matchers.items() if label in ("job", "instance", *labels)]


EVERYWHERE: Final = Scope({})
PROCESS: Final = Scope({"job": 'job=~"$job"', "instance": 'instance=~"$instance"', "account": 'account=~"$account"'})
STREAMS: Final = Scope({**PROCESS.matchers, "stream_id": 'stream_id=~"$stream"'})
ONE_SESSION: Final = Scope({**STREAMS.matchers, "session_id": 'session_id=~"$session"'})


def series(scope: Scope, name: str, *matchers: str, window: str = "") -> str:
    """A selector.

    Args:
        scope: which series.
        name: the metric without the common prefix, or a whole name of the client library's own.
        matchers: more matchers, such as ``state="active"``.
        window: a duration makes it a range vector.

    Raises:
        LookupError: the catalogue has no such metric.
    """
    whole, labels = _find(name)
    inside = ", ".join([*scope.of(labels), *matchers])
    return f"{whole}{{{inside}}}".replace("{}", "") + (f"[{window}]" if window else "")


def _find(name: str) -> tuple[str, tuple[str, ...]]:
    whole = catalogue.PREFIX + name
    if whole in LABELS:
        return whole, LABELS[whole]
    if any(fnmatch(name, pattern) for pattern in catalogue.EXPOSED_BY_LIBRARY):
        return name, ()
    raise LookupError(f"the catalogue has no metric {name}")


def per_session(expr: str, *extra: str, how: str = "max") -> str:
    """One value per session, whatever the number of replicas."""
    return f"{how} by ({', '.join((*KEY, *extra))}) ({expr})"


def per_account(scope: Scope, expr: str, *extra: str, by: tuple[str, ...] = ("job", "account")) -> str:
    """The sum over an account's shards of what its replicas agree on: they tell the same, so the largest is taken.

    Args:
        scope: which series.
        expr: what every process says of its account.
        extra: labels of the metric to keep.
        by: other labels to keep; empty sums over all accounts.
    """
    kept = ", ".join((*by, *extra))
    return f"sum by ({kept}) ({per_part(scope, expr, *extra)})".replace("sum by () ", "sum")


def per_part(scope: Scope, expr: str, *extra: str) -> str:
    """One value per account and shard: the largest that its replicas tell."""
    shard = series(scope, "exporter_shard_info")
    return f"max by ({', '.join((*PART, *extra))}) ({expr} * on (job, instance) group_left (index) {shard})"


def named(scope: Scope, expr: str) -> str:
    """With the stream's name as a label. The one name is drawn by topk, since replicas may know two for a moment."""
    keys = ", ".join(KEY)
    info = series(scope, "session_info")
    return f"({expr}) * on ({keys}) group_left (name) topk by ({keys}) (1, {info})"
