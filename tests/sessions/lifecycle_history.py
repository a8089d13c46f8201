"""The exporter's lifecycle metrics over a random history, compared with the truth after every poll."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from exporter.sessions.counter_scope import CounterScope, PollTime
from exporter.sessions.counters import CounterState, diff
from exporter.sessions.lifecycle import LifecycleState, advance
from exporter.sessions.lifecycle_poll import LifecyclePoll
from exporter.sessions.session import Session
from exporter.sessions.session_events import STREAM_AMOUNTS
from exporter.sessions.snapshot import Windows
from tests.sessions.lifecycle_truth import DAY, FIELDS, GoodPoll, Model, Row
from tests.sessions.lifecycle_world import lives, read_all, schedule
from tests.support.cooperative import run_to_end
from tests.support.rows import START

START_MS = int(START * 1000)
MONOTONIC = 5000.0


def session(row: Row) -> Session:
    amounts: dict[str, Any] = {name: None if each is None else each / 8 for name, each in row.amounts.items()}
    return Session(
        id=row.name,
        parent_id=row.stream,
        created_at=float(START_MS + row.created),
        last_seen=float(START_MS + row.last_seen) if row.last_seen else 0.0,
        is_healthy=row.healthy,
        record=row.recording is not None,
        recording_status=row.recording,
        **amounts,
    )


class Exporter:
    """The exporter's own computation over the polls of a history."""

    def __init__(self) -> None:
        self.counters = CounterState()
        self.state = LifecycleState()
        self.sums: Counter[str] = Counter()
        self.durations: list[float] = []
        self.ratios: list[float] = []
        self.processing: list[tuple[str, float]] = []

    def poll(self, poll: GoodPoll) -> None:
        sessions = [session(row) for row in poll.rows.values()]
        scope = CounterScope(poll.api, poll.streams or frozenset(), poll.window / 1000, poll.recording_window / 1000)
        time = PollTime(
            (START_MS + poll.server) / 1000, (START_MS + poll.true) / 1000, MONOTONIC + poll.monotonic / 1000
        )
        before = self.counters
        self.counters, increments = run_to_end(
            diff(before, sessions, scope=scope, time=time, recordings=poll.recordings)
        )
        taken = LifecyclePoll(
            sessions=sessions,
            unread=[session(row) for row in poll.unread.values()],
            windows=Windows(session=poll.window / 1000, active=90.0),
            scope=scope,
            time=time,
            interval=poll.interval / 1000,
            duration=poll.duration / 1000,
            before=before,
            counters=self.counters,
            events=increments.events,
        )
        self.state, found = run_to_end(advance(self.state, taken))
        add = self.sums.update
        add({f"observed {health}": each for health, each in found.streams.observed.items()})
        add({"unobserved": found.streams.unobserved, "episodes": found.streams.episodes})
        add({"reconnects": found.streams.reconnects, "never started": found.sessions.never_started})
        add({"started": increments.started})
        add({f"recordings {result}": each for result, each in increments.recordings.items()})
        add(dict(increments.amounts))
        self.durations += found.sessions.durations
        self.ratios += found.sessions.unhealthy_ratios
        self.processing += [(result, each) for result, all_ in found.processing.items() for each in all_]


@dataclass
class Comparison:
    """How much was compared, and what differed."""

    polls: int = 0
    comparisons: int = 0
    events: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def equal(self, what: str, found: Any, expected: Any) -> None:
        self.comparisons += 1
        same = (
            math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
            if isinstance(found, float) and expected is not None
            else found == expected
        )
        if not same:
            self.differences.append(f"{what}: {found!r} instead of {expected!r}")

    def equal_all(self, what: str, found: Iterable[Any], expected: Iterable[Any]) -> None:
        self.equal(what, [_rounded(each) for each in sorted(found)], [_rounded(each) for each in sorted(expected)])


def _rounded(value: Any) -> Any:
    return (value[0], round(value[1], 9)) if isinstance(value, tuple) else round(value, 9)


def compare(seed: int) -> Comparison:
    """Run one random history: a single exporter and its replica against the truth, then shards against the single."""
    chance = Random(seed)
    polls = schedule(chance)
    world = lives(chance, polls[-1].true)
    result = Comparison()
    read_polls = read_all(polls, world, chance)
    single = _replay(read_polls, result)
    if chance.random() < 0.3:
        other = schedule(chance)
        _replay(read_all(other, world, chance), result)
        _compare_shards(read_polls, chance.randint(2, 4), single, result)
    return result


