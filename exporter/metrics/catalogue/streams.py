"""The families on every stream, for the level of detail ``stream``: the sessions of a parent stream added up.

What is a sum here adds up over shards too; ``healthy`` is a minimum over them, ``active`` and the timestamps are
maxima, and what is told of the latest session is right in the shard that has it (docs/scaling.md).
"""

from collections.abc import Callable, Iterable
from typing import Final

from exporter.metrics.catalogue import texts
from exporter.metrics.catalogue.family import PREFIX, Sample, StreamFamily, cached, flag, seconds
from exporter.metrics.catalogue.texts import Options
from exporter.sessions.snapshot import RECORDING_STATUSES, STATES
from exporter.sessions.streams import Stream

FORMATS: Final = ("hls", "mp4")


def _states(stream: Stream, _active: bool) -> Iterable[Sample]:
    return [((state,), float(stream.states[state])) for state in STATES]


def _recordings(stream: Stream, _active: bool) -> Iterable[Sample]:
    if stream.recorded:
        for status in RECORDING_STATUSES:
            yield (status,), float(stream.recordings.get(status, 0))


def _available(stream: Stream, _active: bool) -> Iterable[Sample]:
    if stream.recorded:
        for form in FORMATS:
            yield (form,), float(stream.available[form])


def _stream(name: str, text: str, value: Callable[[Stream, bool], float | None], absent: str) -> StreamFamily:
    return StreamFamily(name=f"{PREFIX}stream_{name}", help=cached(text), value=value, absent=absent)


_NOWHERE: Final = "no session of the stream has the field"
_NOT_ACTIVE: Final = "no active session of the stream has the field"


def _sum(name: str, what: str, api_field: str, field: str, *, rate: bool = False) -> StreamFamily:
    of = "the stream's active sessions" if rate else "the stream's sessions"
    text = f"{what}, summed over {of} (API field {api_field})."
    return _stream(name, text, lambda stream, _: stream.sums[field], _NOT_ACTIVE if rate else _NOWHERE)


_PLAIN: Final = (
    _sum("source_segments", "Segments that arrived", "sourceSegments", "source_segments"),
    _sum("transcoded_segments", "Segments that were transcoded", "transcodedSegments", "transcoded_segments"),
    _sum(
        "source_segments_duration_seconds",
        "Seconds of media that arrived",
        "sourceSegmentsDuration",
        "source_segments_duration",
    ),
    _sum(
        "transcoded_segments_duration_seconds",
        "Seconds of media that were transcoded, over all renditions",
        "transcodedSegmentsDuration",
        "transcoded_segments_duration",
    ),
    _sum("source_bytes", "Bytes that arrived", "sourceBytes", "source_bytes"),
    _sum("transcoded_bytes", "Bytes that were transcoded", "transcodedBytes", "transcoded_bytes"),
    _sum("ingest_rate_bytes_per_second", "Bytes per second that arrive", "ingestRate", "ingest_rate", rate=True),
    _sum(
        "outgoing_rate_bytes_per_second", "Bytes per second that are sent", "outgoingRate", "outgoing_rate", rate=True
    ),
    _stream(
        "healthy",
        "The worst of the stream's active sessions: 0 if one is unhealthy, else 1 (API field isHealthy).",
        lambda stream, _: flag(stream.is_healthy),
        "the health of no active session is known",
    ),
    _stream(
        "issues",
        "Number of issues of the stream's active sessions (API field issues).",
        lambda stream, _: None if stream.issues is None else float(len(stream.issues)),
        _NOT_ACTIVE,
    ),
    _stream("active", "1 if a session of the stream is active, else 0.", lambda _, active: float(active), "never"),
    _stream(
        "last_seen_timestamp_seconds",
        "When media was last seen, Unix seconds of the server's clock (API field lastSeen).",
        lambda stream, _: seconds(stream.last_seen),
        "no session of the stream was seen",
    ),
    _stream(
        "created_timestamp_seconds",
        "When the stream's latest session was created, Unix seconds of the server's clock (API field createdAt).",
        lambda stream, _: seconds(stream.created_at),
        _NOWHERE,
    ),
    _stream(
        "recording_enabled",
        "Sessions of the stream that are recorded (API field record).",
        lambda stream, _: float(stream.recorded),
        "never",
    ),
    _stream(
        "profiles",
        "Number of transcoding profiles of the stream's latest session (API field profiles).",
        lambda stream, _: None if stream.profiles is None else float(len(stream.profiles)),
        "the field is missing or unreadable",
    ),
)

_LABELLED: Final = (
    StreamFamily(
        name=f"{PREFIX}stream_sessions",
        help=cached("Sessions of the stream by state."),
        labels=("state",),
        closed=(STATES,),
        values=_states,
        most=len(STATES),
    ),
    StreamFamily(
        name=f"{PREFIX}stream_recording_status",
        help=cached("Recorded sessions of the stream by the state of the recording (API field recordingStatus)."),
        labels=("status",),
        closed=(RECORDING_STATUSES,),
        values=_recordings,
        most=len(RECORDING_STATUSES),
        absent="no session of the stream is recorded",
    ),
    StreamFamily(
        name=f"{PREFIX}stream_recording_available",
        help=cached("Recordings of the stream that can be fetched, by format (API fields recordingUrl, mp4Url)."),
        labels=("format",),
        closed=(FORMATS,),
        values=_available,
        most=len(FORMATS),
        absent="no session of the stream is recorded",
    ),
)


def stream_families(options: Options) -> tuple[StreamFamily, ...]:
    """The families on every stream, in the order of the page."""
    info = StreamFamily(
        name=f"{PREFIX}stream_info",
        help=cached("1 for each stream, with the name of its latest session (API field name)."),
        labels=texts.info_labels(options),
        values=texts.info(options),
    )
    issues = _ISSUES if options.issue_texts else ()
    return (*_PLAIN, *_LABELLED, info, *issues, *(_PROFILES if options.profile_series else ()))


_ISSUES: Final = (
    StreamFamily(
        name=f"{PREFIX}stream_issue_info",
        help=cached("1 for each issue of the stream's active sessions, its text as a label (API field issues)."),
        labels=("issue",),
        values=texts.issues,
        most=texts.MAX_ISSUES,
        absent="there are no issues",
    ),
)

_PROFILES: Final = (
    StreamFamily(
        name=f"{PREFIX}stream_profile_info",
        help=cached("1 for each transcoding profile of the stream's latest session (API field profiles)."),
        labels=("profile", "width", "height", "fps", "gop", "encoder"),
        values=texts.profiles,
        most=0,
        absent="off unless asked for",
    ),
    StreamFamily(
        name=f"{PREFIX}stream_profile_bitrate_bytes_per_second",
        help=cached("Bytes per second that a profile of the latest session aims at (API field profiles, bitrate)."),
        labels=("profile",),
        values=texts.bitrates,
        most=0,
        absent="off unless asked for",
    ),
)
