"""The alerts: what each says, how bad it is, how long it must last, and where to look.

Every alert is about one thing only: an account, an exporter or a session. They ask in the same words as the panels and
depend on no recording rule. Replicas give one alert. An alert carries the labels that it is about, so that Alertmanager
can route by the stream's name and inhibit by job.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from grafana.builder import page, queries
from grafana.builder.promql import EVERYWHERE, KEY, named, per_session, series
from grafana.builder.thresholds import Thresholds

EXPECTED: Final = "livepeer_expected_live"
"""The series by which an operator lists streams that must be live; not the exporter's, but a rule of the operator's."""

_ALL: Final = EVERYWHERE
_ON: Final = f"on ({', '.join(KEY)})"
_ACCOUNT: Final = "job, account"
_PROCESS: Final = "job, instance, account"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the links of an alert lead.

    Attributes:
        grafana: the base URL of a Grafana that has the dashboards.
        runbooks: the URL of ``docs/runbooks.md``, wherever it is published.
    """

    grafana: str = "http://localhost:3000"
    runbooks: str = "docs/runbooks.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alerting rule.

    Attributes:
        name: also the runbook's anchor, in lower case.
        expr: what fires.
        lasts: how long it must be true, as Prometheus writes durations.
        severity: critical wakes somebody up, warning waits for the morning.
        summary, description: templates; the summary fits a telephone.
        dashboard: the dashboard that shows it.
        variables: the labels that become its variables.
    """

    name: str
    expr: str
    lasts: str
    severity: Literal["warning", "critical"]
    summary: str
    description: str
    dashboard: str
    variables: Sequence[str] = field(default=("job", "account"))

    def plain(self, places: Places) -> dict[str, Any]:
        """As the rule file has it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.lasts,
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{places.runbooks}#{self.name.lower()}",
                "dashboard_url": f"{places.grafana}/d/{self.dashboard}?{self._chosen()}".rstrip("?"),
            },
        }

    def _chosen(self) -> str:
        names = {"stream_id": "stream", "session_id": "session"}
        return "&".join(
            f"var-{names.get(label, label)}={{{{ $labels.{label} | urlquery }}}}" for label in self.variables
        )


def alerts(limits: Thresholds) -> list[Alert]:
    """All of them: what silences others first."""
    return [
        *_exporters(limits),
        *_data(limits),
        *_health(limits),
        *_media(limits),
        *_recordings(limits),
        _expected(limits),
    ]


def _s(name: str, *matchers: str, window: str = "") -> str:
    return series(_ALL, name, *matchers, window=window)


def _exporters(limits: Thresholds) -> list[Alert]:
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
            dashboard=page.EXPORTER,
            variables=("job", "instance"),
        ),
        Alert(
            name="LivepeerExporterAbsent",
            expr=f"absent({_s(build)})",
            lasts=limits.absent_for,
            severity="critical",
            summary="No Livepeer exporter is scraped",
            description="Prometheus has no Livepeer exporter that answers: none is deployed, or none is discovered.",
            dashboard=page.EXPORTER,
            variables=(),
        ),
    ]


def _data(limits: Thresholds) -> list[Alert]:
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
            dashboard=page.EXPORTER,
        ),
        Alert(
            name="LivepeerApiErrors",
            expr=f"{failed} / on ({_PROCESS}) group_left {polls} > {limits.failing_share:g}",
            lasts=limits.failing_for,
            severity="warning",
            summary="Polls of the Livepeer account {{ $labels.account }} fail ({{ $labels.class }})",
            description="{{ $value | humanizePercentage }} of the polls of {{ $labels.instance }} fail with class "
            "{{ $labels.class }}.",
            dashboard=page.EXPORTER,
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
            dashboard=page.EXPORTER,
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
            dashboard=page.EXPORTER,
            variables=("job", "instance", "account"),
        ),
    ]


def _about_session(
    name: str, expr: str, lasts: str, severity: Literal["warning", "critical"], summary: str, description: str
) -> Alert:
    return Alert(
        name=name,
        expr=named(_ALL, expr),
        lasts=lasts,
        severity=severity,
        summary=f"{{{{ $labels.name }}}}: {summary}",
        description=description,
        dashboard=page.SESSION,
        variables=("job", "account", "stream_id", "session_id"),
    )


