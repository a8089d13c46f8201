"""The dashboard Overview: is anything broken now, which stream, since when, and what does Livepeer say."""

from typing import Final

from grafana.builder import dashboard, queries, stream_queries, variables
from grafana.builder import overview_graphs as graphs
from grafana.builder.panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    TEXT,
    figure,
    note,
)
from grafana.builder.promql import KEY, STREAMS, named, per_account, per_session, series
from grafana.builder.tables import Column, grid
from grafana.builder.thresholds import Thresholds
from grafana.builder.value_mappings import HEALTH_ORDER, NONE_LIVE

_VARIABLES: Final = "&".join(f"${{{name}:queryparam}}" for name in ("datasource", "job", "instance", "account"))
_CHOSEN: Final = "var-stream=$__all&var-session=${__data.fields.Session}&${__url_time_range}"
DRILL_DOWN: Final = ("Open this session", f"/d/{dashboard.SESSION}?{_VARIABLES}&{_CHOSEN}")

_MEANING: Final = f"""\
**Live** means that media was seen in the last 90 seconds. Livepeer writes a session's figures about every 50 seconds \
and the exporter asks on its own clock, so everything here moves in steps; **Age of the data** says how old it is.

**Lag** is how far transcoding is behind the source: seconds of source minus seconds transcoded per rendition. \
**Health** and **issues** are Livepeer's own words; *unknown* means that Livepeer has not said.

The figures in the first row count everything in the chosen accounts; the choice of streams narrows the rest. \
Replicas of the exporter count once, shards add up. A click on a stream opens \
[{dashboard.TITLES[dashboard.SESSION]}](/d/{dashboard.SESSION}?${{__all_variables}}&${{__url_time_range}})."""


def overview(limits: Thresholds) -> dashboard.Page:
    """The dashboard."""
    return dashboard.Page(
        uid=dashboard.OVERVIEW,
        about="Every live stream of the chosen accounts: what is broken, which stream, since when.",
        variables=[*variables.common(), variables.stream()],
        annotations=variables.marks(STREAMS),
        shelves=[
            dashboard.Shelf(4, [(panel, 3) for panel in _figures(limits)]),
            dashboard.Shelf(12, [(_sessions(limits), 24)]),
            dashboard.Shelf(8, [(graphs.health(), 12), (graphs.counts(), 12)]),
            dashboard.Shelf(8, [(graphs.ingest(), 12), (graphs.lag(limits), 12)], "Media"),
            dashboard.Shelf(
                8,
                [
                    (graphs.started(), 8),
                    (graphs.recordings(), 8),
                    (graphs.recording_states(), 8),
                ],
                "Sessions and recordings",
            ),
            dashboard.Shelf(8, [(graphs.traffic(), 12), (graphs.cost(), 12)], "Traffic"),
            dashboard.Shelf(
                8, [(stream_queries.table(limits), 24)], "Streams as wholes (only with --detail=stream)", folded=True
            ),
            dashboard.Shelf(5, [(note("What these numbers mean", _MEANING), 24)]),
        ],
    )


def _total(name: str, *matchers: str) -> str:
    return per_account(STREAMS, series(STREAMS, name, *matchers), by=())


def _figures(limits: Thresholds) -> list[dashboard.Builder]:
    age = ((None, GREEN), (limits.age_orange, ORANGE), (limits.age_red, RED))
    bad = ((None, GREEN), (1, RED))
    return [
        figure(
            "Active sessions",
            "Sessions with media in the last 90 seconds.",
            _total("sessions", 'state="active"'),
            unit="short",
            colours=((None, BLUE),),
            graph=True,
        ),
        figure(
            "Unhealthy",
            "Active sessions that Livepeer calls unhealthy.",
            _total("sessions_by_health", 'health="unhealthy"'),
            unit="short",
            colours=bad,
        ),
        figure(
            "Health unknown",
            "Active sessions whose health Livepeer has not said.",
            _total("sessions_by_health", 'health="unknown"'),
            unit="short",
            colours=((None, TEXT), (1, ORANGE)),
        ),
        figure(
            "Open issues",
            "Issues that Livepeer reports for active sessions of the chosen streams.",
            f"sum({queries.issues(STREAMS)})",
            unit="short",
            colours=bad,
            no_value="None",
        ),
        figure(
            "Ingest",
            "Bits per second that arrive, over all active sessions.",
            queries.bits(_total("ingest_rate_bytes_per_second")),
            unit="bps",
            colours=((None, BLUE),),
            graph=True,
        ),
        figure(
            "Outgoing",
            "Bits per second that are sent, over all active sessions.",
            queries.bits(_total("outgoing_rate_bytes_per_second")),
            unit="bps",
            colours=((None, BLUE),),
            graph=True,
        ),
        figure(
            "Recordings failed",
            "Recorded sessions still on the page whose recording has failed.",
            _total("sessions_by_recording_status", 'status="failed"'),
            unit="short",
            colours=bad,
        ),
        figure(
            "Age of the data",
            "Seconds since the poll began whose answer is shown; of several accounts the oldest. "
            "Old data means that none of the other figures can be trusted.",
            f"max({queries.age(STREAMS)})",
            unit="s",
            colours=age,
            no_value="No data",
            decimals=0,
        ),
    ]


def _sessions(limits: Thresholds) -> dashboard.Builder:
    keys = ", ".join(KEY)
    live = queries.active(STREAMS)
    text = per_session(f"topk by ({keys}) (1, {series(STREAMS, 'session_issue_info')})", "issue")
    columns = [
        Column(title="Stream", expr=named(STREAMS, live), label="name", width=190, link=DRILL_DOWN),
        Column(title="", expr=queries.trouble(STREAMS, limits)),
        Column(title="Health", expr=queries.health_or_unknown(STREAMS), width=100, meaning=HEALTH_ORDER, unit="short"),
        Column(
            title="Issues",
            expr=queries.issues(STREAMS),
            width=65,
            unit="short",
            colours=((None, TEXT), (1, RED)),
            missing=("–", GREY),
        ),
        Column(title="Livepeer says", expr=text, label="issue", missing=("–", GREY)),
        Column(title="Ingest", expr=queries.bits(queries.ingest(STREAMS)), unit="bps", width=95),
        Column(title="Outgoing", expr=queries.bits(queries.outgoing(STREAMS)), unit="bps", width=95),
        Column(
            title="Lag",
            expr=queries.lag(STREAMS),
            unit="s",
            width=80,
            decimals=1,
            colours=((None, TEXT), (limits.lag_orange, ORANGE), (limits.lag_red, RED)),
        ),
        Column(
            title="Last media",
            expr=queries.since_media(STREAMS),
            unit="s",
            width=90,
            decimals=0,
            colours=((None, TEXT), (limits.late_orange, ORANGE), (limits.late_red, RED)),
        ),
        Column(
            title="Started",
            expr=queries.while_active(STREAMS, queries.created(STREAMS)),
            unit="dateTimeFromNow",
            width=145,
        ),
        Column(title="Account", label="account", width=90),
        Column(title="Session", label="session_id", width=95, link=DRILL_DOWN),
    ]
    return grid(
        "Live sessions, the worst first",
        "Unhealthy, late, behind and unknown ones come first. A click on the name opens the session.",
        columns,
        no_value=NONE_LIVE,
        drop=("job", "stream_id"),
        worst_first="Value #B",
        long=True,
    )
