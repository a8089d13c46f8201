"""The budget of requests: never more than the limit in any 60 s."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.polling.request_budget import BudgetSpentError, RequestBudget
from tests.support.clock import ManualClock


@given(st.integers(1, 5), st.lists(st.floats(0, 40), max_size=40))
def test_no_minute_has_more_requests_than_the_limit(limit: int, steps: list[float]) -> None:
    clock, sent = ManualClock(), list[float]()
    budget = RequestBudget(limit, clock.monotonic)
    for step in steps:
        clock.advance(step)
        is_free = budget.wait_for(1) == 0
        try:
            budget.spend()
        except BudgetSpentError:
            assert not is_free
        else:
            assert is_free
            sent.append(clock.monotonic())
    for start in sent:
        assert sum(start <= time < start + 60 for time in sent) <= limit


def test_the_wait_ends_when_enough_requests_are_a_minute_old() -> None:
    clock = ManualClock()
    budget = RequestBudget(3, clock.monotonic)
    assert budget.wait_for(3) == 0
    for _ in range(3):
        budget.spend()
        clock.advance(1)
    assert [budget.wait_for(number) for number in (1, 2, 3)] == [57, 58, 59]
    with pytest.raises(BudgetSpentError):
        budget.spend()
    clock.advance(58)
    assert [budget.wait_for(number) for number in (1, 2, 3)] == [0, 0, 1]
