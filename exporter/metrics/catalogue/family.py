"""How a metric is declared: names, types, labels, and functions from what there is to values.

Names follow the Prometheus guide: base units, the unit in the name, ``_total`` on counters and on nothing else,
timestamps instead of ages. What is unknown has no sample, never 0 and never NaN.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar

from exporter.sessions.session import Session
from exporter.sessions.snapshot import Totals
from exporter.sessions.streams import Stream

PREFIX: Final = "livepeer_studio_"
SESSION_LABELS: Final = ("account", "stream_id", "session_id")
STREAM_LABELS: Final = ("account", "stream_id")
ACCOUNT_LABELS: Final = ("account",)

Kind = Literal["gauge", "counter", "histogram"]
Sample = tuple[tuple[str, ...], float]
"""The values of a family's own labels, and the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A metric family as it is declared.

    Attributes:
        name: the whole name, with the prefix, and with ``_total`` where it is a counter.
        kind: the type of the text formats.
        help: one sentence that names the API's field where there is one.
        labels: the family's own labels, beyond those of what it is about.
        absent: when there is no sample, in words, for the documentation.
        closed: for each own label the values it can have; such families start with every series at 0.
        buckets: upper bounds of a histogram, seconds.
    """

    name: str
    kind: Kind = "gauge"
    help: str
    labels: tuple[str, ...] = ()
    absent: str = "never"
    closed: tuple[tuple[str, ...], ...] = ()
    buckets: tuple[float, ...] = ()


Subject = TypeVar("Subject")
"""What a family is about: a session, or a stream."""


@dataclass(frozen=True, kw_only=True)  # slots and generics do not go together: typing notes the type argument
class SubjectFamily(Family, Generic[Subject]):
    """A gauge on every session, or on every stream.

    Attributes:
        value: from a subject, and whether it is active, to the value or None; for families without own labels.
        values: the same for families with own labels.
        most: samples that one subject can have at most; 0 where nothing bounds them.
    """

    value: Callable[[Subject, bool], float | None] | None = None
    values: Callable[[Subject, bool], Iterable[Sample]] | None = None
    most: int = 1

    def samples(self, subject: Subject, active: bool) -> Iterable[Sample]:
        """All samples of one subject; no two with the same labels."""
        if self.values is not None:
            return self.values(subject, active)
        value = self.value(subject, active) if self.value is not None else None
        return () if value is None else (((), value),)


SessionFamily = SubjectFamily[Session]
StreamFamily = SubjectFamily[Stream]


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalFamily(Family):
    """A gauge on every account, from the totals of its snapshot."""

    values: Callable[[Totals], Iterable[Sample]]


def cached(text: str) -> str:
    """A HELP text on what a poll brings, which the Prometheus guide wants to be told apart."""
    return f"{text} Polled and cached."


def flag(value: bool | None) -> float | None:
    """1, 0, or nothing to say."""
    return None if value is None else float(value)


def seconds(milliseconds: float | None) -> float | None:
    """Unix seconds of the API's milliseconds, where 0 says never."""
    return milliseconds / 1000 if milliseconds else None


def counter(name: str, text: str, *closed: tuple[str, tuple[str, ...]]) -> Family:
    """A counter on something else than a session; ``closed`` has its labels with the values they can have."""
    return Family(
        name=f"{PREFIX}{name}_total",
        kind="counter",
        help=text,
        labels=tuple(label for label, _ in closed),
        closed=tuple(values for _, values in closed),
    )


def gauge(name: str, text: str, *closed: tuple[str, tuple[str, ...]], absent: str = "never") -> Family:
    """A gauge on something else than a session."""
    return Family(
        name=f"{PREFIX}{name}",
        help=text,
        labels=tuple(label for label, _ in closed),
        closed=tuple(values for _, values in closed),
        absent=absent,
    )
