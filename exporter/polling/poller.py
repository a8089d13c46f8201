"""Polls one account, again and again: a poll publishes a complete new snapshot, or changes nothing but its metrics."""

from collections.abc import Callable
from typing import NamedTuple

from exporter.cooperative import release, run_yielding
from exporter.livepeer.client import LivepeerClient
from exporter.livepeer.errors import MissingKeyError, PollError
from exporter.livepeer.page_reader import OnPage, no_progress
from exporter.metrics import catalogue
from exporter.metrics.instruments import Telemetry
from exporter.metrics.page_store import AccountData, PageStore
from exporter.polling.backoff import backoff, ends_with_another_key
from exporter.polling.plan import Failure, Plan, PollStart, Status
from exporter.polling.poll import History, PollSpan, derive, fetch
from exporter.polling.publish import Publisher
from exporter.polling.recordings import Recordings
from exporter.sessions.session import Session


class Pause(NamedTuple):
    """The time in which a rejected key is not tried again.

    Attributes:
        credentials: digest of what the API rejected.
        until: monotonic seconds.
    """

    credentials: bytes
    until: float


class Poller:
    """Polls one account.

    Args:
        plan: how.
        client: of the API.
        telemetry: the account's instruments.
        page_store: where snapshots are published.
        now: Unix seconds of our wall clock.
        monotonic: seconds.
        jitter: returns a random number between 0 and 1.
        on_page: called after each page of the API, for a progress display.
    """

    def __init__(
        self,
        plan: Plan,
        client: LivepeerClient,
        telemetry: Telemetry,
        page_store: PageStore,
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
        self._page_store = page_store
        self._now = now
        self._monotonic = monotonic
        self._jitter = jitter
        self._on_page = on_page
        self._publisher = Publisher(plan.account, telemetry, page_store)
        self._history = History()
        self._recordings: Recordings | None = None
        self._dropped = 0
        self._pause: Pause | None = None

    def publish_initial(self) -> None:
        """Show the account on the page before its first poll."""
        self._publisher.initial(self.plan)

    def inherit(self, other: "Poller") -> None:
        """Continue from a poller of the same account with other settings: its counters, status and pause."""
        self.status = other.status
        self._pause = other._pause
        self._history = other._history
        self._dropped = other._dropped

    def on_skipped(self) -> None:
        """Report a poll that was due while the previous one was running."""
        self._publisher.skipped()

    async def poll(self) -> float:
        """Poll once. A failure is reported, and never raised.

        While the API rejects the key, there is no poll before the end of the backoff, but the key is read at every
        interval, so that another one is used at once (V10).

        Returns:
            The seconds until the next call.
        """
        credentials = self._credentials()
        if self._pause is not None and credentials in (None, self._pause.credentials):
            remaining = self._pause.until - self._monotonic()
            if remaining > 0:
                return min(remaining, self.plan.interval)
        return await self._poll(credentials)

    async def _poll(self, credentials: bytes | None) -> float:
        started = PollStart(self._now(), self._monotonic(), credentials)
        before = self.status
        self._telemetry.count(catalogue.POLLS)
        read: list[Session] = []
        try:
            data = await self._read(started, read)
            self.status = Status(succeeded=self._now())
            self._publisher.success(data, self.status, self._client.clock.skew)
        except Exception as error:  # noqa: BLE001 - a bug must not end the polling; R12
            wait = self._fail(error, before, started, credentials)
        else:
            self._pause = None
            wait = self.plan.interval
            self._publisher.log_success(data, self._monotonic() - started.monotonic, dropped_before=self._dropped)
            self._dropped = data.dropped
        await run_yielding(release(read))
        return wait

    async def _read(self, started: PollStart, read: list[Session]) -> AccountData:
        """Poll up to what will be published; ``read`` receives the sessions, so that they are freed in short steps."""
        kept = self._recordings
        recordings = None if kept is None or kept.are_due(started, self.plan.recording_interval) else kept
        try:
            answer = await fetch(self._client, self.plan, self._on_page, recordings=recordings is None)
            span = PollSpan(started, self._monotonic() - started.monotonic)
            result = await derive(answer, self.plan, self._page_store, self._history, span, recordings)
        finally:
            self._telemetry.observe(catalogue.POLL_DURATION, self._monotonic() - started.monotonic)
        self._history, self._recordings = result.changes.history, result.recordings
        self._publisher.count_result(result)
        read.extend(answer.sessions)
        return result.data

    def _credentials(self) -> bytes | None:
        try:
            return self._client.credentials()
        except MissingKeyError:  # the poll reports it
            return None

    def _fail(self, error: Exception, before: Status, started: PollStart, credentials: bytes | None) -> float:
        failures = before.failures + 1
        wait = backoff(error, failures, self.plan.interval, self._jitter())
        failure = (
            Failure(error.failure, str(error))
            if isinstance(error, PollError)
            else Failure("internal", "internal error; see the exporter's log")
        )
        self.status = Status(before.succeeded, failures, failure, self._now() + wait)
        self._publisher.log_failure(error, self.status, self._monotonic() - started.monotonic, wait)
        self._publisher.failure(self.status, self._client.clock.skew)
        self._pause = None
        if credentials is None or not ends_with_another_key(error):
            return wait
        self._pause = Pause(credentials, self._monotonic() + wait)
        return min(wait, self.plan.interval)
