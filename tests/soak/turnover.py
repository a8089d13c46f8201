"""A crowd of short-lived sessions that keeps the truth about itself: what the exporter's counters must come to."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.simulator.streams import random_uuid
from tests.support.rows import Row, row

STEP = 1.0
"""Seconds between two reports of a live session; upstream takes 50, and we are in a hurry."""

LIFE = (15.0, 40.0)
"""Seconds from a session's creation to its end, at least and at most."""

FINISHING = (2.0, 12.0)
"""Seconds from a session's end until its recording is ready, or has failed."""

SEGMENT = 2.0
"""Seconds; a number that floats add up without an error, so that sums can be compared exactly."""

STREAM_KEY = "stre-amke-yoft-heso-ak00"
"""The ingest credential in every row, which must come to light nowhere."""

_CONSTANT = {"kind": "session", "projectId": "project-1", "parentStream": {"streamKey": STREAM_KEY}}
_STATISTICS = {
    "sourceSegments": "source_segments_total",
    "transcodedSegments": "transcoded_segments_total",
    "sourceSegmentsDuration": "source_segments_duration_seconds_total",
    "transcodedSegmentsDuration": "transcoded_segments_duration_seconds_total",
    "sourceBytes": "source_bytes_total",
    "transcodedBytes": "transcoded_bytes_total",
}
COUNTERS = (
    *_STATISTICS.values(),
    "sessions_started_total",
    'recordings_finished_total{result="ready"}',
    'recordings_finished_total{result="failed"}',
)
"""The counters whose truth is known, by name without the prefix and labels without the account."""


@dataclass(slots=True)
class _Life:
    row: Row
    ends: float
    finishes: float
    steps: float


@dataclass(slots=True)
class Turnover:
    """Sessions that start, report, end, have their recordings finished, and are forgotten.

    Args:
        rng: of everything that is random here.
        rate: sessions that start in a second.
        memory: seconds after its end that a session is forgotten; longer than the exporter's session window.
        now: Unix seconds at which it begins, with as many sessions as it will always have.

    Attributes:
        truth: what every counter of ``COUNTERS`` has grown by since then.
    """

    rng: random.Random
    rate: float
    memory: float
    now: float
    truth: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _lives: list[_Life] = field(default_factory=list)
    _number: int = 0
    _due: float = 0.0

    def __post_init__(self) -> None:
        until, self.now = self.now, self.now - self.memory - LIFE[1]
        while self.now < until:
            self.advance(min(self.now + STEP, until))
        self.truth.clear()

    def rows(self) -> Sequence[Row]:
        """All sessions as they are now; they do not change any more."""
        return [life.row for life in self._lives]

    def advance(self, now: float) -> None:
        """Let time pass."""
        self._due += (now - self.now) * self.rate
        self.now = now
        while self._due >= 1:
            self._due -= 1
            self._lives.append(self._born())
        self._lives = [life for life in self._lives if life.ends + self.memory > now]
        for life in self._lives:
            if life.steps <= now and life.row["isHealthy"] is not None:
                self._report(life)
            elif life.row["recordingStatus"] == "waiting" and life.finishes <= now:
                result = self.rng.choice(("ready", "ready", "failed"))
                life.row = life.row | {"recordingStatus": result}
                self.truth[f'recordings_finished_total{{result="{result}"}}'] += 1

    def _born(self) -> _Life:
        self._number += 1
        ends = self.now + self.rng.uniform(*LIFE)
        nothing = dict.fromkeys(_STATISTICS, 0)
        times = {"createdAt": int(self.now * 1000), "lastSeen": 0}
        self.truth["sessions_started_total"] += 1
        born = row(
            self._number, **nothing, **times, **_CONSTANT, id=random_uuid(self.rng), ingestRate=0, outgoingRate=0
        )
        return _Life(born, ends, ends + self.rng.uniform(*FINISHING), self.now + self.rng.uniform(0, 3))

    def _report(self, life: _Life) -> None:
        life.steps = self.now + STEP
        segments = self.rng.randint(0, 2)
        grown = {
            "sourceSegments": segments,
            "transcodedSegments": 3 * segments,
            "sourceSegmentsDuration": SEGMENT * segments,
            "transcodedSegmentsDuration": SEGMENT * 3 * segments,
            "sourceBytes": self.rng.randint(0, 1_000_000),
            "transcodedBytes": self.rng.randint(0, 3_000_000),
        }
        for name, amount in grown.items():
            self.truth[_STATISTICS[name]] += amount
        over = self.now >= life.ends
        ill = not over and self.rng.random() < 0.05
        life.row = life.row | {
            **{name: life.row[name] + amount for name, amount in grown.items()},
            "lastSeen": int(self.now * 1000),
            "ingestRate": 0 if over else 500_000.0,
            "outgoingRate": 0 if over else 750_000.0,
            "isHealthy": None if over else not ill,
            "issues": ["the ingest is thin"] if ill else None,
        }
