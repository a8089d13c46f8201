"""What the dashboard Overview draws over time, and what streams cost in bytes."""

from grafana.builder import dashboard, queries
from grafana.builder.panels import RED, SLOW_STEP, graph, query, timeline
from grafana.builder.promql import KEY, STREAMS, named, per_account, per_session, series
from grafana.builder.tables import Column, grid
from grafana.builder.thresholds import Thresholds
from grafana.builder.value_mappings import HEALTH, NONE_LIVE, PAINTED


def health() -> dashboard.Builder:
    """Who was unhealthy, and when."""
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


def counts() -> dashboard.Builder:
    """How many sessions there are of each kind."""
    return graph(
        "Sessions by state",
        "Sessions within the exporter's window. Pending ones were created and never seen, ended ones were not seen "
        "for 90 seconds.",
        query(per_account(STREAMS, series(STREAMS, "sessions"), "state", by=()), "{{state}}"),
        query(per_account(STREAMS, series(STREAMS, "sessions_by_health"), "health", by=()), "{{health}} (active)"),
        unit="short",
        decimals=0,
        painted=PAINTED,
    )


def ingest() -> dashboard.Builder:
    """What arrives, by stream."""
    top = f"topk(20, {named(STREAMS, queries.ingest(STREAMS))})"
    return graph(
        "Ingest per stream",
        "Bits per second that arrive, of the 20 strongest sessions at each moment.",
        query(queries.bits(top), "{{name}}"),
        unit="bps",
        no_value=NONE_LIVE,
    )


def lag(limits: Thresholds) -> dashboard.Builder:
    """How far transcoding is behind, by stream."""
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


def started() -> dashboard.Builder:
    """When sessions began."""
    return graph(
        "Sessions started",
        "Sessions that were created, per interval of the graph.",
        query(_grew("sessions_started_total", by=("account",)), "{{account}}", interval=SLOW_STEP),
        unit="short",
        style="bars",
        dense_legend=False,
    )


def recordings() -> dashboard.Builder:
    """When recordings became ready, and when they failed."""
    return graph(
        "Recordings finished",
        "Recordings that became ready or failed, per interval of the graph.",
        query(_grew("recordings_finished_total", "result"), "{{result}}", interval=SLOW_STEP),
        unit="short",
        style="bars",
        dense_legend=False,
        painted=PAINTED,
    )


def recording_states() -> dashboard.Builder:
    """What recordings wait for."""
    total = per_account(STREAMS, series(STREAMS, "sessions_by_recording_status"), "status", by=())
    return graph(
        "Recordings by state",
        "Recorded sessions on the page. None means that three hours later there was still no asset.",
        query(total, "{{status}}"),
        unit="short",
        decimals=0,
        painted=PAINTED,
        dense_legend=False,
    )


def traffic() -> dashboard.Builder:
    """What the account takes in and makes."""
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


def cost() -> dashboard.Builder:
    """What a stream costs in bytes."""
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
        long=True,
    )
