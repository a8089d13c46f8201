"""The table of a stream's sessions and recordings."""

from typing import Final

from grafana.builder import queries
from grafana.builder.dashboard import PanelBuilder
from grafana.builder.links import OPEN_SESSION, SESSION_ID_COLUMN
from grafana.builder.panels import GREY, ORANGE, TEXT
from grafana.builder.promql import SESSION_KEY, STREAM_FILTERS, per_session, selector, with_name
from grafana.builder.queries import ON_SESSION
from grafana.builder.tables import EMPTY_CELL, Column, table_panel
from grafana.builder.value_mappings import HEALTH_RANK, RECORDING_STATUS

_LATE_MEDIA: Final = 60
"""Seconds of missing media from which they are colored: more than one update by Livepeer Studio."""


def _value(name: str) -> str:
    return per_session(selector(STREAM_FILTERS, name))


def sessions_table() -> PanelBuilder:
    """One row per session on the page."""
    source = _value("session_source_segments_duration_seconds")
    lasted = f"{_value('session_last_seen_timestamp_seconds')} - {_value('session_created_timestamp_seconds')}"
    available = f"sum by ({', '.join(SESSION_KEY)}) ({_available()})"
    columns = [
        Column(title=SESSION_ID_COLUMN, label="session_id", width=290, link=OPEN_SESSION),
        Column(
            title="Stream", expr=with_name(STREAM_FILTERS, queries.created_at(STREAM_FILTERS)), label="name", width=160
        ),
        Column(title="Started", expr=queries.created_at(STREAM_FILTERS), unit="dateTimeAsIso", width=170),
        Column(
            title="Health",
            expr=queries.health_rank(STREAM_FILTERS),
            mapping=HEALTH_RANK,
            unit="short",
            width=90,
            empty=("Not active", GREY),
        ),
        Column(title="Last media", expr=queries.last_seen(STREAM_FILTERS), unit="dateTimeFromNow", width=130),
        Column(title="Lasted", expr=lasted, unit="s", width=90),
        Column(title="Media", expr=source, unit="s", width=90),
        Column(
            title="Missing media",
            expr=f"clamp_min({lasted} - {ON_SESSION} {source}, 0)",
            unit="s",
            decimals=0,
            width=110,
            colors=((None, TEXT), (_LATE_MEDIA, ORANGE)),
        ),
        Column(title="Source", expr=_value("session_source_bytes"), unit="decbytes", width=90),
        Column(
            title="Recording",
            expr=queries.recording_status(STREAM_FILTERS),
            mapping=RECORDING_STATUS,
            unit="short",
            width=95,
            empty=("Not recorded", GREY),
        ),
        Column(title="Formats", expr=available, unit="short", width=80, empty=(EMPTY_CELL, GREY)),
        Column(title="Account", label="account"),
    ]
    return table_panel(
        "Sessions and recordings",
        "The sessions on the page, newest first. Lasted: from the creation to the last media. Missing media: what was "
        "not received in this time. Formats: number of formats in which the recording is available. "
        "Requires --detail=session.",
        columns,
        no_value="No session, or no data: requires --detail=session",
        hidden_labels=("job", "stream_id"),
        sort_by="Started",
        paginate=True,
    )


def _available() -> str:
    return per_session(selector(STREAM_FILTERS, "session_recording_available"), "format")
