"""The values at the top of the Streams dashboard, for the accounts and the time range."""

from typing import Final

from grafana.builder import stream_queries
from grafana.builder.dashboard import OVERVIEW_UID, PanelBuilder
from grafana.builder.links import Link, dashboard_url
from grafana.builder.panels import BLUE, GREEN, ORANGE, RED, TEXT, stat_panel
from grafana.builder.promql import STREAM_FILTERS, per_account, selector

_OVERVIEW: Final[Link] = ("Open overview", dashboard_url(OVERVIEW_UID))


def _growth(name: str, *matchers: str, labels: tuple[str, ...] = ()) -> str:
    """Growth of an account counter within the time range."""
    growth = f"increase({selector(STREAM_FILTERS, name, *matchers, window='$__range')})"
    return per_account(STREAM_FILTERS, growth, *labels, by=())


def stats() -> list[PanelBuilder]:
    """Return the panels."""
    healthy = _growth("observed_seconds_total", 'health="healthy"')
    both = _growth("observed_seconds_total", 'health=~"healthy|unhealthy"', labels=("health",))
    return [
        stat_panel(
            "Live streams",
            "Selected streams with an active session.",
            f"count(({stream_queries.live_sessions(STREAM_FILTERS)}) > 0)",
            unit="short",
            colors=((None, BLUE),),
            link=_OVERVIEW,
        ),
        stat_panel(
            "Healthy share",
            "Share of the live time of all streams in which they were healthy, as far as Livepeer Studio reported.",
            f"{healthy} / (sum({both}) > 0)",
            unit="percentunit",
            colors=((None, RED), (0.95, ORANGE), (0.99, GREEN)),
            decimals=2,
            link=_OVERVIEW,
        ),
        stat_panel(
            "Unhealthy episodes",
            "How often streams became unhealthy.",
            f"round({_growth('unhealthy_episodes_total')})",
            unit="short",
            link=_OVERVIEW,
        ),
        stat_panel(
            "Reconnects",
            "Sessions that continued an earlier session of their stream, last seen at most five minutes before.",
            f"round({_growth('reconnects_total')})",
            unit="short",
            link=_OVERVIEW,
        ),
        stat_panel(
            "Never started",
            "Sessions without any media five minutes after their creation.",
            f"round({_growth('sessions_never_started_total')})",
            unit="short",
            colors=((None, TEXT), (1, ORANGE)),
            link=_OVERVIEW,
        ),
        stat_panel(
            "Transcoded minutes",
            "Media transcoded, sum over all renditions.",
            f"{_growth('transcoded_segments_duration_seconds_total')} / 60",
            unit="short",
            colors=((None, BLUE),),
            link=_OVERVIEW,
        ),
    ]
