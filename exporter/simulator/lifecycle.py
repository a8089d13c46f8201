"""The life of one session, from its creation to the end of its recording, told in world time.

World time runs as fast as the server's clock until the world starts, and `speed` times as fast from then on. So a
world has a history of natural length behind it, and a demo in front of it that wastes nobody's time. Whatever is a
date or an amount of media is told in the server's time, where a second of video takes a second.
"""

import random
from dataclasses import dataclass
from typing import Literal

from exporter.simulator.streams import Habit, Stream, random_uuid

MINUTE = 60.0
HOUR = 3600.0

STEP_SECONDS = (50.0, 52.0)
"""Upstream writes the figures of a live session this often."""

ZEROED_AFTER_SECONDS = 30.0
"""Upstream sets the rates to zero this long after the last sight."""

NO_RECORDING_AFTER_SECONDS = 3 * HOUR
"""A recording that has no asset by then is reported as `none`."""

TROUBLE_AFTER = 2 * MINUTE
TROUBLE_EVERY = 9 * MINUTE
TROUBLE_LASTS = 3.5 * MINUTE  # a lag that grew in it takes as long to be caught up again

Outcome = Literal["ready", "failed", "none", "deleted"]

_OUTCOMES: tuple[Outcome, ...] = ("ready", "failed", "none", "deleted")
_CHANCES = (75, 10, 10, 5)


@dataclass(frozen=True, slots=True)
class Pace:
    """How world time and the server's time (both Unix seconds) are related."""

    start: float
    speed: float

    def world(self, server: float) -> float:
        """The world's time at a time of the server."""
        return server if server <= self.start else self.start + (server - self.start) * self.speed

    def server(self, world: float) -> float:
        """The server's time at a time of the world."""
        return world if world <= self.start else self.start + (world - self.start) / self.speed


@dataclass(frozen=True, slots=True, eq=False)
class Life:
    """One session's fate. All times are world time, all lengths world seconds."""

    id: str
    stream: Stream
    created: float
    first_seen: float
    sights: int  # how many times its figures are written; 0: it is never seen
    step: float  # between two sights
    outcome: Outcome
    recording_takes: float
    stays_healthy: bool  # upstream lost the hook that says it is over, so `isHealthy` stays true
    phase: float  # of the little waves on its bitrate

    @property
    def last_seen(self) -> float:
        """When its figures are written for the last time."""
        return self.first_seen + max(self.sights - 1, 0) * self.step

    @property
    def over(self) -> float:
        """When upstream notices that it has ended."""
        return self.last_seen + ZEROED_AFTER_SECONDS

    def sight(self, world: float) -> float | None:
        """When its figures were last written; None before the first time."""
        if self.sights == 0 or world < self.first_seen:
            return None
        return self.first_seen + min(int((world - self.first_seen) / self.step), self.sights - 1) * self.step

    def problems(self, world: float) -> list[tuple[float, float]]:
        """Start and end of its troubles up to now, the last one cut off at now."""
        if self.stream.habit in (Habit.STEADY, Habit.BRIEF):
            return []
        first = self.first_seen + TROUBLE_AFTER
        count = int((world - first) // TROUBLE_EVERY) + 1
        starts = (first + number * TROUBLE_EVERY for number in range(count))
        return [(start, min(start + TROUBLE_LASTS, world)) for start in starts]

    def in_trouble(self, world: float) -> bool:
        """Whether it is alive and in trouble just now."""
        problems = self.problems(world)
        return bool(problems) and world < self.over and world - problems[-1][0] < TROUBLE_LASTS

    def recording_status(self, world: float) -> Literal["waiting"] | Outcome:
        """The status of the recording of a recorded session."""
        takes = NO_RECORDING_AFTER_SECONDS if self.outcome == "none" else self.recording_takes
        return self.outcome if world >= self.last_seen + takes else "waiting"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When the sessions of a stream start: one in each slot of world time."""

    slot: float
    phase: float

    def slots(self, since: float, until: float) -> range:
        """The numbers of the slots that touch a span of world time."""
        return range(int((since - self.phase) // self.slot), int((until - self.phase) // self.slot) + 1)


def make_rhythm(seed: int, number: int, habit: Habit) -> Rhythm:
    """The rhythm of a stream; always the same one for a seed and the stream's number."""
    rng = random.Random(f"rhythm:{seed}:{number}")
    match habit:
        case Habit.BRIEF:
            slot = rng.uniform(7, 8) * MINUTE
        case Habit.SHY:
            slot = rng.uniform(9, 11) * MINUTE
        case _:
            slot = rng.uniform(60, 150) * MINUTE
    return Rhythm(slot, rng.uniform(0, slot))


def make_life(seed: int, number: int, stream: Stream, rhythm: Rhythm, slot: int) -> Life:
    """The session that a stream has in a slot; always the same one."""
    rng = random.Random(f"life:{seed}:{number}:{slot}")
    created = rhythm.phase + slot * rhythm.slot + rng.uniform(0, 1) * MINUTE
    first_seen = created + rng.uniform(0.3, 1) * MINUTE
    step = rng.uniform(*STEP_SECONDS)
    outcome: Outcome = rng.choices(_OUTCOMES, _CHANCES)[0]
    if stream.habit is Habit.BRIEF:
        outcome = "failed" if slot % 2 else "ready"
        room = rng.uniform(3, 4) * MINUTE
    else:
        room = rhythm.slot - rng.uniform(2, 3) * MINUTE  # the rest of the slot is the pause before the next
    return Life(
        id=random_uuid(rng),
        stream=stream,
        created=created,
        first_seen=first_seen,
        sights=0 if stream.habit is Habit.SHY else int(room / step) + 1,
        step=step,
        outcome=outcome,
        recording_takes=rng.uniform(1.5, 2.5) * MINUTE,
        stays_healthy=rng.random() < 1 / 6,
        phase=rng.uniform(0, 6.28),
    )
