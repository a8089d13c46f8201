"""The Session dashboard: ingest, transcoding, health and recording of one or more selected sessions."""

from typing import Final

from grafana.builder import queries
from grafana.builder.dashboard import SESSION_UID, Dashboard, PanelBuilder, Row
from grafana.builder.panels import (
    GREEN,
    GREY,
    ORANGE,
    RED,
    TEXT,
    graph_panel,
    range_query,
    stat_panel,
    state_timeline,
)
from grafana.builder.promql import SESSION_FILTERS, per_session, selector, with_name
from grafana.builder.tables import Column, table_panel
from grafana.builder.thresholds import Thresholds
from grafana.builder.value_mappings import HEALTH, RECORDING_STATUS, SAME_AS_SOURCE
from grafana.builder.variables import annotations, common_variables, session_variable, stream_variable

_NOT_ACTIVE: Final = "Not active"
_STATUSES: Final = ("unknown", "waiting", "ready", "failed", "none", "deleted")
"""Recording statuses in the order of the numbers in ``RECORDING_STATUS``."""


def session(thresholds: Thresholds) -> Dashboard:
    """Return the dashboard."""
    return Dashboard(
        uid=SESSION_UID,
        description="One session from creation to recording: ingest, transcoding, health, recording.",
        variables=[*common_variables(), stream_variable(), session_variable()],
        annotations=annotations(SESSION_FILTERS),
        rows=[
            Row(4, [(panel, 3) for panel in _stats(thresholds)]),
            Row(5, [(_health(), 12), (_issues(), 12)], "Health"),
            Row(8, [(_rates(), 12), (_speed(thresholds), 12)], "Media"),
            Row(8, [(_lag(thresholds), 8), (_renditions(thresholds), 8), (_segment_duration(thresholds), 8)]),
            Row(7, [(_bytes(), 8), (_segments(), 8), (_recording(), 8)], "Totals and recording"),
            Row(4, [(_details(), 24)]),
            Row(6, [(_profiles(), 24)]),
        ],
    )


def _named(expr: str) -> str:
    return with_name(SESSION_FILTERS, expr)


def _value(name: str, *labels: str) -> str:
    return per_session(selector(SESSION_FILTERS, name), *labels)


def _recording_status() -> str:
    """The recording status as an index of ``_STATUSES``."""
    series = [selector(SESSION_FILTERS, "session_recording_status", f'status="{status}"') for status in _STATUSES]
    return per_session(" or ".join(f"{number} * ({each} == 1)" for number, each in enumerate(series)))


def _stats(thresholds: Thresholds) -> list[PanelBuilder]:
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
            "Open issues",
            "Issues reported by Livepeer Studio.",
            queries.issue_count(SESSION_FILTERS),
            unit="short",
            colors=((None, GREEN), (1, RED)),
            no_value="None",
        ),
        stat_panel(
            "Last media",
            "Time since the last media. Livepeer Studio updates it about every 50 seconds, so values up to that are "
            "normal.",
            queries.last_media_age(SESSION_FILTERS),
            unit="s",
            colors=((None, GREEN), (thresholds.media_age_warning, ORANGE), (thresholds.media_age_critical, RED)),
            no_value="Never",
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
            "Source bytes",
            "Source bytes received since the session was created.",
            _value("session_source_bytes"),
            unit="decbytes",
            colors=((None, TEXT),),
        ),
        stat_panel(
            "Recording",
            "Recording status.",
            _recording_status(),
            unit="short",
            mapping=RECORDING_STATUS,
            no_value="Not recorded",
        ),
    ]


def _health() -> PanelBuilder:
    return state_timeline(
        "Health over time",
        "Health reported by Livepeer Studio while the session was active.",
        range_query(_named(queries.session_health(SESSION_FILTERS)), "{{name}}", interval="30s"),
        mapping=HEALTH,
        no_value="No health reported",
        show_text=True,
    )


def _issues() -> PanelBuilder:
    return state_timeline(
        "Issues over time",
        "Issues reported by Livepeer Studio, while they were open.",
        range_query(_value("session_issue_info", "issue"), "{{issue}}", interval="30s"),
        mapping={"1": ("open", ORANGE)},
        no_value="No issues reported",
    )


def _rates() -> PanelBuilder:
    return graph_panel(
        "Ingest and outgoing rate",
        "Bits per second received and sent.",
        range_query(queries.bits(_named(queries.ingest_rate(SESSION_FILTERS))), "ingest {{name}}"),
        range_query(queries.bits(_named(queries.outgoing_rate(SESSION_FILTERS))), "outgoing {{name}}"),
        unit="bps",
        no_value=_NOT_ACTIVE,
        legend_table=False,
    )


