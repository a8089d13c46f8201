"""Every number that decides a colour or an alert, in one place."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """When something is worth a colour or a message.

    A live session's figures move every 50 to 52 s (upstream's cadence, measured). So windows on them are 5 minutes or
    more, and nothing fires on less than 3 minutes. Windows and ``*_for`` are durations as Prometheus writes them.

    Attributes:
        late_orange, late_red: seconds since media was last seen; upstream itself calls 90 s inactive.
        real_time: seconds of media per second; below it viewers run out of media.
        lag_orange, lag_red: seconds that transcoding is behind the source; red is the alert.
        age_orange, age_red: seconds since the poll whose data is shown, for the colour.
        stale_intervals, stale_slack: the data is stale when it is older than so many poll intervals and so many
            seconds; relative, since the interval is a setting.
        window: over which the figures of a session are compared.
        down_for, absent_for, stale_for: of the alerts about the exporter and its data.
        failing_share: polls that may fail, as a share of all polls over ``failing_window``.
        throttled_answers: answers 429 that may come within ``throttled_window``.
        dropped_sessions: sessions that may miss their own series.
        unhealthy_for, unhealthy_critical_for: how long a stream may be unhealthy.
        drop_share: the share of its own usual ingest that a stream may fall to; usual is over ``usual_window``.
        drop_floor: bytes per second; a stream that usually has less is too thin to compare.
        nothing_share: renditions per rendition of source; below it nothing is transcoded.
        nothing_media: seconds of source that must have arrived within ``window`` before that counts.
        stuck_after: seconds after the last media that a recording may still be waiting.
        session_for, recording_for, expected_for: of the alerts about sessions, recordings and expected streams.
    """

    late_orange: float = 75
    late_red: float = 90
    real_time: float = 0.95
    lag_orange: float = 10
    lag_red: float = 30
    age_orange: float = 90
    age_red: float = 180
    stale_intervals: float = 2
    stale_slack: float = 120
    window: str = "5m"
    down_for: str = "3m"
    absent_for: str = "5m"
    stale_for: str = "1m"
    failing_share: float = 0.2
    failing_window: str = "15m"
    failing_for: str = "5m"
    throttled_answers: float = 3
    throttled_window: str = "15m"
    throttled_for: str = "5m"
    dropped_sessions: float = 0
    dropped_for: str = "10m"
    unhealthy_for: str = "3m"
    unhealthy_critical_for: str = "15m"
    drop_share: float = 0.5
    drop_floor: float = 12_500
    usual_window: str = "30m"
    nothing_share: float = 0.05
    nothing_media: float = 60
    stuck_after: float = 3600
    session_for: str = "3m"
    recording_for: str = "3m"
    expected_for: str = "5m"


DEFAULT: Final = Thresholds()
