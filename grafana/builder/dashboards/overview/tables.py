"""The tables of the Overview dashboard."""

from grafana.builder import queries
from grafana.builder.dashboard import PanelBuilder
from grafana.builder.dashboards.overview.lists import LARGEST, LISTED, RECORDED, RECORDINGS
from grafana.builder.links import OPEN_SESSION, OPEN_STREAM, SESSION_ID_COLUMN, STREAM_ID_COLUMN
from grafana.builder.panels import GREY, ORANGE, RED, TEXT
from grafana.builder.promql import with_name
from grafana.builder.tables import EMPTY_CELL, Column, table_panel
from grafana.builder.thresholds import Thresholds
from grafana.builder.value_mappings import HEALTH_RANK, RECORDING_STATUS


def sessions_table(thresholds: Thresholds) -> PanelBuilder:
    """The sessions with trouble, and the largest."""
    columns = [
        Column(
            title="Stream",
            expr=with_name(LISTED, queries.active_sessions(LISTED)),
            label="name",
            link=OPEN_SESSION,
        ),
        Column(title="", expr=queries.severity_score(LISTED, thresholds)),
        Column(title="Health", expr=queries.health_rank(LISTED), width=90, mapping=HEALTH_RANK, unit="short"),
        Column(title="Since", expr=queries.health_since(LISTED), width=140, unit="dateTimeFromNow"),
        Column(
            title="Issues",
            expr=queries.issue_count(LISTED),
            width=65,
            unit="short",
            colors=((None, TEXT), (1, RED)),
            empty=(EMPTY_CELL, GREY),
        ),
        Column(title="Issue text", expr=queries.issue_text(LISTED), label="issue", empty=(EMPTY_CELL, GREY)),
        Column(
            title="Ingest",
            expr=queries.bits(queries.ingest_rate(LISTED)),
            unit="bps",
            width=95,
            colors=((None, RED), (1, TEXT)),
        ),
        Column(title="Outgoing", expr=queries.bits(queries.outgoing_rate(LISTED)), unit="bps", width=95),
        Column(
            title="Lag",
            expr=queries.transcoding_lag(LISTED),
            unit="s",
            width=80,
            decimals=1,
            colors=((None, TEXT), (thresholds.lag_warning, ORANGE), (thresholds.lag_critical, RED)),
        ),
        Column(
            title="Last media",
            expr=queries.active_last_media_age(LISTED),
            unit="s",
            width=90,
            decimals=0,
            colors=((None, TEXT), (thresholds.media_age_warning, ORANGE), (thresholds.media_age_critical, RED)),
        ),
        Column(
            title="Started",
            expr=queries.while_active(LISTED, queries.created_at(LISTED)),
            unit="dateTimeFromNow",
            width=140,
        ),
        Column(title="Account", label="account", width=90),
        Column(title=SESSION_ID_COLUMN, label="session_id", width=90, link=OPEN_SESSION),
    ]
    return table_panel(
        "Sessions: trouble first, then the largest",
        "Active sessions that are unhealthy, without ingest or with transcoding lag, up to a limit of "
        f"each kind, and the {LARGEST} with the highest ingest rate. Unhealthy sessions and "
        "those without ingest are first. Since: the last change of health. Click a stream or session to open it; the "
        "Streams dashboard has all streams.",
        columns,
        no_value="No active session, or no data",
        hidden_labels=("job", "stream_id"),
        sort_by="Value #B",
        paginate=True,
    )


def recordings_table() -> PanelBuilder:
    """The recordings that failed or are not ready in time."""
    return table_panel(
        "Failed and stuck recordings",
        "Sessions whose recording failed, or is not ready an hour after the last media: the newest "
        f"{RECORDINGS} of each kind, until they leave the session and recording windows.",
        [
            Column(
                title="Stream",
                expr=with_name(RECORDED, queries.last_seen(RECORDED)),
                label="name",
                link=OPEN_STREAM,
            ),
            Column(
                title="State",
                expr=queries.recording_status(RECORDED),
                mapping=RECORDING_STATUS,
                unit="short",
                width=80,
            ),
            Column(title="Last media", expr=queries.last_seen(RECORDED), unit="dateTimeFromNow", width=130),
            Column(title="Account", label="account", width=90),
            Column(title=STREAM_ID_COLUMN, label="stream_id", width=90, link=OPEN_STREAM),
            Column(title=SESSION_ID_COLUMN, label="session_id", width=90, link=OPEN_SESSION),
        ],
        no_value="No failed or stuck recording, or no data",
        hidden_labels=("job",),
        sort_by="Last media",
        paginate=True,
    )