def _speed(thresholds: Thresholds) -> PanelBuilder:
    return graph_panel(
        "Media speed (1 = real time)",
        "Seconds of media received and transcoded per second. If the source is below "
        f"{thresholds.min_media_speed:g}, players run out of media. The rendition value is the mean of all renditions.",
        range_query(_named(queries.source_speed(SESSION_FILTERS, thresholds)), "source {{name}}"),
        range_query(_named(queries.rendition_speed(SESSION_FILTERS, thresholds)), "per rendition {{name}}"),
        unit="short",
        minimum=None,
        soft_max=1.05,
        threshold_lines=((thresholds.min_media_speed, ORANGE),),
        no_value=_NOT_ACTIVE,
        decimals=2,
        legend_table=False,
    )


def _lag(thresholds: Thresholds) -> PanelBuilder:
    return graph_panel(
        "Transcoding lag",
        "Time by which transcoding is behind the source.",
        range_query(_named(queries.transcoding_lag(SESSION_FILTERS)), "{{name}}"),
        unit="s",
        minimum=None,
        soft_max=thresholds.lag_critical,
        threshold_lines=((thresholds.lag_critical, RED),),
        no_value=_NOT_ACTIVE,
        legend_table=False,
    )


def _renditions(thresholds: Thresholds) -> PanelBuilder:
    return graph_panel(
        "Delivered renditions",
        "Number of renditions transcoded in real time, compared with the number of configured profiles.",
        range_query(_named(queries.delivered_renditions(SESSION_FILTERS, thresholds)), "delivered {{name}}"),
        range_query(_named(_value("session_profiles")), "configured {{name}}"),
        unit="short",
        no_value=_NOT_ACTIVE,
        decimals=1,
        legend_table=False,
    )


def _segment_duration(thresholds: Thresholds) -> PanelBuilder:
    return graph_panel(
        "Segment duration",
        "Mean duration of a segment.",
        range_query(_named(queries.segment_duration(SESSION_FILTERS, thresholds, "source")), "source {{name}}"),
        range_query(_named(queries.segment_duration(SESSION_FILTERS, thresholds, "transcoded")), "transcoded {{name}}"),
        unit="s",
        no_value=_NOT_ACTIVE,
        legend_table=False,
    )


def _bytes() -> PanelBuilder:
    return graph_panel(
        "Bytes",
        "Source and transcoded bytes since the session was created. Values decrease if an upstream process restarts.",
        range_query(_named(_value("session_source_bytes")), "source {{name}}"),
        range_query(_named(_value("session_transcoded_bytes")), "transcoded {{name}}"),
        unit="decbytes",
        legend_table=False,
    )


def _segments() -> PanelBuilder:
    return graph_panel(
        "Segments",
        "Source segments, and transcoded segments over all renditions, since the session was created.",
        range_query(_named(_value("session_source_segments")), "source {{name}}"),
        range_query(_named(_value("session_transcoded_segments")), "transcoded {{name}}"),
        unit="short",
        legend_table=False,
    )


def _recording() -> PanelBuilder:
    available = _value("session_recording_available", "format")
    first = len(RECORDING_STATUS)
    return state_timeline(
        "Recording over time",
        "Recording status, and availability of the recording by format.",
        range_query(_named(_recording_status()), "{{name}}", interval="30s"),
        range_query(f"{available} + {first}", "{{format}}", interval="30s"),
        mapping={**RECORDING_STATUS, f"{first}": ("Not available", GREY), f"{first + 1}": ("Available", GREEN)},
        no_value="Not recorded",
        show_text=True,
    )


def _details() -> PanelBuilder:
    return table_panel(
        "Session details",
        "Stream, ids and settings of the selected sessions.",
        [
            Column(title="Stream", expr=_named(_value("session_created_timestamp_seconds")), label="name"),
            Column(title="Account", label="account"),
            Column(title="Stream ID", label="stream_id"),
            Column(title="Session ID", label="session_id"),
            Column(title="Created", expr=queries.created_at(SESSION_FILTERS), unit="dateTimeAsIso", width=180),
            Column(
                title="Recorded",
                expr=_value("session_recording_enabled"),
                mapping={"1": ("Yes", GREEN), "0": ("No", GREY)},
                width=90,
            ),
            Column(title="Renditions", expr=_value("session_profiles"), unit="short", width=90),
        ],
        no_value="No session selected",
        hidden_labels=("job",),
    )


def _profiles() -> PanelBuilder:
    profile = _value("session_profile_info", "profile", "width", "height", "fps", "gop", "encoder")
    bitrate = _value("session_profile_bitrate_bytes_per_second", "profile")
    return table_panel(
        "Configured renditions",
        "Transcoding profiles of the selected sessions. Requires --profile-series.",
        [
            Column(title="Rendition", expr=profile, label="profile"),
            Column(title="Width", label="width", mapping=SAME_AS_SOURCE),
            Column(title="Height", label="height", mapping=SAME_AS_SOURCE),
            Column(title="Frames per second", label="fps", mapping=SAME_AS_SOURCE),
            Column(title="GOP", label="gop"),
            Column(title="Encoder", label="encoder"),
            Column(title="Bit rate", expr=queries.bits(bitrate), unit="bps"),
        ],
        no_value="No data: requires --profile-series",
        hidden_labels=("job", "account", "stream_id", "session_id"),
    )
