"""One poll: it publishes or changes nothing, counts, logs one line, and says when the next one is due."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families as parse

from exporter.livepeer.errors import (
    DecodeError,
    ForbiddenError,
    MissingKeyError,
    PollError,
    PollTimeoutError,
    RateLimitError,
    ServerError,
    UnauthorizedError,
)
from exporter.metrics.exposition import Format
from exporter.metrics.instruments import Telemetry
from exporter.metrics.page_store import Data, PageStore
from exporter.metrics.series_limit import Budget
from exporter.polling.poller import BACKOFF_CAP, REFUSED_PACE, Poller
from tests.support.canary import MARK
from tests.support.harness import Scrape, read
from tests.support.logged import lines
from tests.support.polled import Office, Shelf, session
from tests.support.rows import START


def scrape(office: Office) -> Scrape:
    text = b"".join(office.board.page(Format.TEXT).plain()).decode()
    return read(parse(text), text)


def poll(poller: Poller) -> float:
    return asyncio.run(poller.poll())


def test_before_the_first_poll_the_account_is_shown_as_down_with_counters_at_zero() -> None:
    office = Office()
    office.poller(Shelf())
    page = scrape(office)
    assert page.value("up") == 0
    assert page.value("exporter_polls_total") == 0
    assert page.value("exporter_poll_interval_seconds") == 30
    assert len(page.all("exporter_poll_failures_total")) == 16
    assert page.all("snapshot_timestamp_seconds") == page.all("sessions") == []


def test_a_good_poll_shows_sessions_and_is_due_again_after_the_interval() -> None:
    office = Office()
    assert poll(office.poller(Shelf([session(1), session(2)]))) == 30
    page = scrape(office)
    assert page.value("up") == 1
    assert page.value("sessions", state="active") == 2
    assert page.value("snapshot_timestamp_seconds") == START
    assert page.value("exporter_poll_last_success_timestamp_seconds") == START
    assert page.value("exporter_sessions_exported") == 2
    assert page.value("exporter_poll_duration_seconds_count") == 1


def test_the_snapshots_time_is_when_the_walk_began() -> None:
    office = Office()
    poll(office.poller(Shelf([session(1)], during=lambda: office.time.advance(7))))
    page = scrape(office)
    assert page.value("snapshot_timestamp_seconds") == START
    assert page.value("exporter_poll_last_success_timestamp_seconds") == START + 7
    assert page.value("exporter_poll_duration_seconds_sum") == 7


def test_no_sessions_are_a_true_zero() -> None:
    office = Office()
    poll(office.poller(Shelf([])))
    page = scrape(office)
    assert page.value("up") == 1
    assert [value for _, value in page.all("sessions")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (MissingKeyError("no API key is set"), "auth"),
        (ServerError(500), "server"),
        (DecodeError("the answer is not JSON"), "decode"),
        (TimeoutError(), "timeout"),
    ],
)
def test_a_failed_poll_keeps_what_is_shown_and_is_counted_by_class(error: Exception, failure: str) -> None:
    office, shelf = Office(), Shelf([session(1)])
    poller = office.poller(shelf)
    poll(poller)
    before = scrape(office)
    shelf.error = error
    poll(poller)
    page = scrape(office)
    assert (page.value("up"), page.failures()) == (0, {failure: 1})
    assert page.sessions() == before.sessions() != set()
    assert page.value("exporter_poll_consecutive_failures") == 1
    assert page.value("snapshot_timestamp_seconds") == START
    assert poller.status.failure is not None
    assert poller.status.failure[0] == failure


def test_a_good_poll_ends_a_row_of_failures() -> None:
    office, shelf = Office(), Shelf(error=PollTimeoutError("late"))
    poller = office.poller(shelf)
    poll(poller)
    poll(poller)
    assert scrape(office).value("exporter_poll_consecutive_failures") == 2
    assert scrape(office).all("exporter_poll_backoff_until_timestamp_seconds") != []
    shelf.error = None
    poll(poller)
    page = scrape(office)
    assert page.value("exporter_poll_consecutive_failures") == 0
    assert page.all("exporter_poll_backoff_until_timestamp_seconds") == []
    assert (poller.status.failures, poller.status.failure, poller.status.next_poll) == (0, None, None)


def test_R12_a_mistake_of_our_own_is_internal_has_a_traceback_without_texts_and_the_next_poll_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    office, shelf = Office(), Shelf([session(1)], error=ZeroDivisionError(f"with a {MARK[:4]}secret in it"))
    poller = office.poller(shelf)
    with caplog.at_level(logging.INFO, "exporter"):
        assert poll(poller) >= 30
        (record,) = caplog.records
        assert record.levelname == "ERROR"
        assert record.exc_info is not None
        assert record.exc_info[0] is ZeroDivisionError
        assert "secret" not in str(getattr(record, "fields", {}))
    assert scrape(office).failures() == {"internal": 1}
    shelf.error = None
    poll(poller)
    assert scrape(office).value("up") == 1


class Torn(PageStore):
    """A board on which nothing can be shown, so many times."""

    failures = 0

    def show(self, account: str, metrics: Sequence[Metric], data: Data | None) -> None:
        """Show it, or fail."""
        if self.failures:
            self.failures -= 1
            raise ZeroDivisionError
        super().show(account, metrics, data)


def torn(shelf: Shelf) -> tuple[Office, Torn, Poller]:
    """A poller that has polled once, and its board."""
    office = Office()
    office.board = board = Torn(office.options, Budget(office.limit), office.time.monotonic)
    poller = office.poller(shelf)
    poll(poller)
    return office, board, poller


def test_R12_a_mistake_while_publishing_is_a_failed_poll_that_changes_nothing_and_the_next_one_runs() -> None:
    shelf = Shelf([session(1)])
    office, board, poller = torn(shelf)
    shown = scrape(office).sessions()
    shelf.sessions_ = [session(2)]
    for failures in (1, 2):
        board.failures = 1
        poll(poller)
        page = scrape(office)
        assert (page.sessions(), page.value("up")) == (shown, 0)
        assert page.value("exporter_poll_consecutive_failures") == failures
    poll(poller)
    page = scrape(office)
    assert len(page.sessions() - shown) == 1
    assert (page.value("up"), page.failures()) == (1, {"internal": 2})
    assert page.value("exporter_poll_duration_seconds_count") == 4


def test_R12_a_page_that_can_never_be_renewed_does_not_end_the_polling(caplog: pytest.LogCaptureFixture) -> None:
    _, board, poller = torn(Shelf([session(1)]))
    board.failures = 2
    assert poll(poller) >= 30
    assert [name for _, name, _ in lines(caplog)][-2:] == ["poll failed", "the page could not be renewed"]


def test_a_poll_that_is_cancelled_publishes_nothing() -> None:
    office, shelf = Office(), Shelf([session(1)], error=asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        poll(office.poller(shelf))
    assert scrape(office).sessions() == set()


def test_the_whole_poll_has_a_deadline() -> None:
    class Slow(Shelf):
        async def sessions(self, *_: Any, **__: Any) -> Any:
            await asyncio.sleep(3600)

    office = Office()
    poll(office.poller(Slow(), deadline=0.01))
    assert scrape(office).failures() == {"timeout": 1}


def wait_after(error: Exception, failures: int = 1, *, jitter: float, interval: float = 30.0) -> float:
    """Seconds to the next poll after so many failures in a row."""
    poller = Office().poller(Shelf(error=error), jitter=jitter, interval=interval)
    return [poll(poller) for _ in range(failures)][-1]


@pytest.mark.parametrize(("failures", "longest"), [(1, 60), (2, 120), (3, 120), (50, 120)])
def test_a_failing_account_waits_up_to_twice_as_long_each_time_with_full_jitter(failures: int, longest: float) -> None:
    error = ServerError(500)
    assert wait_after(error, failures, jitter=0.0) == 30
    assert wait_after(error, failures, jitter=0.5) == (30 + longest) / 2
    assert wait_after(error, failures, jitter=1.0) == longest


@pytest.mark.untraced
@settings(max_examples=40)
@given(
    interval=st.floats(1, 10_000),
    jitter=st.floats(0, 1),
    failures=st.integers(1, 40),
    retry_after=st.none() | st.floats(1, 900),
)
def test_the_wait_is_never_shorter_than_the_interval_nor_longer_than_the_cap_unless_asked(
    interval: float, jitter: float, failures: int, retry_after: float | None
) -> None:
    error = ServerError(503, retry_after=retry_after)
    wait = wait_after(error, failures, jitter=jitter, interval=interval)
    assert interval <= wait <= max(interval, BACKOFF_CAP, retry_after or 0)
    assert wait >= (retry_after or 0)


@pytest.mark.parametrize("error", [UnauthorizedError(401), ForbiddenError(403)])
def test_a_refused_key_is_tried_again_slowly(error: PollError) -> None:
    assert wait_after(error, jitter=0.0, interval=1.0) == REFUSED_PACE
    assert wait_after(error, jitter=0.0, interval=300.0) == 300


def test_a_key_that_is_missing_is_looked_for_at_every_interval() -> None:
    assert wait_after(MissingKeyError("no API key is set"), 9, jitter=1.0) == 30


def test_retry_after_counts_even_beyond_the_cap() -> None:
    assert wait_after(RateLimitError(429, retry_after=900.0), jitter=0.0) == 900


def test_the_time_of_the_next_poll_is_shown() -> None:
    office = Office()
    poller = office.poller(Shelf(error=RateLimitError(429, retry_after=600.0)))
    poll(poller)
    assert scrape(office).value("exporter_poll_backoff_until_timestamp_seconds") == START + 600
    assert poller.status.next_poll == START + 600


def test_a_good_poll_logs_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "exporter"):
        poll(Office().poller(Shelf([session(1), session(2, last_seen=0.0)])))
    ((level, message, fields),) = lines(caplog)
    assert (level, message) == ("INFO", "poll finished")
    assert {name: fields[name] for name in ("account", "sessions", "active")} == {
        "account": "default",
        "sessions": 2,
        "active": 1,
    }


def test_a_failed_poll_logs_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "exporter"):
        poll(Office().poller(Shelf(error=PollTimeoutError("no complete answer within 10 s")), jitter=0.0))
    ((level, message, fields),) = lines(caplog)
    assert (level, message) == ("WARNING", "poll failed")
    assert (fields["failure"], fields["reason"]) == ("timeout", "no complete answer within 10 s")
    assert (fields["failures"], fields["next_poll_in"]) == (1, 30)


def test_what_the_budget_drops_is_a_metric_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    alone = Office()
    alone.show([session(1)])
    office, shelf = (
        Office(limit=alone.board.series() * 3 // 2),
        Shelf([session(1), session(2, last_seen=(START - 500) * 1000)]),
    )
    poller = office.poller(shelf)
    with caplog.at_level(logging.WARNING, "exporter"):
        poll(poller)
        poll(poller)
    assert [message for level, message, _ in lines(caplog) if level == "WARNING"] == [
        "the series limit keeps sessions off the page"
    ]
    page = scrape(office)
    assert page.value("exporter_sessions_dropped", reason="series_limit") == 1
    assert page.value("sessions", state="ended") == 1
    assert len(page.sessions()) == 1


def test_R02_a_skipped_poll_is_counted_and_said(caplog: pytest.LogCaptureFixture) -> None:
    office = Office()
    poller = office.poller(Shelf())
    poller.skipped()
    poll(poller)
    assert scrape(office).value("exporter_polls_skipped_total") == 1
    assert "poll skipped" in caplog.text


def test_counters_count_from_poll_to_poll_and_outlive_their_sessions() -> None:
    office, shelf = Office(), Shelf([session(1, source_bytes=1000.0)])
    poller = office.poller(shelf)
    poll(poller)
    assert scrape(office).value("source_bytes_total") == 0
    shelf.sessions_ = [session(1, source_bytes=1500.0), session(2, source_bytes=200.0)]
    poll(poller)
    shelf.sessions_ = []
    poll(poller)
    page = scrape(office)
    assert page.value("source_bytes_total") == 700
    assert page.value("sessions_started_total") == 1


def test_a_poller_that_carries_on_counts_from_where_the_other_stood() -> None:
    office, shelf, telemetry = Office(), Shelf([session(1, source_bytes=1000.0)]), Telemetry("default")
    first = office.poller(shelf, telemetry=telemetry)
    poll(first)
    second = office.poller(shelf, telemetry=telemetry, interval=60.0)
    second.carry_on(first)
    shelf.sessions_ = [session(1, source_bytes=1100.0)]
    poll(second)
    page = scrape(office)
    assert page.value("source_bytes_total") == 100
    assert page.value("exporter_polls_total") == 2


def test_a_poller_that_carries_on_does_not_tell_again_that_sessions_are_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    office, shelf, telemetry = (
        Office(limit=30),
        Shelf([session(number) for number in range(1, 9)]),
        Telemetry("default"),
    )
    first = office.poller(shelf, telemetry=telemetry)
    poll(first)
    second = office.poller(shelf, telemetry=telemetry, interval=60.0)
    second.carry_on(first)
    poll(second)
    assert [name for _, name, _ in lines(caplog)] == ["the series limit keeps sessions off the page"]


def test_the_servers_clock_is_compared_with_ours() -> None:
    office = Office()
    poll(office.poller(Shelf(skew=-42.5)))
    assert scrape(office).value("exporter_clock_skew_seconds") == -42.5


@pytest.mark.parametrize(("detail", "sessions", "streams"), [("session", 2, 0), ("stream", 0, 1), ("account", 0, 0)])
def test_the_detail_decides_what_has_series_of_its_own(detail: str, sessions: int, streams: int) -> None:
    office = Office()
    both = [session(1, parent_id="p"), session(2, parent_id="p")]
    poll(office.poller(Shelf(both), detail=detail))
    page = scrape(office)
    assert (len(page.all("session_active")), len(page.all("stream_active"))) == (sessions, streams)
    assert page.value("sessions", state="active") == 2
