"""The dashboard Session: everything about one session, or a few beside one another."""

from typing import Final

from grafana.builder import dashboard, queries, variables
from grafana.builder.panels import GREEN, GREY, ORANGE, RED, TEXT, figure, graph, query, timeline
from grafana.builder.promql import ONE_SESSION, named, per_session, series
from grafana.builder.tables import Column, grid
from grafana.builder.thresholds import Thresholds
from grafana.builder.value_mappings import AS_SOURCE, HEALTH, RECORDING

_STATUSES: Final = ("unknown", "waiting", "ready", "failed", "none", "deleted")
_SILENT: Final = "Not live"
_S: Final = ONE_SESSION


def session(limits: Thresholds) -> dashboard.Page:
    """The dashboard."""
    return dashboard.Page(
        uid=dashboard.SESSION,
        about="One session from its start to its recording: ingest, transcoding, health, recording.",
        variables=[*variables.common(), variables.stream(), variables.session()],
        annotations=variables.marks(_S),
        shelves=[
            dashboard.Shelf(4, [(panel, 3) for panel in _figures(limits)]),
            dashboard.Shelf(5, [(_health(), 12), (_issue_texts(), 12)], "Health"),
            dashboard.Shelf(8, [(_rates(), 12), (_speed(limits), 12)], "Media"),
            dashboard.Shelf(8, [(_lag(limits), 8), (_renditions(limits), 8), (_segments(limits), 8)]),
            dashboard.Shelf(7, [(_bytes(), 8), (_counted(), 8), (_recording(), 8)], "Amounts and recording"),
            dashboard.Shelf(4, [(_about(), 24)]),
            dashboard.Shelf(6, [(_profiles(), 24)]),
        ],
    )


def _plain(name: str, *matchers: str) -> str:
    return named(_S, per_session(series(_S, name, *matchers)))


def _status() -> str:
    """The state of the recording as the number that ``RECORDING`` puts into words."""
    matchers = [f'status="{status}"' for status in _STATUSES]
    known = [series(_S, "session_recording_status", matcher) for matcher in matchers]
    return per_session(" or ".join(f"{number} * ({each} == 1)" for number, each in enumerate(known)))


def _figures(limits: Thresholds) -> list[dashboard.Builder]:
    return [
        figure(
            "State",
            "Active means that media was seen in the last 90 seconds.",
            per_session(series(_S, "session_active")),
            unit="short",
            meaning={"1": ("Active", GREEN), "0": ("Not active", GREY)},
            no_value="Unknown",
        ),
        figure(
            "Health",
            "What Livepeer says, while the session is active.",
            queries.healthy(_S),
            unit="short",
            meaning=HEALTH,
            no_value="Unknown",
        ),
        figure(
            "Open issues",
            "Issues that Livepeer reports.",
            queries.issues(_S),
            unit="short",
            colours=((None, GREEN), (1, RED)),
            no_value="None",
        ),
        figure(
            "Last media",
            "Seconds since media was last seen. Upstream writes it about every 50 seconds, so up to that is usual.",
            queries.since_any_media(_S),
            unit="s",
            colours=((None, GREEN), (limits.late_orange, ORANGE), (limits.late_red, RED)),
            no_value="Never seen",
            decimals=0,
        ),
        figure(
            "Started",
            "When the session was created.",
            queries.created(_S),
            unit="dateTimeFromNow",
            no_value="Unknown",
        ),
        figure(
            "Lag",
            "Seconds that transcoding is behind the source.",
            queries.lag(_S),
            unit="s",
            colours=((None, GREEN), (limits.lag_orange, ORANGE), (limits.lag_red, RED)),
            no_value=_SILENT,
            decimals=1,
        ),
        figure(
            "Arrived",
            "Bytes of source since the session began.",
            per_session(series(_S, "session_source_bytes")),
            unit="decbytes",
            colours=((None, TEXT),),
        ),
        figure(
            "Recording",
            "The state of the recording.",
            _status(),
            unit="short",
            meaning=RECORDING,
            no_value="Not recorded",
        ),
    ]


def _health() -> dashboard.Builder:
    return timeline(
        "Health",
        "What Livepeer said while the session was active.",
        query(named(_S, queries.healthy(_S)), "{{name}}", interval="30s"),
        meaning=HEALTH,
        no_value="Livepeer has not said",
        show_words=True,
    )


def _issue_texts() -> dashboard.Builder:
    return timeline(
        "What Livepeer says",
        "The texts of the issues, while they stood.",
        query(per_session(series(_S, "session_issue_info"), "issue"), "{{issue}}", interval="30s"),
        meaning={"1": ("reported", ORANGE)},
        no_value="No issue was reported",
    )


def _rates() -> dashboard.Builder:
    return graph(
        "Ingest and outgoing",
        "Bits per second that arrive, and that are sent.",
        query(queries.bits(named(_S, queries.ingest(_S))), "ingest {{name}}"),
        query(queries.bits(named(_S, queries.outgoing(_S))), "outgoing {{name}}"),
        unit="bps",
        no_value=_SILENT,
        dense_legend=False,
    )


