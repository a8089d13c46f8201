"""One poll: read the sessions of an account, and derive everything that will be published from them."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from exporter.cooperative import Cooperative, run_yielding
from exporter.livepeer.client import LivepeerClient, SessionsResult
from exporter.livepeer.errors import PollTimeoutError
from exporter.livepeer.page_reader import OnPage
from exporter.metrics.catalogue import TOTAL_FAMILIES
from exporter.metrics.page_store import AccountData, PageStore
from exporter.metrics.text_format import render_totals
from exporter.polling.plan import Plan, PollStart
from exporter.polling.recordings import Recordings, kept, to_keep
from exporter.polling.render import Series
from exporter.sessions.attention import find_problems
from exporter.sessions.counter_scope import CounterScope, PollTime
from exporter.sessions.counters import CounterState, Increments, diff
from exporter.sessions.lifecycle import LifecycleIncrements, LifecycleState
from exporter.sessions.lifecycle_poll import LifecyclePoll
from exporter.sessions.parts import TimeLines, advance_parts
from exporter.sessions.session import Session
from exporter.sessions.session_events import SessionEvents
from exporter.sessions.snapshot import Snapshot, take_snapshot
from exporter.sessions.stream_life import StreamStates


class PollSpan(msgspec.Struct, frozen=True):
    """When a poll began, and how many seconds it took to read the sessions."""

    started: PollStart
    seconds: float


class History(msgspec.Struct, frozen=True):
    """What is remembered of the good polls of an account.

    Attributes:
        counters: for the counters.
        lifecycle: for the lifecycle of sessions and streams.
        lines: the streams with good polls of their own since the last one of the account.
    """

    counters: CounterState = CounterState()
    lifecycle: LifecycleState = LifecycleState()
    lines: TimeLines = msgspec.field(default_factory=dict)


class Changes(msgspec.Struct, frozen=True):
    """What has changed since the last good poll.

    Attributes:
        history: what to compare the next poll with.
        increments: what the counters grow by.
        lifecycle: what has happened to sessions and streams.
    """

    history: History
    increments: Increments
    lifecycle: LifecycleIncrements


class DataAge(NamedTuple):
    """When data was read; `AccountData` explains the fields."""

    began: float
    expires: float
    recordings_began: float | None


class PollResult(msgspec.Struct, frozen=True):
    """Everything that a poll has brought. Nothing of it is visible before it is published.

    Attributes:
        data: what the page will show.
        read: the sessions as the client returned them.
        changes: since the last good poll.
        recordings: those before the session window, for the next poll; None if it requests all sessions.
        snapshot: the sessions that the data was made of.
    """

    data: AccountData
    read: SessionsResult
    changes: Changes
    recordings: Recordings | None
    snapshot: Snapshot


async def fetch(client: LivepeerClient, plan: Plan, on_page: OnPage, *, recordings: bool = True) -> SessionsResult:
    """Read the sessions of a plan's scope within its deadline.

    Args:
        client: of the API.
        plan: how the account is polled.
        on_page: called after each page.
        recordings: whether recorded sessions before the session window are read.

    Raises:
        PollError: the API failed, or the deadline has passed.
    """
    try:
        async with asyncio.timeout(plan.deadline):
            return await client.sessions(plan.scope, on_page, within=plan.deadline, recordings=recordings)
    except TimeoutError:
        raise PollTimeoutError(f"the poll took longer than {plan.deadline:g} s") from None


async def derive(
    read: SessionsResult,
    plan: Plan,
    page_store: PageStore,
    history: History,
    span: PollSpan,
    recordings: Recordings | None = None,
) -> PollResult:
    """Derive what will be published from the API's sessions.

    Args:
        read: the sessions as the client returned them.
        plan: how the account is polled.
        page_store: its families are rendered, within its series budget.
        history: after the last good poll.
        span: of the poll.
        recordings: those of the last good poll, whose series are kept; None if the poll has requested them.
    """
    now, started = read.server_time, span.started
    unread = await _kept(read, plan, recordings)
    sessions = [*read.sessions, *unread] if unread else read.sessions
    snapshot = await run_yielding(take_snapshot(sessions, plan.windows, now, plan.reported_streams))
    changes = await run_yielding(compare(read, plan, history, span, unread=None if recordings is None else unread))
    following = await _to_keep(sessions, plan, now, started if recordings is None else recordings.requested)
    age = DataAge(
        began=started.wall,
        expires=started.monotonic + plan.max_staleness,
        recordings_began=following.requested.wall if following else None,
    )
    data = await compose(snapshot, changes.history.lifecycle, plan, page_store, age)
    return PollResult(data, read, changes, following, snapshot)


async def compose(
    snapshot: Snapshot, lifecycle: LifecycleState, plan: Plan, page_store: PageStore, age: DataAge
) -> AccountData:
    """Return what the page will show of sessions and of what is remembered of them.

    Args:
        snapshot: the sessions.
        lifecycle: after the poll.
        plan: how the account is polled.
        page_store: its families are rendered, within its series budget.
        age: of the data.
    """
    series = await run_yielding(Series(plan, page_store, snapshot, lifecycle).render())
    problems = await run_yielding(find_problems(plan.account, snapshot, _shown_lifecycle(plan, lifecycle)))
    rendered = series.rendered
    return AccountData(
        began=age.began,
        expires=age.expires,
        totals=snapshot.totals,
        problems=problems,
        chunks={**rendered.chunks, **render_totals(plan.account, snapshot.totals, TOTAL_FAMILIES)},
        series=rendered.series,
        exported=series.exported,
        dropped=series.dropped,
        absent_streams=snapshot.absent_streams,
        recordings_began=age.recordings_began,
    )


def _shown_lifecycle(plan: Plan, lifecycle: LifecycleState) -> LifecycleState:
    """Return what the status page shows of the past; a shard sees only some sessions of each stream."""
    return replace(lifecycle, streams=StreamStates()) if plan.is_shard else lifecycle


async def _kept(read: SessionsResult, plan: Plan, recordings: Recordings | None) -> Sequence[Session]:
    if recordings is None:
        return ()
    return await run_yielding(kept(recordings, read.sessions, plan.scope, read.server_time))


async def _to_keep(sessions: Sequence[Session], plan: Plan, now: float, requested: PollStart) -> Recordings | None:
    if not plan.scope.has_recordings:
        return None
    return Recordings(requested, await run_yielding(to_keep(sessions, plan.scope, plan.recording_interval, now)))


def compare(
    read: SessionsResult, plan: Plan, history: History, span: PollSpan, *, unread: Sequence[Session] | None = None
) -> Cooperative[Changes]:
    """Compare the sessions of a poll with those of the polls before.

    Args:
        read: the sessions as the client returned them.
        plan: how the account is polled.
        history: after the last good poll.
        span: of the poll.
        unread: the recorded sessions before the session window that are kept; None if the poll has requested them.
    """
    counters, increments = yield from diff(
        history.counters, read.sessions, scope=scope_of(plan), time=time_of(read, span), recordings=unread is None
    )
    poll = lifecycle_poll(read, plan, span, (history.counters, counters), increments.events, unread or ())
    lifecycle, lifecycle_increments = yield from advance_parts(history.lifecycle, poll, history.lines)
    return Changes(History(counters, lifecycle), increments, lifecycle_increments)


def lifecycle_poll(
    read: SessionsResult,
    plan: Plan,
    span: PollSpan,
    counters: tuple[CounterState, CounterState],
    events: SessionEvents,
    unread: Sequence[Session] = (),
) -> LifecyclePoll:
    """Return a good poll as the lifecycle takes it in.

    Args:
        read: the sessions as the client returned them.
        plan: how the account is polled.
        span: of the poll.
        counters: before and after the poll.
        events: the sessions behind the increments of the counters.
        unread: the recorded sessions before the session window that are kept.
    """
    before, after = counters
    return LifecyclePoll(
        sessions=read.sessions,
        unread=unread,
        windows=plan.windows,
        scope=scope_of(plan),
        time=time_of(read, span),
        interval=plan.interval,
        duration=span.seconds,
        before=before,
        counters=after,
        events=events,
    )


def scope_of(plan: Plan) -> CounterScope:
    """Return the sessions that a poll of the account can show."""
    filters = plan.scope
    return CounterScope(plan.base_url, filters.stream_ids, filters.session_window, filters.recording_window)


def time_of(read: SessionsResult, span: PollSpan) -> PollTime:
    """Return when a poll began, by each clock."""
    return PollTime(read.server_time, span.started.wall, span.started.monotonic)
