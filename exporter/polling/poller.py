"""One poll: fetch, read, publish, count. It reports failure, and never raises.

A poll either publishes a whole new snapshot or changes nothing but the account's own metrics.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from exporter.cooperative import release, run_yielding
from exporter.livepeer.client import LivepeerClient, SessionsResult
from exporter.livepeer.errors import (
    ForbiddenError,
    MissingKeyError,
    PollError,
    PollTimeoutError,
    StatusError,
    UnauthorizedError,
)
from exporter.livepeer.page_reader import OnPage, no_progress
from exporter.livepeer.query import Scope
from exporter.logs import event
from exporter.metrics import catalogue
from exporter.metrics.catalogue import TOTAL_FAMILIES
from exporter.metrics.exposition import NOTHING, Rendered, render, render_totals, session_labels, stream_labels
from exporter.metrics.instruments import Telemetry
from exporter.metrics.page_store import Data, PageStore
from exporter.metrics.series_limit import Selection, select
from exporter.sessions.attention import find
from exporter.sessions.counters import CounterState, compare
from exporter.sessions.session import Session
from exporter.sessions.snapshot import ACTIVE, Snapshot, Windows, take
from exporter.sessions.streams import Stream, group

logger = logging.getLogger(__name__)

BACKOFF_CAP: Final = 120.0
"""Seconds that a failing account waits at most between polls, unless its interval or the API asks for more."""

REFUSED_PACE: Final = 60.0
"""Seconds at least between polls with a key that the API refuses: it will not get better by asking often."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one account is polled; durations in seconds.

    Attributes:
        account: its name, the label's value.
        interval: from one poll to the next.
        deadline: what one poll may take in all.
        max_staleness: after which data is not shown any more.
        detail: what has series of its own: ``session``, ``stream``, or nothing but the ``account``.
        scope: which sessions are asked for.
        windows: how sessions are judged by their age.
    """

    account: str
    interval: float
    deadline: float
    max_staleness: float
    detail: str
    scope: Scope
    windows: Windows


@dataclass(frozen=True, slots=True)
class Status:
    """How an account's polling stands, for people.

    Attributes:
        succeeded: our Unix seconds when the last good poll ended; None before the first.
        failures: polls that failed since.
        failure: the class and the text of the last failure; None after a good poll.
        next_poll: our Unix seconds when the next poll is due after a failure; None while polling as configured.
    """

    succeeded: float | None = None
    failures: int = 0
    failure: tuple[str, str] | None = None
    next_poll: float | None = None


class Poller:
    """Polls one account.

    Args:
        plan: how.
        client: reads the sessions.
        telemetry: the account's own metrics.
        board: where snapshots are published.
        now: Unix seconds of our wall clock.
        monotonic: seconds.
        jitter: a random number between 0 and 1.
        on_page: told after each page of the walk, for those who show progress.
    """

    def __init__(
        self,
        plan: Plan,
        client: LivepeerClient,
        telemetry: Telemetry,
        board: PageStore,
        *,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        jitter: Callable[[], float],
        on_page: OnPage = no_progress,
    ) -> None:
        self.plan = plan
        self.status = Status()
        self._client = client
        self._telemetry = telemetry
        self._board = board
        self._now = now
        self._monotonic = monotonic
        self._jitter = jitter
        self._counter_state = CounterState()
        self._dropped = 0
        self._shown: Sequence[Session | Stream] = ()
        self._spent: list[Session | Stream] = []
        self._on_page = on_page

    def begin(self) -> None:
        """Show the account on the page, before its first poll."""
        self._telemetry.set(catalogue.POLL_INTERVAL, self.plan.interval)
        self._publish(None)

    def carry_on(self, other: "Poller") -> None:
        """Take over from a poller of the same account: what it counted from, and how it stood."""
        self.status = other.status
        self._counter_state = other._counter_state
        self._dropped = other._dropped

    def skipped(self) -> None:
        """A poll was due while the one before was still under way."""
        self._telemetry.count(catalogue.POLLS_SKIPPED)
        event(logger, logging.WARNING, "poll skipped, the one before is still under way", account=self.plan.account)

    async def poll(self) -> float:
        """Poll once, and answer after how many seconds the next poll is due."""
        began = self._monotonic()
        self._telemetry.count(catalogue.POLLS)
        before = self.status
        try:
            data = await self._attempt(began)
            self._succeeded(data)
            self._publish(data)
        except Exception as error:  # noqa: BLE001 - a mistake of our own must not end the polling; R12
            wait = self._failed(error, before, began)
            self._publish_failure()
        else:
            wait = self.plan.interval
            self._tell(data, began)
        await run_yielding(release(self._spent))
        return wait

    async def _attempt(self, since: float) -> Data:
        began, expires = self._now(), self._monotonic() + self.plan.max_staleness
        try:
            return await self._read(await self._asked(), began, expires)
        finally:
            self._telemetry.observe(catalogue.POLL_DURATION, self._monotonic() - since)

    async def _asked(self) -> SessionsResult:
        try:
            async with asyncio.timeout(self.plan.deadline):
                return await self._client.sessions(self.plan.scope, self._on_page, within=self.plan.deadline)
        except TimeoutError:
            raise PollTimeoutError(f"the poll took longer than {self.plan.deadline:g} s") from None

    async def _read(self, answer: SessionsResult, began: float, expires: float) -> Data:
        plan = self.plan
        sessions = answer.sessions
        snapshot = await run_yielding(
            take(plan.account, sessions, windows=plan.windows, began=began, server_time=answer.server_time)
        )
        shown, rendered = await (self._streams(snapshot) if plan.detail == "stream" else self._sessions(snapshot))
        totals = render_totals(plan.account, snapshot.totals, TOTAL_FAMILIES)
        problems = await run_yielding(find(snapshot))
        counter_state, increments = await run_yielding(
            compare(self._counter_state, sessions, windows=plan.windows, now=answer.server_time)
        )
        # Nothing can fail from here on: what is counted is also shown.
        self._counter_state = counter_state
        self._telemetry.read(pages=answer.pages, duplicates=answer.duplicates)
        self._telemetry.dropped(answer.invalid_values, answer.invalid_sessions)
        self._telemetry.grew(increments)
        # Sessions are most of the memory; only those that are shown one by one are needed from here on.
        self._spent = [*sessions, *self._shown]
        self._shown = shown.subjects
        return Data(
            snapshot=replace(snapshot, sessions=(), states=()),
            shown=shown,
            chunks=(*rendered.chunks, *totals),
            series=rendered.series,
            problems=problems,
            expires=expires,
        )

    async def _sessions(self, snapshot: Snapshot) -> tuple[Selection[Session], Rendered]:
        families = self._board.session_families
        sessions = snapshot.sessions if self.plan.detail == "session" else ()
        active = [state == ACTIVE for state in snapshot.states[: len(sessions)]]
        shown = await run_yielding(select(sessions, active, families, _last_seen, self._claim))
        rendered = await run_yielding(render(shown.subjects, shown.active, families, session_labels(self.plan.account)))
        nothing = (NOTHING,) * len(self._board.stream_families)
        return shown, replace(rendered, chunks=(*rendered.chunks, *nothing))

    async def _streams(self, snapshot: Snapshot) -> tuple[Selection[Stream], Rendered]:
        families = self._board.stream_families
        streams = await run_yielding(group(snapshot))
        active = [stream.active for stream in streams]
        shown = await run_yielding(select(streams, active, families, _last_seen, self._claim))
        rendered = await run_yielding(render(shown.subjects, shown.active, families, stream_labels(self.plan.account)))
        nothing = (NOTHING,) * len(self._board.session_families)
        return shown, replace(rendered, chunks=(*nothing, *rendered.chunks))

    def _claim(self, series: int) -> int:
        return self._board.budget.claim(self.plan.account, series)

    def _succeeded(self, data: Data) -> None:
        now = self._now()
        self.status = Status(succeeded=now)
        set_ = self._telemetry.set
        self._board.budget.use(self.plan.account, data.series)
        set_(catalogue.UP, 1)
        set_(catalogue.SNAPSHOT, data.snapshot.began)
        set_(catalogue.LAST_SUCCESS, now)
        set_(catalogue.EXPORTED, len(data.shown.subjects))
        set_(catalogue.DROPPED, data.shown.dropped, "series_limit")
        self._ended()

    def _tell(self, data: Data, began: float) -> None:
        self._tell_dropped(data)
        event(
            logger,
            logging.INFO,
            "poll finished",
            account=self.plan.account,
            sessions=sum(data.snapshot.totals.sessions.values()),
            active=data.snapshot.totals.sessions["active"],
            series=data.series,
            seconds=round(self._monotonic() - began, 3),
        )

    def _failed(self, error: Exception, before: Status, began: float) -> float:
        failure = error.failure if isinstance(error, PollError) else "internal"
        text = str(error) if isinstance(error, PollError) else "a mistake in the exporter itself; see its log"
        failures = before.failures + 1
        wait = self._backoff(error, failures)
        self.status = Status(before.succeeded, failures, (failure, text), self._now() + wait)
        self._telemetry.count(catalogue.POLL_FAILURES, 1, failure)
        self._telemetry.set(catalogue.UP, 0)
        self._ended()
        event(
            logger,
            logging.WARNING if isinstance(error, PollError) else logging.ERROR,
            "poll failed",
            error=None if isinstance(error, PollError) else error,
            account=self.plan.account,
            failure=failure,
            reason=text,
            failures=failures,
            seconds=round(self._monotonic() - began, 3),
            next_poll_in=round(wait, 1),
        )
        return wait

    def _backoff(self, error: Exception, failures: int) -> float:
        """Full jitter between the interval and the doubled one, never faster than configured.

        A key file that is missing costs the API nothing, so it is looked for at every interval.
        """
        interval = self.plan.interval
        if isinstance(error, MissingKeyError):
            return interval
        longest = max(interval, min(interval * 2.0 ** min(failures, 16), BACKOFF_CAP))
        wait = interval + self._jitter() * (longest - interval)
        if isinstance(error, UnauthorizedError | ForbiddenError):
            wait = max(wait, REFUSED_PACE)
        if isinstance(error, StatusError) and error.retry_after is not None:
            wait = max(wait, error.retry_after)
        return wait

    def _ended(self) -> None:
        self._telemetry.set(catalogue.CONSECUTIVE_FAILURES, self.status.failures)
        if self._client.clock.skew is not None:
            self._telemetry.set(catalogue.CLOCK_SKEW, self._client.clock.skew)
        if self.status.next_poll is None:
            self._telemetry.remove_gauge(catalogue.BACKOFF_UNTIL)
        else:
            self._telemetry.set(catalogue.BACKOFF_UNTIL, self.status.next_poll)

    def _tell_dropped(self, data: Data) -> None:
        if data.shown.dropped and not self._dropped:
            event(
                logger,
                logging.WARNING,
                "the series limit keeps sessions off the page",
                account=self.plan.account,
                dropped=data.shown.dropped,
                shown=len(data.shown.subjects),
                series_limit=self._board.budget.limit,
            )
        self._dropped = data.shown.dropped

    def _publish_failure(self) -> None:
        try:
            self._publish(None)
        except Exception as error:  # noqa: BLE001 - as above; the page stays what it was
            event(logger, logging.ERROR, "the page could not be renewed", error=error, account=self.plan.account)

    def _publish(self, data: Data | None) -> None:
        self._board.show(self.plan.account, list(self._telemetry.collect()), data)


def _last_seen(subject: Session | Stream) -> float:
    return subject.last_seen or 0.0