def _health(limits: Thresholds) -> list[Alert]:
    expr = f"{queries.healthy(_ALL)} == 0"
    text = "Livepeer calls the stream unhealthy. Its own words are in livepeer_studio_session_issue_info."
    return [
        _about_session("LivepeerStreamUnhealthy", expr, limits.unhealthy_for, "warning", "unhealthy", text),
        _about_session(
            "LivepeerStreamUnhealthyForLong",
            expr,
            limits.unhealthy_critical_for,
            "critical",
            "unhealthy for long",
            text,
        ),
    ]


def _media(limits: Thresholds) -> list[Alert]:
    rate = "session_ingest_rate_bytes_per_second"
    now = per_session(f"avg_over_time({_s(rate, window=limits.window)})")
    usual = per_session(f"avg_over_time({_s(rate, window=limits.usual_window)} offset {limits.window})")
    dropped = f"{now} / ({usual} > {limits.drop_floor:g}) < {limits.drop_share:g}"
    speed = queries.source_speed(_ALL, limits)
    arrived = per_session(f"delta({_s('session_source_segments_duration_seconds', window=limits.window)})")
    share = f"({queries.renditions(_ALL, limits)}) / {_ON} ({per_session(_s('session_profiles'))} > 0)"
    return [
        _about_session(
            "LivepeerIngestDropped",
            queries.while_active(_ALL, dropped),
            limits.session_for,
            "warning",
            "ingest fell to {{ $value | humanizePercentage }}",
            "Over the last minutes the stream sent {{ $value | humanizePercentage }} of what it sent in the half hour "
            "before.",
        ),
        _about_session(
            "LivepeerIngestStarving",
            f"({speed}) >= 0 < {limits.real_time:g}",
            limits.session_for,
            "warning",
            "less media arrives than is played",
            "Only {{ $value | humanize }} seconds of media arrive per second; viewers run out of media.",
        ),
        _about_session(
            "LivepeerTranscodingBehind",
            f"({queries.lag(_ALL)}) > {limits.lag_red:g}",
            limits.session_for,
            "warning",
            "transcoding is {{ $value | humanizeDuration }} behind",
            "The renditions are {{ $value | humanizeDuration }} behind the source, on average. A rendition that is not "
            "delivered at all shows the same way: look at the renditions delivered.",
        ),
        _about_session(
            "LivepeerNothingTranscoded",
            f"({share}) >= 0 < {limits.nothing_share:g} and {_ON} {arrived} > {limits.nothing_media:g}",
            limits.session_for,
            "critical",
            "nothing is transcoded",
            "Media arrives, profiles are asked for, but no rendition is made: viewers get the source or nothing.",
        ),
    ]


def _recordings(limits: Thresholds) -> list[Alert]:
    failed = per_session(_s("session_recording_status", 'status="failed"'))
    waiting = per_session(_s("session_recording_status", 'status=~"waiting|none"'))
    return [
        _about_session(
            "LivepeerRecordingFailed",
            f"{failed} == 1",
            limits.recording_for,
            "warning",
            "the recording failed",
            "Livepeer says that the recording of this session has failed.",
        ),
        _about_session(
            "LivepeerRecordingStuck",
            f"({queries.since_any_media(_ALL)} > {limits.stuck_after:g}) and {_ON} {waiting} == 1",
            limits.recording_for,
            "warning",
            "the recording does not become ready",
            "The last media was {{ $value | humanizeDuration }} ago, and there is still no recording.",
        ),
    ]


def _expected(limits: Thresholds) -> Alert:
    live = f"max by (account, stream_id) ({_s('session_active')}) == 1"
    told = f"max by (account) ({_s('up')}) == 1"
    return Alert(
        name="LivepeerExpectedStreamNotLive",
        expr=f"({EXPECTED} unless on (account, stream_id) ({live})) and on (account) ({told})",
        lasts=limits.expected_for,
        severity="critical",
        summary="{{ or $labels.name $labels.stream_id }} should be live and is not",
        description="The stream is on the list of those that must be live, and no session of it is active.",
        dashboard=page.OVERVIEW,
        variables=("account", "stream_id"),
    )
