"""The declaration of every metric."""

from collections.abc import Sequence
from typing import Final

from exporter.metrics.catalogue.accounts import (
    ACCOUNT_FAMILIES,
    AMOUNTS,
    API_BYTES,
    API_DURATION,
    API_REQUESTS,
    API_RETRIES,
    API_THROTTLED,
    BACKOFF_UNTIL,
    CLOCK_SKEW,
    CONFIGURED_STREAMS,
    CONSECUTIVE_FAILURES,
    DROPPED,
    EXPORTED,
    INVALID_SESSIONS,
    INVALID_VALUES,
    LAST_SUCCESS,
    POLL_DURATION,
    POLL_FAILURES,
    POLL_INTERVAL,
    POLLS,
    POLLS_SKIPPED,
    RECORDINGS,
    REGRESSIONS,
    SNAPSHOT,
    STARTED,
    TOTAL_FAMILIES,
    UP,
    WALK_DUPLICATES,
    WALK_PAGES,
)
from exporter.metrics.catalogue.family import (
    ACCOUNT_LABELS,
    PREFIX,
    SESSION_LABELS,
    STREAM_LABELS,
    Family,
    Sample,
    SessionFamily,
    StreamFamily,
    SubjectFamily,
    TotalFamily,
)
from exporter.metrics.catalogue.process import (
    BUILD_INFO,
    EXPOSED_BY_LIBRARY,
    PROCESS_FAMILIES,
    RELOAD_OK,
    RELOAD_TIME,
    SERIES,
    SERIES_LIMIT,
    SHARD_INFO,
)
from exporter.metrics.catalogue.sessions import session_families
from exporter.metrics.catalogue.streams import stream_families
from exporter.metrics.catalogue.texts import MAX_ISSUE, MAX_ISSUES, MAX_NAME, MAX_TEXT, Options

EVERY_OPTION: Final = Options(issue_texts=True, profile_series=True, playback_ids=True, project_ids=True)


def everything(options: Options) -> Sequence[tuple[Family, tuple[str, ...]]]:
    """Return every family of the exporter with the labels of its subject, in the order of the page."""
    return (
        *((family, SESSION_LABELS) for family in session_families(options)),
        *((family, STREAM_LABELS) for family in stream_families(options)),
        *((family, ACCOUNT_LABELS) for family in (*TOTAL_FAMILIES, *ACCOUNT_FAMILIES)),
        *((family, ()) for family in PROCESS_FAMILIES),
    )


__all__ = [
    "ACCOUNT_FAMILIES",
    "ACCOUNT_LABELS",
    "AMOUNTS",
    "API_BYTES",
    "API_DURATION",
    "API_REQUESTS",
    "API_RETRIES",
    "API_THROTTLED",
    "BACKOFF_UNTIL",
    "BUILD_INFO",
    "CLOCK_SKEW",
    "CONFIGURED_STREAMS",
    "CONSECUTIVE_FAILURES",
    "DROPPED",
    "EVERY_OPTION",
    "EXPORTED",
    "EXPOSED_BY_LIBRARY",
    "INVALID_SESSIONS",
    "INVALID_VALUES",
    "LAST_SUCCESS",
    "MAX_ISSUE",
    "MAX_ISSUES",
    "MAX_NAME",
    "MAX_TEXT",
    "POLLS",
    "POLLS_SKIPPED",
    "POLL_DURATION",
    "POLL_FAILURES",
    "POLL_INTERVAL",
    "PREFIX",
    "PROCESS_FAMILIES",
    "RECORDINGS",
    "REGRESSIONS",
    "RELOAD_OK",
    "RELOAD_TIME",
    "SERIES",
    "SERIES_LIMIT",
    "SESSION_LABELS",
    "SHARD_INFO",
    "SNAPSHOT",
    "STARTED",
    "STREAM_LABELS",
    "TOTAL_FAMILIES",
    "UP",
    "WALK_DUPLICATES",
    "WALK_PAGES",
    "Family",
    "Options",
    "Sample",
    "SessionFamily",
    "StreamFamily",
    "SubjectFamily",
    "TotalFamily",
    "everything",
    "session_families",
    "stream_families",
]
