"""The tables of the Session dashboard."""

from grafana.builder import queries
from grafana.builder.dashboard import PanelBuilder
from grafana.builder.links import OPEN_STREAM, STREAM_ID_COLUMN
from grafana.builder.panels import GREEN, GREY
from grafana.builder.promql import SESSION_FILTERS, per_session, selector, with_name
from grafana.builder.tables import Column, table_panel
from grafana.builder.value_mappings import SAME_AS_SOURCE


def _named(expr: str) -> str:
    return with_name(SESSION_FILTERS, expr)


def _value(name: str, *labels: str) -> str:
    return per_session(selector(SESSION_FILTERS, name), *labels)


def details() -> PanelBuilder:
    """Ids and settings."""
    return table_panel(
        "Session details",
        "Stream, ids and settings of the selected sessions. Click the stream to open it.",
        [
            Column(title="Stream", expr=_named(_value("session_created_timestamp_seconds")), label="name"),
            Column(title="Account", label="account"),
            Column(title=STREAM_ID_COLUMN, label="stream_id", link=OPEN_STREAM),
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
        no_value="No session selected, or no data",
        hidden_labels=("job",),
    )


def profiles() -> PanelBuilder:
    """The transcoding profiles."""
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
