"""The values at the top of the Session dashboard."""

from typing import Final

from grafana.builder import queries
from grafana.builder.dashboard import PanelBuilder
from grafana.builder.panels import GREEN, GREY, ORANGE, RED, stat_panel
from grafana.builder.promql import SESSION_FILTERS, per_session, selector
from grafana.builder.thresholds import Thresholds
from grafana.builder.value_mappings import HEALTH, RECORDING_STATUS

_NOT_ACTIVE: Final = "Not active, or no data"


def _value(name: str, *labels: str) -> str:
    return per_session(selector(SESSION_FILTERS, name), *labels)


def stats(thresholds: Thresholds) -> list[PanelBuilder]:
    """Return the panels."""
    return [
        stat_panel(
            "State",
            "Active: media received within the active window (90 seconds by default).",
            _value("session_active"),
            unit="short",
            mapping={"1": ("Active", GREEN), "0": ("Not active", GREY)},
            no_value="Unknown",
        ),
        stat_panel(
            "Health",
            "Health reported by Livepeer Studio, for an active session.",
            queries.session_health(SESSION_FILTERS),
            unit="short",
            mapping=HEALTH,
            no_value="Unknown",
        ),
        stat_panel(
            "Since",
            "The last change of health.",
            queries.health_since(SESSION_FILTERS),
            unit="dateTimeFromNow",
            no_value=_NOT_ACTIVE,
        ),
        stat_panel(
            "Open issues",
            "Issues reported by Livepeer Studio.",
            queries.issue_count(SESSION_FILTERS),
            unit="short",
            colors=((None, GREEN), (1, RED)),
            no_value="None, or no data",
        ),
        stat_panel(
            "Last media",
            "Time since the last media. Livepeer Studio updates it about every 50 seconds, so values up to that are "
            "normal.",
            queries.last_media_age(SESSION_FILTERS),
            unit="s",
            colors=((None, GREEN), (thresholds.media_age_warning, ORANGE), (thresholds.media_age_critical, RED)),
            no_value="Never, or no data",
            decimals=0,
        ),
        stat_panel(
            "Started",
            "Creation time of the session.",
            queries.created_at(SESSION_FILTERS),
            unit="dateTimeFromNow",
            no_value="Unknown",
        ),
        stat_panel(
            "Lag",
            "Time by which transcoding is behind the source.",
            queries.transcoding_lag(SESSION_FILTERS),
            unit="s",
            colors=((None, GREEN), (thresholds.lag_warning, ORANGE), (thresholds.lag_critical, RED)),
            no_value=_NOT_ACTIVE,
            decimals=1,
        ),
        stat_panel(
            "Recording",
            "Recording status.",
            queries.recording_status(SESSION_FILTERS),
            unit="short",
            mapping=RECORDING_STATUS,
            no_value="Not recorded, or no data",
        ),
    ]
