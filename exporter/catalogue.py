"""Every metric that the program exposes: name, type, help, labels, and the function from a session to its value.

The only place that names a metric. Names follow the Prometheus guide: base units, the unit in the name, ``_total`` on
counters and on nothing else, timestamps instead of ages. What is unknown has no sample, never 0 and never NaN.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from exporter.errors import FAILURES
from exporter.session import FIELDS, SESSION_FAULTS, VALUE_FAULTS, Profile, Session, clean
from exporter.snapshot import COUNTED, FINISHED, HEALTH, RECORDING_STATUSES, STATES, Totals, recording_status
from exporter.studio import CODES

PREFIX: Final = "livepeer_studio_"
MAX_NAME: Final = 128
MAX_ISSUES: Final = 5
MAX_ISSUE: Final = 160
MAX_TEXT: Final = 64

SESSION_LABELS: Final = ("account", "stream_id", "session_id")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFamily(Family):
    """A gauge on every session.

    Attributes:
        value: from a session, and whether it is active, to the value or None; for families without own labels.
        values: the same for families with own labels.
        option: the setting that switches the family on or off, empty for those that are always there.
        most: samples that one session can have at most; 0 where nothing bounds them.
    """

    value: Callable[[Session, bool], float | None] | None = None
    values: Callable[[Session, bool], Iterable[Sample]] | None = None
    option: str = ""
    most: int = 1

    def samples(self, session: Session, active: bool) -> Iterable[Sample]:
        """All samples of one session; no two with the same labels."""
        if self.values is not None:
            return self.values(session, active)
        value = self.value(session, active) if self.value is not None else None
        return () if value is None else (((), value),)


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalFamily(Family):
    """A gauge on every account, from the totals of its snapshot."""

    values: Callable[[Totals], Iterable[Sample]]


@dataclass(frozen=True, slots=True)
class Options:
    """Which of the optional series are wanted; see the settings of the same names."""

    issue_texts: bool = True
    profile_series: bool = False
    playback_ids: bool = False
    project_ids: bool = False


def _when(active: bool, value: float | None) -> float | None:
    return value if active else None


def _flag(value: bool | None) -> float | None:
    return None if value is None else float(value)


def _seconds(milliseconds: float | None) -> float | None:
    return milliseconds / 1000 if milliseconds else None


def _statuses(session: Session, _active: bool) -> Iterable[Sample]:
    current = recording_status(session)
    return _STATUS_SAMPLES.get(current, ()) if current else ()


_STATUS_SAMPLES: Final[Mapping[str, tuple[Sample, ...]]] = {
    current: tuple(((status,), float(status == current)) for status in RECORDING_STATUSES)
    for current in RECORDING_STATUSES
}


def _available(session: Session, _active: bool) -> Iterable[Sample]:
    if session.record:
        yield ("hls",), float(bool(session.recording_url))
        yield ("mp4",), float(bool(session.mp4_url))


def _info(options: Options) -> Callable[[Session, bool], Iterable[Sample]]:
    def values(session: Session, _active: bool) -> Iterable[Sample]:
        labels = [clean(session.name or "", MAX_NAME)]
        if options.playback_ids:
            labels.append(clean(session.playback_id or "", MAX_NAME))
        if options.project_ids:
            labels.append(clean(session.project_id or "", MAX_NAME))
        return ((tuple(labels), 1.0),)

    return values


def _issues(session: Session, active: bool) -> Iterable[Sample]:
    if not active or not session.issues:
        return ()
    texts = dict.fromkeys(clean(text, MAX_ISSUE) for text in session.issues)
    return [((text,), 1.0) for text in list(texts)[:MAX_ISSUES]]


def _profiles(session: Session, _active: bool) -> Iterable[Sample]:
    found = dict.fromkeys(map(_profile_labels, session.profiles or ()))
    return [(labels, 1.0) for labels in found]


def _profile_labels(profile: Profile) -> tuple[str, ...]:
    texts = (profile.name, profile.width, profile.height, profile.fps, profile.gop, profile.encoder)
    return tuple(clean(f"{text:.15g}" if isinstance(text, float) else text or "", MAX_TEXT) for text in texts)


def _bitrates(session: Session, _active: bool) -> Iterable[Sample]:
    found: dict[tuple[str, ...], float] = {}
    for profile in session.profiles or ():
        if profile.bitrate is not None:
            found.setdefault((clean(profile.name or "", MAX_TEXT),), profile.bitrate / 8)
    return found.items()


def _cached(text: str) -> str:
    return f"{text} Polled and cached."


def _session(name: str, text: str, value: Callable[[Session, bool], float | None], absent: str) -> SessionFamily:
    return SessionFamily(name=f"{PREFIX}session_{name}", help=_cached(text), value=value, absent=absent)


_MISSING: Final = "the field is missing or unreadable"
_MISSING_OR_INACTIVE: Final = "the field is missing or unreadable, or the session is not active"

_PLAIN: Final = (
    _session(
        "source_segments",
        "Segments that arrived (API field sourceSegments); may fall after restarts upstream.",
        lambda s, _: s.source_segments,
        _MISSING,
    ),
    _session(
        "transcoded_segments",
        "Segments that were transcoded, over all renditions (API field transcodedSegments).",
        lambda s, _: s.transcoded_segments,
        _MISSING,
    ),
    _session(
        "source_segments_duration_seconds",
        "Seconds of media that arrived (API field sourceSegmentsDuration).",
        lambda s, _: s.source_segments_duration,
        _MISSING,
    ),
    _session(
        "transcoded_segments_duration_seconds",
        "Seconds of media that were transcoded, summed over all renditions (API field transcodedSegmentsDuration).",
        lambda s, _: s.transcoded_segments_duration,
        _MISSING,
    ),
    _session("source_bytes", "Bytes that arrived (API field sourceBytes).", lambda s, _: s.source_bytes, _MISSING),
    _session(
        "transcoded_bytes",
        "Bytes that were transcoded, over all renditions (API field transcodedBytes).",
        lambda s, _: s.transcoded_bytes,
        _MISSING,
    ),
    _session(
        "ingest_rate_bytes_per_second",
        "Bytes per second that arrive (API field ingestRate).",
        lambda s, active: _when(active, s.ingest_rate),
        _MISSING_OR_INACTIVE,
    ),
    _session(
        "outgoing_rate_bytes_per_second",
        "Bytes per second that are sent (API field outgoingRate).",
        lambda s, active: _when(active, s.outgoing_rate),
        _MISSING_OR_INACTIVE,
    ),
    _session(
        "healthy",
        "1 if the stream is healthy, 0 if not (API field isHealthy).",
        lambda s, active: _flag(s.is_healthy) if active else None,
        "the field is null, missing or unreadable, or the session is not active",
    ),
    _session(
        "issues",
        "Number of issues that Livepeer reports (API field issues).",
        lambda s, active: float(len(s.issues)) if active and s.issues is not None else None,
        "the field is null, missing or unreadable, or the session is not active",
    ),
    _session(
        "active",
        "1 if the session was seen within the active window of the server's clock (API field lastSeen), else 0.",
        lambda _, active: float(active),
        "never",
    ),
    _session(
        "last_seen_timestamp_seconds",
        "When media was last seen, Unix seconds of the server's clock (API field lastSeen).",
        lambda s, _: _seconds(s.last_seen),
        "the field is 0, missing or unreadable",
    ),
    _session(
        "created_timestamp_seconds",
        "When the session was created, Unix seconds of the server's clock (API field createdAt).",
        lambda s, _: _seconds(s.created_at),
        _MISSING,
    ),
    _session(
        "recording_enabled",
        "1 if the session is recorded (API field record), else 0; a missing field means not recorded.",
        lambda s, _: float(bool(s.record)),
        "never",
    ),
    _session(
        "profiles",
        "Number of transcoding profiles, that is of renditions that are wanted (API field profiles).",
        lambda s, _: None if s.profiles is None else float(len(s.profiles)),
        _MISSING,
    ),
)

_LABELLED: Final = (
    SessionFamily(
        name=f"{PREFIX}session_recording_status",
        help=_cached("1 for the current state of the recording, 0 for the others (API field recordingStatus)."),
        labels=("status",),
        closed=(RECORDING_STATUSES,),
        values=_statuses,
        most=len(RECORDING_STATUSES),
        absent="the session is not recorded",
    ),
    SessionFamily(
        name=f"{PREFIX}session_recording_available",
        help=_cached("1 if the recording can be fetched in this format, else 0 (API fields recordingUrl, mp4Url)."),
        labels=("format",),
        closed=(("hls", "mp4"),),
        values=_available,
        most=2,
        absent="the session is not recorded",
    ),
)

_ISSUE_INFO: Final = SessionFamily(
    name=f"{PREFIX}session_issue_info",
    help=_cached("1 for each issue that Livepeer reports, its text as a label (API field issues)."),
    labels=("issue",),
    values=_issues,
    most=MAX_ISSUES,
    absent="there are no issues, or the session is not active",
    option="issue_texts",
)

_PROFILE_FAMILIES: Final = (
    SessionFamily(
        name=f"{PREFIX}session_profile_info",
        help=_cached("1 for each transcoding profile (API field profiles)."),
        labels=("profile", "width", "height", "fps", "gop", "encoder"),
        values=_profiles,
        most=0,
        absent="off unless asked for",
        option="profile_series",
    ),
    SessionFamily(
        name=f"{PREFIX}session_profile_bitrate_bytes_per_second",
        help=_cached("Bytes per second that a transcoding profile aims at (API field profiles, bitrate)."),
        labels=("profile",),
        values=_bitrates,
        most=0,
        absent="off unless asked for",
        option="profile_series",
    ),
)


def session_families(options: Options) -> tuple[SessionFamily, ...]:
    """The families on every session, in the order of the page."""
    extra = ("playback_id",) * options.playback_ids + ("project_id",) * options.project_ids
    info = SessionFamily(
        name=f"{PREFIX}session_info",
        help=_cached("1 for each session, with the name of its stream (API field name)."),
        labels=("name", *extra),
        values=_info(options),
    )
    issues = (_ISSUE_INFO,) if options.issue_texts else ()
    return (*_PLAIN, *_LABELLED, info, *issues, *(_PROFILE_FAMILIES if options.profile_series else ()))


def _each(counts: Mapping[str, float]) -> Iterable[Sample]:
    return [((name,), float(count)) for name, count in counts.items()]


TOTAL_FAMILIES: Final = (
    TotalFamily(
        name=f"{PREFIX}sessions",
        help=_cached("Sessions by state, all of the window, also those that the series budget keeps off the page."),
        labels=("state",),
        closed=(STATES,),
        values=lambda totals: _each(totals.sessions),
        absent="the data is stale",
    ),
    TotalFamily(
        name=f"{PREFIX}sessions_by_health",
        help=_cached("Active sessions by health (API field isHealthy)."),
        labels=("health",),
        closed=(HEALTH,),
        values=lambda totals: _each(totals.health),
        absent="the data is stale",
    ),
    TotalFamily(
        name=f"{PREFIX}sessions_by_recording_status",
        help=_cached("Recorded sessions by the state of the recording (API field recordingStatus)."),
        labels=("status",),
        closed=(RECORDING_STATUSES,),
        values=lambda totals: _each(totals.recordings),
        absent="the data is stale",
    ),
    TotalFamily(
        name=f"{PREFIX}ingest_rate_bytes_per_second",
        help=_cached("Bytes per second that arrive, summed over active sessions (API field ingestRate)."),
        values=lambda totals: (((), totals.ingest_rate),),
        absent="the data is stale",
    ),
    TotalFamily(
        name=f"{PREFIX}outgoing_rate_bytes_per_second",
        help=_cached("Bytes per second that are sent, summed over active sessions (API field outgoingRate)."),
        values=lambda totals: (((), totals.outgoing_rate),),
        absent="the data is stale",
    ),
)


def _counter(name: str, text: str, *closed: tuple[str, tuple[str, ...]]) -> Family:
    return Family(
        name=f"{PREFIX}{name}_total",
        kind="counter",
        help=text,
        labels=tuple(label for label, _ in closed),
        closed=tuple(values for _, values in closed),
    )


def _gauge(name: str, text: str, *closed: tuple[str, tuple[str, ...]], absent: str = "never") -> Family:
    return Family(
        name=f"{PREFIX}{name}",
        help=text,
        labels=tuple(label for label, _ in closed),
        closed=tuple(values for _, values in closed),
        absent=absent,
    )


_GREW: Final = "Sum of what {} grew by between polls, over all sessions (API field {}). Polled and cached."

AMOUNTS: Final[Mapping[str, Family]] = {
    "source_segments": _counter("source_segments", _GREW.format("the segments that arrived", "sourceSegments")),
    "transcoded_segments": _counter(
        "transcoded_segments", _GREW.format("the segments that were transcoded", "transcodedSegments")
    ),
    "source_segments_duration": _counter(
        "source_segments_duration_seconds", _GREW.format("the media that arrived", "sourceSegmentsDuration")
    ),
    "transcoded_segments_duration": _counter(
        "transcoded_segments_duration_seconds",
        _GREW.format("the media that was transcoded", "transcodedSegmentsDuration"),
    ),
    "source_bytes": _counter("source_bytes", _GREW.format("the bytes that arrived", "sourceBytes")),
    "transcoded_bytes": _counter("transcoded_bytes", _GREW.format("the bytes that were transcoded", "transcodedBytes")),
}
"""Per field of ``COUNTED`` its counter."""

STARTED: Final = _counter("sessions_started", _cached("Sessions that were created since the first poll."))
RECORDINGS: Final = _counter(
    "recordings_finished",
    _cached("Recordings that became ready, or failed, since the first poll (API field recordingStatus)."),
    ("result", FINISHED),
)
UP: Final = _gauge("up", "1 if the last poll of the account succeeded, else 0; 0 before the first.")
SNAPSHOT: Final = _gauge(
    "snapshot_timestamp_seconds",
    "When the poll began whose sessions are shown, Unix seconds of the exporter's clock: the age of the data.",
    absent="no poll has succeeded yet",
)

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)


def _histogram(name: str, text: str) -> Family:
    return Family(name=f"{PREFIX}{name}", kind="histogram", help=text, buckets=_SECONDS)


POLLS: Final = _counter("exporter_polls", "Polls that were begun.")
POLL_FAILURES: Final = _counter("exporter_poll_failures", "Polls that failed, by class.", ("class", FAILURES))
POLL_DURATION: Final = _histogram("exporter_poll_duration_seconds", "How long polls took, failed ones included.")
POLL_INTERVAL: Final = _gauge("exporter_poll_interval_seconds", "Seconds between polls, as configured.")
CONSECUTIVE_FAILURES: Final = _gauge(
    "exporter_poll_consecutive_failures", "Polls that failed since the last one that succeeded."
)
LAST_SUCCESS: Final = _gauge(
    "exporter_poll_last_success_timestamp_seconds",
    "When the last successful poll ended, Unix seconds of the exporter's clock.",
    absent="no poll has succeeded yet",
)
BACKOFF_UNTIL: Final = _gauge(
    "exporter_poll_backoff_until_timestamp_seconds",
    "When the next poll is due after a failure, Unix seconds of the exporter's clock.",
    absent="the last poll succeeded",
)
POLLS_SKIPPED: Final = _counter(
    "exporter_polls_skipped", "Polls that were due while the one before was still under way."
)
API_REQUESTS: Final = _counter(
    "exporter_api_requests", "Requests to the API by status code; none is one without an answer.", ("code", CODES)
)
API_DURATION: Final = _histogram("exporter_api_request_duration_seconds", "How long requests to the API took.")
API_RETRIES: Final = _counter("exporter_api_retries", "Requests to the API that were repeated within a poll.")
API_THROTTLED: Final = _counter("exporter_api_throttled", "Answers of the API with status 429.")
API_BYTES: Final = _counter("exporter_api_response_bytes", "Bytes of the API's answers.")
WALK_PAGES: Final = _gauge("exporter_walk_pages", "Pages that the last successful poll read.")
WALK_DUPLICATES: Final = _counter(
    "exporter_walk_duplicates", "Sessions that came more than once within a walk; kept once."
)
EXPORTED: Final = _gauge("exporter_sessions_exported", "Sessions that have series of their own on the page.")
DROPPED: Final = _gauge(
    "exporter_sessions_dropped",
    "Sessions of the last poll that have no series of their own, though the level of detail asks for them.",
    ("reason", ("series_limit",)),
)
INVALID_VALUES: Final = _counter(
    "exporter_invalid_values",
    "Values of the API that were left out, by API field and by what was wrong.",
    ("field", FIELDS),
    ("reason", VALUE_FAULTS),
)
INVALID_SESSIONS: Final = _counter(
    "exporter_invalid_sessions", "Sessions of the API that were left out.", ("reason", SESSION_FAULTS)
)
REGRESSIONS: Final = _counter(
    "exporter_regressions", "Cumulative values of a session that fell between polls.", ("field", COUNTED)
)
CLOCK_SKEW: Final = _gauge(
    "exporter_clock_skew_seconds",
    "Seconds that the API's clock is ahead of the exporter's.",
    absent="the API has not answered yet",
)

BUILD_INFO: Final = Family(
    name=f"{PREFIX}exporter_build_info",
    help="1; the version of the program, the revision it was built from, and its Python.",
    labels=("version", "revision", "python_version"),
)
SERIES: Final = _gauge("exporter_series", "Series about sessions that are on the page, over all accounts.")
SERIES_LIMIT: Final = _gauge("exporter_series_limit", "Series about sessions that may be on the page.")
SHARD_INFO: Final = Family(
    name=f"{PREFIX}exporter_shard_info",
    help="1; which part of the sessions this exporter reads, of how many.",
    labels=("index", "count"),
)
RELOAD_OK: Final = _gauge(
    "exporter_config_reload_successful", "1 if the settings could be read when they were last read, else 0."
)
RELOAD_TIME: Final = _gauge(
    "exporter_config_reload_timestamp_seconds", "When the settings were last read successfully, Unix seconds."
)

ACCOUNT_FAMILIES: Final = (
    UP,
    SNAPSHOT,
    *AMOUNTS.values(),
    STARTED,
    RECORDINGS,
    POLLS,
    POLL_FAILURES,
    POLL_DURATION,
    POLL_INTERVAL,
    CONSECUTIVE_FAILURES,
    LAST_SUCCESS,
    BACKOFF_UNTIL,
    POLLS_SKIPPED,
    API_REQUESTS,
    API_DURATION,
    API_RETRIES,
    API_THROTTLED,
    API_BYTES,
    WALK_PAGES,
    WALK_DUPLICATES,
    EXPORTED,
    DROPPED,
    INVALID_VALUES,
    INVALID_SESSIONS,
    REGRESSIONS,
    CLOCK_SKEW,
)
"""What stays when the data is stale: the account's counters and how its polling goes."""

PROCESS_FAMILIES: Final = (BUILD_INFO, SERIES, SERIES_LIMIT, SHARD_INFO, RELOAD_OK, RELOAD_TIME)
"""What the process says of itself, beside the ``process_*`` and ``python_info`` families of prometheus-client."""


def everything(options: Options) -> Sequence[tuple[Family, tuple[str, ...]]]:
    """Every family of our own with the labels of what it is about, in the order of the page."""
    return (
        *((family, SESSION_LABELS) for family in session_families(options)),
        *((family, ACCOUNT_LABELS) for family in (*TOTAL_FAMILIES, *ACCOUNT_FAMILIES)),
        *((family, ()) for family in PROCESS_FAMILIES),
    )


EVERY_OPTION: Final = Options(issue_texts=True, profile_series=True, playback_ids=True, project_ids=True)
EXPOSED_BY_LIBRARY: Final = ("process_*", "python_info")