def _speed(limits: Thresholds) -> dashboard.Builder:
    return graph(
        "Seconds of media per second",
        f"1 is real time; below {limits.real_time:g} viewers run out of media. A rendition's is the mean of all.",
        query(named(_S, queries.source_speed(_S, limits)), "source {{name}}"),
        query(named(_S, queries.rendition_speed(_S, limits)), "per rendition {{name}}"),
        unit="short",
        low=None,
        soft_high=1.05,
        limits=((limits.real_time, ORANGE),),
        no_value=_SILENT,
        decimals=2,
        dense_legend=False,
    )


def _lag(limits: Thresholds) -> dashboard.Builder:
    return graph(
        "Transcoding lag",
        "Seconds that transcoding is behind the source.",
        query(named(_S, queries.lag(_S)), "{{name}}"),
        unit="s",
        low=None,
        soft_high=limits.lag_red,
        limits=((limits.lag_red, RED),),
        no_value=_SILENT,
        dense_legend=False,
    )


def _renditions(limits: Thresholds) -> dashboard.Builder:
    return graph(
        "Renditions delivered",
        "Renditions that are transcoded in real time, against the profiles that were asked for.",
        query(named(_S, queries.renditions(_S, limits)), "delivered {{name}}"),
        query(_plain("session_profiles"), "asked for {{name}}"),
        unit="short",
        no_value=_SILENT,
        decimals=1,
        dense_legend=False,
    )


def _segments(limits: Thresholds) -> dashboard.Builder:
    return graph(
        "Length of segments",
        "Seconds of media per segment.",
        query(named(_S, queries.segment_length(_S, limits, "source")), "source {{name}}"),
        query(named(_S, queries.segment_length(_S, limits, "transcoded")), "transcoded {{name}}"),
        unit="s",
        no_value=_SILENT,
        dense_legend=False,
    )


def _bytes() -> dashboard.Builder:
    return graph(
        "Bytes",
        "Bytes since the session began; upstream's counts may fall after its restarts.",
        query(_plain("session_source_bytes"), "arrived {{name}}"),
        query(_plain("session_transcoded_bytes"), "transcoded {{name}}"),
        unit="decbytes",
        dense_legend=False,
    )


def _counted() -> dashboard.Builder:
    return graph(
        "Segments",
        "Segments since the session began; those of all renditions are counted together.",
        query(_plain("session_source_segments"), "arrived {{name}}"),
        query(_plain("session_transcoded_segments"), "transcoded {{name}}"),
        unit="short",
        dense_legend=False,
    )


def _recording() -> dashboard.Builder:
    available = per_session(series(_S, "session_recording_available"), "format")
    return timeline(
        "Recording",
        "The state of the recording, and whether it can be fetched in a format.",
        query(named(_S, _status()), "{{name}}", interval="30s"),
        query(f"{available} + 6", "{{format}}", interval="30s"),
        meaning={**RECORDING, "6": ("Not there", GREY), "7": ("Can be fetched", GREEN)},
        no_value="Not recorded",
        show_words=True,
    )


def _about() -> dashboard.Builder:
    return grid(
        "Session",
        "What the chosen sessions are.",
        [
            Column(title="Stream", expr=_plain("session_created_timestamp_seconds"), label="name"),
            Column(title="Account", label="account"),
            Column(title="Stream id", label="stream_id"),
            Column(title="Session id", label="session_id"),
            Column(title="Created", expr=queries.created(_S), unit="dateTimeAsIso", width=180),
            Column(
                title="Recorded",
                expr=per_session(series(_S, "session_recording_enabled")),
                meaning={"1": ("Yes", GREEN), "0": ("No", GREY)},
                width=90,
            ),
            Column(title="Renditions", expr=per_session(series(_S, "session_profiles")), unit="short", width=90),
        ],
        no_value="No session is chosen",
        drop=("job",),
    )


def _profiles() -> dashboard.Builder:
    shape = ("profile", "width", "height", "fps", "gop", "encoder")
    asked = series(_S, "session_profile_bitrate_bytes_per_second")
    return grid(
        "Renditions that were asked for",
        "Only where the exporter runs with --profile-series. What is not set is as in the source.",
        [
            Column(title="Rendition", expr=per_session(series(_S, "session_profile_info"), *shape), label="profile"),
            Column(title="Width", label="width", meaning=AS_SOURCE),
            Column(title="Height", label="height", meaning=AS_SOURCE),
            Column(title="Frames per second", label="fps", meaning=AS_SOURCE),
            Column(title="GOP", label="gop"),
            Column(title="Encoder", label="encoder"),
            Column(title="Bit rate", expr=queries.bits(per_session(asked, "profile")), unit="bps"),
        ],
        no_value="The exporter runs without --profile-series",
        drop=("job", "account", "stream_id", "session_id"),
    )
