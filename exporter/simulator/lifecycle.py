"""The lifecycle of one session, from its creation to the end of its recording, in world time.

World time runs as fast as the server's clock until the world starts, and `speed` times as fast afterwards. A world has
therefore a history of realistic length, and everything that happens after its start happens quickly. Timestamps and
amounts of media are in the server's time, in which a second of video takes a second.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from exporter.simulator.streams import Behavior, Stream, random_uuid

MINUTE = 60.0
HOUR = 3600.0

UPDATE_INTERVAL = (50.0, 52.0)
"""Range of seconds between two updates of a live session by the real API."""

ENDED_AFTER = 30.0
"""Seconds after the last update at which the real API sets the rates to 0."""

NO_RECORDING_AFTER = 3 * HOUR
"""Age at which a recording without an asset is reported as `none`."""

DEGRADED_FOR = 3.5 * MINUTE  # a transcoding lag that grew for this long takes as long to disappear

NEVER_SEEN_BEFORE_START = 4 * MINUTE
"""The last session before the start that is never seen was created up to a minute after this age. It is still young, so
that it passes the age at which the exporter counts it, 5 minutes, soon after the start."""

Outcome = Literal["ready", "failed", "none", "deleted"]

_OUTCOMES: tuple[Outcome, ...] = ("ready", "failed", "none", "deleted")
_OUTCOME_WEIGHTS = (75, 10, 10, 5)
_SHORT_OUTCOMES: tuple[Outcome, ...] = ("ready", "failed", "none", "ready", "failed", "deleted")
"""Those of short sessions in turn: any three of them include a ready and a failed recording."""


@dataclass(frozen=True, slots=True)
class Degradation:
    """When the sessions of a stream are degraded; in seconds of world time.

    Attributes:
        after: from the first update to the first degraded period.
        every: from the start of a period to that of the next.
        duration: of a period.
    """

    after: float
    every: float
    duration: float


_SLOW = Degradation(after=2 * MINUTE, every=9 * MINUTE, duration=DEGRADED_FOR)

DEGRADATIONS: Mapping[Behavior, Degradation] = {
    Behavior.LOW_INGEST: _SLOW,
    Behavior.TRANSCODING_LAG: _SLOW,
    Behavior.MISSING_RENDITION: _SLOW,
    Behavior.UNHEALTHY: _SLOW,
    # At the speed of the demo a period takes 6 seconds, so that each is seen by a poll every 5 seconds.
    Behavior.FLAPPING: Degradation(after=1 * MINUTE, every=4 * MINUTE, duration=1.5 * MINUTE),
}


@dataclass(frozen=True, slots=True)
class Pace:
    """The relation of world time and server time, both in Unix seconds.

    Attributes:
        start: time at which both are equal and from which world time is faster.
        speed: seconds of world time per second of server time after the start.
    """

    start: float
    speed: float

    def world_time(self, server_time: float) -> float:
        """Convert server time to world time."""
        return server_time if server_time <= self.start else self.start + (server_time - self.start) * self.speed

    def server_time(self, world_time: float) -> float:
        """Convert world time to server time."""
        return world_time if world_time <= self.start else self.start + (world_time - self.start) / self.speed


@dataclass(frozen=True, slots=True, eq=False)
class Lifecycle:
    """The lifecycle of one session; all times and durations are in world time.

    Attributes:
        created: creation of the session.
        first_seen: first update.
        updates: number of updates; 0 if the session is never seen.
        update_interval: between two updates.
        outcome: of the recording.
        recording_duration: from the last update to the outcome.
        stays_healthy: the real API lost the event of the end, so `isHealthy` stays true.
        phase: of the small waves in the bitrate, radians.
    """

    id: str
    stream: Stream
    created: float
    first_seen: float
    updates: int
    update_interval: float
    outcome: Outcome
    recording_duration: float
    stays_healthy: bool
    phase: float

    @property
    def last_seen(self) -> float:
        """Time of the last update."""
        return self.first_seen + max(self.updates - 1, 0) * self.update_interval

    @property
    def ended(self) -> float:
        """Time at which the real API notices the end."""
        return self.last_seen + ENDED_AFTER

    def last_update(self, now: float) -> float | None:
        """Time of the latest update; None before the first one."""
        if self.updates == 0 or now < self.first_seen:
            return None
        number = min(int((now - self.first_seen) / self.update_interval), self.updates - 1)
        return self.first_seen + number * self.update_interval

    def degraded_periods(self, now: float) -> list[tuple[float, float]]:
        """Start and end of the degraded periods so far; a period that lasts ends now."""
        degradation = DEGRADATIONS.get(self.stream.behavior)
        if degradation is None:
            return []
        first = self.first_seen + degradation.after
        count = int((now - first) // degradation.every) + 1
        starts = (first + number * degradation.every for number in range(count))
        return [(start, min(start + degradation.duration, now)) for start in starts]

    def is_degraded(self, now: float) -> bool:
        """Whether the session is live and in a degraded period."""
        periods = self.degraded_periods(now)
        return bool(periods) and now < min(self.ended, periods[-1][0] + self._degraded_for)

    @property
    def recording_finished(self) -> float:
        """Time of the outcome of the recording, if the session is recorded."""
        return self.last_seen + (NO_RECORDING_AFTER if self.outcome == "none" else self.recording_duration)

    def recording_status(self, now: float) -> Literal["waiting"] | Outcome:
        """The status of the recording, if the session is recorded."""
        return self.outcome if now >= self.recording_finished else "waiting"

    @property
    def _degraded_for(self) -> float:
        degradation = DEGRADATIONS.get(self.stream.behavior)
        return degradation.duration if degradation else 0.0


@dataclass(frozen=True, slots=True)
class Slots:
    """The division of world time into slots; a stream has one session per slot.

    Attributes:
        duration: of a slot.
        phase: start of slot 0.
    """

    duration: float
    phase: float

    def between(self, since: float, until: float) -> range:
        """The numbers of the slots that overlap a span of world time."""
        return range(int((since - self.phase) // self.duration), int((until - self.phase) // self.duration) + 1)


def make_slots(seed: int, number: int, behavior: Behavior, start: float) -> Slots:
    """Generate the slots of a stream; the same arguments produce the same slots.

    Args:
        seed: seed of all random values.
        number: of the stream.
        behavior: of the stream.
        start: of the world.
    """
    rng = random.Random(f"rhythm:{seed}:{number}")
    match behavior:
        case Behavior.SHORT:
            duration = rng.uniform(7, 8) * MINUTE
        case Behavior.NEVER_SEEN:
            return Slots(rng.uniform(25, 27) * MINUTE, start - NEVER_SEEN_BEFORE_START)
        case Behavior.RECONNECTING:
            duration = rng.uniform(20, 24) * MINUTE
        case Behavior.OVERLAPPING:
            duration = rng.uniform(35, 40) * MINUTE
        case _:
            duration = rng.uniform(60, 150) * MINUTE
    return Slots(duration, rng.uniform(0, duration))


def make_lifecycle(seed: int, number: int, stream: Stream, slots: Slots, slot: int) -> Lifecycle:
    """Generate the session of a stream in a slot; the same arguments produce the same session."""
    rng = random.Random(f"life:{seed}:{number}:{slot}")
    created = slots.phase + slot * slots.duration + rng.uniform(0, 1) * MINUTE
    first_seen = created + rng.uniform(0.3, 1) * MINUTE
    update_interval = rng.uniform(*UPDATE_INTERVAL)
    outcome: Outcome = rng.choices(_OUTCOMES, _OUTCOME_WEIGHTS)[0]
    match stream.behavior:
        case Behavior.SHORT:
            outcome = _SHORT_OUTCOMES[slot % len(_SHORT_OUTCOMES)]
            duration = rng.uniform(3, 4) * MINUTE
        case Behavior.OVERLAPPING:
            duration = slots.duration + rng.uniform(3, 5) * MINUTE
        case Behavior.RECONNECTING:
            duration = slots.duration - rng.uniform(2, 2.3) * MINUTE
        case _:
            duration = slots.duration - rng.uniform(2, 3) * MINUTE  # the rest of the slot is a pause before the next
    is_seen = stream.behavior is not Behavior.NEVER_SEEN
    return Lifecycle(
        id=random_uuid(rng),
        stream=stream,
        created=created,
        first_seen=first_seen,
        updates=int(duration / update_interval) + 1 if is_seen else 0,
        update_interval=update_interval,
        outcome=outcome if is_seen else "none",
        recording_duration=rng.uniform(1.5, 2.5) * MINUTE,
        stays_healthy=rng.random() < 1 / 6,
        phase=rng.uniform(0, 6.28),
    )
