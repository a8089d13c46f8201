"""The hidden variables: which sessions and streams the panels of the Overview dashboard show."""

from typing import Final

from grafana_foundation_sdk.models import dashboard

from grafana.builder.promql import STREAM_FILTERS, filters_of_list, selector
from grafana.builder.thresholds import Thresholds
from grafana.builder.variables import session_list, stream_list

UNHEALTHY, DISTURBED, LARGEST = 40, 30, 50
"""Most sessions of each kind in the table of sessions."""

TIMELINE_ROWS: Final = 15
FALLEN_STREAMS: Final = 10
RECORDINGS: Final = 50

LISTED: Final = filters_of_list("listed")
"""The sessions in the table of sessions: those with trouble, and the largest."""

ONCE_UNHEALTHY: Final = filters_of_list("unhealthy")
"""The sessions that were unhealthy longest in the time range."""

RECORDED: Final = filters_of_list("recordings")
"""The sessions whose recordings failed or are not ready in time."""

FALLEN: Final = filters_of_list("fallen", "stream_id")
"""The streams whose ingest rate fell most."""


def _series(name: str, *matchers: str) -> str:
    return selector(STREAM_FILTERS, name, *matchers)


def hidden_variables(thresholds: Thresholds) -> list[dashboard.VariableModel]:
    """Return the variables."""
    return [
        session_list("listed", _trouble_and_largest(thresholds)),
        session_list("unhealthy", _longest_unhealthy()),
        session_list("recordings", failed_or_stuck(thresholds)),
        stream_list("fallen", _most_fallen()),
    ]


def _trouble_and_largest(thresholds: Thresholds) -> str:
    """Compares samples of one exporter, so that nothing has to be aggregated over replicas first."""
    ingest = _series("session_ingest_rate_bytes_per_second")
    parts = (
        f"topk({UNHEALTHY}, {_series('session_health_since_timestamp_seconds')} and {_series('session_healthy')} == 0)",
        f"topk({DISTURBED}, {ingest} == 0)",
        f"topk({DISTURBED}, {_series('session_transcoding_lag_seconds')} > {thresholds.lag_warning:g})",
        f"topk({LARGEST}, {ingest})",
    )
    return " or ".join(parts)


def _longest_unhealthy() -> str:
    """The number of unhealthy samples; the comparison drops the sessions that were always healthy first."""
    health = selector(STREAM_FILTERS, "session_healthy", window="$__range")
    return f"topk({TIMELINE_ROWS}, count_over_time({health}) * (1 - (avg_over_time({health}) < 1)))"


def failed_or_stuck(thresholds: Thresholds) -> str:
    """Time of the last media of the newest sessions whose recording failed, or is not ready in time."""
    last_seen = _series("session_last_seen_timestamp_seconds")
    failed = _series("session_recording_status", 'status="failed"')
    waiting = _series("session_recording_status", 'status=~"waiting|none"')
    late = f"{last_seen} < time() - {thresholds.recording_stuck_after:g}"
    newest_failed = f"topk({RECORDINGS}, {last_seen} and ignoring (status) ({failed} == 1))"
    return f"{newest_failed} or topk({RECORDINGS}, {late} and ignoring (status) ({waiting} == 1))"


def _most_fallen() -> str:
    """Streams and not sessions: an encoder that reconnects has a new session and the same stream."""
    rates = [
        f"sum by (cluster, job, instance, account, stream_id) ({_series(name)}{offset})"
        for offset in (" offset $__range", "")
        for name in ("session_ingest_rate_bytes_per_second", "stream_ingest_rate_bytes_per_second")
    ]
    sessions_before, streams_before, sessions, streams = rates
    return f"topk({FALLEN_STREAMS}, ({sessions_before} or {streams_before}) - ({sessions} or {streams}) > 0)"
