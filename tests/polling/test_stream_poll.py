"""A poll of a single stream: shown with all others as they were, and nothing else changes."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.livepeer.client import SessionsResult
from exporter.livepeer.errors import ServerError
from exporter.livepeer.query import Scope
from exporter.polling.hints import StreamPollOutcome
from exporter.polling.plan import PollStart
from exporter.polling.poll import Changes, History, PollSpan, compare
from exporter.polling.poller import Poller
from exporter.polling.request_budget import BudgetSpentError
from exporter.polling.stream_poll import compare_stream
from exporter.sessions.session import Session
from tests.polling.test_poller import poll, scrape
from tests.support.accounts import Accounts, FakeClient, plan, session
from tests.support.cooperative import run_to_end
from tests.support.harness import Scrape
from tests.support.rows import START

TWO = (session(1), session(2))


class Account:
    """An account whose streams are polled one by one between its polls."""

    def __init__(self, *sessions: Session, **changes: Any) -> None:
        self.accounts = Accounts()
        self.polled: list[tuple[float, bool]] = []
        self.client, self.stream_client = FakeClient(sessions), FakeClient()
        self.poller: Poller = self.accounts.poller(
            self.client, stream_client=self.stream_client, on_account_polled=self.on_account_polled, **changes
        )
        poll(self.poller)

    def on_account_polled(self, began: float, *, with_recordings: bool) -> None:
        self.polled.append((began, with_recordings))

    def advance(self, seconds: float) -> None:
        self.accounts.time.advance(seconds)
        for client in (self.client, self.stream_client):
            client.server_time += seconds

    def poll_stream(self, *sessions: Session, stream: str = "parent-1") -> bool:
        self.stream_client.result = sessions
        return asyncio.run(self.poller.poll_stream(stream)) is StreamPollOutcome.SHOWN

    def poll(self, *sessions: Session) -> None:
        self.client.result = sessions
        poll(self.poller)

    def scrape(self) -> Scrape:
        return scrape(self.accounts)


def moved(session: Session, **changes: Any) -> Session:
    return msgspec.structs.replace(session, **changes)


STATE = (
    *("up", "snapshot_timestamp_seconds", "exporter_poll_last_success_timestamp_seconds", "exporter_polls_total"),
    *("exporter_poll_consecutive_failures", "exporter_poll_duration_seconds_count", "exporter_walk_pages"),
)


def test_a_new_session_of_the_stream_is_shown_and_the_state_of_polling_is_as_it_was() -> None:
    account = Account(*TWO)
    before = account.scrape()
    account.advance(10)
    new = session(3, parent_id="parent-1", created_at=(START + 5) * 1000, last_seen=0.0)
    assert account.poll_stream(session(1), new)
    after = account.scrape()
    assert after.sessions() == before.sessions() | {new.id}
    assert after.value("sessions", state="pending") == 1
    assert after.value("sessions", state="active") == 2
    assert after.value("sessions_started_total") == 1
    assert after.value("exporter_hinted_polls_total", result="success") == 1
    assert [after.all(name) for name in STATE] == [before.all(name) for name in STATE]
    assert account.poller.status.failures == 0


def test_other_streams_keep_their_state_and_sessions_that_left_the_stream_are_gone() -> None:
    account = Account(*TWO)
    account.advance(120)  # a poll of the account would see both as ended
    assert account.poll_stream(moved(TWO[0], last_seen=(START + 110) * 1000))
    assert account.scrape().value("sessions", state="active") == 2
    assert account.poll_stream(stream="parent-1")
    assert account.scrape().sessions() == {TWO[1].id}


@pytest.mark.parametrize("detail", ["session", "stream", "account"])
def test_each_level_of_detail_is_as_after_a_poll_of_the_account(detail: str) -> None:
    account, other = Account(*TWO, detail=detail), Account(*TWO, detail=detail)
    for each in (account, other):
        each.advance(10)
    changed = moved(TWO[0], is_healthy=False, last_seen=(START + 5) * 1000, source_bytes=4000.0)
    assert account.poll_stream(changed)
    other.poll(changed, TWO[1])
    names: tuple[str, ...] = (
        "sessions",
        "sessions_by_health",
        "source_bytes_total",
        "unhealthy_episodes_total",
        "session_healthy",
    )
    names += ("stream_unhealthy_episodes_total", "stream_observed_source_bytes_total", "exporter_sessions_exported")
    for name in names:
        assert account.scrape().all(name) == other.scrape().all(name)


@pytest.mark.parametrize("error", [ServerError(503), BudgetSpentError("spent"), RuntimeError("a bug")])
def test_V19_a_failed_poll_changes_nothing_and_there_is_no_other_before_the_next_poll(error: Exception) -> None:
    account = Account(*TWO)
    before = account.scrape()
    account.stream_client.error = error
    assert not account.poll_stream()
    account.stream_client.error = None
    assert not account.poll_stream(session(1))
    assert account.stream_client.polls == 1
    assert account.scrape().text == before.text
    assert account.poller.status.failures == 0
    account.poll(*TWO)
    after = account.scrape()
    assert after.value("exporter_hinted_polls_total", result="failure") == 1
    assert after.value("exporter_hinted_polls_total", result="skipped") == 1
    assert account.poll_stream(session(1))


def test_there_is_none_before_the_first_good_poll_nor_while_polls_fail_nor_of_stale_data() -> None:
    account = Account(*TWO)
    account.client.error = ServerError(503)
    account.poll()
    assert not account.poll_stream(session(1))
    account.client.error = None
    account.poll(*TWO)
    assert account.poll_stream(session(1))
    account.advance(300)
    assert not account.poll_stream(session(1))
    fresh = Accounts()
    poller = fresh.poller(FakeClient(), stream_client=FakeClient())
    assert asyncio.run(poller.poll_stream("parent-1")) is StreamPollOutcome.UNUSED


@pytest.mark.parametrize("changes", [{"source_bytes": 999.0}, {"last_seen": (START - 20) * 1000}])
def test_D04_rows_of_a_replica_that_is_behind_are_not_used(changes: dict[str, float]) -> None:
    account = Account(*TWO)
    before = account.scrape()
    for _ in range(5):
        assert not account.poll_stream(moved(TWO[0], **changes))
    assert account.scrape().text == before.text
    account.poll(*TWO)
    assert account.scrape().value("source_bytes_total") == 0


def test_sessions_of_another_user_are_not_used() -> None:
    account = Account(*(moved(each, user_id="user-1") for each in TWO))
    assert not account.poll_stream(moved(TWO[0], user_id="user-2"))


def test_a_poll_of_the_account_ends_that_of_a_stream() -> None:
    account = Account(*TWO)

    async def both() -> None:
        hinted = asyncio.create_task(account.poller.poll_stream("parent-1"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert account.stream_client.polls == 1
        await account.poller.poll()
        assert await hinted is StreamPollOutcome.UNFINISHED

    account.stream_client.result = (session(1), session(9, parent_id="parent-1"))
    asyncio.run(both())
    assert account.scrape().sessions() == {each.id for each in TWO}
    assert account.scrape().value("up") == 1


def test_a_poll_of_a_stream_waits_for_that_of_the_account() -> None:
    account = Account(*TWO)

    async def both() -> None:
        polling = asyncio.create_task(account.poller.poll())
        await asyncio.sleep(0)
        waiting = asyncio.create_task(account.poller.wait_for_streams())
        await asyncio.sleep(0)
        assert account.client.polls == 2
        assert not waiting.done()
        assert await account.poller.poll_stream("parent-1") is StreamPollOutcome.UNUSED
        await waiting
        assert account.stream_client.polls == 0
        assert await account.poller.poll_stream("parent-1") is StreamPollOutcome.SHOWN
        await polling

    account.stream_client.result = (session(1),)
    asyncio.run(both())


def test_streams_wait_before_the_first_good_poll_after_a_failure_and_after_a_failed_poll_of_a_stream() -> None:
    accounts, client, stream_client = Accounts(), FakeClient(TWO, ServerError(503)), FakeClient()
    poller = accounts.poller(client, stream_client=stream_client)
    found: list[bool] = []

    async def observe() -> None:
        waiting = asyncio.create_task(poller.wait_for_streams())
        await asyncio.sleep(0)
        found.append(waiting.done())
        waiting.cancel()

    async def scenario() -> None:
        for error in (ServerError(503), None, ServerError(503), None):
            await observe()
            client.error = error
            await poller.poll()
        stream_client.error = ServerError(503)
        await observe()
        await poller.poll_stream("parent-1")
        await observe()

    asyncio.run(scenario())
    assert found == [False, False, True, False, True, False]


def test_each_good_poll_of_the_account_reports_when_it_began_and_whether_it_requested_recordings() -> None:
    account = Account(*TWO)
    for _ in range(10):
        account.advance(30)
        account.poll(*TWO)
    account.client.error = ServerError(503)
    account.poll()
    assert account.polled == [(1000 + 30.0 * number, number in (0, 10)) for number in range(11)]
    whole = Account(*TWO, scope=Scope(3600.0, 0.0))
    assert whole.polled == [(1000, True)]


# The truth: streams are independent, so an account is the sum of accounts that have one of the streams each.

HEALTH = st.none() | st.booleans()
MOMENTS = st.lists(
    st.tuples(st.integers(1, 400), st.booleans(), HEALTH, HEALTH, st.integers(0, 50), st.booleans()),
    min_size=1,
    max_size=12,
)
PLAN = plan()


def rows(
    moment: int, now: float, one: bool | None, two: bool | None, growth: int, *, gone: bool
) -> tuple[Sequence[Session], Sequence[Session]]:
    """Return the sessions of the stream with polls of its own, and those of the other one."""
    seen = (now - growth * 4) * 1000
    start = 1000.0 * moment
    first = session(1, is_healthy=one, last_seen=seen, source_bytes=start)
    second = session(2, is_healthy=two, last_seen=seen, source_bytes=start)
    new = session(100 + moment, parent_id="parent-1", created_at=(now - growth) * 1000, last_seen=0.0, is_healthy=None)
    return ([new] if gone else [first, new], [second])


def step(history: History, sessions: Sequence[Session], at: float, *, stream: bool = False) -> Changes:
    span = PollSpan(PollStart(START + at, at), 1.0)
    read = SessionsResult(sessions, START + at)
    if not stream:
        return run_to_end(compare(read, PLAN, history, span))
    changes = run_to_end(compare_stream(read, (), "parent-1", PLAN, history, span))
    assert changes is not None
    return changes


@given(MOMENTS)
def test_a_stream_with_polls_of_its_own_counts_as_in_an_account_that_was_polled_then(
    moments: list[tuple[int, bool, bool | None, bool | None, int, bool]],
) -> None:
    both, alone, other = History(), History(), History()
    found: list[list[Changes]] = [[], []]
    at = 0.0
    for moment, (seconds, is_stream, one, two, growth, gone) in enumerate(moments):
        at += seconds
        mine, others = rows(moment, START + at, one, two, growth, gone=gone)
        if is_stream and moment:
            whole, part = step(both, mine, at, stream=True), step(alone, mine, at)
            parts = [part]
        else:
            whole, part, rest = step(both, [*mine, *others], at), step(alone, mine, at), step(other, others, at)
            parts, other = [part, rest], rest.history
        both, alone = whole.history, part.history
        found[0].append(whole)
        found[1].extend(parts)
        assert both.lifecycle.streams.present.keys() >= alone.lifecycle.streams.present.keys()
    for read in READINGS:
        assert read(found[0]) == pytest.approx(read(found[1]))
    assert streams(both) == pytest.approx(streams(alone) | streams(other))


def streams(history: History) -> dict[tuple[str | None, str], float]:
    names = ("healthy", "unhealthy", "unknown", "episodes", "started", "source_bytes", "since")
    present = history.lifecycle.streams.present
    return {(name, field): getattr(life, field) for name, life in present.items() for field in names}


READINGS: Sequence[Callable[[list[Changes]], Any]] = (
    lambda found: sum(each.increments.amounts["source_bytes"] for each in found),
    lambda found: sum(each.increments.started for each in found),
    lambda found: sum(each.lifecycle.streams.episodes for each in found),
    lambda found: sum(each.lifecycle.streams.reconnects for each in found),
    lambda found: sum(each.lifecycle.streams.unobserved for each in found),
    lambda found: sum(each.lifecycle.streams.observed.get("healthy", 0) for each in found),
    lambda found: sum(each.lifecycle.streams.observed.get("unhealthy", 0) for each in found),
    lambda found: sum(each.lifecycle.sessions.never_started for each in found),
    lambda found: sorted(value for each in found for value in each.lifecycle.sessions.durations),
    lambda found: sorted(value for each in found for value in each.lifecycle.sessions.unhealthy_ratios),
)


def test_the_own_time_of_a_session_ends_with_the_polls_of_its_stream() -> None:
    """The observed time of a stream with its own polls differs from that of the account after an outage."""
    both = step(History(), TWO, 0).history
    for at in (60.0, 120.0, 180.0, 240.0):
        both = step(both, [moved(TWO[0], last_seen=(START + at) * 1000)], at, stream=True).history
    late = [moved(each, last_seen=(START + 300) * 1000) for each in TWO]
    both = step(both, late, 300.0).history
    assert both.lines == {}
    present = both.lifecycle.streams.present
    assert present["parent-1"].healthy == 300
    assert present["parent-2"].healthy == 61  # twice the interval, and the duration of the poll
    ended = step(both, [replace_health(each) for each in late], 330.0).history
    life = ended.lifecycle.sessions[TWO[0].id]
    assert (life.healthy, ended.lifecycle.sessions[TWO[1].id].healthy) == (330, 91)


def replace_health(each: Session) -> Session:
    return moved(each, is_healthy=False)
