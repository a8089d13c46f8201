"""How a metric is declared: its name, type and labels, and the functions from a subject to its samples.

Names follow the Prometheus guide: base units, the unit in the name, ``_total`` on counters alone, timestamps instead
of ages. An unknown value has no sample; it is never exported as 0 or NaN.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Final, Generic, Literal, TypeVar

import msgspec

from exporter.sessions.session import Session
from exporter.sessions.snapshot import State, Totals
from exporter.sessions.streams import Stream

PREFIX: Final = "livepeer_studio_"
SESSION_LABELS: Final = ("account", "stream_id", "session_id")
STREAM_LABELS: Final = ("account", "stream_id")
ACCOUNT_LABELS: Final = ("account",)

IN_SHARDS: Final = "the exporter is a shard, because the sessions of a stream lie in several shards"
"""Why a family has no samples that is not exported by shards."""

MetricType = Literal["gauge", "counter", "histogram"]
Sample = tuple[tuple[str, ...], float]
"""The values of a family's own labels, and the value of the sample."""


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """The declaration of a metric family.

    Attributes:
        name: the whole name, with the prefix, and with ``_total`` on a counter.
        type: as in the text formats.
        help: a noun phrase with the unit and the API field.
        labels: the family's own labels, in addition to those of its subject.
        absent_when: when a subject has no sample, for the documentation.
        label_values: for each own label all its values; such families start with every series at 0.
        buckets: upper bounds of a histogram, in seconds.
        off_dashboards: why no panel shows the family; empty if one does.
        in_shards: whether a shard exports it; False if it needs all sessions of a stream.
        reducible: whether `--web.disable-exporter-metrics` omits it; of a histogram, only the buckets but +Inf.
    """

    name: str
    type: MetricType = "gauge"
    help: str
    labels: tuple[str, ...] = ()
    absent_when: str = "never"
    label_values: tuple[tuple[str, ...], ...] = ()
    buckets: tuple[float, ...] = ()
    off_dashboards: str = ""
    in_shards: bool = True
    reducible: bool = False


Subject = TypeVar("Subject")
"""What a family is about: a session or a stream."""


class SubjectFamily(Family, Generic[Subject], frozen=True, kw_only=True):
    """A gauge or counter of each session or of each stream.

    Attributes:
        value: from a subject and its state to the value, or None; for families without own labels.
        values: from a subject and its state to the samples; for families with own labels.
        max_series: the most samples of one subject, None if there is no bound.
    """

    value: Callable[[Subject, State], float | None] | None = None
    values: Callable[[Subject, State], Sequence[Sample]] | None = None
    max_series: int | None = 1

    def samples(self, subject: Subject, state: State) -> Sequence[Sample]:
        """Return all samples of a subject; no two have the same labels."""
        if self.values is not None:
            return self.values(subject, state)
        value = self.value(subject, state) if self.value is not None else None
        return () if value is None else (((), value),)


class Combine(Enum):
    """How the samples of a stream's sessions become those of the stream; the value is the text for HELP."""

    SUM = "sum over the stream's sessions"
    MIN = "minimum over the stream's sessions"
    MAX = "maximum over the stream's sessions"
    LATEST = "of the stream's most recently created session"
    UNION = "all of the stream's sessions"


class SessionFamily(SubjectFamily[Session], frozen=True, kw_only=True):
    """A gauge of each session.

    Attributes:
        combine: how it becomes the gauge of a stream, see `exporter.metrics.catalogue.streams`.
    """

    combine: Combine


StreamFamily = SubjectFamily[Stream]


class TotalFamily(Family, frozen=True, kw_only=True):
    """A gauge of each account, from the totals of its snapshot."""

    values: Callable[[Totals], Iterable[Sample]]


def unix_seconds(milliseconds: float | None) -> float | None:
    """Return Unix seconds from the API's milliseconds; None if they are 0, which means never, or invalid."""
    return milliseconds / 1000 if milliseconds and milliseconds > 0 else None


def counter(
    name: str, text: str, *labels: tuple[str, tuple[str, ...]], in_shards: bool = True, off_dashboards: str = ""
) -> Family:
    """Declare a counter of an account; ``labels`` are names, each with all its values."""
    return Family(
        name=f"{PREFIX}{name}_total",
        type="counter",
        help=text,
        labels=tuple(label for label, _ in labels),
        label_values=tuple(values for _, values in labels),
        absent_when="never" if in_shards else IN_SHARDS,
        off_dashboards=off_dashboards,
        in_shards=in_shards,
    )


def gauge(
    name: str, text: str, *labels: tuple[str, tuple[str, ...]], absent_when: str = "never", off_dashboards: str = ""
) -> Family:
    """Declare a gauge of an account or of the process; ``labels`` are names, each with all its values."""
    return Family(
        name=f"{PREFIX}{name}",
        help=text,
        labels=tuple(label for label, _ in labels),
        label_values=tuple(values for _, values in labels),
        absent_when=absent_when,
        off_dashboards=off_dashboards,
    )


def histogram(
    name: str,
    text: str,
    buckets: tuple[float, ...],
    *labels: tuple[str, tuple[str, ...]],
    absent_when: str = "never",
    off_dashboards: str = "",
    reducible: bool = False,
) -> Family:
    """Declare a histogram of an account; ``labels`` are names, each with all its values."""
    return Family(
        name=f"{PREFIX}{name}",
        type="histogram",
        help=text,
        labels=tuple(label for label, _ in labels),
        label_values=tuple(values for _, values in labels),
        absent_when=absent_when,
        buckets=buckets,
        off_dashboards=off_dashboards,
        reducible=reducible,
    )
