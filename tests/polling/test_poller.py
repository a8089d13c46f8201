"""A poll publishes or changes nothing, counts, logs one line, and returns when the next one is due."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families as parse

from exporter.livepeer.errors import (
    DecodeError,
    ForbiddenError,
    MissingKeyError,
    PollTimeoutError,
    RateLimitError,
    ServerError,
    UnauthorizedError,
)
from exporter.livepeer.id_range import ALL_IDS
from exporter.livepeer.query import Scope
from exporter.metrics.catalogue.outcomes import FAILURES
from exporter.metrics.instruments import Telemetry
from exporter.metrics.page_store import AccountData, PageStore
from exporter.metrics.series_limit import SeriesBudget
from exporter.metrics.text_format import Format
from exporter.polling.poller import Poller
from tests.support.accounts import Accounts, FakeClient, session
from tests.support.canary import MARK
from tests.support.harness import Scrape, to_scrape
from tests.support.logged import lines
from tests.support.rows import START


def scrape(accounts: Accounts) -> Scrape:
    text = b"".join(accounts.pages.page(Format.TEXT).plain()).decode()
    return to_scrape(parse(text), text)


def poll(poller: Poller) -> float:
    return asyncio.run(poller.poll())


def test_before_the_first_poll_the_account_is_shown_as_down_with_counters_at_zero() -> None:
    accounts = Accounts()
    accounts.poller(FakeClient())
    page = scrape(accounts)
    assert page.value("up") == 0
    assert page.value("exporter_polls_total") == 0
    assert page.value("exporter_poll_interval_seconds") == 30
    assert len(page.all("exporter_poll_failures_total")) == len(FAILURES)
    assert page.all("snapshot_timestamp_seconds") == page.all("sessions") == []


def test_a_good_poll_shows_sessions_and_the_next_is_due_after_the_interval() -> None:
    accounts = Accounts()
    assert poll(accounts.poller(FakeClient([session(1), session(2)]))) == 30
    page = scrape(accounts)
    assert page.value("up") == 1
    assert page.value("sessions", state="active") == 2
    assert page.value("snapshot_timestamp_seconds") == START
    assert page.value("exporter_poll_last_success_timestamp_seconds") == START
    assert page.value("exporter_sessions_exported") == 2
    assert page.value("exporter_poll_duration_seconds_count") == 1


def test_the_snapshot_time_is_the_start_of_the_poll() -> None:
    accounts = Accounts()
    poll(accounts.poller(FakeClient([session(1)], during=lambda: accounts.time.advance(7))))
    page = scrape(accounts)
    assert page.value("snapshot_timestamp_seconds") == START
    assert page.value("exporter_poll_last_success_timestamp_seconds") == START + 7
    assert page.value("exporter_poll_duration_seconds_sum") == 7


def test_no_sessions_are_exported_as_zero() -> None:
    accounts = Accounts()
    poll(accounts.poller(FakeClient([])))
    page = scrape(accounts)
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
def test_a_failed_poll_keeps_the_data_and_is_counted_by_class(error: Exception, failure: str) -> None:
    accounts, client = Accounts(), FakeClient([session(1)])
    poller = accounts.poller(client)
    poll(poller)
    before = scrape(accounts)
    client.error = error
    poll(poller)
    page = scrape(accounts)
    assert (page.value("up"), page.failures()) == (0, {failure: 1})
    assert page.sessions() == before.sessions() != set()
    assert page.value("exporter_poll_consecutive_failures") == 1
    assert page.value("snapshot_timestamp_seconds") == START
    assert poller.status.failure is not None
    assert poller.status.failure[0] == failure


def test_the_wait_after_a_failure_is_the_backoff() -> None:
    accounts, client = Accounts(), FakeClient(error=ServerError(500))
    poller = accounts.poller(client, jitter=1.0)
    assert [poll(poller) for _ in range(3)] == [60, 60, 60]


def test_a_good_poll_resets_the_failures() -> None:
    accounts, client = Accounts(), FakeClient(error=PollTimeoutError("late"))
    poller = accounts.poller(client)
    poll(poller)
    poll(poller)
    assert scrape(accounts).value("exporter_poll_consecutive_failures") == 2
    assert scrape(accounts).all("exporter_poll_backoff_until_timestamp_seconds") != []
    client.error = None
    poll(poller)
    page = scrape(accounts)
    assert page.value("exporter_poll_consecutive_failures") == 0
    assert page.all("exporter_poll_backoff_until_timestamp_seconds") == []
    assert (poller.status.failures, poller.status.failure, poller.status.next_poll) == (0, None, None)


def test_R12_a_bug_is_an_internal_failure_logged_with_its_traceback_and_the_next_poll_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    accounts, client = Accounts(), FakeClient([session(1)], error=ZeroDivisionError(f"with a {MARK[:4]}secret in it"))
    poller = accounts.poller(client)
    with caplog.at_level(logging.INFO, "exporter"):
        assert poll(poller) >= 30
        (record,) = caplog.records
        assert record.levelname == "ERROR"
        assert record.exc_info is not None
        assert record.exc_info[0] is ZeroDivisionError
        assert "secret" not in str(getattr(record, "fields", {}))
    assert scrape(accounts).failures() == {"internal": 1}
    client.error = None
    poll(poller)
    assert scrape(accounts).value("up") == 1


class FailingPageStore(PageStore):
    """A page store that fails to publish some times."""

    failures = 0

    def publish(self, account: str, metrics: Sequence[Metric], data: AccountData | None) -> None:
        if self.failures:
            self.failures -= 1
            raise ZeroDivisionError
        super().publish(account, metrics, data)


def polled_once(client: FakeClient) -> tuple[Accounts, FailingPageStore, Poller]:
    """Return a poller that has polled once, with its page store."""
    accounts = Accounts()
    accounts.pages = pages = FailingPageStore(accounts.options, SeriesBudget(accounts.limit), accounts.time.monotonic)
    poller = accounts.poller(client)
    poll(poller)
    return accounts, pages, poller


def test_R12_a_bug_while_publishing_is_a_failed_poll_that_changes_nothing_and_the_next_one_runs() -> None:
    client = FakeClient([session(1)])
    accounts, pages, poller = polled_once(client)
    shown = scrape(accounts).sessions()
    client.result = [session(2)]
    for failures in (1, 2):
        pages.failures = 1
        poll(poller)
        page = scrape(accounts)
        assert (page.sessions(), page.value("up")) == (shown, 0)
        assert page.value("exporter_poll_consecutive_failures") == failures
    poll(poller)
    page = scrape(accounts)
    assert len(page.sessions() - shown) == 1
    assert (page.value("up"), page.failures()) == (1, {"internal": 2})
    assert page.value("exporter_poll_duration_seconds_count") == 4


def test_R12_a_page_that_cannot_be_updated_does_not_end_the_polling(caplog: pytest.LogCaptureFixture) -> None:
    _, pages, poller = polled_once(FakeClient([session(1)]))
    pages.failures = 2
    assert poll(poller) >= 30
    assert [name for _, name, _ in lines(caplog)][-2:] == ["poll failed", "page not updated"]


def test_a_cancelled_poll_publishes_nothing() -> None:
    accounts, client = Accounts(), FakeClient([session(1)], error=asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        poll(accounts.poller(client))
    assert scrape(accounts).sessions() == set()


def test_the_whole_poll_has_a_deadline() -> None:
    class Slow(FakeClient):
        async def sessions(self, *_: Any, **__: Any) -> Any:
            await asyncio.sleep(3600)

    accounts = Accounts()
    poll(accounts.poller(Slow(), deadline=0.01))
    assert scrape(accounts).failures() == {"timeout": 1}


def test_the_time_of_the_next_poll_is_a_metric() -> None:
    accounts = Accounts()
    poller = accounts.poller(FakeClient(error=RateLimitError(429, retry_after=600.0)))
    poll(poller)
    assert scrape(accounts).value("exporter_poll_backoff_until_timestamp_seconds") == START + 600
    assert poller.status.next_poll == START + 600


def test_V10_a_rejected_key_is_compared_at_every_interval_and_tried_again_after_the_backoff() -> None:
    accounts, client = Accounts(), FakeClient(error=UnauthorizedError(401))
    poller = accounts.poller(client, jitter=0.0)  # the shortest wait is 60 s
    waits = [poll(poller)]
    assert poller.status.next_poll == START + 60
    for _ in range(2):
        accounts.time.advance(25)
        waits.append(poll(poller))
    assert (waits, client.polls) == ([30, 30, 10], 1)
    assert scrape(accounts).value("exporter_polls_total") == 1
    accounts.time.advance(10)
    assert poll(poller) == 30
    assert client.polls == 2


@pytest.mark.parametrize("error", [UnauthorizedError(401), ForbiddenError(403)])
def test_V10_another_key_is_tried_at_once(error: Exception) -> None:
    accounts, client = Accounts(), FakeClient([session(1)], error=error)
    poller = accounts.poller(client)
    poll(poller)
    client.key, client.error = "other", None
    accounts.time.advance(30)
    assert poll(poller) == 30
    assert scrape(accounts).value("up") == 1


def test_V10_a_key_that_cannot_be_read_does_not_end_the_backoff() -> None:
    client = FakeClient(error=UnauthorizedError(401))
    poller = Accounts().poller(client)
    poll(poller)
    client.key = None
    poll(poller)
    assert client.polls == 1


@pytest.mark.parametrize(
    "error", [RateLimitError(429, retry_after=600.0), UnauthorizedError(401, retry_after=600.0)], ids=["429", "401"]
)
def test_V10_a_changed_key_does_not_shorten_the_wait_that_the_api_requested(error: Exception) -> None:
    client = FakeClient(error=error)
    poller = Accounts().poller(client)
    assert poll(poller) == 600


def test_V10_a_poller_that_inherits_keeps_the_backoff_of_the_same_key() -> None:
    accounts, client = Accounts(), FakeClient(error=ForbiddenError(403))
    first, second = accounts.poller(client), accounts.poller(client, interval=10.0)
    poll(first)
    second.inherit(first)
    assert poll(second) == 10
    assert client.polls == 1


def test_a_good_poll_logs_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "exporter"):
        poll(Accounts().poller(FakeClient([session(1), session(2, last_seen=0.0)])))
    ((level, message, fields),) = lines(caplog)
    assert (level, message) == ("INFO", "poll finished")
    assert {name: fields[name] for name in ("account", "sessions", "active")} == {
        "account": "default",
        "sessions": 2,
        "active": 1,
    }


def test_a_failed_poll_logs_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "exporter"):
        poll(Accounts().poller(FakeClient(error=PollTimeoutError("no complete answer within 10 s")), jitter=0.0))
    ((level, message, fields),) = lines(caplog)
    assert (level, message) == ("WARNING", "poll failed")
    assert (fields["failure"], fields["reason"]) == ("timeout", "no complete answer within 10 s")
    assert (fields["failures"], fields["next_poll_in"]) == (1, 30)


def test_sessions_beyond_the_series_limit_are_a_metric_and_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    alone = Accounts()
    alone.publish([session(1)])
    accounts, client = (
        Accounts(limit=alone.pages.series() * 3 // 2),
        FakeClient([session(1), session(2, last_seen=(START - 500) * 1000)]),
    )
    poller = accounts.poller(client)
    with caplog.at_level(logging.WARNING, "exporter"):
        poll(poller)
        poll(poller)
    assert [message for level, message, _ in lines(caplog) if level == "WARNING"] == ["series limit reached"]
    page = scrape(accounts)
    assert page.value("exporter_sessions_dropped", reason="series_limit") == 1
    assert page.value("sessions", state="ended") == 1
    assert len(page.sessions()) == 1


def test_R02_a_skipped_poll_is_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    accounts = Accounts()
    poller = accounts.poller(FakeClient())
    poller.on_skipped()
    poll(poller)
    assert scrape(accounts).value("exporter_polls_skipped_total") == 1
    assert "poll skipped" in caplog.text


def test_counters_keep_what_absent_sessions_have_counted() -> None:
    accounts, client = Accounts(), FakeClient([session(1, source_bytes=1000.0)])
    poller = accounts.poller(client)
    poll(poller)
    assert scrape(accounts).value("source_bytes_total") == 0
    client.result = [session(1, source_bytes=1500.0), session(2, source_bytes=200.0, created_at=(START + 1) * 1000)]
    poll(poller)
    client.result = []
    poll(poller)
    page = scrape(accounts)
    assert page.value("source_bytes_total") == 700
    assert page.value("sessions_started_total") == 1


def test_a_poller_that_inherits_continues_the_counters() -> None:
    accounts, client, telemetry = Accounts(), FakeClient([session(1, source_bytes=1000.0)]), Telemetry("default")
    first = accounts.poller(client, telemetry=telemetry)
    poll(first)
    second = accounts.poller(client, telemetry=telemetry, interval=60.0)
    second.inherit(first)
    client.result = [session(1, source_bytes=1100.0)]
    poll(second)
    page = scrape(accounts)
    assert page.value("source_bytes_total") == 100
    assert page.value("exporter_polls_total") == 2


def test_a_poller_that_inherits_does_not_log_the_series_limit_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    accounts, client, telemetry = (
        Accounts(limit=30),
        FakeClient([session(number) for number in range(1, 9)]),
        Telemetry("default"),
    )
    first = accounts.poller(client, telemetry=telemetry)
    poll(first)
    second = accounts.poller(client, telemetry=telemetry, interval=60.0)
    second.inherit(first)
    poll(second)
    assert [name for _, name, _ in lines(caplog)] == ["series limit reached"]


def test_V12_configured_streams_are_counted_by_state() -> None:
    accounts = Accounts()
    ended = (START - 1000) * 1000
    sessions = [
        session(1, parent_id="live"),
        session(2, parent_id="live", last_seen=ended),
        session(3, parent_id="idle", last_seen=ended),
        session(4, parent_id="pending", last_seen=0.0),
        session(5, parent_id="old", last_seen=(START - 4000) * 1000),
    ]
    scope = Scope(3600.0, 14_400.0, frozenset({"live", "idle", "pending", "old", "typo"}))
    poller = accounts.poller(FakeClient(sessions), scope=scope)
    assert scrape(accounts).all("configured_streams") == []
    poll(poller)
    page = scrape(accounts)
    states = {labels["state"]: value for labels, value in page.all("configured_streams")}
    assert states == {"live": 1, "idle": 2, "absent": 2}
    accounts.time.advance(301)
    assert scrape(accounts).all("configured_streams") == []


@pytest.mark.parametrize(
    "scope", [Scope(3600.0, 14_400.0), Scope(3600.0, 14_400.0, frozenset({"p"}), ALL_IDS.split(2)[0])]
)
def test_V12_without_configured_streams_and_in_a_shard_there_is_no_count(scope: Scope) -> None:
    accounts = Accounts()
    poll(accounts.poller(FakeClient([session(1, parent_id="p")]), scope=scope))
    page = scrape(accounts)
    assert page.all("configured_streams") == []
    assert "configured_streams" not in page.text


def test_the_clock_skew_is_a_metric() -> None:
    accounts = Accounts()
    poll(accounts.poller(FakeClient(skew=-42.5)))
    assert scrape(accounts).value("exporter_clock_skew_seconds") == -42.5


@pytest.mark.parametrize(("detail", "sessions", "streams"), [("session", 2, 0), ("stream", 0, 1), ("account", 0, 0)])
def test_the_detail_selects_sessions_or_streams(detail: str, sessions: int, streams: int) -> None:
    accounts = Accounts()
    both = [session(1, parent_id="p"), session(2, parent_id="p")]
    poll(accounts.poller(FakeClient(both), detail=detail))
    page = scrape(accounts)
    assert (len(page.all("session_active")), len(page.all("stream_active"))) == (sessions, streams)
    assert page.value("sessions", state="active") == 2
