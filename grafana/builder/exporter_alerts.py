"""Alerts about the exporter, its data, and the API: without them silence would look like peace."""

from typing import Final

from grafana.builder import dashboard, queries
from grafana.builder.alert import Alert
from grafana.builder.promql import EVERYWHERE, series
from grafana.builder.thresholds import Thresholds

_ALL: Final = EVERYWHERE
_ACCOUNT: Final = "job, account"
_PROCESS: Final = "job, instance, account"


def _s(name: str, *matchers: str, window: str = "") -> str:
    return series(_ALL, name, *matchers, window=window)


def about_exporters(limits: Thresholds) -> list[Alert]:
    """An exporter is down, or there is none."""
    build = "exporter_build_info"
    return [
        Alert(
            name="LivepeerExporterDown",
            expr=f"up == 0 and on (job, instance) last_over_time({_s(build, window='1d')})",
            lasts=limits.down_for,
            severity="critical",
            summary="Livepeer exporter {{ $labels.instance }} is down",
            description="Prometheus cannot scrape the exporter {{ $labels.instance }} of job {{ $labels.job }}. "
            "Unless a replica goes on, nothing is known of its streams.",
            dashboard=dashboard.EXPORTER,
            variables=("job", "instance"),
        ),
        Alert(
            name="LivepeerExporterAbsent",
            expr=f"absent({_s(build)})",
            lasts=limits.absent_for,
            severity="critical",
            summary="No Livepeer exporter is scraped",
            description="Prometheus has no Livepeer exporter that answers: none is deployed, or none is discovered.",
            dashboard=dashboard.EXPORTER,
            variables=(),
        ),
    ]


def about_data(limits: Thresholds) -> list[Alert]:
    """The data is old, the API fails or throttles, sessions are missing."""
    interval = f"max by (job, account) ({_s('exporter_poll_interval_seconds')})"
    oldest = f"max by ({_ACCOUNT}) ({queries.age(_ALL)})"
    allowed = f"{limits.stale_intervals:g} * {interval} + {limits.stale_slack:g}"
    never = f"max by ({_ACCOUNT}) ({_s('up')}) == 0 unless on ({_ACCOUNT}) {_s('snapshot_timestamp_seconds')}"
    failed = f"sum by ({_PROCESS}, class) (rate({_s('exporter_poll_failures_total', window=limits.failing_window)}))"
    polls = f"sum by ({_PROCESS}) (rate({_s('exporter_polls_total', window=limits.failing_window)}))"
    throttled = f"increase({_s('exporter_api_throttled_total', window=limits.throttled_window)})"
    return [
        Alert(
            name="LivepeerDataStale",
            expr=f"({oldest} > on ({_ACCOUNT}) {allowed}) or {never}",
            lasts=limits.stale_for,
            severity="critical",
            summary="No fresh data of the Livepeer account {{ $labels.account }}",
            description="The last good poll is too long ago, or there was none yet, although the exporter runs. After "
            "its staleness limit the figures of the streams disappear, and alerts about streams fall silent.",
            dashboard=dashboard.EXPORTER,
        ),
        Alert(
            name="LivepeerApiErrors",
            expr=f"{failed} / on ({_PROCESS}) group_left {polls} > {limits.failing_share:g}",
            lasts=limits.failing_for,
            severity="warning",
            summary="Polls of the Livepeer account {{ $labels.account }} fail ({{ $labels.class }})",
            description="{{ $value | humanizePercentage }} of the polls of {{ $labels.instance }} fail with class "
            "{{ $labels.class }}.",
            dashboard=dashboard.EXPORTER,
            variables=("job", "instance", "account"),
        ),
        Alert(
            name="LivepeerRateLimited",
            expr=f"sum by ({_PROCESS}) ({throttled}) > {limits.throttled_answers:g}",
            lasts=limits.throttled_for,
            severity="warning",
            summary="The Livepeer API throttles the account {{ $labels.account }}",
            description="The API answered 429 about {{ $value | humanize }} times of late; the exporter slows down, "
            "and the data gets older.",
            dashboard=dashboard.EXPORTER,
            variables=("job", "instance", "account"),
        ),
        Alert(
            name="LivepeerSessionsDropped",
            expr=f"sum by ({_PROCESS}) ({_s('exporter_sessions_dropped')}) > {limits.dropped_sessions:g}",
            lasts=limits.dropped_for,
            severity="warning",
            summary="{{ $value }} sessions of the Livepeer account {{ $labels.account }} are not on the page",
            description="The budget of series is used up, so {{ $value }} sessions have no series of their own, and "
            "no alert can tell of them. Totals still count them.",
            dashboard=dashboard.EXPORTER,
            variables=("job", "instance", "account"),
        ),
    ]
