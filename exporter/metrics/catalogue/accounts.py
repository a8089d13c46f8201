"""The families of each account: totals of its snapshot, counters, and the state of its polling."""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from exporter.metrics.catalogue.family import PREFIX, Family, Sample, TotalFamily, counter, gauge, histogram
from exporter.metrics.catalogue.lifecycle import ACCOUNT_LIFE_FAMILIES
from exporter.metrics.catalogue.outcomes import CODES, FAILURES, SESSION_FAULTS, VALUE_FAULTS
from exporter.metrics.catalogue.webhooks import WEBHOOK_FAMILIES
from exporter.sessions.growth import COUNTED
from exporter.sessions.session import FIELDS
from exporter.sessions.snapshot import FINISHED, HEALTH, RECORDING_STATUSES, STATES, STREAM_STATES

_STALE: Final = "there is no data, or it is stale"


def _each(counts: Mapping[str, float]) -> Iterable[Sample]:
    return [((name,), float(count)) for name, count in counts.items()]


CONFIGURED_STREAMS: Final = TotalFamily(
    name=f"{PREFIX}configured_streams",
    help="Number of configured streams (setting stream_ids) by state: live with an active session, idle with other"
    " sessions in the window, absent without any.",
    labels=("state",),
    label_values=(STREAM_STATES,),
    values=lambda totals: _each(totals.configured_streams),
    absent_when=f"no streams are configured, the exporter is a shard, or {_STALE}",
    off_dashboards="few accounts configure streams; the status page and the command check name those without sessions",
)

TOTAL_FAMILIES: Final = (
    TotalFamily(
        name=f"{PREFIX}sessions",
        help="Number of sessions in the window by state, including those beyond the series limit.",
        labels=("state",),
        label_values=(STATES,),
        values=lambda totals: _each(totals.sessions),
        absent_when=_STALE,
    ),
    TotalFamily(
        name=f"{PREFIX}sessions_by_health",
        help="Number of active sessions by health (API field isHealthy).",
        labels=("health",),
        label_values=(HEALTH,),
        values=lambda totals: _each(totals.health),
        absent_when=_STALE,
    ),
    TotalFamily(
        name=f"{PREFIX}sessions_by_recording_status",
        help="Number of recorded sessions by recording status (API field recordingStatus).",
        labels=("status",),
        label_values=(RECORDING_STATUSES,),
        values=lambda totals: _each(totals.recordings),
        absent_when=_STALE,
    ),
    TotalFamily(
        name=f"{PREFIX}ingest_rate_bytes_per_second",
        help="Ingest rate of all active sessions in bytes per second (API field ingestRate).",
        values=lambda totals: (((), totals.ingest_rate),),
        absent_when=_STALE,
    ),
    TotalFamily(
        name=f"{PREFIX}outgoing_rate_bytes_per_second",
        help="Outgoing rate of all active sessions in bytes per second (API field outgoingRate).",
        values=lambda totals: (((), totals.outgoing_rate),),
        absent_when=_STALE,
    ),
    CONFIGURED_STREAMS,
)

_SINCE: Final = "across all sessions since the exporter started"

AMOUNTS: Final[Mapping[str, Family]] = {
    "source_segments": counter("source_segments", f"Source segments received {_SINCE} (API field sourceSegments)."),
    "transcoded_segments": counter(
        "transcoded_segments", f"Segments transcoded {_SINCE} (API field transcodedSegments)."
    ),
    "source_segments_duration": counter(
        "source_segments_duration_seconds",
        f"Source media received in seconds {_SINCE} (API field sourceSegmentsDuration).",
    ),
    "transcoded_segments_duration": counter(
        "transcoded_segments_duration_seconds",
        f"Media transcoded in seconds {_SINCE} (API field transcodedSegmentsDuration).",
    ),
    "source_bytes": counter("source_bytes", f"Source bytes received {_SINCE} (API field sourceBytes)."),
    "transcoded_bytes": counter("transcoded_bytes", f"Bytes transcoded {_SINCE} (API field transcodedBytes)."),
}
"""The counter of each field of ``COUNTED``."""

STARTED: Final = counter("sessions_started", "Sessions created since the exporter started.")
RECORDINGS: Final = counter(
    "recordings_finished",
    "Recordings that became ready or failed since the exporter started (API field recordingStatus).",
    ("result", FINISHED),
)
UP: Final = gauge("up", "1 if the last poll succeeded, else 0.")
SNAPSHOT: Final = gauge(
    "snapshot_timestamp_seconds",
    "Start time of the poll whose data is shown, in Unix seconds of the exporter's clock."
    " All session, stream and account values are polled and cached.",
    absent_when="no poll has succeeded yet",
)
RECORDINGS_SNAPSHOT: Final = gauge(
    "recordings_snapshot_timestamp_seconds",
    "Start time of the last poll that requested recordings before the session window, in Unix seconds of the exporter's"
    " clock. The series of these sessions are as old as that, and those of all others as snapshot_timestamp_seconds.",
    absent_when="no poll has succeeded yet, or recording_window is not longer than session_window",
)

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)


