"""The counters and rates of a session, as the real API computes them at each update."""

from dataclasses import dataclass
from math import sin

from exporter.simulator.lifecycle import DEGRADED_FOR, Lifecycle, Pace
from exporter.simulator.streams import Behavior

_MEDIA_AT_FIRST_UPDATE = 6.0  # seconds
_LOW_INGEST_BITRATE = 0.35  # of the usual bitrate
_LOW_INGEST_MEDIA = 0.7  # seconds of media per second
_LAG_GROWTH = 0.6  # seconds per second
_WAVE_SECONDS = 1.5
_WAVE_LENGTH = 40.0


@dataclass(frozen=True, slots=True)
class Counters:
    """Sums since the start of the session; those of transcoding include all renditions."""

    source_segments: int
    transcoded_segments: int
    source_bytes: float
    transcoded_bytes: float


def counters_at(session: Lifecycle, pace: Pace, update: float) -> Counters:
    """The counters at an update.

    Args:
        session: the session.
        pace: converts world time to server time.
        update: time of the update, in world time.
    """
    stream = session.stream
    elapsed = pace.server_time(update) - pace.server_time(session.first_seen)
    periods = session.degraded_periods(update)
    durations = [pace.server_time(end) - pace.server_time(start) for start, end in periods]
    degraded = sum(durations)
    seconds = elapsed + _MEDIA_AT_FIRST_UPDATE  # of media that arrived
    volume = seconds + _WAVE_SECONDS * (sin(seconds / _WAVE_LENGTH + session.phase) - sin(session.phase))
    missing = 0.0  # seconds that the last rendition lacks
    lag = 0.0  # seconds that every rendition lacks
    match stream.behavior:
        case Behavior.LOW_INGEST:
            seconds -= (1 - _LOW_INGEST_MEDIA) * degraded
            volume -= (1 - _LOW_INGEST_BITRATE) * degraded
        case Behavior.TRANSCODING_LAG if periods:
            recovered = (update - periods[-1][1]) / DEGRADED_FOR
            lag = _LAG_GROWTH * durations[-1] * max(0.0, 1 - recovered)
        case Behavior.MISSING_RENDITION:
            missing = degraded
    delivered = [seconds - lag] * len(stream.profiles)
    delivered[-1] -= missing
    byte_rates = [profile["bitrate"] / 8 for profile in stream.profiles]
    return Counters(
        source_segments=int(seconds / stream.segment_duration),
        transcoded_segments=sum(int(media / stream.segment_duration) for media in delivered),
        source_bytes=stream.bitrate / 8 * volume,
        transcoded_bytes=sum(rate * media for rate, media in zip(byte_rates, delivered, strict=True)),
    )


def rates_at(session: Lifecycle, pace: Pace, update: float) -> tuple[float, float]:
    """Ingest and outgoing rate at an update: the averages since the previous update, in bytes per second.

    For the first update they are the averages until the next one.
    """
    before, after = update - session.update_interval, update
    if before < session.first_seen:
        before, after = session.first_seen, session.first_seen + session.update_interval
    duration = pace.server_time(after) - pace.server_time(before)
    first, second = counters_at(session, pace, before), counters_at(session, pace, after)
    return (
        (second.source_bytes - first.source_bytes) / duration,
        (second.transcoded_bytes - first.transcoded_bytes) / duration,
    )
