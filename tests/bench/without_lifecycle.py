"""The exporter without its lifecycle metrics, to measure what these cost."""

import time
from typing import Final

import httpx

from exporter.cooperative import run_yielding
from exporter.livepeer.page_reader import no_progress
from exporter.metrics.catalogue import TOTAL_FAMILIES
from exporter.metrics.page_store import AccountData
from exporter.metrics.series_limit import select
from exporter.metrics.text_format import render_subjects, render_totals, session_labels
from exporter.polling.plan import PollStart, Status
from exporter.polling.poll import Changes, History, PollResult, PollSpan, fetch, scope_of, time_of
from exporter.polling.publish import Publisher
from exporter.polling.recordings import Recordings, kept, to_keep
from exporter.sessions.attention import find_problems
from exporter.sessions.counters import CounterState, diff
from exporter.sessions.lifecycle import LifecycleIncrements
from exporter.sessions.session import Session
from exporter.sessions.snapshot import take_snapshot
from tests.bench.candidates import BASE_URL, ExporterCandidate

WITHOUT_LIFECYCLE: Final = "exporter without the lifecycle"
"""Its name among the candidates."""


class WithoutLifecycle(ExporterCandidate):
    """The exporter whose polls do everything that those of `exporter.polling.poll` do, except for the lifecycle.

    Args:
        client: the HTTP client for the API.
        base_url: of the API.
    """

    name = WITHOUT_LIFECYCLE

    def __init__(self, client: httpx.AsyncClient, base_url: str = BASE_URL) -> None:
        super().__init__(client, base_url)
        self._plan = self._poller.plan
        self._publisher = Publisher(self._plan.account, self._telemetry, self._page_store)
        self._counters = CounterState()
        self._recordings: Recordings | None = None

    async def poll(self) -> None:
        """Poll once.

        Raises:
            PollError: the poll failed.
        """
        result = await self._read(PollStart(time.time(), time.monotonic()))
        self._counters, self._recordings = result.changes.history.counters, result.recordings
        self._publisher.count_result(result)
        self._publisher.success(result.data, Status(succeeded=time.time()), self._livepeer.clock.skew)

    async def _read(self, started: PollStart) -> PollResult:
        plan, scope, known = self._plan, self._plan.scope, self._recordings
        read = await fetch(self._livepeer, plan, no_progress, recordings=known is None)
        now, sessions = read.server_time, list(read.sessions)
        if known is not None:
            sessions += await run_yielding(kept(known, read.sessions, scope, now))
        snapshot = await run_yielding(take_snapshot(sessions, plan.windows, now))
        counters, increments = await run_yielding(
            diff(
                self._counters,
                read.sessions,
                scope=scope_of(plan),
                time=time_of(read, PollSpan(started, 0.0)),
                recordings=known is None,
            )
        )
        families, budget = self._page_store.session_families, self._page_store.budget
        chosen = await run_yielding(
            select(snapshot.sessions, families, _last_seen, lambda series: budget.claim(plan.account, series))
        )
        labels, before = session_labels(plan.account), self._page_store.rendered(plan.account)
        rendered = await run_yielding(render_subjects(chosen.subjects, families, labels, before))
        problems = await run_yielding(find_problems(plan.account, snapshot))
        keep = await run_yielding(to_keep(sessions, scope, plan.recording_interval, now))
        requested = started if known is None else known.requested
        data = AccountData(
            began=started.wall,
            expires=started.monotonic + plan.max_staleness,
            totals=snapshot.totals,
            problems=problems,
            chunks={**rendered.chunks, **render_totals(plan.account, snapshot.totals, TOTAL_FAMILIES)},
            series=rendered.series,
            exported=len(chosen.subjects),
            dropped=chosen.dropped,
            recordings_began=requested.wall,
        )
        changes = Changes(History(counters), increments, LifecycleIncrements())
        return PollResult(data, read, changes, Recordings(requested, keep), snapshot)


def _last_seen(session: Session) -> float:
    return session.last_seen or 0.0
