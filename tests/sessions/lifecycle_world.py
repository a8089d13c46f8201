"""Random streams with everything that happens to them, and random schedules of polls that see them.

Times are integer milliseconds since the start, and multiples of 125, so that the exporter's seconds are exact. Many of
them are multiples of the limits in the definitions, so that ties are common.
"""

from dataclasses import dataclass, field, replace
from random import Random

from tests.sessions.lifecycle_truth import FIELDS, GoodPoll, Row

SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
FIRST_POLL = 1000 * HOUR
STREAMS = ("a", "b", "c", None)
UPDATE = 50 * SECOND
"""The API updates a live session this often."""


@dataclass
class Life:
    """The truth about one session: when media arrived, and how everything developed.

    Attributes:
        parts: intervals with media, in order; a session that never starts has none.
        health: times of changes, with the health from then on.
        restarts: times at which the API restarts the amounts.
        recording: times of changes of the recording status; empty if it is not recorded.
        rates: by field the growth per update, in eighths.
        missing: the fields whose values are missing sometimes.
    """

    name: str
    stream: str | None
    created: int
    parts: list[tuple[int, int]] = field(default_factory=list)
    health: list[tuple[int, bool | None]] = field(default_factory=list)
    restarts: list[int] = field(default_factory=list)
    recording: list[tuple[int, str]] = field(default_factory=list)
    rates: dict[str, int] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()

    def updates(self, time: int) -> list[int]:
        return [each for start, end in self.parts for each in range(start, min(end, time) + 1, UPDATE)]

    def row(self, time: int, chance: Random) -> Row:
        updates = self.updates(time)
        last_restart = max((each for each in self.restarts if each <= time), default=-1)
        counted = sum(each > last_restart for each in updates)
        gone = {each for each in self.missing if chance.random() < 0.3}
        return Row(
            self.name,
            self.stream,
            self.created,
            updates[-1] if updates else 0,
            [value for when, value in self.health if when <= time][-1],
            [status for when, status in self.recording if when <= time][-1] if self.recording else None,
            {each: None if each in gone else counted * self.rates[each] for each in FIELDS},
        )


