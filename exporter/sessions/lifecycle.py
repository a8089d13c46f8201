"""The lifecycle of sessions and streams over the good polls: since when, how long, how often.

The first good poll is a baseline, which counts nothing; see "Lifecycle" of docs/metrics.md for the definitions.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from exporter.cooperative import Cooperative, batches
from exporter.sessions.counter_scope import PollTime
from exporter.sessions.lifecycle_poll import LifecyclePoll
from exporter.sessions.session_life import SessionIncrements, SessionLife, SessionPass
from exporter.sessions.snapshot import FINISHED
from exporter.sessions.stream_life import StreamIncrements, StreamPass, StreamStates, reconnects

RECONNECT_GAP: Final = 300.0
"""Seconds within which a new session continues the one before."""


class LifecycleState(msgspec.Struct, frozen=True):
    """What is remembered of earlier polls.

    Attributes:
        time: when the last good poll began; None before the baseline.
        sessions: by id.
        observed: seconds that counted as observed from poll to poll since the baseline.
        active: those of them that were active at the last good poll.
        streams: by id.
    """

    time: PollTime | None = None
    sessions: Mapping[str, SessionLife] = msgspec.field(default_factory=dict)
    observed: float = 0.0
    active: Mapping[str, SessionLife] = msgspec.field(default_factory=dict)
    streams: StreamStates = StreamStates()


class LifecycleIncrements(msgspec.Struct, frozen=True):
    """What happened between two polls, over the whole account.

    Attributes:
        sessions: what happened to sessions.
        streams: what happened to streams.
        processing: by the result of ``FINISHED`` the seconds from the last media to the end of each recording.
    """

    sessions: SessionIncrements = SessionIncrements()
    streams: StreamIncrements = StreamIncrements()
    processing: Mapping[str, Sequence[float]] = msgspec.field(default_factory=dict)


def advance(state: LifecycleState, poll: LifecyclePoll) -> Cooperative[tuple[LifecycleState, LifecycleIncrements]]:
    """Take in a good poll.

    Args:
        state: after the good poll before.
        poll: the good poll; if it is a baseline, the sessions are a new start, and streams keep their counters only.
    """
    if poll.events.is_baseline:
        state = _before_baseline(state)
    elapsed = poll.elapsed_since(state.time)
    sessions = SessionPass(state.sessions, state.active, poll, observed=state.observed, elapsed=elapsed)
    yield
    for part in batches(poll.sessions):
        sessions.read(part)
        yield
    sessions.leave()
    yield
    for part in batches(poll.sessions):
        sessions.examine(part)
        yield
    reconnected = reconnects(poll.sessions, poll.events.started, RECONNECT_GAP)
    last_answer = poll.time.monotonic if state.time is None else state.time.monotonic
    streams = StreamPass(state.streams, last_answer, poll, elapsed, reconnected)
    stream_states = yield from streams.streams(sessions.stream_health)
    increments = LifecycleIncrements(sessions.increments(), streams.increments(), _processing(poll))
    lives = _still_known(sessions.lives, poll)
    observed = state.observed + elapsed.observed
    return LifecycleState(poll.time, lives, observed, sessions.active, stream_states), increments


def _before_baseline(state: LifecycleState) -> LifecycleState:
    """Return a state in which no session is known, and no stream has a health to continue."""
    present = {name: msgspec.structs.replace(life, health=None) for name, life in state.streams.present.items()}
    return LifecycleState(time=state.time, streams=StreamStates(present, state.streams.absent))


def _processing(poll: LifecyclePoll) -> Mapping[str, Sequence[float]]:
    """Return how long recordings took, as far as it is known when their last media arrived."""
    found: dict[str, list[float]] = {result: [] for result in FINISHED}
    for session, result in poll.events.finished:
        if session.last_seen and session.last_seen > 0:
            found[result].append(max(0.0, poll.time.server - session.last_seen / 1000))
    return found


def _still_known(lives: Mapping[str, SessionLife], poll: LifecyclePoll) -> Mapping[str, SessionLife]:
    """Return the sessions that the counters remember too, so that there is one bound for both."""
    known = poll.counters.entries or {}
    if len(lives) <= len(known):
        return lives
    return {name: life for name, life in lives.items() if name in known}
