"""The families on every session."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from exporter.metrics.catalogue import texts
from exporter.metrics.catalogue.family import PREFIX, Sample, SessionFamily, cached, flag, seconds
from exporter.metrics.catalogue.texts import Options
from exporter.sessions.session import Session
from exporter.sessions.snapshot import RECORDING_STATUSES, recording_status


def _when(active: bool, value: float | None) -> float | None:
    return value if active else None


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


def _session(name: str, text: str, value: Callable[[Session, bool], float | None], absent: str) -> SessionFamily:
    return SessionFamily(name=f"{PREFIX}session_{name}", help=cached(text), value=value, absent=absent)


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
        lambda s, active: flag(s.is_healthy) if active else None,
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
        lambda s, _: seconds(s.last_seen),
        "the field is 0, missing or unreadable",
    ),
    _session(
        "created_timestamp_seconds",
        "When the session was created, Unix seconds of the server's clock (API field createdAt).",
        lambda s, _: seconds(s.created_at),
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
        help=cached("1 for the current state of the recording, 0 for the others (API field recordingStatus)."),
        labels=("status",),
        closed=(RECORDING_STATUSES,),
        values=_statuses,
        most=len(RECORDING_STATUSES),
        absent="the session is not recorded",
    ),
    SessionFamily(
        name=f"{PREFIX}session_recording_available",
        help=cached("1 if the recording can be fetched in this format, else 0 (API fields recordingUrl, mp4Url)."),
        labels=("format",),
        closed=(("hls", "mp4"),),
        values=_available,
        most=2,
        absent="the session is not recorded",
    ),
)

_ISSUE_INFO: Final = SessionFamily(
    name=f"{PREFIX}session_issue_info",
    help=cached("1 for each issue that Livepeer reports, its text as a label (API field issues)."),
    labels=("issue",),
    values=texts.issues,
    most=texts.MAX_ISSUES,
    absent="there are no issues, or the session is not active",
)

_PROFILE_FAMILIES: Final = (
    SessionFamily(
        name=f"{PREFIX}session_profile_info",
        help=cached("1 for each transcoding profile (API field profiles)."),
        labels=("profile", "width", "height", "fps", "gop", "encoder"),
        values=texts.profiles,
        most=0,
        absent="off unless asked for",
    ),
    SessionFamily(
        name=f"{PREFIX}session_profile_bitrate_bytes_per_second",
        help=cached("Bytes per second that a transcoding profile aims at (API field profiles, bitrate)."),
        labels=("profile",),
        values=texts.bitrates,
        most=0,
        absent="off unless asked for",
    ),
)


def session_families(options: Options) -> tuple[SessionFamily, ...]:
    """The families on every session, in the order of the page."""
    info = SessionFamily(
        name=f"{PREFIX}session_info",
        help=cached("1 for each session, with the name of its stream (API field name)."),
        labels=texts.info_labels(options),
        values=texts.info(options),
    )
    issues = (_ISSUE_INFO,) if options.issue_texts else ()
    return (*_PLAIN, *_LABELLED, info, *issues, *(_PROFILE_FAMILIES if options.profile_series else ()))
