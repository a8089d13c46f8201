"""The dashboard Overview: is anything broken now, which stream, since when, and what does Livepeer say."""

from typing import Final

from grafana.builder import page, queries, variables
from grafana.builder.panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    SLOW_STEP,
    TEXT,
    figure,
    graph,
    note,
    query,
    timeline,
)
from grafana.builder.promql import KEY, STREAMS, named, per_account, per_session, series
from grafana.builder.tables import Column, grid
from grafana.builder.thresholds import Thresholds

HEALTH_ORDER: Final = {"0": ("Unhealthy", RED), "1": ("Unknown", GREY), "2": ("Healthy", GREEN)}
HEALTH: Final = {"0": ("Unhealthy", RED), "1": ("Healthy", GREEN)}
NONE_LIVE: Final = "No live stream"

_VARIABLES: Final = "&".join(f"${{{name}:queryparam}}" for name in ("datasource", "job", "instance", "account"))
_CHOSEN: Final = "var-stream=${__data.fields.stream_id}&var-session=${__data.fields.Session}&${__url_time_range}"
DRILL_DOWN: Final = ("Open this session", f"/d/{page.SESSION}?{_VARIABLES}&{_CHOSEN}")

_MEANING: Final = f"""\
**Live** means that media was seen in the last 90 seconds. Livepeer writes a session's figures about every 50 seconds \
and the exporter asks on its own clock, so everything here moves in steps; **Age of the data** says how old it is.

**Lag** is how far transcoding is behind the source: seconds of source minus seconds transcoded per rendition. \
**Health** and **issues** are Livepeer's own words; *unknown* means that Livepeer has not said.

The figures in the first row count everything in the chosen accounts; the choice of streams narrows the rest. \
Replicas of the exporter count once, shards add up. A click on a stream opens \
[{page.TITLES[page.SESSION]}](/d/{page.SESSION}?${{__all_variables}}&${{__url_time_range}})."""


def overview(limits: Thresholds) -> page.Page:
    """The dashboard."""
    return page.Page(
        uid=page.OVERVIEW,
        about="Every live stream of the chosen accounts: what is broken, which stream, since when.",
        variables=[*variables.common(), variables.stream()],
        annotations=variables.marks(STREAMS),
        shelves=[
            page.Shelf(4, [(panel, 3) for panel in _figures(limits)]),
            page.Shelf(10, [(_sessions(limits), 24)]),
            page.Shelf(8, [(_health(), 12), (_counts(), 12)]),
            page.Shelf(8, [(_ingest(), 12), (_lag(limits), 12)], "Media"),
            page.Shelf(8, [(_started(), 8), (_recordings(), 8), (_recording_states(), 8)], "Sessions and recordings"),
            page.Shelf(8, [(_traffic(), 12), (_bytes(), 12)], "Traffic"),
            page.Shelf(7, [(note("What these numbers mean", _MEANING), 24)]),
        ],
    )


def _total(name: str, *matchers: str) -> str:
    return per_account(STREAMS, series(STREAMS, name, *matchers), by=())


def _figures(limits: Thresholds) -> list[page.Builder]:
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


def _sessions(limits: Thresholds) -> page.Builder:
    keys = ", ".join(KEY)
    live = queries.active(STREAMS)
    text = f"topk by ({keys}) (1, {series(STREAMS, 'session_issue_info')})"
    columns = [
        Column(title="Stream", expr=named(STREAMS, live), label="name", width=220, link=DRILL_DOWN),
        Column(title="", expr=queries.trouble(STREAMS, limits)),
        Column(title="Health", expr=queries.health_or_unknown(STREAMS), width=100, meaning=HEALTH_ORDER, unit="short"),
        Column(
            title="Issues",
            expr=queries.issues(STREAMS),
            width=70,
            unit="short",
            colours=((None, TEXT), (1, RED)),
            missing=("–", GREY),
        ),
        Column(title="Livepeer says", expr=text, label="issue", missing=("–", GREY)),
        Column(title="Ingest", expr=queries.bits(queries.ingest(STREAMS)), unit="bps", width=105),
        Column(title="Outgoing", expr=queries.bits(queries.outgoing(STREAMS)), unit="bps", width=105),
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
            width=100,
            decimals=0,
            colours=((None, TEXT), (limits.late_orange, ORANGE), (limits.late_red, RED)),
        ),
        Column(
            title="Started",
            expr=queries.while_active(STREAMS, queries.created(STREAMS)),
            unit="dateTimeFromNow",
            width=130,
        ),
        Column(title="Account", label="account", width=110),
        Column(title="Session", label="session_id", width=120, link=DRILL_DOWN),
        Column(title="stream_id", label="stream_id", width=0),
    ]
    return grid(
        "Live sessions, the worst first",
        "Unhealthy, late, behind and unknown ones come first. A click on the name opens the session.",
        columns,
        no_value=NONE_LIVE,
        drop=("job",),
        worst_first="Value #B",
    )


