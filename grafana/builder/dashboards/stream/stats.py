"""The values at the top of the Stream dashboard."""

from typing import Final

from grafana.builder import stream_queries
from grafana.builder.dashboard import SESSION_UID, PanelBuilder
from grafana.builder.links import Link, dashboard_url
from grafana.builder.panels import BLUE, GREEN, ORANGE, RED, TEXT, stat_panel
from grafana.builder.promql import STREAM_FILTERS, selector
from grafana.builder.queries import bits
from grafana.builder.thresholds import Thresholds
from grafana.builder.value_mappings import HEALTH_RANK

_SESSIONS: Final[Link] = ("Open sessions", dashboard_url(SESSION_UID))

_FAILED: Final = 'result="failed"'


def _growth(name: str, *matchers: str) -> str:
    return stream_queries.growth_in_range(STREAM_FILTERS, name, *matchers)


def stats(thresholds: Thresholds) -> list[PanelBuilder]:
    """Return the panels."""
    last_seen = (
        f"{selector(STREAM_FILTERS, name)}"
        for name in ("session_last_seen_timestamp_seconds", "stream_last_seen_timestamp_seconds")
    )
    return [
        stat_panel(
            "Live sessions",
            "Active sessions of the stream.",
            stream_queries.live_sessions(STREAM_FILTERS),
            unit="short",
            colors=((None, TEXT), (1, BLUE)),
            link=_SESSIONS,
        ),
        stat_panel(
            "Health",
            "Unhealthy if any active session is.",
            stream_queries.health_rank(STREAM_FILTERS),
            unit="short",
            mapping=HEALTH_RANK,
            no_value="Not live, or no data",
            link=_SESSIONS,
        ),
        stat_panel(
            "Since",
            "The last change of health.",
            stream_queries.health_since(STREAM_FILTERS),
            unit="dateTimeFromNow",
            no_value="Not live, or no data",
            link=_SESSIONS,
        ),
        stat_panel(
            "Last media",
            "Time since the last media of any session. Livepeer Studio updates it about every 50 seconds.",
            f"time() - max({' or '.join(last_seen)})",
            unit="s",
            colors=((None, GREEN), (thresholds.media_age_warning, ORANGE), (thresholds.media_age_critical, TEXT)),
            decimals=0,
            no_value="Never, or no data",
            link=_SESSIONS,
        ),
        stat_panel(
            "Ingest",
            "Ingest rate of all active sessions.",
            bits(f"({stream_queries.ingest_rate(STREAM_FILTERS)})"),
            unit="bps",
            colors=((None, BLUE),),
            no_value="Not live, or no data",
            link=_SESSIONS,
        ),
        stat_panel(
            "Sessions",
            "Sessions created in the time range.",
            f"round({_growth('stream_sessions_started_total')})",
            unit="short",
            link=_SESSIONS,
        ),
        stat_panel(
            "Source minutes",
            "Media received in the time range.",
            f"{_growth('stream_observed_source_segments_duration_seconds_total')} / 60",
            unit="short",
            decimals=0,
            link=_SESSIONS,
        ),
        stat_panel(
            "Failed recordings",
            "Recordings that failed in the time range.",
            f"round({_growth('stream_recordings_finished_total', _FAILED)})",
            unit="short",
            colors=((None, GREEN), (1, RED)),
            link=_SESSIONS,
        ),
    ]
