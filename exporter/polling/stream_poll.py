"""A poll of a single stream between two polls of the account, after an event of the stream."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from exporter.cooperative import Cooperative, run_yielding
from exporter.livepeer.client import LivepeerClient, SessionsResult
from exporter.livepeer.errors import PollTimeoutError
from exporter.metrics.page_store import AccountData, PageStore
from exporter.polling.plan import Plan
from exporter.polling.poll import Changes, DataAge, History, PollSpan, compose, lifecycle_poll, scope_of, time_of
from exporter.polling.recordings import Recordings, to_keep
from exporter.sessions.counters import CounterState, diff
from exporter.sessions.growth import Entry, values_of
from exporter.sessions.lifecycle import advance
from exporter.sessions.parts import TimeLine, join_part, parents_of, take_part
from exporter.sessions.session import Session
from exporter.sessions.snapshot import Snapshot, merge_stream, take_snapshot

MAX_SECONDS: Final = 10.0
"""Seconds that a poll of a stream may take."""


class Shown(NamedTuple):
    """What the page shows of an account: the sessions, and what was made of them."""

    snapshot: Snapshot
    data: AccountData


class Known(msgspec.Struct, frozen=True):
    """What is known of an account before or after a poll of a stream.

    Attributes:
        history: what to compare the next poll with.
        shown: what the page shows.
        recordings: those before the session window, for the next poll; None if it requests all sessions.
    """

    history: History
    shown: Shown
    recordings: Recordings | None


class StreamPollResult(msgspec.Struct, frozen=True):
    """Everything that a poll of a stream has brought.

    Attributes:
        known: after the poll.
        changes: since the last good poll of the stream.
    """

    known: Known
    changes: Changes


async def fetch_stream(client: LivepeerClient, plan: Plan, stream_id: str) -> SessionsResult:
    """Read the sessions of a stream, those with recordings before the session window too.

    Raises:
        PollError: the API failed, or it took too long.
        BudgetSpentError: no request is left.
    """
    seconds = min(MAX_SECONDS, plan.deadline)
    try:
        async with asyncio.timeout(seconds):
            return await client.sessions(replace(plan.scope, stream_ids=frozenset((stream_id,))), within=seconds)
    except TimeoutError:
        raise PollTimeoutError(f"the poll of a stream took longer than {seconds:g} s") from None


async def derive_stream(
    read: SessionsResult, stream_id: str, plan: Plan, page_store: PageStore, before: Known, span: PollSpan
) -> StreamPollResult | None:
    """Derive what will be published; None if the sessions must not be used.

    That is the case for sessions older than those of the last poll, from a replica of the API's database that is
    behind, and for sessions of another user.

    Args:
        read: the sessions as the client returned them.
        stream_id: id of the parent stream.
        plan: how the account is polled.
        page_store: its families are rendered, within its series budget.
        before: what is known of the account.
        span: of the poll.
    """
    pairs, history = before.shown.snapshot.sessions, before.history
    parents = parents_of({session.parent_id for session, _ in pairs}, stream_id)
    known = [session for session, _ in pairs if session.parent_id in parents]
    if is_behind(read.sessions, known, history.counters.entries or {}):
        return None
    changes = await run_yielding(compare_stream(read, known, stream_id, plan, history, span))
    if changes is None:
        return None
    part = await run_yielding(take_snapshot(read.sessions, plan.windows, read.server_time))
    snapshot = await run_yielding(
        merge_stream(before.shown.snapshot, lambda each: each.parent_id in parents, part, plan.reported_streams)
    )
    shown = before.shown.data  # the age is still that of the last poll of the account
    age = DataAge(shown.began, shown.expires, shown.recordings_began)
    data = await compose(snapshot, changes.history.lifecycle, plan, page_store, age)
    recordings = await _replaced(before.recordings, read, parents, plan)
    return StreamPollResult(Known(changes.history, Shown(snapshot, data), recordings), changes)


def is_behind(read: Sequence[Session], known: Sequence[Session], entries: Mapping[str, Entry]) -> bool:
    """Return whether a stream's sessions are older than the ones known, as those of a replica that is behind (D04).

    A value below the highest one counts as restarted after three polls in a row, which polls of a stream would reach in
    seconds. So they are not used while any value is below.
    """
    found = {session.id: session for session in read}
    for before in known:
        after = found.get(before.id)
        if after is not None and (after.last_seen or 0) < (before.last_seen or 0):
            return True
    return any(_is_below(session, entries.get(session.id)) for session in read)


def _is_below(session: Session, entry: Entry | None) -> bool:
    if entry is None:
        return False
    values = zip(values_of(session), values_of(entry), strict=True)
    return any(now is not None and before is not None and now < before for now, before in values)


def compare_stream(
    read: SessionsResult, known: Sequence[Session], stream_id: str, plan: Plan, history: History, span: PollSpan
) -> Cooperative[Changes | None]:
    """Compare the sessions of a stream with those of the last good poll of the stream; None at a new baseline.

    Args:
        read: the sessions as the client returned them.
        known: the sessions that the page shows of the stream.
        stream_id: id of the parent stream.
        plan: how the account is polled.
        history: after the last good poll.
        span: of the poll.
    """
    counters, scope, time = history.counters, scope_of(plan), time_of(read, span)
    if counters.entries is None or counters.history.current != scope:
        return None
    part, rest = take_part(history.lifecycle, stream_id, read.sessions, history.lines.get(stream_id))
    yield
    before, others = _split(counters, {each.id for each in (*known, *read.sessions)}.union(part.sessions))
    yield
    after, increments = yield from diff(before, read.sessions, scope=scope, time=time)
    if increments.events.is_baseline:
        return None
    poll = lifecycle_poll(read, plan, span, (before, after), increments.events)
    part, lifecycle_increments = yield from advance(part, poll)
    # Absent sessions follow the present ones, the longest absent last; those of the stream are absent since now.
    joined = replace(counters, entries={**(after.entries or {}), **others}, forgotten=after.forgotten)
    lines = {**history.lines, stream_id: TimeLine(time, part.observed)}
    return Changes(History(joined, join_part(rest, part), lines), increments, lifecycle_increments)


def _split(counters: CounterState, names: Collection[str]) -> tuple[CounterState, Mapping[str, Entry]]:
    """Return the state with the entries of some sessions only, and the other entries."""
    others = dict(counters.entries or {})
    entries = {name: others.pop(name) for name in names if name in others}
    return replace(counters, entries=entries), others


async def _replaced(
    recordings: Recordings | None, read: SessionsResult, parents: Collection[str | None], plan: Plan
) -> Recordings | None:
    """Return the recordings to keep, with those of a stream replaced by the ones that the poll has read."""
    if recordings is None:
        return None
    others = [each for each in recordings.sessions if each.parent_id not in parents]
    found = await run_yielding(to_keep(read.sessions, plan.scope, plan.recording_interval, read.server_time))
    return replace(recordings, sessions=[*others, *found])
