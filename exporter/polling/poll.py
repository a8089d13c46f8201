"""One poll: read the sessions of an account, and derive everything that will be published from them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.cooperative import run_yielding
from exporter.livepeer.client import LivepeerClient, SessionsResult
from exporter.livepeer.errors import PollTimeoutError
from exporter.livepeer.page_reader import OnPage
from exporter.metrics.catalogue import TOTAL_FAMILIES
from exporter.metrics.page_store import AccountData, PageStore
from exporter.metrics.series_limit import select
from exporter.metrics.text_format import Rendered, render_subjects, render_totals, session_labels, stream_labels
from exporter.polling.plan import Plan, PollStart
from exporter.polling.recordings import Recordings, kept, to_keep
from exporter.sessions.attention import find_problems
from exporter.sessions.counter_scope import CounterScope, PollTime
from exporter.sessions.counters import CounterState, Increments, diff
from exporter.sessions.session import Session
from exporter.sessions.snapshot import SessionState, Snapshot, take_snapshot
from exporter.sessions.streams import Stream, group_by_stream


@dataclass(frozen=True, slots=True)
class PollResult:
    """Everything that a poll has brought. Nothing of it is visible before it is published.

    Attributes:
        data: what the page will show.
        read: the sessions as the client returned them.
        counter_state: what the next poll is compared with.
        increments: what the counters grow by.
        recordings: those before the session window, for the next poll; None if it requests all sessions.
    """

    data: AccountData
    read: SessionsResult
    counter_state: CounterState
    increments: Increments
    recordings: Recordings | None


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
    counter_state: CounterState,
    started: PollStart,
    recordings: Recordings | None = None,
) -> PollResult:
    """Derive what will be published from the API's sessions.

    Args:
        read: the sessions as the client returned them.
        plan: how the account is polled.
        page_store: its families are rendered, within its series budget.
        counter_state: after the last good poll.
        started: when the poll began.
        recordings: those of the last good poll, whose series are kept; None if the poll has requested them.
    """
    sessions, now = await _with_kept(read, plan, recordings), read.server_time
    snapshot = await run_yielding(take_snapshot(sessions, plan.windows, now, plan.reported_streams))
    rendered, exported, dropped = await _render(plan, page_store, snapshot)
    problems = await run_yielding(find_problems(plan.account, snapshot))
    time = PollTime(now, started.wall, started.monotonic)
    counter_state, increments = await run_yielding(
        diff(counter_state, read.sessions, scope=_counter_scope(plan), time=time, recordings=recordings is None)
    )
    following = await _to_keep(sessions, plan, now, started if recordings is None else recordings.requested)
    data = AccountData(
        began=started.wall,
        expires=started.monotonic + plan.max_staleness,
        totals=snapshot.totals,
        problems=problems,
        chunks={**rendered.chunks, **render_totals(plan.account, snapshot.totals, TOTAL_FAMILIES)},
        series=rendered.series,
        exported=exported,
        dropped=dropped,
        absent_streams=snapshot.absent_streams,
        recordings_began=following.requested.wall if following else None,
    )
    return PollResult(data, read, counter_state, increments, following)


async def _with_kept(read: SessionsResult, plan: Plan, recordings: Recordings | None) -> Sequence[Session]:
    if recordings is None:
        return read.sessions
    return [*read.sessions, *await run_yielding(kept(recordings, read.sessions, plan.scope, read.server_time))]


async def _to_keep(sessions: Sequence[Session], plan: Plan, now: float, requested: PollStart) -> Recordings | None:
    if not plan.scope.has_recordings:
        return None
    return Recordings(requested, await run_yielding(to_keep(sessions, plan.scope, plan.recording_interval, now)))


def _counter_scope(plan: Plan) -> CounterScope:
    scope = plan.scope
    return CounterScope(plan.base_url, scope.stream_ids, scope.session_window, scope.recording_window)


async def _render(plan: Plan, page_store: PageStore, snapshot: Snapshot) -> tuple[Rendered, int, int]:
    """Return the rendered series, the number of sessions or streams that have some, and that of the others."""

    def claim(series: int) -> int:
        return page_store.budget.claim(plan.account, series)

    if plan.detail == "stream":
        streams = await run_yielding(group_by_stream(snapshot.sessions))
        selected_streams = await run_yielding(select(streams, page_store.stream_families, _last_seen, claim))
        labels = stream_labels(plan.account)
        rendered = await run_yielding(render_subjects(selected_streams.subjects, page_store.stream_families, labels))
        return rendered, len(selected_streams.subjects), selected_streams.dropped
    sessions: Sequence[SessionState] = snapshot.sessions if plan.detail == "session" else ()
    selected = await run_yielding(select(sessions, page_store.session_families, _last_seen, claim))
    rendered = await run_yielding(
        render_subjects(selected.subjects, page_store.session_families, session_labels(plan.account))
    )
    return rendered, len(selected.subjects), selected.dropped


def _last_seen(subject: Session | Stream) -> float:
    return subject.last_seen or 0.0