def _histogram(name: str, text: str) -> Family:
    return histogram(name, text, _SECONDS, reducible=True)


POLLS: Final = counter("exporter_polls", "Polls started.")
POLL_FAILURES: Final = counter("exporter_poll_failures", "Failed polls by class of failure.", ("class", FAILURES))
POLL_DURATION: Final = _histogram("exporter_poll_duration_seconds", "Duration of polls in seconds, failed ones too.")
POLL_INTERVAL: Final = gauge("exporter_poll_interval_seconds", "Poll interval in seconds, as configured.")
MAX_STALENESS: Final = gauge(
    "exporter_max_staleness_seconds",
    "Age at which data expires in seconds, as configured (setting max_staleness).",
)
SCOPE_INFO: Final = Family(
    name=f"{PREFIX}exporter_scope_info",
    help="1, with the polled sessions as labels: a hash of base URL, configured streams and shard, the shard index and"
    " the shard count. Replicas have the same labels.",
    labels=("scope", "index", "count"),
)
CONSECUTIVE_FAILURES: Final = gauge("exporter_poll_consecutive_failures", "Failed polls since the last successful one.")
LAST_SUCCESS: Final = gauge(
    "exporter_poll_last_success_timestamp_seconds",
    "End time of the last successful poll in Unix seconds of the exporter's clock.",
    absent_when="no poll has succeeded yet",
)
BACKOFF_UNTIL: Final = gauge(
    "exporter_poll_backoff_until_timestamp_seconds",
    "Time of the next poll after a failure, in Unix seconds of the exporter's clock.",
    absent_when="the last poll succeeded",
)
POLLS_SKIPPED: Final = counter("exporter_polls_skipped", "Polls skipped because the previous one was still running.")
API_REQUESTS: Final = counter(
    "exporter_api_requests", "API requests by status code; none for a request without a response.", ("code", CODES)
)
API_DURATION: Final = _histogram("exporter_api_request_duration_seconds", "Duration of API requests in seconds.")
API_RETRIES: Final = counter("exporter_api_retries", "API requests retried within a poll.")
API_THROTTLED: Final = counter("exporter_api_throttled", "API responses with status 429.")
API_BYTES: Final = counter("exporter_api_response_bytes", "Bytes of API response bodies.")
WALK_PAGES: Final = gauge("exporter_walk_pages", "API pages read by the last successful poll.")
WALK_DUPLICATES: Final = counter(
    "exporter_walk_duplicates", "Sessions that a poll read more than once; each is exported once."
)
EXPORTED: Final = gauge(
    "exporter_sessions_exported", "Sessions or streams of the last successful poll with series of their own."
)
DROPPED: Final = gauge(
    "exporter_sessions_dropped",
    "Sessions or streams of the last successful poll without series of their own, by reason.",
    ("reason", ("series_limit",)),
)
INVALID_VALUES: Final = counter("exporter_invalid_values", "Invalid API values dropped.")
INVALID_VALUES_BY_FIELD: Final = replace(
    counter(
        "exporter_invalid_values_by_field",
        "Invalid API values dropped, by API field and reason.",
        ("field", FIELDS),
        ("reason", VALUE_FAULTS),
    ),
    absent_when="no such value has been dropped yet",
)
INVALID_SESSIONS: Final = counter(
    "exporter_invalid_sessions", "Invalid API sessions dropped, by reason.", ("reason", SESSION_FAULTS)
)
REGRESSIONS: Final = counter(
    "exporter_regressions", "Cumulative session values below the one of the poll before, by field.", ("field", COUNTED)
)
CLOCK_SKEW: Final = gauge(
    "exporter_clock_skew_seconds",
    "Seconds that the API's clock is ahead of the exporter's.",
    absent_when="no request has succeeded yet",
)

ACCOUNT_FAMILIES: Final = (
    UP,
    SNAPSHOT,
    RECORDINGS_SNAPSHOT,
    *AMOUNTS.values(),
    STARTED,
    RECORDINGS,
    *ACCOUNT_LIFE_FAMILIES,
    *WEBHOOK_FAMILIES,
    POLLS,
    POLL_FAILURES,
    POLL_DURATION,
    POLL_INTERVAL,
    MAX_STALENESS,
    SCOPE_INFO,
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
    INVALID_VALUES_BY_FIELD,
    INVALID_SESSIONS,
    REGRESSIONS,
    CLOCK_SKEW,
)
"""The families that stay when the data is stale: counters and the state of polling."""
