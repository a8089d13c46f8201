"""Alerts on the exporter, the age of its data, and the API. While one fires, alerts on streams may be missing."""

from typing import Final

from grafana.builder.alert import Alert
from grafana.builder.alert_templates import LAST_POLL, LAST_SCRAPE, SINCE, counted, failure_classes
from grafana.builder.dashboard import EXPORTER_UID
from grafana.builder.promql import NO_FILTERS, selector
from grafana.builder.thresholds import Thresholds

_EXPORTER_ACCOUNT: Final = "job, instance, account"
_EXPORTER_ACCOUNT_LABELS: Final = ("job", "instance", "account")


def _series(name: str, *matchers: str, window: str = "") -> str:
    return selector(NO_FILTERS, name, *matchers, window=window)


def exporter_alerts(thresholds: Thresholds) -> list[Alert]:
    """Return the alerts on exporters that are down or absent. If all targets are down, none is absent."""
    build_info = _series("exporter_build_info")
    down = f"up == 0 and on (job, instance) last_over_time({_series('exporter_build_info', window='1d')})"
    return [
        Alert(
            name="LivepeerExporterDown",
            expr=down,
            for_duration=thresholds.down_for,
            severity="critical",
            summary="Livepeer exporter {{ $labels.instance }} is down",
            description="Prometheus cannot scrape the exporter {{ $labels.instance }} of job {{ $labels.job }}. "
            "Unless a replica is running, its streams are not monitored.",
            dashboard_uid=EXPORTER_UID,
            labels=("job", "instance"),
            moments=(LAST_SCRAPE,),
        ),
        Alert(
            name="LivepeerExporterAbsent",
            expr=f"absent({build_info}) unless on () ({down})",
            for_duration=thresholds.absent_for,
            severity="critical",
            summary="No Livepeer exporter is scraped",
            description="Prometheus scrapes no Livepeer exporter: none is deployed, or service discovery does not find "
            "any.",
            dashboard_uid=EXPORTER_UID,
            labels=(),
            moments=(LAST_SCRAPE,),
        ),
    ]


def data_alerts(thresholds: Thresholds) -> list[Alert]:
    """Return the alerts on stale data, failing polls, rate limiting and dropped sessions."""
    return [_stale(thresholds), _api_errors(thresholds), _rate_limited(thresholds), _sessions_dropped(thresholds)]


def _stale(thresholds: Thresholds) -> Alert:
    """Replicas are not aggregated: another one hides neither a broken key nor an exporter without network."""
    keys = f"on ({_EXPORTER_ACCOUNT})"
    age = f"time() - {_series('snapshot_timestamp_seconds')}"
    no_data = f"{_series('up')} == 0 unless {keys} {_series('snapshot_timestamp_seconds')}"
    values = f"{age} > {keys} {_series('exporter_max_staleness_seconds')} or {keys} ({no_data})"
    return Alert(
        name="LivepeerDataStale",
        expr=f"max by ({_EXPORTER_ACCOUNT}) ({values})",
        for_duration=thresholds.stale_for,
        severity="critical",
        summary="Data of the Livepeer account {{ $labels.account }} is stale in {{ $labels.instance }}",
        description="The exporter is running, but the data of its last successful poll is older than --max-staleness, "
        "or no poll has succeeded yet. Such data is removed: session and stream series disappear, and alerts on "
        f"streams cannot fire, unless a replica has the data.{failure_classes(_EXPORTER_ACCOUNT_LABELS)}",
        dashboard_uid=EXPORTER_UID,
        labels=_EXPORTER_ACCOUNT_LABELS,
        moments=(LAST_POLL,),
    )


def _unless_stale(window: str) -> str:
    """Exclude accounts whose data was stale within the window: when it is current again, its cause is no news."""
    stale = f'ALERTS{{alertname="LivepeerDataStale", alertstate="firing"}}[{window}]'
    return f"unless on ({_EXPORTER_ACCOUNT}) last_over_time({stale})"


def _api_errors(thresholds: Thresholds) -> Alert:
    window = thresholds.failure_window
    failures = f"rate({_series('exporter_poll_failures_total', window=window)})"
    polls = f"rate({_series('exporter_polls_total', window=window)})"
    ratio = (
        f"sum by ({_EXPORTER_ACCOUNT}, class) ({failures})"
        f" / on ({_EXPORTER_ACCOUNT}) group_left sum by ({_EXPORTER_ACCOUNT}) ({polls})"
    )
    return Alert(
        name="LivepeerApiErrors",
        expr=f"{ratio} > {thresholds.failure_ratio:g} {_unless_stale(window)}",
        for_duration=thresholds.failure_for,
        severity="warning",
        summary="Polls of the Livepeer account {{ $labels.account }} fail ({{ $labels.class }})",
        description=f"In the last {window}, {{{{ $value | humanizePercentage }}}} of the polls of "
        "{{ $labels.instance }} failed with class {{ $labels.class }}.",
        dashboard_uid=EXPORTER_UID,
        labels=_EXPORTER_ACCOUNT_LABELS,
        moments=(SINCE, LAST_POLL),
    )


def _rate_limited(thresholds: Thresholds) -> Alert:
    window = thresholds.throttled_window
    throttled = f"increase({_series('exporter_api_throttled_total', window=window)})"
    return Alert(
        name="LivepeerRateLimited",
        expr=f"sum by ({_EXPORTER_ACCOUNT}) ({throttled}) > {thresholds.throttled_responses:g} {_unless_stale(window)}",
        for_duration=thresholds.throttled_for,
        severity="warning",
        summary="The Livepeer API rate-limits the account {{ $labels.account }}",
        description=f"The API returned status 429 about {{{{ $value | humanize }}}} times in the last {window}. The "
        "exporter backs off, so its data gets older.",
        dashboard_uid=EXPORTER_UID,
        labels=_EXPORTER_ACCOUNT_LABELS,
        moments=(SINCE, LAST_POLL),
    )


def _sessions_dropped(thresholds: Thresholds) -> Alert:
    dropped = f"sum by ({_EXPORTER_ACCOUNT}) ({_series('exporter_sessions_dropped')})"
    return Alert(
        name="LivepeerSessionsDropped",
        expr=f"{dropped} > {thresholds.max_dropped_sessions:g}",
        for_duration=thresholds.dropped_for,
        severity="warning",
        summary=f"Livepeer account {{{{ $labels.account }}}}: {counted('session has', 'sessions have')} no series",
        description="The series limit (--max-series) is reached, so "
        f"{counted('session has', 'sessions have')} no series and cannot cause alerts. Account totals include all "
        "sessions.",
        dashboard_uid=EXPORTER_UID,
        labels=_EXPORTER_ACCOUNT_LABELS,
    )
