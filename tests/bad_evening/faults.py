"""The faults of the evening and what must be notified of each, and events that are no faults."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from typing import Final

from tests.bad_evening.world import Broadcast, Effect

END: Final = 350
"""Minutes of the whole evening."""

LONG_BEFORE: Final = -30.0
AFTER: Final = 1000.0
SLOW: Final = "Bandwidth too low for the source"
LOST: Final = "Transcoding failed"

MAIN, SECOND, THIRD = "main", "second", "third"
"""Accounts: of two replicas, of an exporter with ``--detail=stream``, and of a small one."""

REPLICAS: Final = ("replica-1:9877", "replica-2:9877")
STREAM_DETAIL: Final = "by-stream:9877"
SMALL: Final = "small:9877"
INSTANCES: Final = (*REPLICAS, STREAM_DETAIL, SMALL)

EXPECTED: Final = ((MAIN, "expected"), (SECOND, "second-0"), (SECOND, "second-1"))
"""The account and stream of ``livepeer_expected_live``."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that breaks.

    Attributes:
        cause: what breaks.
        start, end: minutes between which alerts on the subject belong to the fault.
        subject: labels that each of its alerts has.
        notified: alerts that must be notified, in this order and once each. A critical one may follow a warning.
    """

    cause: str
    start: float
    end: float
    subject: Mapping[str, str]
    notified: tuple[str, ...]

    def covers(self, labels: Mapping[str, str], minute: float) -> bool:
        """Whether an alert that began to fire at a time belongs to the fault."""
        return self.start <= minute < self.end and self.subject.items() <= labels.items()


@dataclass(frozen=True, slots=True)
class Call:
    """An event that Livepeer Studio sends to the webhook of the small exporter.

    Attributes:
        minute: when.
        event: its name.
    """

    minute: float
    event: str


@dataclass
class Evening:
    """Collects the faults, the sessions of each account, and the calls of its webhook."""

    faults: list[Fault] = field(default_factory=list)
    broadcasts: dict[str, list[Broadcast]] = field(default_factory=lambda: {MAIN: [], SECOND: [], THIRD: []})
    calls: list[Call] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def broadcast(
        self, account: str, stream: str, start: float, end: float, *effects: Effect, recording: str = "ready"
    ) -> None:
        self.broadcasts[account].append(Broadcast(next(self._numbers), stream, start, end, effects, recording))

    def stream_fault(self, cause: str, stream_id: str, notified: Sequence[str], *effects: Effect) -> None:
        """Add a broadcast of the main account that lasts all evening, and what happens to it."""
        self.broadcast(MAIN, stream_id, LONG_BEFORE, AFTER, *effects)
        self.fault(cause, effects[0].start, effects[-1].end + 30, stream(stream_id), *notified)

    def fault(self, cause: str, start: float, end: float, subject: Mapping[str, str], *notified: str) -> None:
        self.faults.append(Fault(cause, start, end, subject, notified))


def stream(stream_id: str) -> dict[str, str]:
    """Return the label of a stream."""
    return {"stream_id": stream_id}


def make_evening() -> Evening:
    """Return the whole evening. `OUTAGES` has what happens to the exporters."""
    evening = Evening()
    _health(evening)
    _media(evening)
    _sessions(evening)
    _targets(evening)
    _exporters(evening)
    _no_faults(evening)
    return evening


def _health(evening: Evening) -> None:
    unhealthy = Effect(80, 100, health=False, issues=(LOST,))
    escalation = ("LivepeerStreamUnhealthy", "LivepeerStreamUnhealthyForLong")
    evening.stream_fault("unhealthy for 20 min", "unhealthy-long", escalation, unhealthy)
    short = Effect(85, 90, health=False, issues=(LOST,))
    evening.stream_fault("unhealthy for 5 min", "unhealthy-short", ("LivepeerStreamUnhealthy",), short)
    episodes = [Effect(start, start + 2.5, health=False, issues=(LOST,)) for start in range(90, 130, 4)]
    evening.stream_fault(
        "unhealthy in episodes of 2.5 min", "unhealthy-flapping", ("LivepeerStreamUnhealthyForLong",), *episodes
    )


def _media(evening: Evening) -> None:
    evening.stream_fault(
        "no media arrives for 12 min, but the session stays active",
        "ingest-stopped",
        ("LivepeerIngestStopped",),
        Effect(95, 96, 0.0, 0.0, 0.0),
        Effect(96, 107, 0.0, 0.0, 0.0, health=False, issues=(SLOW,)),
    )
    evening.stream_fault(
        "uplink at 30 % for 6 min, reported as unhealthy",
        "uplink-unhealthy",
        ("LivepeerStreamUnhealthy",),
        Effect(100, 106, 0.3, 0.3, 0.3, health=False, issues=(SLOW,)),
    )
    starving, dropped = ("LivepeerIngestStarving",), ("LivepeerIngestDropped",)
    evening.stream_fault(
        "uplink at 30 %, reported as healthy", "uplink-healthy", starving, Effect(104, 120, 0.3, 0.3, 0.3)
    )
    evening.stream_fault("uplink at 80 %", "uplink-slow", starving, Effect(106, 126, 0.8, 0.8, 0.8))
    evening.stream_fault(
        "encoder at 40 % of its bitrate, in real time", "bitrate-low", dropped, Effect(110, 125, rate=0.4)
    )
    evening.stream_fault(
        "transcoding falls 60 s behind and catches up",
        "transcoding-behind",
        ("LivepeerTranscodingBehind",),
        Effect(115, 125, transcoded=0.9),
        Effect(125, 135, transcoded=1.1),
    )
    evening.stream_fault(
        "nothing transcoded for 20 min, reported as unhealthy",
        "transcoding-lost",
        ("LivepeerStreamUnhealthy", "LivepeerNothingTranscoded"),
        Effect(120, 140, transcoded=0.0, health=False, issues=(LOST,)),
    )
    evening.stream_fault(
        "nothing transcoded for 20 min, reported as healthy",
        "transcoding-lost-quietly",
        ("LivepeerTranscodingBehind", "LivepeerNothingTranscoded"),
        Effect(122, 142, transcoded=0.0),
    )


def _sessions(evening: Evening) -> None:
    for start in range(120, 144, 2):
        evening.broadcast(MAIN, "reconnecting", start, start + 1.5)
    evening.fault("encoder reconnects every 2 min", 120, 180, stream("reconnecting"), "LivepeerStreamReconnecting")

    evening.broadcast(MAIN, "never-started", 130, 130)
    evening.fault("session receives no media", 130, 200, stream("never-started"), "LivepeerSessionNotStarted")

    for step in range(20):
        evening.broadcast(MAIN, "never-accepted", 135 + step / 2, 135 + step / 2)
    evening.fault(
        "encoder connects every 30 s, but nothing it sends is accepted",
        135,
        220,
        stream("never-accepted"),
        "LivepeerSessionNotStarted",
    )

    evening.broadcast(MAIN, "expected", LONG_BEFORE, 150)
    evening.broadcast(MAIN, "expected", 170, AFTER)
    evening.fault("expected stream ends", 150, 180, stream("expected"), "LivepeerExpectedStreamNotLive")

    for start in range(90, 150, 6):
        evening.broadcast(MAIN, "recorder-broken", start, start + 5, recording="failed")
    evening.fault("10 recordings of a stream fail", 90, 200, stream("recorder-broken"), "LivepeerRecordingFailed")

    for start in (80, 86, 92):
        evening.broadcast(MAIN, "recorder-stuck", start, start + 5, recording="waiting")
    evening.fault("3 recordings of a stream are stuck", 140, END, stream("recorder-stuck"), "LivepeerRecordingStuck")

    for number in range(12):
        evening.broadcast(SECOND, f"second-{number}", LONG_BEFORE, 185)
        evening.broadcast(SECOND, f"second-{number}", 205, AFTER)
    evening.fault("all sessions of an account vanish", 185, 210, {"account": SECOND}, "LivepeerActiveSessionsVanished")


def _targets(evening: Evening) -> None:
    """A platform refuses connections for ten minutes. Otherwise an error is one of many events."""
    evening.calls += [Call(minute, "multistream.connected") for minute in range(5, 315)]
    evening.calls += [Call(minute + 0.2, "multistream.disconnected") for minute in range(5, 315)]
    evening.calls += [Call(minute + 0.4, "multistream.error") for minute in (*range(15, 315, 20), *range(241, 251))]
    evening.fault(
        "half of the multistream targets fail", 240, 270, {"account": THIRD}, "LivepeerMultistreamTargetsFailing"
    )


def _exporters(evening: Evening) -> None:
    evening.fault("a replica is down", 215, 230, {"instance": REPLICAS[1]}, "LivepeerExporterDown")
    evening.fault("API key is revoked", 225, 255, {"account": SECOND}, "LivepeerDataStale")
    evening.fault("API returns 500 to both replicas", 235, 265, {"account": MAIN}, "LivepeerDataStale")
    evening.fault("a replica is rate limited", 275, 310, {"instance": REPLICAS[0]}, "LivepeerRateLimited")
    evening.fault("too many series", 280, 310, {"account": THIRD}, "LivepeerSessionsDropped")
    evening.fault("every other poll fails", 285, 320, {"instance": STREAM_DETAIL}, "LivepeerApiErrors")
    evening.fault("all exporters are down", 320, 335, {"job": "livepeer"}, "LivepeerExporterDown")
    evening.fault("no exporter is discovered", 335, END, {}, "LivepeerExporterAbsent")


class Problem(Enum):
    """What can be wrong with an exporter or its connection to the API."""

    DOWN = "the process does not run"
    SERVER_ERROR = "the API returns 500"
    UNAUTHORIZED = "the API returns 401"
    RATE_LIMITED = "the API returns 429 in every other minute"
    SOME_ERRORS = "the API returns 500 in every other minute"
    FEW_SERIES = "its limit of series is too low"
    ABSENT = "the process does not run, and service discovery does not find it"
    NOT_SCRAPED = "Prometheus does not scrape it, and does not run"


OUTAGES: Final[Sequence[tuple[float, float, Problem, Sequence[str]]]] = (
    (215, 228, Problem.DOWN, (REPLICAS[1],)),
    (225, 245, Problem.UNAUTHORIZED, (STREAM_DETAIL,)),
    (235, 250, Problem.SERVER_ERROR, REPLICAS),
    (268, 268.5, Problem.DOWN, (STREAM_DETAIL,)),  # a restart
    (275, 300, Problem.RATE_LIMITED, (REPLICAS[0],)),
    (280, 300, Problem.FEW_SERIES, (SMALL,)),
    (312, 313.5, Problem.NOT_SCRAPED, INSTANCES),  # a restart of Prometheus
    (285, 305, Problem.SOME_ERRORS, (STREAM_DETAIL,)),
    (320, 335, Problem.DOWN, INSTANCES),
    (335, END + 1, Problem.ABSENT, INSTANCES),
)
"""Start and end in minutes, the problem, and the instances that have it."""


def problem_of(instance: str, minute: float) -> Problem | None:
    """Return what is wrong with an exporter at a time."""
    return next(
        (each for start, end, each, affected in OUTAGES if start <= minute < end and instance in affected), None
    )


def _no_faults(evening: Evening) -> None:
    """Add broadcasts about which nothing may be notified."""
    for number in range(20):
        evening.broadcast(MAIN, f"steady-{number}", LONG_BEFORE, AFTER)
    for number in range(8):  # ends and starts again, as usual
        for start in range(number, END, 25):
            evening.broadcast(MAIN, f"repeated-{number}", start, start + 20)
    evening.broadcast(MAIN, "unknown-health", LONG_BEFORE, AFTER, Effect(0, END, health=None))
    dips = [Effect(start, start + 2, health=False, issues=(LOST,)) for start in range(60, END, 30)]
    evening.broadcast(MAIN, "short-dips", LONG_BEFORE, AFTER, *dips)
    for number in range(10):
        evening.broadcast(THIRD, f"third-{number}", LONG_BEFORE, AFTER)
