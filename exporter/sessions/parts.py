"""Streams with good polls of their own, between two polls of the whole account.

A poll of a single stream is a good poll for this stream alone. Until the next poll of the account, the stream has its
own time line; the following poll takes in each such stream by its own, and all others by that of the account.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import msgspec
from msgspec.structs import replace

from exporter.cooperative import Cooperative, batches
from exporter.sessions.counter_scope import PollTime
from exporter.sessions.lifecycle import LifecycleIncrements, LifecycleState, advance
from exporter.sessions.lifecycle_poll import LifecyclePoll
from exporter.sessions.session import Session
from exporter.sessions.session_events import SessionEvents
from exporter.sessions.session_life import SessionIncrements, SessionLife
from exporter.sessions.snapshot import FINISHED
from exporter.sessions.stream_life import StreamIncrements, StreamLife, StreamStates
from exporter.sessions.streams import stream_of


class TimeLine(msgspec.Struct, frozen=True):
    """The good polls of a single stream since the last one of the account.

    Attributes:
        time: when the last of them began.
        observed: the observed seconds up to then, as in `LifecycleState`.
    """

    time: PollTime
    observed: float


TimeLines = Mapping[str, TimeLine]
"""By stream id."""


def advance_parts(
    state: LifecycleState, poll: LifecyclePoll, lines: TimeLines
) -> Cooperative[tuple[LifecycleState, LifecycleIncrements]]:
    """Take in a good poll of the account, see `advance`.

    Args:
        state: after the good poll before.
        poll: the good poll.
        lines: the streams with good polls of their own since then.
    """
    if not lines or poll.events.is_baseline:
        return (yield from advance(state, poll))
    polls = yield from _split(poll, lines)
    rest_state = state
    parts = []
    for name, line in lines.items():
        part, rest_state = take_part(rest_state, name, polls[name].sessions, line)
        parts.append((yield from advance(part, polls[name])))
    rest, increments = yield from advance(rest_state, polls[None])
    for part, found in parts:
        rest = join_part(rest, _rebased(part, rest.observed - part.observed))
        increments = add(increments, found)
    return rest, increments


def take_part(
    state: LifecycleState, name: str, sessions: Iterable[Session], line: TimeLine | None
) -> tuple[LifecycleState, LifecycleState]:
    """Split what is remembered of a stream from the rest.

    Args:
        state: of the account.
        name: id of the stream.
        sessions: those that the poll has read of it.
        line: of the stream; None if the last good poll was one of the account.

    Returns:
        The part of the stream, and the rest.
    """
    parents = parents_of({life.parent_id for life in state.active.values()}, name)
    active = {each: life for each, life in state.active.items() if life.parent_id in parents}
    members = {session.id for session in sessions}.union(active)
    others = dict(state.sessions)
    lives = {each: others.pop(each) for each in members if each in others}
    present, absent = state.streams.present, state.streams.absent
    part = LifecycleState(
        time=line.time if line else state.time,
        sessions=lives,
        observed=line.observed if line else state.observed,
        active=active,
        streams=StreamStates(_only(present, name), _only(absent, name)),
    )
    rest = replace(
        state,
        sessions=others,
        active={each: life for each, life in state.active.items() if each not in members},
        streams=StreamStates(_without(present, name), _without(absent, name)),
    )
    return part, rest


def parents_of(parents: Iterable[str | None], name: str) -> frozenset[str | None]:
    """Return the ``parentId`` values that are the same stream; see `stream_of`."""
    return frozenset(parent for parent in parents if stream_of(parent) == name)


def join_part(rest: LifecycleState, part: LifecycleState) -> LifecycleState:
    """Return the state of the account with the part of a stream; the time is that of the account."""
    streams = StreamStates(
        {**rest.streams.present, **part.streams.present}, {**rest.streams.absent, **part.streams.absent}
    )
    sessions: Mapping[str, SessionLife] = {**rest.sessions, **part.sessions}
    return replace(rest, sessions=sessions, active={**rest.active, **part.active}, streams=streams)


def add(one: LifecycleIncrements, other: LifecycleIncrements) -> LifecycleIncrements:
    """Return the sum of what has happened to different streams."""
    observed = Counter(one.streams.observed)
    observed.update(other.streams.observed)
    return LifecycleIncrements(
        SessionIncrements(
            one.sessions.never_started + other.sessions.never_started,
            [*one.sessions.durations, *other.sessions.durations],
            [*one.sessions.unhealthy_ratios, *other.sessions.unhealthy_ratios],
        ),
        StreamIncrements(
            observed,
            one.streams.unobserved + other.streams.unobserved,
            one.streams.episodes + other.streams.episodes,
            one.streams.reconnects + other.streams.reconnects,
        ),
        {name: [*one.processing[name], *other.processing[name]] for name in FINISHED},
    )


def _rebased(part: LifecycleState, shift: float) -> LifecycleState:
    """Return the part with the observed seconds of the account, which a run of the same health is measured by."""
    active = {name: replace(life, mark=life.mark + shift) for name, life in part.active.items()}
    return replace(part, sessions={**part.sessions, **active}, active=active)


def _split(poll: LifecyclePoll, lines: TimeLines) -> Cooperative[Mapping[str | None, LifecyclePoll]]:
    """Return a poll for each stream with its own time line, and with the key None for all others."""
    parents = {each.parent_id for each in chain(poll.sessions, poll.unread)}
    names = {parent: stream_of(parent) for parent in parents}
    keys = {parent: name if name in lines else None for parent, name in names.items()}
    yield
    sessions = yield from _grouped(poll.sessions, keys)
    unread = yield from _grouped(poll.unread, keys)
    started = yield from _grouped(poll.events.started, keys)
    grown: defaultdict[str | None, dict[str | None, Sequence[float]]] = defaultdict(dict)
    for parent, amounts in poll.events.grown.items():
        grown[keys[parent]][parent] = amounts
    yield
    return {
        key: replace(
            poll,
            sessions=sessions[key],
            unread=unread[key],
            events=SessionEvents(
                poll.events.is_baseline,
                started[key],
                [(each, result) for each, result in poll.events.finished if keys[each.parent_id] == key],
                grown[key],
            ),
        )
        for key in (None, *lines)
    }


def _grouped(
    sessions: Sequence[Session], keys: Mapping[str | None, str | None]
) -> Cooperative[Mapping[str | None, list[Session]]]:
    groups: defaultdict[str | None, list[Session]] = defaultdict(list)
    for part in batches(sessions):
        for session in part:
            groups[keys[session.parent_id]].append(session)
        yield
    return groups


def _only(streams: Mapping[str | None, StreamLife], name: str) -> Mapping[str | None, StreamLife]:
    return {name: streams[name]} if name in streams else {}


def _without(streams: Mapping[str | None, StreamLife], name: str) -> Mapping[str | None, StreamLife]:
    return {each: life for each, life in streams.items() if each != name}