def _health() -> page.Builder:
    scope = STREAMS
    bad = series(scope, "session_healthy", window="$__range")
    ever = f"{per_session(f'min_over_time({bad} @ end())', how='min')} == 0"
    troubled = f"{queries.healthy(scope)} and on ({', '.join(KEY)}) ({ever})"
    return timeline(
        "Health of streams that had trouble",
        "A row for each session that was unhealthy at some time within the range; the others were healthy throughout "
        "or never said.",
        query(named(scope, troubled), "{{name}}", interval="30s"),
        meaning=HEALTH,
        no_value="No stream was unhealthy in this time range",
    )


def _counts() -> page.Builder:
    return graph(
        "Sessions by state",
        "Sessions within the exporter's window. Pending ones were created and never seen, ended ones were not seen "
        "for 90 seconds.",
        query(per_account(STREAMS, series(STREAMS, "sessions"), "state", by=()), "{{state}}"),
        query(per_account(STREAMS, series(STREAMS, "sessions_by_health"), "health", by=()), "{{health}} (active)"),
        unit="short",
        decimals=0,
        dense_legend=True,
    )


def _ingest() -> page.Builder:
    top = f"topk(20, {named(STREAMS, queries.ingest(STREAMS))})"
    return graph(
        "Ingest per stream",
        "Bits per second that arrive, of the 20 strongest sessions at each moment.",
        query(queries.bits(top), "{{name}}"),
        unit="bps",
        no_value=NONE_LIVE,
    )


def _lag(limits: Thresholds) -> page.Builder:
    top = f"topk(20, {named(STREAMS, queries.lag(STREAMS))})"
    return graph(
        "Transcoding lag",
        "Seconds that transcoding is behind the source, of the 20 worst sessions at each moment.",
        query(top, "{{name}}"),
        unit="s",
        low=None,
        soft_high=limits.lag_red,
        limits=((limits.lag_red, RED),),
        no_value=NONE_LIVE,
    )


def _grew(name: str, *labels: str, by: tuple[str, ...] = (), how: str = "increase") -> str:
    counted = f"{how}({series(STREAMS, name, window='$__rate_interval')})"
    return per_account(STREAMS, counted, *labels, by=by)


def _started() -> page.Builder:
    return graph(
        "Sessions started",
        "Sessions that were created, per interval of the graph.",
        query(_grew("sessions_started_total", by=("account",)), "{{account}}", interval=SLOW_STEP),
        unit="short",
        style="bars",
        dense_legend=False,
    )


def _recordings() -> page.Builder:
    return graph(
        "Recordings finished",
        "Recordings that became ready or failed, per interval of the graph.",
        query(_grew("recordings_finished_total", "result"), "{{result}}", interval=SLOW_STEP),
        unit="short",
        style="bars",
        dense_legend=False,
    )


def _recording_states() -> page.Builder:
    total = per_account(STREAMS, series(STREAMS, "sessions_by_recording_status"), "status", by=())
    return graph(
        "Recordings by state",
        "Recorded sessions on the page. None means that three hours later there was still no asset.",
        query(total, "{{status}}"),
        unit="short",
        decimals=0,
        dense_legend=False,
    )


def _traffic() -> page.Builder:
    arrived = queries.bits(_grew("source_bytes_total", how="rate"))
    made = queries.bits(_grew("transcoded_bytes_total", how="rate"))
    return graph(
        "Traffic by counters",
        "Bits per second of source and of all renditions together, from counters that outlive the sessions.",
        query(arrived, "arrived", interval=SLOW_STEP),
        query(made, "transcoded", interval=SLOW_STEP),
        unit="bps",
        dense_legend=False,
    )


def _bytes() -> page.Builder:
    return grid(
        "Bytes per stream in this time range",
        "A session that started within the range counts in full, an older one with what it grew by.",
        [
            Column(title="Stream", label="name"),
            Column(title="Account", label="account", width=110),
            Column(title="Arrived", expr=queries.bytes_in_range(STREAMS, "source"), unit="decbytes", width=120),
            Column(title="Transcoded", expr=queries.bytes_in_range(STREAMS, "transcoded"), unit="decbytes", width=120),
        ],
        no_value="No session in this time range",
        drop=("stream_id",),
        worst_first="Arrived",
    )
