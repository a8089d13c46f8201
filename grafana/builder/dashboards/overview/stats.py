"""The values at the top of the Overview dashboard; each links to the dashboard with the details."""

from typing import Final

from grafana.builder import queries
from grafana.builder.dashboard import EXPORTER_UID, STREAMS_UID, PanelBuilder
from grafana.builder.links import Link, dashboard_url
from grafana.builder.panels import BLUE, GREEN, ORANGE, RED, TEXT, stat_panel
from grafana.builder.promql import STREAM_FILTERS, per_account, per_session, selector
from grafana.builder.thresholds import Thresholds

_STREAMS: Final[Link] = ("Open streams", dashboard_url(STREAMS_UID))
_EXPORTER: Final[Link] = ("Open exporter", dashboard_url(EXPORTER_UID))
_NONE_EXPECTED: Final = ((None, GREEN), (1, RED))


def _total(name: str, *matchers: str) -> str:
    return per_account(STREAM_FILTERS, selector(STREAM_FILTERS, name, *matchers), by=())


def _unhealthy_share(offset: str = "") -> str:
    """Mean number of unhealthy sessions in an hour as a share of the mean number of active ones."""
    unhealthy, active = (
        per_account(
            STREAM_FILTERS,
            f"avg_over_time({selector(STREAM_FILTERS, 'sessions_by_health', *matchers, window='1h')}{offset})",
            by=(),
        )
        for matchers in (('health="unhealthy"',), ())
    )
    return f"{unhealthy} / ({active} > 0)"


def _without_ingest() -> str:
    """Number of active sessions with an ingest rate of 0; 0 only if there is data."""
    rate = selector(STREAM_FILTERS, "session_ingest_rate_bytes_per_second")
    return f"count({per_session(f'{rate} == 0')}) or 0 * {_total('sessions', _ACTIVE)}"


_ACTIVE: Final = 'state="active"'


def stats(thresholds: Thresholds) -> list[PanelBuilder]:
    """Return the panels."""
    data_age = ((None, GREEN), (thresholds.data_age_warning, ORANGE), (thresholds.data_age_critical, RED))
    return [
        stat_panel(
            "Active sessions",
            "Sessions that received media within the active window (90 seconds by default).",
            _total("sessions", _ACTIVE),
            unit="short",
            colors=((None, BLUE),),
            link=_STREAMS,
        ),
        stat_panel(
            "Unhealthy",
            "Active sessions that Livepeer Studio reports as unhealthy.",
            _total("sessions_by_health", 'health="unhealthy"'),
            unit="short",
            colors=_NONE_EXPECTED,
            link=_STREAMS,
        ),
        stat_panel(
            "Unhealthy share",
            "Unhealthy sessions as a share of the active sessions: mean of the last hour, and of the same hour a week "
            "ago.",
            _unhealthy_share(),
            _unhealthy_share(" offset 1w"),
            unit="percentunit",
            colors=((None, TEXT),),
            decimals=1,
            names=("last hour", "a week ago"),
            no_value="No active session, or no data",
            link=_STREAMS,
        ),
        stat_panel(
            "No ingest",
            "Active sessions with an ingest rate of 0. A session that ends has one for up to 90 seconds.",
            _without_ingest(),
            unit="short",
            colors=((None, GREEN), (1, ORANGE)),
            link=_STREAMS,
        ),
        stat_panel(
            "Health unknown",
            "Active sessions for which Livepeer Studio reports no health.",
            _total("sessions_by_health", 'health="unknown"'),
            unit="short",
            colors=((None, TEXT), (1, ORANGE)),
            link=_STREAMS,
        ),
        stat_panel(
            "Ingest",
            "Ingest rate of all active sessions.",
            queries.bits(_total("ingest_rate_bytes_per_second")),
            unit="bps",
            colors=((None, BLUE),),
            link=_STREAMS,
        ),
        stat_panel(
            "Failed recordings",
            "Sessions within the recording window whose recording failed; the table below has them.",
            _total("sessions_by_recording_status", 'status="failed"'),
            unit="short",
            colors=_NONE_EXPECTED,
            link=_STREAMS,
        ),
        stat_panel(
            "Data age",
            "Time since the start of the poll that produced the displayed data; the oldest of the selected accounts. "
            "If it is high, all other panels are outdated.",
            f"max({queries.snapshot_age(STREAM_FILTERS)})",
            unit="s",
            colors=data_age,
            decimals=0,
            link=_EXPORTER,
        ),
    ]