def _replay(polls: Sequence[GoodPoll], result: Comparison) -> Exporter:
    exporter, model = Exporter(), Model()
    for poll in polls:
        model.poll(poll)
        exporter.poll(poll)
        result.polls += 1
        _compare_account(exporter, model, result)
        _compare_streams(exporter, model, poll, result)
        for name in poll.rows:
            life = exporter.state.sessions.get(name)
            since = None if life is None or life.health is None else life.since
            result.equal(f"since of {name}", since, _server(model.session_since(name)))
    truth = model.truth
    counts = {
        "started": truth.started.total(),
        "recordings": truth.recordings.total(),
        "episodes": truth.account_episodes,
        "reconnects": truth.reconnects,
        "never started": truth.never_started,
        "ended": len(truth.durations),
    }
    result.events.update(counts)
    return exporter


def _server(time: int | None) -> float | None:
    return None if time is None else (START_MS + time) / 1000


def _compare_account(exporter: Exporter, model: Model, result: Comparison) -> None:
    truth, sums = model.truth, exporter.sums
    for health in ("healthy", "unhealthy", "unknown"):
        result.equal(f"observed {health}", float(sums[f"observed {health}"]), truth.account_observed[health] / 1000)
    result.equal("unobserved", float(sums["unobserved"]), truth.unobserved / 1000)
    result.equal("episodes", sums["episodes"], truth.account_episodes)
    result.equal("reconnects", sums["reconnects"], truth.reconnects)
    result.equal("never started", sums["never started"], truth.never_started)
    result.equal_all("durations", exporter.durations, [each / 8 for each in truth.durations])
    result.equal_all("ratios", exporter.ratios, truth.ratios)
    result.equal_all("processing", exporter.processing, [(name, each / 1000) for name, each in truth.processing])


def _compare_streams(exporter: Exporter, model: Model, poll: GoodPoll, result: Comparison) -> None:
    truth = model.truth
    present = poll.present
    result.equal("streams", set(exporter.state.streams.present), present)
    for stream in present:
        life = exporter.state.streams.present[stream]
        since = None if life.health is None else life.since
        result.equal(f"health of {stream}", life.health, poll.health(stream))
        result.equal(f"since of {stream}", since, _server(model.stream_since(stream)))
        for health in ("healthy", "unhealthy", "unknown"):
            found, expected = getattr(life, health), truth.observed[stream, health] / 1000
            result.equal(f"observed {health} of {stream}", float(found), expected)
        result.equal(f"episodes of {stream}", life.episodes, truth.episodes[stream])
        result.equal(f"started of {stream}", life.started, truth.started[stream])
        for name in ("ready", "failed"):
            result.equal(f"recordings {name} of {stream}", getattr(life, name), truth.recordings[stream, name])
        for name in FIELDS:
            result.equal(f"{name} of {stream}", float(getattr(life, name)), truth.amounts[stream, name] / 8)


def _compare_shards(polls: Sequence[GoodPoll], count: int, single: Exporter, result: Comparison) -> None:
    """Compare the sums over shards with a single exporter, as far as they are exported."""
    shards = [Exporter() for _ in range(count)]
    for poll in polls:
        for number, shard in enumerate(shards):
            shard.poll(replace(poll, rows=_part(poll.rows, number, count), unread=_part(poll.unread, number, count)))
    for name in ("never started", "started", "recordings ready", "recordings failed", *STREAM_AMOUNTS):
        found = sum(shard.sums[name] for shard in shards)
        result.equal(f"{name} of all shards", float(found), float(single.sums[name]))
    for what in ("durations", "ratios", "processing"):
        result.equal_all(
            f"{what} of all shards", [each for shard in shards for each in getattr(shard, what)], getattr(single, what)
        )
    if polls[-1].monotonic - polls[0].monotonic >= DAY:
        return  # a shard may have forgotten a stream that is still in others
    for stream, life in single.state.streams.present.items():
        parts = [shard.state.streams.present.get(stream) for shard in shards]
        absent = [shard.state.streams.absent.get(stream) for shard in shards]
        for name in ("started", "ready", "failed", *STREAM_AMOUNTS):
            found = sum(getattr(each, name) for each in (*parts, *absent) if each is not None)
            result.equal(f"{name} of {stream} of all shards", float(found), float(getattr(life, name)))


def _part(rows: dict[str, Row], number: int, count: int) -> dict[str, Row]:
    return {name: row for name, row in rows.items() if int(name[:6]) % count == number}
