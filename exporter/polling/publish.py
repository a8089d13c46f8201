"""Makes the outcome of a poll visible: on the page, in the account's instruments and in the log."""

import logging

from exporter.livepeer.errors import PollError
from exporter.logs import event
from exporter.metrics import catalogue
from exporter.metrics.instruments import Telemetry
from exporter.metrics.page_store import AccountData, PageStore
from exporter.polling.plan import Plan, Status
from exporter.polling.poll import Changes, PollResult
from exporter.polling.request_budget import BudgetSpentError

logger = logging.getLogger(__name__)


class Publisher:
    """Publishes for one account.

    Args:
        account: its name.
        telemetry: its instruments.
        page_store: where its data is shown.
    """

    def __init__(self, account: str, telemetry: Telemetry, page_store: PageStore) -> None:
        self._account = account
        self._telemetry = telemetry
        self._page_store = page_store

    def initial(self, plan: Plan) -> None:
        """Show the account before its first poll."""
        if plan.is_shard:
            self._telemetry.become_shard()
        index, count = plan.shard
        self._telemetry.remove(catalogue.SCOPE_INFO)  # that of other settings
        self._telemetry.set(catalogue.SCOPE_INFO, 1, plan.scope_id, str(index), str(count))
        self._telemetry.set(catalogue.POLL_INTERVAL, plan.interval)
        self._telemetry.set(catalogue.MAX_STALENESS, plan.max_staleness)
        self._publish(None)

    def count_result(self, result: PollResult) -> None:
        """Add a poll's result to the counters, which grow even if publishing fails."""
        self._telemetry.count_pages(pages=result.read.pages, duplicates=result.read.duplicates)
        self._telemetry.count_invalid(result.read.invalid_values, result.read.invalid_sessions)
        self.count_changes(result.changes)

    def count_changes(self, changes: Changes) -> None:
        """Add what has changed to the counters."""
        self._telemetry.count_increments(changes.increments)
        self._telemetry.count_lifecycle(changes.lifecycle)

    def count_stream_poll(self, result: str) -> None:
        """Count a poll of a single stream."""
        self._telemetry.count(catalogue.HINTED_POLLS, 1, result)

    def stream(self, data: AccountData) -> None:
        """Show data in which a single stream is new. The state of the account's polling is as it was.

        If this raises, the page is as it was before.
        """
        self._set_series(data)
        self.count_stream_poll("success")
        self._publish(data)

    def log_stream_failure(self, error: Exception) -> None:
        """Log a failed poll of a single stream; a bug with its traceback."""
        expected = isinstance(error, PollError | BudgetSpentError)
        event(
            logger,
            logging.WARNING if expected else logging.ERROR,
            "poll of a stream failed",
            error=None if expected else error,
            account=self._account,
            reason=str(error) if expected else "",
        )

    def success(self, data: AccountData, status: Status, skew: float | None) -> None:
        """Show new data. If this raises, the page is as it was before."""
        self._set_series(data)
        gauge = self._telemetry.set
        gauge(catalogue.UP, 1)
        gauge(catalogue.SNAPSHOT, data.began)
        if data.recordings_began is None:
            self._telemetry.remove(catalogue.RECORDINGS_SNAPSHOT)
        else:
            gauge(catalogue.RECORDINGS_SNAPSHOT, data.recordings_began)
        if status.succeeded is not None:
            gauge(catalogue.LAST_SUCCESS, status.succeeded)
        self._set_status(status, skew)
        self._publish(data)

    def failure(self, status: Status, skew: float | None) -> None:
        """Show that a poll has failed, with the data of the last good one. It does not raise."""
        if status.failure is not None:
            self._telemetry.count(catalogue.POLL_FAILURES, 1, status.failure.kind)
        self._telemetry.set(catalogue.UP, 0)
        self._set_status(status, skew)
        try:
            self._publish(None)
        except Exception as error:  # noqa: BLE001 - a bug must not end the polling; the page stays as it was (R12)
            event(logger, logging.ERROR, "page not updated", error=error, account=self._account)

    def skipped(self) -> None:
        """Report a poll that was due while the previous one was running."""
        self._telemetry.count(catalogue.POLLS_SKIPPED)
        event(logger, logging.WARNING, "poll skipped, the previous one is still running", account=self._account)

    def log_success(self, data: AccountData, seconds: float, *, dropped_before: int) -> None:
        """Log a good poll, and the first of several in a row that exceed the series limit."""
        if data.dropped and not dropped_before:
            event(
                logger,
                logging.WARNING,
                "series limit reached",
                account=self._account,
                dropped=data.dropped,
                exported=data.exported,
                series_limit=self._page_store.budget.limit,
            )
        event(
            logger,
            logging.INFO,
            "poll finished",
            account=self._account,
            sessions=sum(data.totals.sessions.values()),
            active=data.totals.sessions["active"],
            series=data.series,
            seconds=round(seconds, 3),
        )

    def log_failure(self, error: Exception, status: Status, seconds: float, wait: float) -> None:
        """Log a failed poll; a bug with its traceback."""
        expected = isinstance(error, PollError)
        event(
            logger,
            logging.WARNING if expected else logging.ERROR,
            "poll failed",
            error=None if expected else error,
            account=self._account,
            failure=status.failure.kind if status.failure else "",
            reason=status.failure.text if status.failure else "",
            failures=status.failures,
            seconds=round(seconds, 3),
            next_poll_in=round(wait, 1),
        )

    def _set_series(self, data: AccountData) -> None:
        self._page_store.budget.use(self._account, data.series)
        self._telemetry.set(catalogue.EXPORTED, data.exported)
        self._telemetry.set(catalogue.DROPPED, data.dropped, "series_limit")

    def _set_status(self, status: Status, skew: float | None) -> None:
        self._telemetry.set(catalogue.CONSECUTIVE_FAILURES, status.failures)
        if skew is not None:
            self._telemetry.set(catalogue.CLOCK_SKEW, skew)
        if status.next_poll is None:
            self._telemetry.remove(catalogue.BACKOFF_UNTIL)
        else:
            self._telemetry.set(catalogue.BACKOFF_UNTIL, status.next_poll)

    def _publish(self, data: AccountData | None) -> None:
        self._page_store.publish(self._account, list(self._telemetry.collect()), data)
