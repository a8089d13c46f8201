"""The series budget: never more than the limit, the most important first, shared fairly between accounts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.catalogue import EVERY_OPTION, Options, SessionFamily, session_families
from exporter.metrics.series_limit import Budget, Selection, select
from exporter.sessions.session import Profile, Session
from tests.support.cooperative import run_to_end
from tests.support.rows import START, ident

ONE = SessionFamily(name="one", help="", value=lambda _, active: float(active))
"""A family with a sample for every session."""


def session(number: int, *, seen: float = 0.0, **fields: Any) -> Session:
    return Session(id=ident(number), last_seen=(START + seen) * 1000, **fields)


def last_seen(session: Session) -> float:
    return session.last_seen or 0


def chosen(
    limit: int, sessions: list[Session], active: list[bool], families: tuple[SessionFamily, ...] = (ONE,)
) -> Selection[Session]:
    return run_to_end(select(sessions, active, families, last_seen, lambda wanted: min(wanted, limit)))


def test_everything_is_shown_when_it_fits() -> None:
    sessions = [session(1), session(2)]
    assert chosen(2, sessions, [True, False]) == Selection(sessions, [True, False], dropped=0)


def test_active_sessions_come_before_others_seen_later() -> None:
    sessions = [session(1, seen=5), session(2, seen=1), session(3, seen=9)]
    found = chosen(1, sessions, [False, True, False])
    assert (found.subjects, found.active, found.dropped) == ([sessions[1]], [True], 2)


def test_among_equals_the_one_seen_last_comes_first_and_the_order_of_the_page_stays() -> None:
    sessions = [session(1, seen=5), session(2, seen=1), session(3, seen=9)]
    found = chosen(2, sessions, [True, True, True])
    assert found.subjects == [sessions[0], sessions[2]]
    assert found.dropped == 1


def test_a_session_is_shown_whole_or_not_at_all() -> None:
    families = session_families(Options())
    found = chosen(5, [session(1, issues=("a", "b"), record=True)], [True], families)
    assert (found.subjects, found.dropped) == ([], 1)


def test_a_limit_that_nobody_reaches_asks_for_no_counting() -> None:
    asked: list[int] = []

    def claim(wanted: int) -> int:
        asked.append(wanted)
        return wanted

    run_to_end(select([session(1)], [True], (ONE,), last_seen, claim))
    assert asked == [1]


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
        st.booleans(),
    ),
    max_size=12,
    unique_by=lambda each: each[0].id,
)


@given(SESSIONS, st.integers(0, 300), st.sampled_from([EVERY_OPTION, Options()]))
def test_the_limit_always_holds_and_nothing_that_is_left_out_is_more_important(
    pairs: list[tuple[Session, bool]], limit: int, options: Options
) -> None:
    families = session_families(options)
    found = chosen(limit, [each for each, _ in pairs], [live for _, live in pairs], families)
    shown = list(zip(found.subjects, found.active, strict=True))
    series = sum(len(list(family.samples(*each))) for each in shown for family in families)
    assert series <= limit
    assert len(shown) + found.dropped == len(pairs)
    assert shown == [each for each in pairs if each in shown]
    ranks = {each.id: (live, last_seen(each)) for each, live in pairs}
    left_out = [ranks[each.id] for each, live in pairs if (each, live) not in shown]
    if left_out and shown:
        assert min(ranks[each.id] for each, _ in shown) >= max(left_out)


def test_an_account_alone_gets_all_that_there_is() -> None:
    assert Budget(100).claim("one", 150) == 100


def test_no_account_gets_more_than_it_asks_for() -> None:
    assert Budget(100).claim("one", 30) == 30


def test_what_one_leaves_over_goes_to_those_that_want_more() -> None:
    budget = Budget(100)
    assert budget.claim("small", 10) == 10
    budget.use("small", 10)
    assert budget.claim("large", 500) == 90


def test_accounts_that_want_too_much_come_to_share_equally() -> None:
    budget = Budget(100)
    shown: dict[str, int] = {}
    for _ in range(3):
        for name in ("one", "two"):
            shown[name] = budget.claim(name, 500)
            budget.use(name, shown[name])
    assert shown == {"one": 50, "two": 50}


def test_an_account_that_is_gone_leaves_its_share_to_the_others() -> None:
    budget = Budget(100)
    for name in ("one", "two", "one"):
        budget.use(name, budget.claim(name, 500))
    budget.leave("two")
    assert budget.claim("one", 500) == 100


POLLS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 200), st.floats(0, 1), st.booleans()), max_size=30)
"""Which account polls, what it wants, which part of what it may it uses, and whether it goes afterwards."""


@given(st.integers(1, 200), POLLS)
def test_whoever_polls_in_whatever_order_the_limit_holds(limit: int, polls: list[tuple[str, int, float, bool]]) -> None:
    budget = Budget(limit)
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
def test_a_budget_of_one_series_can_be_claimed(wanted: int) -> None:
    assert Budget(1).claim("one", wanted) == wanted
