"""The Overview dashboard: whether anything is broken, which stream, since when, and the reported issue."""

from typing import Final

from grafana.builder import overview_graphs as graphs
from grafana.builder import queries
from grafana.builder.dashboard import OVERVIEW_UID, SESSION_UID, TITLES, Dashboard, PanelBuilder, Row
from grafana.builder.panels import BLUE, GREEN, GREY, ORANGE, RED, TEXT, stat_panel, text_panel
from grafana.builder.promql import SESSION_KEY, STREAM_FILTERS, per_account, per_session, selector, with_name
from grafana.builder.stream_table import stream_table
from grafana.builder.tables import EMPTY_CELL, Column, table_panel
from grafana.builder.thresholds import Thresholds
from grafana.builder.value_mappings import HEALTH_RANK
from grafana.builder.variables import annotations, common_variables, stream_variable

_KEPT_VARIABLES: Final = "&".join(f"${{{name}:queryparam}}" for name in ("datasource", "job", "instance", "account"))
_CLICKED_SESSION: Final = "var-stream=$__all&var-session=${__data.fields.Session}&${__url_time_range}"
SESSION_LINK: Final = ("Open session", f"/d/{SESSION_UID}?{_KEPT_VARIABLES}&{_CLICKED_SESSION}")

_ABOUT: Final = f"""\
**Active** sessions received media within the active window (90 seconds by default). Livepeer Studio updates the \
values of a session about every 50 seconds and the exporter polls independently, so all values change in steps. \
**Data age** is the age of the displayed data.

**Lag** is the time by which transcoding is behind the source: source seconds minus transcoded seconds per rendition. \
**Health** and **issues** are reported by Livepeer Studio; *unknown* means that it reports no health.

The *Stream* variable filters the panels on sessions. Panels on account totals ignore it: all stat panels except *Open \
issues*, and *Sessions by state*, *Sessions started*, *Recordings finished*, *Recordings by status* and *Traffic*. \
Replicas of the exporter are counted once, shards are summed. Click a stream to open \
[{TITLES[SESSION_UID]}](/d/{SESSION_UID}?${{__all_variables}}&${{__url_time_range}})."""


def overview(thresholds: Thresholds) -> Dashboard:
    """Return the dashboard."""
    return Dashboard(
        uid=OVERVIEW_UID,
        description="All active streams of the selected accounts: what is broken, which stream, since when.",
        variables=[*common_variables(), stream_variable()],
        annotations=annotations(STREAM_FILTERS),
        rows=[
            Row(4, [(panel, 3) for panel in _stats(thresholds)]),
            Row(12, [(_active_sessions(thresholds), 24)]),
            Row(8, [(graphs.health(), 12), (graphs.session_states(), 12)]),
            Row(8, [(graphs.ingest(), 12), (graphs.lag(thresholds), 12)], "Media"),
            Row(
                8,
                [
                    (graphs.sessions_started(), 8),
                    (graphs.recordings_finished(), 8),
                    (graphs.recording_statuses(), 8),
                ],
                "Sessions and recordings",
            ),
            Row(8, [(graphs.traffic(), 12), (graphs.traffic_by_stream(), 12)], "Traffic"),
            Row(8, [(stream_table(thresholds), 24)], "Streams (requires --detail=stream)", collapsed=True),
            Row(5, [(text_panel("About this dashboard", _ABOUT), 24)]),
        ],
    )


def _total(name: str, *matchers: str) -> str:
    return per_account(STREAM_FILTERS, selector(STREAM_FILTERS, name, *matchers), by=())


