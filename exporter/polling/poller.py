"""Polls one account, again and again: a poll publishes a complete new snapshot, or changes nothing but its metrics."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

from exporter.cooperative import release, run_yielding
from exporter.livepeer.client import LivepeerClient
from exporter.livepeer.errors import MissingKeyError, PollError
from exporter.livepeer.page_reader import OnPage, no_progress
from exporter.metrics import catalogue
from exporter.metrics.instruments import Telemetry
from exporter.metrics.page_store import AccountData, PageStore
from exporter.polling.backoff import backoff, ends_with_another_key
from exporter.polling.hints import StreamPollOutcome
from exporter.polling.plan import Failure, Plan, PollStart, Status
from exporter.polling.poll import History, PollSpan, derive, fetch
from exporter.polling.publish import Publisher
from exporter.polling.recordings import Recordings
from exporter.polling.stream_poll import Known, Shown, derive_stream, fetch_stream
from exporter.sessions.session import Session
from exporter.sessions.snapshot import Snapshot


class OnAccountPolled(Protocol):
    """Is called after each good poll of the account."""

    def __call__(self, began: float, *, with_recordings: bool) -> None:
        """Take note of a poll.

        Args:
            began: monotonic seconds when it began.
            with_recordings: whether it has requested the recordings before the session window.
        """


class StreamPolling(NamedTuple):
    """What polls of single streams need.

    Attributes:
        client: of the API.
        on_account_polled: called after each good poll of the account.
    """

    client: LivepeerClient
    on_account_polled: OnAccountPolled


class Pause(NamedTuple):
    """The time in which a rejected key is not tried again.

    Attributes:
        credentials: digest of what the API rejected.
        until: monotonic seconds.
    """

    credentials: bytes
    until: float


class Poller:
    """Polls one account, and between its polls single streams.

    Args:
        plan: how.
        client: of the API.
        telemetry: the account's instruments.
        page_store: where snapshots are published.
        now: Unix seconds of our wall clock.
        monotonic: seconds.
        jitter: returns a random number between 0 and 1.
        on_page: called after each page of the API, for a progress display.
        streams: for polls of single streams; None if there are none.
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
        streams: StreamPolling | None = None,
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
        self._streams = streams
        self._shown: Shown | None = None
        self._stream_poll: asyncio.Task[StreamPollOutcome] | None = None
        self._may_poll_streams = asyncio.Event()

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
        self._may_poll_streams.clear()
        if self._stream_poll is not None:
            self._stream_poll.cancel()  # this poll reads its stream too
        credentials = self._credentials()
        if self._pause is not None and credentials in (None, self._pause.credentials):
            remaining = self._pause.until - self._monotonic()
            if remaining > 0:
                return min(remaining, self.plan.interval)
        return await self._poll(credentials)

    async def wait_for_streams(self) -> None:
        """Wait until a single stream may be polled.

        That is the case between a good poll of the account and the next one, and until a poll of a stream fails. While
        the account fails it is not, since the API may have asked for a wait.
        """
        await self._may_poll_streams.wait()

    async def poll_stream(self, stream_id: str) -> StreamPollOutcome:
        """Poll a single stream, and show it with all others as they were.

        It ends when a poll of the account starts. If it fails, nothing has changed.

        Args:
            stream_id: id of the parent stream.
        """
        shown, may_poll = self._shown, self._may_poll_streams.is_set()
        if self._streams is None or shown is None or not may_poll or shown.data.expires <= self._monotonic():
            self._publisher.count_stream_poll("skipped")
            return StreamPollOutcome.UNUSED
        task = self._stream_poll = asyncio.create_task(self._poll_stream(self._streams.client, stream_id, shown))
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            self._stream_poll = None
        if not task.cancelled():
            return task.result()
        self._publisher.count_stream_poll("skipped")
        return StreamPollOutcome.UNFINISHED

    async def _poll_stream(self, client: LivepeerClient, stream_id: str, shown: Shown) -> StreamPollOutcome:
        started = PollStart(self._now(), self._monotonic())
        try:
            read = await fetch_stream(client, self.plan, stream_id)
            span = PollSpan(started, self._monotonic() - started.monotonic)
            before = Known(self._history, shown, self._recordings)
            result = await derive_stream(read, stream_id, self.plan, self._page_store, before, span)
            if result is None:
                self._publisher.count_stream_poll("skipped")
                return StreamPollOutcome.UNUSED
            known = result.known
            self._history, self._shown, self._recordings = known.history, known.shown, known.recordings
            self._publisher.count_changes(result.changes)
            self._publisher.stream(known.shown.data)
        except Exception as error:  # noqa: BLE001 - a bug must not end the polling; R12
            self._may_poll_streams.clear()
            self._publisher.log_stream_failure(error)
            self._publisher.count_stream_poll("failure")
            return StreamPollOutcome.UNFINISHED
        return StreamPollOutcome.SHOWN

    async def _poll(self, credentials: bytes | None) -> float:
        started = PollStart(self._now(), self._monotonic(), credentials)
        before = self.status
        self._telemetry.count(catalogue.POLLS)
        read: list[Session] = []
        try:
            data, snapshot = await self._read(started, read)
            self.status = Status(succeeded=self._now())
            self._publisher.success(data, self.status, self._client.clock.skew)
        except Exception as error:  # noqa: BLE001 - a bug must not end the polling; R12
            wait = self._fail(error, before, started, credentials)
        else:
            self._pause = None
            wait = self.plan.interval
            self._publisher.log_success(data, self._monotonic() - started.monotonic, dropped_before=self._dropped)
            self._dropped = data.dropped
            previous = [] if self._shown is None else list(self._shown.snapshot.sessions)
            self._shown = None if snapshot is None else Shown(snapshot, data)
            if self._streams is not None:
                recordings = self._recordings
                has_all = recordings is None or recordings.requested is started
                self._streams.on_account_polled(started.monotonic, with_recordings=has_all)
                self._may_poll_streams.set()
            await run_yielding(release(previous))
        await run_yielding(release(read))
        return wait

    async def _read(self, started: PollStart, read: list[Session]) -> tuple[AccountData, Snapshot | None]:
        """Poll up to what will be published; ``read`` receives the sessions, so that they are freed in short steps.

        The snapshot is returned only if it is kept for polls of single streams.
        """
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
        return result.data, result.snapshot if self._streams else None

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