def lives(chance: Random, end: int) -> list[Life]:
    """Return the sessions of some streams; many reconnect, overlap, flap or never start."""
    found: list[Life] = []
    for stream in STREAMS:
        time = chance.randrange(FIRST_POLL - HOUR, (FIRST_POLL + end) // 2, 125)
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            life = Life(f"{chance.randrange(10**6):06}-{len(found)}", stream, time - time % 125)
            _live(chance, life)
            found.append(life)
            # The next one is created at the same time, overlaps, follows closely, on the limit, or much later.
            last = life.parts[-1][1] if life.parts else life.created
            time = chance.choice(
                (life.created, last - MINUTE, last + 10 * SECOND, last + 5 * MINUTE, last + 6 * MINUTE, last + 2 * HOUR)
            )
            if chance.random() < 0.2:
                time = chance.randrange(FIRST_POLL, end, 125)
    return found


def _live(chance: Random, life: Life) -> None:
    life.rates = {each: chance.randint(1, 9) * 8 * factor for factor, each in enumerate(FIELDS, 1)}
    life.missing = frozenset(chance.sample(FIELDS, 2)) if chance.random() < 0.2 else frozenset()
    life.health = [(life.created, chance.choice((True, True, None)))]
    start = life.created + chance.choice((0, 5, 20, 120, 300, 310)) * SECOND
    if chance.random() < 0.85:  # else it never starts
        for _ in range(chance.choice((1, 1, 1, 2))):
            length = chance.choice((30 * SECOND, 2 * MINUTE, 10 * MINUTE, HOUR, 5 * HOUR))
            life.parts.append((start, start + length))
            start += length + chance.choice((90, 95, 200, 1000)) * SECOND
        first, last = life.parts[0][0], life.parts[-1][1]
        time = first
        while time < last and len(life.health) < 30:
            time += chance.choice((10, 30, 60, 600, 3600)) * SECOND
            life.health.append((time, chance.choice((True, True, False, False, None))))
        if chance.random() < 0.3:
            life.restarts = [chance.randrange(first, last + 1, 125)]
    if chance.random() < 0.5:
        done = (life.parts[-1][1] if life.parts else start) + chance.choice((1, 5, 60, 200)) * MINUTE
        life.recording = [(life.created, chance.choice(("waiting", "waiting", "none", "?")))]
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            life.recording.append((done, chance.choice(("ready", "ready", "failed", "deleted", "none", "?"))))
            done += chance.choice((1, 30)) * MINUTE


def schedule(chance: Random) -> list[GoodPoll]:
    """Return good polls without rows: at intervals, after failures, across reloads, and with wrong clocks."""
    polls: list[GoodPoll] = []
    wrong_baseline = chance.random() < 0.2
    true, monotonic, api = FIRST_POLL, chance.randrange(0, HOUR, 125), "one"
    interval = chance.choice((10, 30, 60)) * SECOND
    streams: frozenset[str] | None = None
    window, scopes = HOUR, 0
    for number in range(chance.randint(1, 50)):
        failed = chance.choice((0, 0, 0, 0, 0, 0, 1, 3, 20, 300)) if chance.random() < 0.99 else 9000
        passed = interval * (1 + failed) + chance.choice((0, 0, 125, 5 * SECOND))
        true, monotonic = true + passed, monotonic + passed
        reloaded = number > 0 and not wrong_baseline and scopes < 12 and chance.random() < 0.12
        if reloaded:
            scopes += 1
            kind = chance.random()
            if kind < 0.6:
                streams = chance.choice((None, frozenset("a"), frozenset("ab"), frozenset("bc")))
            elif kind < 0.8:
                window = chance.choice((HOUR, 3 * HOUR))
            elif kind < 0.95:
                interval = chance.choice((10, 30, 60)) * SECOND
            else:
                api += "+"
        # One clock is wrong at a time: that of the baseline, or that of later polls.
        may_be_wrong = number == 0 if wrong_baseline else number > 0 and not reloaded
        error = chance.choice((0, 0, 0, 0, 0, -7200, 7200, 90)) * SECOND if may_be_wrong else 0
        recordings = number == 0 or reloaded or chance.random() < 0.3
        duration = chance.choice((0, 500, 2 * SECOND, 20 * SECOND))
        polls.append(
            GoodPoll(
                true + error, monotonic, true, duration, interval, streams, window, 4 * HOUR, api, recordings, {}, {}
            ),
        )
    return polls


def read_all(polls: list[GoodPoll], world: list[Life], chance: Random) -> list[GoodPoll]:
    """Return the polls with what each has read, and with the recorded sessions that it has not requested."""
    found: list[GoodPoll] = []
    kept: dict[str, Row] = {}
    for poll in polls:
        rows = _read(poll, world, chance)
        unread = {
            name: row
            for name, row in kept.items()
            if not poll.recordings and row.recording and name not in rows and poll.could_show(row, poll.true)
        }
        kept = rows | unread
        found.append(replace(poll, rows=rows, unread=unread))
    return found


def _read(poll: GoodPoll, world: list[Life], chance: Random) -> dict[str, Row]:
    """Return what a poll reads: each session by a replica of the database, which may be stale or miss it."""
    rows = {}
    for life in world:
        lag = chance.choice((0, 0, 0, 0, 40 * SECOND))
        if life.created > poll.true - lag or chance.random() < 0.05:
            continue
        row = life.row(poll.true - lag, chance)
        is_requested = poll.recordings or poll.true - (row.last_seen or row.created) <= poll.window
        if is_requested and poll.could_show(row, poll.true):
            rows[row.name] = row
    return rows
