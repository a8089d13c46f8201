"""The figures of a session: what upstream has counted at the moment of its last sight."""

from dataclasses import dataclass
from math import sin

from exporter.simulator.lifecycle import TROUBLE_LASTS, Life, Pace
from exporter.simulator.streams import Habit

_AT_FIRST_SIGHT = 6.0  # seconds of media that are counted already
_SAGGED_RATE = 0.35  # of the usual bitrate
_SAGGED_MEDIA = 0.7  # seconds of media a second
_LAG_GROWS = 0.6  # seconds a second
_WAVE_SECONDS = 1.5
_WAVE_LENGTH = 40.0


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums since the session's start; `transcoded_*` are over all renditions, as upstream's are."""

    source_segments: int
    transcoded_segments: int
    source_bytes: float
    transcoded_bytes: float


def figures(life: Life, pace: Pace, sight: float) -> Figures:
    """The sums at a sight (world time)."""
    stream = life.stream
    elapsed = pace.server(sight) - pace.server(life.first_seen)
    problems = life.problems(sight)
    lengths = [pace.server(end) - pace.server(start) for start, end in problems]
    troubled = sum(lengths)
    seconds = elapsed + _AT_FIRST_SIGHT
    full = seconds + _WAVE_SECONDS * (sin(seconds / _WAVE_LENGTH + life.phase) - sin(life.phase))
    missing = 0.0  # seconds of one rendition
    lag = 0.0  # seconds of every rendition
    match stream.habit:
        case Habit.SAGGING:
            seconds -= (1 - _SAGGED_MEDIA) * troubled
            full -= (1 - _SAGGED_RATE) * troubled
        case Habit.LAGGING if problems:
            caught_up = (sight - problems[-1][1]) / TROUBLE_LASTS
            lag = _LAG_GROWS * lengths[-1] * max(0.0, 1 - caught_up)
        case Habit.LOSING:
            missing = troubled
    delivered = [seconds - lag] * len(stream.profiles)
    delivered[-1] -= missing
    rates = [profile["bitrate"] / 8 for profile in stream.profiles]
    return Figures(
        source_segments=int(seconds / stream.segment),
        transcoded_segments=sum(int(media / stream.segment) for media in delivered),
        source_bytes=stream.bitrate / 8 * full,
        transcoded_bytes=sum(rate * media for rate, media in zip(rates, delivered, strict=True)),
    )


def rates(life: Life, pace: Pace, sight: float) -> tuple[float, float]:
    """Bytes a second taken in and given out over the step before a sight, or after the first one."""
    before, after = sight - life.step, sight
    if before < life.first_seen:
        before, after = life.first_seen, life.first_seen + life.step
    length = pace.server(after) - pace.server(before)
    was, is_ = figures(life, pace, before), figures(life, pace, after)
    return (
        (is_.source_bytes - was.source_bytes) / length,
        (is_.transcoded_bytes - was.transcoded_bytes) / length,
    )