def _stats(thresholds: Thresholds) -> list[PanelBuilder]:
    data_age = ((None, GREEN), (thresholds.data_age_warning, ORANGE), (thresholds.data_age_critical, RED))
    none_expected = ((None, GREEN), (1, RED))
    return [
        stat_panel(
            "Active sessions",
            "Sessions that received media within the active window (90 seconds by default).",
            _total("sessions", 'state="active"'),
            unit="short",
            colors=((None, BLUE),),
            sparkline=True,
        ),
        stat_panel(
            "Unhealthy sessions",
            "Active sessions that Livepeer Studio reports as unhealthy.",
            _total("sessions_by_health", 'health="unhealthy"'),
            unit="short",
            colors=none_expected,
        ),
        stat_panel(
            "Health unknown",
            "Active sessions for which Livepeer Studio reports no health.",
            _total("sessions_by_health", 'health="unknown"'),
            unit="short",
            colors=((None, TEXT), (1, ORANGE)),
        ),
        stat_panel(
            "Open issues",
            "Issues that Livepeer Studio reports for active sessions of the selected streams.",
            f"sum({queries.issue_count(STREAM_FILTERS)})",
            unit="short",
            colors=none_expected,
            no_value="None",
        ),
        stat_panel(
            "Ingest",
            "Ingest rate of all active sessions.",
            queries.bits(_total("ingest_rate_bytes_per_second")),
            unit="bps",
            colors=((None, BLUE),),
            sparkline=True,
        ),
        stat_panel(
            "Outgoing",
            "Outgoing rate of all active sessions.",
            queries.bits(_total("outgoing_rate_bytes_per_second")),
            unit="bps",
            colors=((None, BLUE),),
            sparkline=True,
        ),
        stat_panel(
            "Failed recordings",
            "Sessions within the recording window whose recording failed.",
            _total("sessions_by_recording_status", 'status="failed"'),
            unit="short",
            colors=none_expected,
        ),
        stat_panel(
            "Data age",
            "Time since the start of the poll that produced the displayed data; the oldest of the selected accounts. "
            "If it is high, all other panels are outdated.",
            f"max({queries.snapshot_age(STREAM_FILTERS)})",
            unit="s",
            colors=data_age,
            no_value="No data",
            decimals=0,
        ),
    ]


def _active_sessions(thresholds: Thresholds) -> PanelBuilder:
    keys = ", ".join(SESSION_KEY)
    active = queries.active_sessions(STREAM_FILTERS)
    issue = per_session(f"topk by ({keys}) (1, {selector(STREAM_FILTERS, 'session_issue_info')})", "issue")
    columns = [
        Column(title="Stream", expr=with_name(STREAM_FILTERS, active), label="name", width=190, link=SESSION_LINK),
        Column(title="", expr=queries.severity_score(STREAM_FILTERS, thresholds)),
        Column(title="Health", expr=queries.health_rank(STREAM_FILTERS), width=100, mapping=HEALTH_RANK, unit="short"),
        Column(
            title="Issues",
            expr=queries.issue_count(STREAM_FILTERS),
            width=65,
            unit="short",
            colors=((None, TEXT), (1, RED)),
            empty=(EMPTY_CELL, GREY),
        ),
        Column(title="Issue text", expr=issue, label="issue", empty=(EMPTY_CELL, GREY)),
        Column(title="Ingest", expr=queries.bits(queries.ingest_rate(STREAM_FILTERS)), unit="bps", width=95),
        Column(title="Outgoing", expr=queries.bits(queries.outgoing_rate(STREAM_FILTERS)), unit="bps", width=95),
        Column(
            title="Lag",
            expr=queries.transcoding_lag(STREAM_FILTERS),
            unit="s",
            width=80,
            decimals=1,
            colors=((None, TEXT), (thresholds.lag_warning, ORANGE), (thresholds.lag_critical, RED)),
        ),
        Column(
            title="Last media",
            expr=queries.active_last_media_age(STREAM_FILTERS),
            unit="s",
            width=90,
            decimals=0,
            colors=((None, TEXT), (thresholds.media_age_warning, ORANGE), (thresholds.media_age_critical, RED)),
        ),
        Column(
            title="Started",
            expr=queries.while_active(STREAM_FILTERS, queries.created_at(STREAM_FILTERS)),
            unit="dateTimeFromNow",
            width=145,
        ),
        Column(title="Account", label="account", width=90),
        Column(title="Session", label="session_id", width=95, link=SESSION_LINK),
    ]
    return table_panel(
        "Active sessions by severity",
        "Unhealthy sessions first, then those with late media, transcoding lag or unknown health. Click a stream or "
        "session to open it.",
        columns,
        no_value=graphs.NO_ACTIVE_STREAMS,
        hidden_labels=("job", "stream_id"),
        sort_by="Value #B",
        paginate=True,
    )
