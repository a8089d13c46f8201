"""The families on every account: totals of its snapshot, counters, and how its polling goes."""

from collections.abc import Iterable, Mapping
from typing import Final

from exporter.metrics.catalogue.family import PREFIX, Family, Sample, TotalFamily, cached, counter, gauge
from exporter.metrics.catalogue.label_values import CODES, FAILURES, SESSION_FAULTS, VALUE_FAULTS
from exporter.sessions.session import FIELDS
from exporter.sessions.snapshot import COUNTED, FINISHED, HEALTH, RECORDING_STATUSES, STATES


def _each(counts: Mapping[str, float]) -> Iterable[Sample]:
    return [((name,), float(count)) for name, count in counts.items()]


TOTAL_FAMILIES: Final = (
    TotalFamily(
        name=f"{PREFIX}sessions",
        help=cached("Sessions by state, all of the window, also those that the series budget keeps off the page."),
        labels=("state",),
        closed=(STATES,),
        values=lambda totals: _each(totals.sessions),
        absent="the data is stale",
    ),
    TotalFamily(
        name=f"{PREFIX}sessions_by_health",
        help=cached("Active sessions by health (API field isHealthy)."),
        labels=("health",),
        closed=(HEALTH,),
        values=lambda totals: _each(totals.health),
        absent="the data is stale",
    ),
    TotalFamily(
        name=f"{PREFIX}sessions_by_recording_status",
        help=cached("Recorded sessions by the state of the recording (API field recordingStatus)."),
        labels=("status",),
        closed=(RECORDING_STATUSES,),
        values=lambda totals: _each(totals.recordings),
        absent="the data is stale",
    ),
    TotalFamily(
        name=f"{PREFIX}ingest_rate_bytes_per_second",
        help=cached("Bytes per second that arrive, summed over active sessions (API field ingestRate)."),
        values=lambda totals: (((), totals.ingest_rate),),
        absent="the data is stale",
    ),
    TotalFamily(
        name=f"{PREFIX}outgoing_rate_bytes_per_second",
        help=cached("Bytes per second that are sent, summed over active sessions (API field outgoingRate)."),
        values=lambda totals: (((), totals.outgoing_rate),),
        absent="the data is stale",
    ),
)


_GREW: Final = "Sum of what {} grew by between polls, over all sessions (API field {}). Polled and cached."

AMOUNTS: Final[Mapping[str, Family]] = {
    "source_segments": counter("source_segments", _GREW.format("the segments that arrived", "sourceSegments")),
    "transcoded_segments": counter(
        "transcoded_segments", _GREW.format("the segments that were transcoded", "transcodedSegments")
    ),
    "source_segments_duration": counter(
        "source_segments_duration_seconds", _GREW.format("the media that arrived", "sourceSegmentsDuration")
    ),
    "transcoded_segments_duration": counter(
        "transcoded_segments_duration_seconds",
        _GREW.format("the media that was transcoded", "transcodedSegmentsDuration"),
    ),
    "source_bytes": counter("source_bytes", _GREW.format("the bytes that arrived", "sourceBytes")),
    "transcoded_bytes": counter("transcoded_bytes", _GREW.format("the bytes that were transcoded", "transcodedBytes")),
}
"""Per field of ``COUNTED`` its counter."""

STARTED: Final = counter("sessions_started", cached("Sessions that were created since the first poll."))
RECORDINGS: Final = counter(
    "recordings_finished",
    cached("Recordings that became ready, or failed, since the first poll (API field recordingStatus)."),
    ("result", FINISHED),
)
UP: Final = gauge("up", "1 if the last poll of the account succeeded, else 0; 0 before the first.")
SNAPSHOT: Final = gauge(
    "snapshot_timestamp_seconds",
    "When the poll began whose sessions are shown, Unix seconds of the exporter's clock: the age of the data.",
    absent="no poll has succeeded yet",
)

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)


def _histogram(name: str, text: str) -> Family:
    return Family(name=f"{PREFIX}{name}", kind="histogram", help=text, buckets=_SECONDS)


POLLS: Final = counter("exporter_polls", "Polls that were begun.")
POLL_FAILURES: Final = counter("exporter_poll_failures", "Polls that failed, by class.", ("class", FAILURES))
POLL_DURATION: Final = _histogram("exporter_poll_duration_seconds", "How long polls took, failed ones included.")
POLL_INTERVAL: Final = gauge("exporter_poll_interval_seconds", "Seconds between polls, as configured.")
CONSECUTIVE_FAILURES: Final = gauge(
    "exporter_poll_consecutive_failures", "Polls that failed since the last one that succeeded."
)
LAST_SUCCESS: Final = gauge(
    "exporter_poll_last_success_timestamp_seconds",
    "When the last successful poll ended, Unix seconds of the exporter's clock.",
    absent="no poll has succeeded yet",
)
BACKOFF_UNTIL: Final = gauge(
    "exporter_poll_backoff_until_timestamp_seconds",
    "When the next poll is due after a failure, Unix seconds of the exporter's clock.",
    absent="the last poll succeeded",
)
POLLS_SKIPPED: Final = counter(
    "exporter_polls_skipped", "Polls that were due while the one before was still under way."
)
API_REQUESTS: Final = counter(
    "exporter_api_requests", "Requests to the API by status code; none is one without an answer.", ("code", CODES)
)
API_DURATION: Final = _histogram("exporter_api_request_duration_seconds", "How long requests to the API took.")
API_RETRIES: Final = counter("exporter_api_retries", "Requests to the API that were repeated within a poll.")
API_THROTTLED: Final = counter("exporter_api_throttled", "Answers of the API with status 429.")
API_BYTES: Final = counter("exporter_api_response_bytes", "Bytes of the API's answers.")
WALK_PAGES: Final = gauge("exporter_walk_pages", "Pages that the last successful poll read.")
WALK_DUPLICATES: Final = counter(
    "exporter_walk_duplicates", "Sessions that came more than once within a walk; kept once."
)
EXPORTED: Final = gauge(
    "exporter_sessions_exported", "Sessions, or streams, of the last good poll that have series of their own."
)
DROPPED: Final = gauge(
    "exporter_sessions_dropped",
    "Sessions, or streams, of the last poll that have no series of their own, though the detail asks for them.",
    ("reason", ("series_limit",)),
)
INVALID_VALUES: Final = counter(
    "exporter_invalid_values",
    "Values of the API that were left out, by API field and by what was wrong.",
    ("field", FIELDS),
    ("reason", VALUE_FAULTS),
)
INVALID_SESSIONS: Final = counter(
    "exporter_invalid_sessions", "Sessions of the API that were left out.", ("reason", SESSION_FAULTS)
)
REGRESSIONS: Final = counter(
    "exporter_regressions", "Cumulative values of a session that fell between polls.", ("field", COUNTED)
)
CLOCK_SKEW: Final = gauge(
    "exporter_clock_skew_seconds",
    "Seconds that the API's clock is ahead of the exporter's.",
    absent="the API has not answered yet",
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
