"""The families of each session. Each declares how it becomes the family of a stream."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Final

from exporter.metrics.catalogue import texts
from exporter.metrics.catalogue.family import PREFIX, Combine, Sample, SessionFamily, unix_seconds
from exporter.metrics.catalogue.texts import Options
from exporter.sessions.session import Session
from exporter.sessions.snapshot import ACTIVE, ENDED, RECORDING_STATUSES, State, recording_status, transcoding_lag

RECORDING_FORMATS: Final = ("hls", "mp4")


def _statuses(session: Session, _state: State) -> Sequence[Sample]:
    current = recording_status(session)
    return _STATUS_SAMPLES.get(current, ()) if current else ()


_STATUS_SAMPLES: Final[Mapping[str, tuple[Sample, ...]]] = {
    current: tuple(((status,), float(status == current)) for status in RECORDING_STATUSES)
    for current in RECORDING_STATUSES
}


def _available(session: Session, _state: State) -> Sequence[Sample]:
    if not session.record:
        return ()
    return (("hls",), float(bool(session.recording_url))), (("mp4",), float(bool(session.mp4_url)))


_INVALID: Final = "the field is missing or invalid"
_INACTIVE: Final = "the session is not active, or the field is missing or invalid"
_OPTIONAL: Final = "the option is off"


def _gauge(
    name: str,
    text: str,
    value: Callable[[Session, State], float | None],
    combine: Combine,
    *,
    absent_when: str = _INVALID,
    off_dashboards: str = "",
) -> SessionFamily:
    return SessionFamily(
        name=f"{PREFIX}session_{name}",
        help=text,
        value=value,
        combine=combine,
        absent_when=absent_when,
        off_dashboards=off_dashboards,
    )


def _of_active(field: Callable[[Session], float | None]) -> Callable[[Session, State], float | None]:
    """Return a value only while the session is active: the API may keep the last one forever."""
    return lambda session, state: field(session) if state == ACTIVE else None


_GAUGES: Final = (
    _gauge(
        "source_segments",
        "Source segments received (API field sourceSegments).",
        lambda session, _: session.source_segments,
        Combine.SUM,
    ),
    _gauge(
        "transcoded_segments",
        "Segments transcoded, all renditions (API field transcodedSegments).",
        lambda session, _: session.transcoded_segments,
        Combine.SUM,
    ),
    _gauge(
        "source_segments_duration_seconds",
        "Source media received in seconds (API field sourceSegmentsDuration).",
        lambda session, _: session.source_segments_duration,
        Combine.SUM,
    ),
    _gauge(
        "transcoded_segments_duration_seconds",
        "Media transcoded in seconds, all renditions (API field transcodedSegmentsDuration).",
        lambda session, _: session.transcoded_segments_duration,
        Combine.SUM,
    ),
    _gauge(
        "transcoding_lag_seconds",
        "Source media that is not transcoded yet in seconds, mean of the renditions (API fields "
        "sourceSegmentsDuration, transcodedSegmentsDuration, profiles).",
        # A pending session has a lag of 0, so that all lag of a new session is growth.
        lambda session, state: None if state == ENDED else transcoding_lag(session),
        Combine.MAX,
        absent_when="the session has ended or has no profiles, or a field is missing or invalid",
    ),
    _gauge(
        "source_bytes",
        "Source bytes received (API field sourceBytes).",
        lambda session, _: session.source_bytes,
        Combine.SUM,
    ),
    _gauge(
        "transcoded_bytes",
        "Bytes transcoded, all renditions (API field transcodedBytes).",
        lambda session, _: session.transcoded_bytes,
        Combine.SUM,
    ),
    _gauge(
        "ingest_rate_bytes_per_second",
        "Ingest rate in bytes per second (API field ingestRate).",
        _of_active(attrgetter("ingest_rate")),
        Combine.SUM,
        absent_when=_INACTIVE,
    ),
    _gauge(
        "outgoing_rate_bytes_per_second",
        "Outgoing rate in bytes per second (API field outgoingRate).",
        _of_active(attrgetter("outgoing_rate")),
        Combine.SUM,
        absent_when=_INACTIVE,
    ),
    _gauge(
        "healthy",
        "1 if healthy, 0 if unhealthy (API field isHealthy).",
        _of_active(lambda session: None if session.is_healthy is None else float(session.is_healthy)),
        Combine.MIN,
        absent_when="the session is not active, or the field is null, missing or invalid",
    ),
    _gauge(
        "issues",
        "Number of issues reported by Livepeer (API field issues).",
        _of_active(lambda session: None if session.issues is None else float(len(session.issues))),
        Combine.SUM,
        absent_when="the session is not active, or the field is null, missing or invalid",
    ),
    _gauge(
        "active",
        "1 if seen within the active window of the API's clock (API field lastSeen), else 0.",
        lambda _, state: 1.0 if state == ACTIVE else 0.0,
        Combine.MAX,
        absent_when="never",
    ),
    _gauge(
        "last_seen_timestamp_seconds",
        "Time of the last media in Unix seconds of the API's clock (API field lastSeen).",
        lambda session, _: unix_seconds(session.last_seen),
        Combine.MAX,
        absent_when="the field is 0, missing or invalid",
    ),
    _gauge(
        "created_timestamp_seconds",
        "Creation time in Unix seconds of the API's clock (API field createdAt).",
        lambda session, _: unix_seconds(session.created_at),
        Combine.MAX,
    ),
    _gauge(
        "recording_enabled",
        "1 if recorded, else 0 (API field record).",
        lambda session, _: 1.0 if session.record else 0.0,
        Combine.SUM,
        absent_when="never",
    ),
    _gauge(
        "profiles",
        "Number of transcoding profiles (API field profiles).",
        lambda session, _: None if session.profiles is None else float(len(session.profiles)),
        Combine.LATEST,
    ),
)

_RECORDING_FAMILIES: Final = (
    SessionFamily(
        name=f"{PREFIX}session_recording_status",
        help="1 for the current recording status, 0 for the others (API field recordingStatus).",
        labels=("status",),
        label_values=(RECORDING_STATUSES,),
        values=_statuses,
        max_series=len(RECORDING_STATUSES),
        absent_when="the session is not recorded",
        combine=Combine.SUM,
    ),
    SessionFamily(
        name=f"{PREFIX}session_recording_available",
        help="1 if the recording is available in the format, else 0 (API fields recordingUrl, mp4Url).",
        labels=("format",),
        label_values=(RECORDING_FORMATS,),
        values=_available,
        max_series=len(RECORDING_FORMATS),
        absent_when="the session is not recorded",
        combine=Combine.SUM,
    ),
)

_ISSUE_INFO: Final = SessionFamily(
    name=f"{PREFIX}session_issue_info",
    help="1 for each issue reported by Livepeer, with its text as a label (API field issues).",
    labels=("issue",),
    values=texts.issues,
    max_series=texts.MAX_ISSUES,
    absent_when="there are no issues, or the session is not active",
    combine=Combine.UNION,
)

_PROFILE_FAMILIES: Final = (
    SessionFamily(
        name=f"{PREFIX}session_profile_info",
        help="1 for each transcoding profile (API field profiles).",
        labels=("profile", "width", "height", "fps", "gop", "encoder"),
        values=texts.profiles,
        max_series=None,
        absent_when=_OPTIONAL,
        combine=Combine.LATEST,
    ),
    SessionFamily(
        name=f"{PREFIX}session_profile_bitrate_bytes_per_second",
        help="Target bitrate of a transcoding profile in bytes per second (API field profiles, bitrate).",
        labels=("profile",),
        values=texts.bitrates,
        max_series=None,
        absent_when=_OPTIONAL,
        combine=Combine.LATEST,
    ),
)


def session_families(options: Options) -> tuple[SessionFamily, ...]:
    """Return the families of each session, in the order of the page."""
    info = SessionFamily(
        name=f"{PREFIX}session_info",
        help="1, with the name of the stream as a label (API field name).",
        labels=texts.info_labels(options),
        values=texts.info(options),
        combine=Combine.LATEST,
    )
    issues = (_ISSUE_INFO,) if options.issue_texts else ()
    return (*_GAUGES, *_RECORDING_FAMILIES, info, *issues, *(_PROFILE_FAMILIES if options.profile_series else ()))
