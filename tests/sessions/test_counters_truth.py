"""Counters equal the truth over random histories: failures, gaps, clock faults, scopes, replicas, late sessions."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.sessions.counter_scope import PollTime
from exporter.sessions.counters import CounterState, diff
from exporter.sessions.session import Session
from tests.sessions.test_counters import scope
from tests.sessions.truth import Life, Model
from tests.support.cooperative import run_to_end
from tests.support.rows import START

STREAMS = ("a", "b", "c")


def history(chance: random.Random) -> list[Life]:
    """Return sessions that begin and send at random times; some restart at a lower value."""
    lives = []
    for number in range(chance.randint(0, 8)):
        born = chance.randint(-1000, 20_000)
        life = Life(f"session-{number}", chance.choice(STREAMS), born, {born: 0})
        life.recorded, life.ready = chance.random() < 0.5, born + chance.randint(0, 20_000)
        time, sent = born, 0
        for _ in range(chance.randint(0, 30)):
            time += chance.choice((1, 10, 30, 50, 600))
            sent = chance.randint(0, sent) if chance.random() < 0.1 else sent + chance.randint(0, 1000)
            life.history[time] = sent
        lives.append(life)
    return lives


class Exporter:
    """The counters of the program over the same polls."""

    def __init__(self) -> None:
        self.state = CounterState()
        self.total = 0
        self.started = 0
        self.finished = 0

    def poll(
        self,
        time: int,
        clock_error: int,
        streams: set[str],
        read: dict[str, tuple[Life, int]],
        *,
        recordings: bool,
    ) -> None:
        sessions = [session(life, value, time) for life, value in read.values()]
        # All streams are an empty filter, as in the settings.
        wanted = frozenset(streams) if len(streams) < len(STREAMS) else frozenset()
        at = PollTime(START + time + clock_error, START + time + 0.5, 5000.0 + time)
        self.state, increments = run_to_end(
            diff(self.state, sessions, scope=scope(stream_ids=wanted), time=at, recordings=recordings)
        )
        assert min(increments.amounts.values()) >= 0
        self.total += round(increments.amounts["source_bytes"])
        self.started += increments.started
        self.finished += sum(increments.recordings.values())


def session(life: Life, value: int, time: int) -> Session:
    fields: dict[str, Any] = {"parent_id": life.stream, "source_bytes": float(value), "record": life.recorded}
    if life.recorded:
        fields["recording_status"] = "ready" if life.ready <= time else "waiting"
    return Session(id=life.name, created_at=(START + life.born) * 1000, last_seen=(START + time) * 1000, **fields)


@settings(max_examples=1000)
@given(seed=st.integers(0, 2**32))
def test_D01_D02_D03_D04_the_counters_equal_the_truth(seed: int) -> None:
    chance = random.Random(seed)
    lives, model, exporter = history(chance), Model(), Exporter()
    time, streams = 0, set(STREAMS)
    wrong_baseline = chance.random() < 0.3
    for number in range(chance.randint(1, 40)):
        time += chance.choice((5, 30, 30, 30, 300, 4000, 20_000))  # the long ones are outages: no poll succeeded
        other_scope = number > 0 and not wrong_baseline and chance.random() < 0.1
        if other_scope:
            streams = set(chance.sample(STREAMS, chance.randint(1, len(STREAMS))))
        # One clock is wrong at a time: that of the baseline, or that of later polls.
        may_be_wrong = number == 0 if wrong_baseline else number > 0 and not other_scope
        clock_error = chance.choice((0, 0, -7200, 7200, 90)) if may_be_wrong else 0
        # Recordings before the window are not part of every poll, but of the first one of a scope.
        recordings = number == 0 or other_scope or chance.random() < 0.4
        read = {}
        for life in lives:
            if not recordings and life.recorded and chance.random() < 0.7:
                continue
            lag = chance.choice((0, 0, 0, 40))  # a stale replica
            visible = life.born <= time - lag and chance.random() > 0.1
            if visible and life.stream in streams:
                read[life.name] = life, life.sent(time - lag)
        model.poll(time, streams, read)
        exporter.poll(time, clock_error, streams, read, recordings=recordings)
        assert (exporter.total, exporter.started) == (model.total, model.started)
        assert exporter.finished == model.finished
