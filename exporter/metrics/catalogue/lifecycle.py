"""The families of the lifecycle: of each session and stream, and of each account.

Their values are counted from poll to poll. The families of sessions and streams read them from what is remembered of
each, see `LifeFamily.bind`.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Final, Generic, TypeVar

from exporter.metrics.catalogue.family import IN_SHARDS, PREFIX, Family, Sample, SubjectFamily, counter, histogram
from exporter.sessions.session import Session
from exporter.sessions.session_life import SessionLife
from exporter.sessions.snapshot import FINISHED, HEALTH, State
from exporter.sessions.stream_life import StreamLife
from exporter.sessions.streams import Stream

Life = TypeVar("Life", SessionLife, StreamLife)


class LifeFamily(Family, Generic[Life], frozen=True, kw_only=True):
    """A metric of each session or stream, from what is remembered of its life.

    Attributes:
        value: the value, or None; for families without own labels.
        values: the samples; for families with own labels.
    """

    value: Callable[[Life], float | None] | None = None
    values: Callable[[Life], Sequence[Sample]] | None = None

    @property
    def max_series(self) -> int:
        """The most samples of a subject."""
        return prod(map(len, self.label_values))

    def bind(self, lives: Mapping[Any, Life]) -> SubjectFamily[Any]:
        """Return the family of sessions or streams, given what is remembered of each, by id."""
        value, values, life_of = self.value, self.values, lives.get

        def value_of(subject: Session | Stream, _state: State) -> float | None:
            life = life_of(subject.id)
            return None if life is None or value is None else value(life)

        def values_of(subject: Session | Stream, _state: State) -> Sequence[Sample]:
            life = life_of(subject.id)
            return () if life is None or values is None else values(life)

        return SubjectFamily(
            name=self.name,
            type=self.type,
            help=self.help,
            labels=self.labels,
            label_values=self.label_values,
            absent_when=self.absent_when,
            max_series=self.max_series,
            value=None if value is None else value_of,
            values=None if values is None else values_of,
        )


SESSION_LIFE_FAMILIES: Final[Sequence[LifeFamily[SessionLife]]] = (
    LifeFamily(
        name=f"{PREFIX}session_health_since_timestamp_seconds",
        help="Time of the first poll of the present run of polls with the same health, in Unix seconds of the API's"
        " clock (API field isHealthy).",
        value=lambda life: life.since if life.health in ("healthy", "unhealthy") else None,
        absent_when="the session is not active, or the field is null, missing or invalid",
    ),
)


def _stream_counter(
    name: str, text: str, value: Callable[[StreamLife], float], *, in_shards: bool = True
) -> LifeFamily[StreamLife]:
    return LifeFamily(
        name=f"{PREFIX}stream_{name}_total",
        type="counter",
        help=f"{text}, since the exporter started.",
        value=value,
        in_shards=in_shards,
        absent_when="never" if in_shards else IN_SHARDS,
    )


_OBSERVED: Final = "Observed seconds in which {} active by health (API field isHealthy){}"

STREAM_LIFE_FAMILIES: Final[Sequence[LifeFamily[StreamLife]]] = (
    LifeFamily(
        name=f"{PREFIX}stream_health_since_timestamp_seconds",
        help="Time of the first poll of the present run of polls with the same health of the stream, in Unix seconds"
        " of the API's clock (API field isHealthy). A stream is unhealthy if any active session is, else healthy if"
        " any is, else its health is unknown.",
        value=lambda life: None if life.health is None else life.since,
        in_shards=False,
        absent_when=f"no session of the stream is active, or {IN_SHARDS}",
    ),
    LifeFamily(
        name=f"{PREFIX}stream_observed_seconds_total",
        type="counter",
        help=f"{_OBSERVED.format('the stream was', '')}, since the exporter started.",
        labels=("health",),
        label_values=(HEALTH,),
        values=lambda life: [((name,), getattr(life, name)) for name in HEALTH],
        in_shards=False,
        absent_when=IN_SHARDS,
    ),
    _stream_counter(
        "unhealthy_episodes",
        "Number of times that the stream became unhealthy (API field isHealthy)",
        lambda life: life.episodes,
        in_shards=False,
    ),
    _stream_counter("sessions_started", "Sessions of the stream created", lambda life: life.started),
    LifeFamily(
        name=f"{PREFIX}stream_recordings_finished_total",
        type="counter",
        help="Recordings of the stream that became ready or failed, since the exporter started (API field"
        " recordingStatus).",
        labels=("result",),
        label_values=(FINISHED,),
        values=lambda life: ((("ready",), float(life.ready)), (("failed",), float(life.failed))),
    ),
    _stream_counter(
        "observed_source_bytes",
        "Source bytes received by the stream (API field sourceBytes)",
        lambda life: life.source_bytes,
    ),
    _stream_counter(
        "observed_transcoded_bytes",
        "Bytes transcoded of the stream, all renditions (API field transcodedBytes)",
        lambda life: life.transcoded_bytes,
    ),
    _stream_counter(
        "observed_source_segments_duration_seconds",
        "Source media received by the stream in seconds (API field sourceSegmentsDuration)",
        lambda life: life.source_segments_duration,
    ),
    _stream_counter(
        "observed_transcoded_segments_duration_seconds",
        "Media transcoded of the stream in seconds, all renditions (API field transcodedSegmentsDuration)",
        lambda life: life.transcoded_segments_duration,
    ),
)


STREAM_LIFE_GAUGES: Final = tuple(each for each in STREAM_LIFE_FAMILIES if each.type == "gauge")
STREAM_LIFE_COUNTERS: Final = tuple(each for each in STREAM_LIFE_FAMILIES if each.type == "counter")


def session_life_families(lives: Mapping[str, SessionLife]) -> list[SubjectFamily[Session]]:
    """Return the families of each session for one poll; ``lives`` has the active sessions."""
    return [each.bind(lives) for each in SESSION_LIFE_FAMILIES]


def stream_life_families(lives: Mapping[str | None, StreamLife], *, is_shard: bool) -> list[SubjectFamily[Stream]]:
    """Return the families of each stream for one poll."""
    return [each.bind(lives) for each in _exported(is_shard=is_shard)]


def series_of_stream_life(life: StreamLife, *, is_shard: bool) -> int:
    """Return the number of series of a stream."""
    families = _exported(is_shard=is_shard)
    gauges = sum(each.type == "gauge" for each in families)
    return sum(each.max_series for each in families) - (gauges if life.health is None else 0)


def _exported(*, is_shard: bool) -> list[LifeFamily[StreamLife]]:
    return [each for each in STREAM_LIFE_FAMILIES if each.in_shards or not is_shard]


def _account_counter(name: str, text: str, *labels: tuple[str, tuple[str, ...]], in_shards: bool = True) -> Family:
    return counter(name, f"{text}, since the exporter started.", *labels, in_shards=in_shards)


OBSERVED: Final = _account_counter(
    "observed_seconds",
    _OBSERVED.format("streams were", ", sum over all streams"),
    ("health", HEALTH),
    in_shards=False,
)
UNOBSERVED: Final = _account_counter(
    "unobserved_seconds",
    "Seconds in which streams were active that no poll covered, sum over all streams",
    in_shards=False,
)
EPISODES: Final = _account_counter(
    "unhealthy_episodes",
    "Number of times that a stream became unhealthy (API field isHealthy), sum over all streams",
    in_shards=False,
)
RECONNECTS: Final = _account_counter(
    "reconnects",
    "Sessions that continued an earlier session of their stream, last seen at most five minutes before (API fields"
    " parentId, createdAt, lastSeen)",
    in_shards=False,
)
NEVER_STARTED: Final = _account_counter(
    "sessions_never_started",
    "Sessions without any media five minutes after their creation (API fields createdAt, lastSeen)",
)


ENDED_DURATION: Final = histogram(
    "ended_session_duration_seconds",
    "Source media of ended sessions in seconds (API field sourceSegmentsDuration).",
    (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 86_400.0),
)
ENDED_UNHEALTHY: Final = histogram(
    "ended_session_unhealthy_ratio",
    "Share of the observed healthy and unhealthy time of ended sessions in which they were unhealthy, between 0 and 1"
    " (API field isHealthy).",
    (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0),
)
PROCESSING: Final = histogram(
    "recording_processing_seconds",
    "Seconds from the last media of a session to the poll that found its recording ready or failed"
    " (API fields lastSeen, recordingStatus).",
    (60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14_400.0),
    ("result", FINISHED),
)

ACCOUNT_LIFE_FAMILIES: Final = (
    OBSERVED,
    UNOBSERVED,
    EPISODES,
    RECONNECTS,
    NEVER_STARTED,
    ENDED_DURATION,
    ENDED_UNHEALTHY,
    PROCESSING,
)
