"""Streams with good polls of their own, between two polls of the whole account."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from exporter.sessions.growth import entry_of
from exporter.sessions.lifecycle import LifecycleIncrements, advance
from exporter.sessions.parts import TimeLine, TimeLines, advance_parts, join_part, take_part
from exporter.sessions.session import Session
from tests.sessions.test_lifecycle import Account as WholeAccount
from tests.support.cooperative import run_to_end
from tests.support.rows import START, ident

ONE, OTHER = "one", "other"


class Account(WholeAccount):
    """The lifecycle of an account of which a single stream is polled too."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: TimeLines = {}

    def poll(self, *sessions: Session, seconds: float = 30.0, unread: Sequence[Session] = ()) -> LifecycleIncrements:
        """Poll the account."""
        poll = replace(self.step(sessions, seconds), unread=unread)
        self.state, increments = run_to_end(advance_parts(self.state, poll, self.lines))
        self.lines = {}
        return increments

    def poll_stream(self, *sessions: Session, seconds: float = 30.0) -> None:
        """Poll the stream ``one``; the counters keep what they know of all others."""
        part, rest = take_part(self.state, ONE, sessions, self.lines.get(ONE))
        poll = self.step(sessions, seconds)
        known = {**(poll.before.entries or {}), **{each.id: entry_of(each) for each in sessions}}
        self.counters = replace(self.counters, entries=known)
        part, _ = run_to_end(advance(part, poll))
        self.state = join_part(rest, part)
        self.lines = {ONE: TimeLine(poll.time, part.observed)}

    def session(self, number: int, parent_id: str, **fields: Any) -> Session:
        """A session that is active for the next hour."""
        seen = (START + self.passed + 3000) * 1000
        usual: dict[str, Any] = {"created_at": (START - 600) * 1000, "last_seen": seen, "is_healthy": True}
        return Session(id=ident(number), parent_id=parent_id, **(usual | fields))


def test_absent_streams_go_on_counting_after_a_poll_of_one_of_them() -> None:
    account = Account()
    one, other = account.session(1, ONE), account.session(2, OTHER)
    for sessions in ((one, other), (one, other), ()):
        account.poll(*sessions)
    account.poll_stream(one)
    account.poll_stream(one)
    account.poll(one, other)
    account.poll(one, other)
    healthy = {name: life.healthy for name, life in account.state.streams.present.items()}
    assert healthy == {ONE: 60 + 30 + 30 + 30, OTHER: 60 + 30}
    assert account.state.streams.absent == {}


def test_the_present_health_of_a_session_has_lasted_since_before_the_polls_of_its_stream() -> None:
    account = Account()
    one, other = account.session(1, ONE), account.session(2, OTHER)
    account.poll(one, other)
    account.poll_stream(one)
    account.poll(one, other)
    assert {life.since for life in account.state.active.values()} == {START + 30}
    assert len(account.state.active) == 2


def test_the_own_time_of_a_session_is_right_after_a_second_outage_with_polls_of_its_stream() -> None:
    account = Account()
    one, other = account.session(1, ONE), account.session(2, OTHER)
    account.poll(one, other)
    for _ in range(2):
        for _ in range(5):
            account.poll_stream(one, seconds=60)
        account.poll(one, other)
    account.poll(replace(one, is_healthy=False), replace(other, is_healthy=False))
    lives = account.state.sessions
    assert (lives[one.id].healthy, lives[other.id].healthy) == (2 * (300 + 30) + 30, 2 * 61 + 30)


def test_recordings_that_finish_count_for_their_stream_after_a_poll_of_another_one() -> None:
    account = Account()
    fields: dict[str, Any] = {"last_seen": (START - 300) * 1000, "record": True}
    for status in ("waiting", "ready"):
        one = account.session(1, ONE, recording_status="waiting", **fields)
        others = [account.session(number, OTHER, recording_status=status, **fields) for number in (2, 3)]
        if status == "ready":
            account.poll_stream(one)
        increments = account.poll(replace(one, recording_status=status), *others)
    assert increments.processing == {"ready": [START + account.passed - (START - 300)] * 3, "failed": []}
    assert {name: life.ready for name, life in account.state.streams.present.items()} == {ONE: 1, OTHER: 2}


def test_sessions_that_never_start_are_counted_with_those_of_a_stream_with_polls_of_its_own() -> None:
    account = Account()
    account.poll()
    pending = [
        account.session(number, parent, created_at=(START + 60) * 1000, last_seen=0.0)
        for number, parent in ((1, ONE), (2, OTHER))
    ]
    account.poll(*pending)
    account.poll_stream(pending[0])
    assert account.poll(*pending, seconds=300).sessions.never_started == 2


def test_a_stream_of_recordings_that_a_poll_has_not_read_keeps_its_counters_after_a_poll_of_another_one() -> None:
    account = Account()
    one = account.session(1, ONE)
    recorded = account.session(2, OTHER, last_seen=(START - 3000) * 1000, record=True, recording_status="waiting")
    account.poll(one, recorded, account.session(3, OTHER))
    account.poll(one, recorded)
    account.poll_stream(one)
    account.poll(one, unread=(recorded,))
    assert {name: life.healthy for name, life in account.state.streams.present.items()} == {ONE: 90, OTHER: 30}
