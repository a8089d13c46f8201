"""The thresholds of colors and alerts."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Limits from which a value is colored or an alert fires.

    Livepeer Studio updates the values of an active session every 50 to 52 s (measured). Windows on session values are
    therefore 5 minutes or longer, and no alert on sessions fires in less than 3 minutes. Windows and ``*_for`` are
    Prometheus durations.

    Attributes:
        media_age_warning, media_age_critical: seconds since the last media; Livepeer Studio counts a session as
            inactive after 90 s.
        min_media_speed: seconds of media per second; below it players run out of media.
        lag_warning, lag_critical: seconds by which transcoding is behind the source; an alert fires at critical.
        lag_window: seconds in which the lag must have grown by as much; the alert ends this long after the growth. At
            most ``media_keep_firing_for``, for which the critical alert suppresses it after a failure.
        data_age_warning, data_age_critical: seconds since the last successful poll, for colors only.
        comparison_window: window over which session values are compared.
        down_for, absent_for, stale_for: ``for`` of the alerts on the exporter and its data.
        failure_ratio: failed polls of one class as a ratio of all polls in ``failure_window``.
        throttled_responses: responses with status 429 in ``throttled_window``.
        max_dropped_sessions: sessions without series because of the series limit.
        unhealthy_for: ``for`` of the warning on an unhealthy stream.
        unhealthy_share: share of ``unhealthy_window`` in which a stream must be unhealthy for the critical alert, so
            that episodes shorter than ``unhealthy_for`` add up.
        unhealthy_critical_for: ``for`` of the critical alert. A stream that turns unhealthy and stays so has the share
            after half of the window already.
        reconnects: sessions of a stream that may be created in ``reconnect_window``.
        reconnect_for, vanished_for, pending_for: ``for`` of these alerts.
        vanished_ratio: active sessions as a ratio of those ``vanished_offset`` before.
        vanished_min_sessions: active sessions that there must have been.
        pending_after, pending_until: age in seconds of the sessions without media that count as not started. An older
            one is no longer news.
        failed_window: window in which failed recordings count; the alert ends this long after the last one.
        ingest_drop_ratio: ingest rate as a ratio of its mean in ``ingest_baseline_window``.
        ingest_drop_min_rate: bytes per second; streams with a lower mean are not compared.
        stopped_max_polls: age of the data in poll intervals until which an ingest rate of 0 counts.
        no_transcoding_ratio: delivered renditions as a ratio of the configured profiles.
        no_transcoding_min_media: seconds of source that must arrive in ``comparison_window`` for the ratio to count.
        recording_stuck_after: seconds since the last media after which a recording must be ready.
        target_failure_ratio: errors of multistream targets as a ratio of all their errors and connections in
            ``target_window``; the alert ends this long after the last error.
        target_for: ``for`` of this alert.
        session_for, recording_for, expected_for: ``for`` of the alerts on sessions, recordings and expected streams.
        keep_firing_for: how long alerts on values that flap stay after their condition.
        media_keep_firing_for: the same for the critical alerts on media, which suppress those on health: as long as
            ``unhealthy_window``, in which these look back.
        stuck_keep_firing_for: the same for the alert on stuck recordings, which lasts for hours, so that it is not
            repeated after an outage of the exporter or the API.
        objective: share of the live time in which a stream should be healthy, for the optional alerts; also the default
            of the Stream dashboard.
        fast_burn, slow_burn: burn rates from which the optional alerts fire. With a period of 30 days, they use 2 % of
            the budget in an hour, and 5 % in six hours.
        fast_burn_window, slow_burn_window: windows of these burn rates.
        fast_burn_recent_window, slow_burn_recent_window: windows in which the budget must be used too, so that an alert
            ends soon after its cause.
        burn_min_observed: seconds with a reported health that each long window must have, so that no short stream has a
            burn rate.
        fast_burn_for, slow_burn_for: ``for`` of the optional alerts.
    """

    media_age_warning: float = 75
    media_age_critical: float = 90
    min_media_speed: float = 0.95
    lag_warning: float = 10
    lag_critical: float = 30
    lag_window: float = 900
    data_age_warning: float = 90
    data_age_critical: float = 180
    comparison_window: str = "5m"
    down_for: str = "3m"
    absent_for: str = "5m"
    stale_for: str = "1m"
    failure_ratio: float = 0.2
    failure_window: str = "15m"
    failure_for: str = "5m"
    throttled_responses: float = 3
    throttled_window: str = "15m"
    throttled_for: str = "5m"
    max_dropped_sessions: float = 0
    dropped_for: str = "10m"
    unhealthy_for: str = "3m"
    unhealthy_share: float = 0.5
    unhealthy_window: str = "15m"
    unhealthy_critical_for: str = "7m"
    reconnects: int = 3
    reconnect_window: float = 900
    reconnect_for: str = "1m"
    vanished_ratio: float = 0.5
    vanished_min_sessions: float = 5
    vanished_offset: str = "1h"
    vanished_for: str = "5m"
    pending_after: float = 300
    pending_until: float = 3600
    pending_for: str = "1m"
    failed_window: str = "30m"
    ingest_drop_ratio: float = 0.5
    ingest_drop_min_rate: float = 12_500
    ingest_baseline_window: str = "30m"
    stopped_max_polls: float = 2.5
    no_transcoding_ratio: float = 0.05
    no_transcoding_min_media: float = 60
    recording_stuck_after: float = 3600
    target_failure_ratio: float = 0.2
    target_window: str = "15m"
    target_for: str = "1m"
    session_for: str = "3m"
    recording_for: str = "3m"
    expected_for: str = "5m"
    keep_firing_for: str = "5m"
    media_keep_firing_for: str = "15m"
    stuck_keep_firing_for: str = "15m"
    objective: float = 0.99
    fast_burn: float = 14.4
    fast_burn_window: str = "1h"
    fast_burn_recent_window: str = "5m"
    fast_burn_for: str = "2m"
    slow_burn: float = 6
    slow_burn_window: str = "6h"
    slow_burn_recent_window: str = "30m"
    slow_burn_for: str = "5m"
    burn_min_observed: float = 1800


DEFAULT: Final = Thresholds()
