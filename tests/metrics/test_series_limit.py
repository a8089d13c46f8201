"""The series limit: it always holds, keeps the most important sessions, and is shared fairly between accounts."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cooperative import BATCH_SIZE
from exporter.metrics.catalogue import EVERY_OPTION, Options, SessionFamily, session_families
from exporter.metrics.catalogue.family import Combine
from exporter.metrics.series_limit import Selection, SeriesBudget, Shared, select
from exporter.sessions.session import Profile, Session
from exporter.sessions.snapshot import ACTIVE, ENDED, PENDING, STATES, SessionState
from tests.support.cooperative import run_to_end
from tests.support.rows import START, ident

ONE = SessionFamily(name="one", help="", value=lambda _, state: float(state == ACTIVE), combine=Combine.SUM)
"""A family with a sample for every session."""


def session(number: int, *, seen: float = 0.0, **fields: Any) -> Session:
    return Session(id=ident(number), last_seen=(START + seen) * 1000, **fields)


def last_seen(session: Session) -> float:
    return session.last_seen or 0


def selected(
    limit: int, sessions: Sequence[SessionState], families: tuple[SessionFamily, ...] = (ONE,)
) -> Selection[Session]:
    return run_to_end(select(sessions, families, last_seen, lambda wanted: min(wanted, limit)))


def test_everything_is_selected_within_the_limit() -> None:
    sessions: list[SessionState] = [(session(1), ACTIVE), (session(2), ENDED)]
    assert selected(2, sessions) == Selection(sessions, dropped=0)


def test_active_sessions_come_before_others_seen_later() -> None:
    live: SessionState = (session(2, seen=1), ACTIVE)
    assert selected(1, [(session(1, seen=5), ENDED), live, (session(3, seen=9), PENDING)]) == Selection([live], 2)


def test_among_active_sessions_the_last_seen_come_first_and_the_order_stays() -> None:
    sessions: list[SessionState] = [(session(number, seen=seen), ACTIVE) for number, seen in ((1, 5), (2, 1), (3, 9))]
    assert selected(2, sessions) == Selection([sessions[0], sessions[2]], 1)


def test_a_session_is_selected_with_all_of_its_series_or_none() -> None:
    families = session_families(Options())
    assert selected(5, [(session(1, issues=("a", "b"), record=True), ACTIVE)], families) == Selection([], 1)


def test_series_without_an_upper_bound_count_against_the_limit() -> None:
    families = session_families(Options(profile_series=True))
    profiles = tuple(Profile(name=f"{number}", bitrate=1.0) for number in range(1000))
    bounded = sum(each.max_series or 0 for each in families)
    assert selected(bounded + 1, [(session(1, profiles=profiles), ACTIVE)], families) == Selection([], 1)


def test_series_that_sessions_share_count_once() -> None:
    sessions: list[SessionState] = [
        (session(number, seen=-number, parent_id=parent), ACTIVE) for number, parent in enumerate(("a", "a", "b"))
    ]
    shared: Shared[Session] = Shared(lambda each: each.parent_id, {"a": 3, "b": 3})
    found = run_to_end(select(sessions, (ONE,), last_seen, lambda _: 5, shared))
    assert found == Selection(sessions[:2], 1)


def test_the_series_of_more_than_one_batch_are_counted() -> None:
    sessions: list[SessionState] = [(session(number, seen=-number), ACTIVE) for number in range(BATCH_SIZE + 1)]
    assert selected(BATCH_SIZE, sessions) == Selection(sessions[:BATCH_SIZE], 1)


def test_series_are_not_counted_while_their_upper_bound_is_within_the_limit() -> None:
    claims: list[int] = []

    def claim(wanted: int) -> int:
        claims.append(wanted)
        return wanted

    run_to_end(select([(session(1), ACTIVE)], (ONE,), last_seen, claim))
    assert claims == [1]


SESSIONS = st.lists(
    st.tuples(
        st.builds(
            session,
            st.integers(0, 100),
            seen=st.floats(-100, 0),
            record=st.booleans(),
            recording_status=st.just("ready"),
            issues=st.none() | st.lists(st.text(max_size=3), max_size=7).map(tuple),
            profiles=st.none() | st.lists(st.builds(Profile, name=st.text(max_size=3)), max_size=3).map(tuple),
        ),
        st.sampled_from(STATES),
    ),
    max_size=12,
    unique_by=lambda each: each[0].id,
)


@given(SESSIONS, st.integers(0, 300), st.sampled_from([EVERY_OPTION, Options()]))
def test_the_limit_holds_and_no_dropped_session_is_more_important_than_a_selected_one(
    sessions: list[SessionState], limit: int, options: Options
) -> None:
    families = session_families(options)
    found = selected(limit, sessions, families)
    series = sum(len(list(family.samples(*each))) for each in found.subjects for family in families)
    assert series <= limit
    assert len(found.subjects) + found.dropped == len(sessions)
    assert list(found.subjects) == [each for each in sessions if each in found.subjects]
    ranks = {each.id: (state == ACTIVE, last_seen(each)) for each, state in sessions}
    dropped = [ranks[each[0].id] for each in sessions if each not in found.subjects]
    if dropped and found.subjects:
        assert min(ranks[each.id] for each, _ in found.subjects) >= max(dropped)


def test_a_single_account_gets_the_whole_limit() -> None:
    assert SeriesBudget(100).claim("one", 150) == 100


def test_no_account_gets_more_than_it_wants() -> None:
    assert SeriesBudget(100).claim("one", 30) == 30


def test_what_an_account_leaves_goes_to_those_that_want_more() -> None:
    budget = SeriesBudget(100)
    assert budget.claim("small", 10) == 10
    budget.use("small", 10)
    assert budget.claim("large", 500) == 90


def test_an_upper_bound_that_is_not_used_goes_to_those_that_want_more() -> None:
    budget = SeriesBudget(100)
    budget.claim("small", 50)
    budget.use("small", 10)
    assert budget.claim("large", 500) == 90


@pytest.mark.parametrize(
    ("limit", "wanted", "shares"),
    [
        (100, {"one": 500, "two": 500}, {"one": 50, "two": 50}),
        (110, {"small": 10, "one": 500, "two": 500}, {"small": 10, "one": 50, "two": 50}),
        (100, {"one": 500, "three": 500, "two": 500}, {"one": 33, "three": 33, "two": 34}),
    ],
    ids=["two accounts", "one wants less", "no whole number"],
)
def test_accounts_that_want_too_much_converge_to_equal_shares(
    limit: int, wanted: dict[str, int], shares: dict[str, int]
) -> None:
    budget = SeriesBudget(limit)
    shown: dict[str, int] = {}
    for _ in range(4):
        for name, series in wanted.items():
            shown[name] = budget.claim(name, series)
            budget.use(name, shown[name])
    assert shown == shares


def test_a_removed_account_releases_its_share() -> None:
    budget = SeriesBudget(100)
    for name in ("one", "two", "one"):
        budget.use(name, budget.claim(name, 500))
    budget.leave("two")
    assert budget.claim("one", 500) == 100


def test_a_removed_account_releases_what_it_was_granted_and_does_not_show_yet() -> None:
    budget = SeriesBudget(100)
    budget.claim("goes", 100)
    budget.leave("goes")
    assert budget.claim("stays", 100) == 100


def test_an_account_that_was_removed_while_it_rendered_reserves_what_it_shows() -> None:
    budget = SeriesBudget(100)
    budget.leave("returns")
    budget.use("returns", 60)
    assert budget.claim("polls", 100) == 40


def test_what_an_account_was_granted_is_reserved_while_it_renders() -> None:
    budget = SeriesBudget(100)
    assert budget.claim("renders", 100) == 100
    assert budget.claim("polls", 100) == 0


def test_what_an_account_shows_is_reserved_until_its_next_poll() -> None:
    budget = SeriesBudget(100)
    budget.use("first", budget.claim("first", 100))
    assert budget.claim("second", 100) == 0
    assert budget.claim("first", 100) == 50


def test_what_an_account_renders_is_shown_also_if_its_last_data_became_stale_meanwhile() -> None:
    budget = SeriesBudget(100)
    budget.claim("renders", 60)
    budget.withdraw("renders")
    budget.use("renders", 60)
    assert budget.claim("polls", 100) == 40


def test_an_account_that_was_granted_nothing_reserves_nothing() -> None:
    budget = SeriesBudget(100)
    budget.claim("empty", 0)
    assert budget.claim("large", 100) == 100


def test_an_account_that_shows_nothing_reserves_nothing() -> None:
    budget = SeriesBudget(100)
    budget.use("empty", budget.claim("empty", 0))
    assert budget.claim("large", 100) == 100


POLLS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 200), st.floats(0, 1), st.booleans()), max_size=30)
"""For each poll: the account, the series it wants, the part of the grant it uses, and whether it is removed after."""


@given(st.integers(1, 200), POLLS)
def test_the_limit_holds_whatever_the_order_of_polls(limit: int, polls: list[tuple[str, int, float, bool]]) -> None:
    budget = SeriesBudget(limit)
    shown: dict[str, int] = {}
    for name, wanted, part, goes in polls:
        granted = budget.claim(name, wanted)
        assert 0 <= granted <= wanted
        shown[name] = int(granted * part)
        budget.use(name, shown[name])
        assert sum(shown.values()) <= limit
        if goes:
            budget.leave(name)
            del shown[name]


@pytest.mark.parametrize("wanted", [0, 1])
def test_a_limit_of_one_series_can_be_claimed(wanted: int) -> None:
    assert SeriesBudget(1).claim("one", wanted) == wanted
