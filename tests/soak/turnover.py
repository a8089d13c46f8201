"""Many short sessions, with the true values of the exporter's counters."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from exporter.simulator.streams import random_uuid
from tests.support.rows import Row, row

REPORT_INTERVAL: Final = 1.0
"""Seconds between two changes of an active session; 50 in the real API, fewer here to shorten the soak."""

SESSION_SECONDS: Final = (15.0, 40.0)
"""The minimum and maximum duration of a session."""

RECORDING_SECONDS: Final = (2.0, 12.0)
"""The minimum and maximum time from the end of a session until its recording is ready or has failed."""

UPPER_CASE_SHARE: Final = 0.05
"""The share of sessions whose id is in upper case, which a collation may sort elsewhere than the code points (D07)."""

SEGMENT_SECONDS: Final = 2.0
"""A number that floats add up without rounding, so that sums are compared exactly."""

STREAM_KEY: Final = "stre-amke-yoft-heso-ak00"
"""The ingest credential in every row, which must not be in any output."""

_CONSTANT_FIELDS: Final = {"kind": "session", "projectId": "project-1", "parentStream": {"streamKey": STREAM_KEY}}
_COUNTERS_BY_FIELD: Final = {
    "sourceSegments": "source_segments_total",
    "transcodedSegments": "transcoded_segments_total",
    "sourceSegmentsDuration": "source_segments_duration_seconds_total",
    "transcodedSegmentsDuration": "transcoded_segments_duration_seconds_total",
    "sourceBytes": "source_bytes_total",
    "transcodedBytes": "transcoded_bytes_total",
}
COUNTERS: Final = (
    *_COUNTERS_BY_FIELD.values(),
    "sessions_started_total",
    'recordings_finished_total{result="ready"}',
    'recordings_finished_total{result="failed"}',
)
"""The counters with a known true value, by name without the prefix and labels without the account."""


@dataclass(slots=True)
class _Session:
    """A session, and the Unix seconds of its end, of the end of its recording, and of its next change."""

    row: Row
    ends: float
    recording_ends: float
    next_change: float


@dataclass(slots=True)
class Turnover:
    """Sessions that start, change, end, get their recordings, and disappear.

    Args:
        rng: a source of random numbers.
        rate: sessions started per second.
        retention: seconds from the end of a session until it disappears, longer than the exporter's session window.
        now: the current time in Unix seconds. The number of sessions is constant from then on.

    Attributes:
        truth: the true increase of each of `COUNTERS` since then.
    """

    rng: random.Random
    rate: float
    retention: float
    now: float
    truth: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _sessions: list[_Session] = field(default_factory=list)
    _number: int = 0
    _due: float = 0.0

    def __post_init__(self) -> None:
        start, self.now = self.now, self.now - self.retention - SESSION_SECONDS[1]
        while self.now < start:
            self.advance(min(self.now + REPORT_INTERVAL, start))
        self.truth.clear()

    def rows(self) -> Sequence[Row]:
        """Return all sessions, in rows that do not change later."""
        return [session.row for session in self._sessions]

    def advance(self, now: float) -> None:
        """Set the time, and start, change and end sessions."""
        self._due += (now - self.now) * self.rate
        self.now = now
        while self._due >= 1:
            self._due -= 1
            self._sessions.append(self._start())
        self._sessions = [session for session in self._sessions if session.ends + self.retention > now]
        for session in self._sessions:
            if session.next_change <= now and session.row["isHealthy"] is not None:
                self._change(session)
            elif session.row["recordingStatus"] == "waiting" and session.recording_ends <= now:
                result = self.rng.choice(("ready", "ready", "failed"))
                session.row = session.row | {"recordingStatus": result}
                self.truth[f'recordings_finished_total{{result="{result}"}}'] += 1

    def _start(self) -> _Session:
        self._number += 1
        ends = self.now + self.rng.uniform(*SESSION_SECONDS)
        zeros = dict.fromkeys(_COUNTERS_BY_FIELD, 0)
        times = {"createdAt": int(self.now * 1000), "lastSeen": 0}
        self.truth["sessions_started_total"] += 1
        started = row(
            self._number, **zeros, **times, **_CONSTANT_FIELDS, id=self._new_id(), ingestRate=0, outgoingRate=0
        )
        recording_ends = ends + self.rng.uniform(*RECORDING_SECONDS)
        return _Session(started, ends, recording_ends, self.now + self.rng.uniform(0, 3))

    def _new_id(self) -> str:
        uuid = random_uuid(self.rng)
        return uuid.upper() if self.rng.random() < UPPER_CASE_SHARE else uuid

    def _change(self, session: _Session) -> None:
        session.next_change = self.now + REPORT_INTERVAL
        segments = self.rng.randint(0, 2)
        increases = {
            "sourceSegments": segments,
            "transcodedSegments": 3 * segments,
            "sourceSegmentsDuration": SEGMENT_SECONDS * segments,
            "transcodedSegmentsDuration": SEGMENT_SECONDS * 3 * segments,
            "sourceBytes": self.rng.randint(0, 1_000_000),
            "transcodedBytes": self.rng.randint(0, 3_000_000),
        }
        for name, increase in increases.items():
            self.truth[_COUNTERS_BY_FIELD[name]] += increase
        ended = self.now >= session.ends
        unhealthy = not ended and self.rng.random() < 0.05
        session.row = session.row | {
            **{name: session.row[name] + increase for name, increase in increases.items()},
            "lastSeen": int(self.now * 1000),
            "ingestRate": 0 if ended else 500_000.0,
            "outgoingRate": 0 if ended else 750_000.0,
            "isHealthy": None if ended else not unhealthy,
            "issues": ["low ingest rate"] if unhealthy else None,
        }
