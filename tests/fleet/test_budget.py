"""`SeriesBudget`: the limit always holds, and accounts share it so that no series remains unused that one needs."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from exporter.metrics.series_limit import SeriesBudget

LIMIT = 100
ACCOUNTS = st.sampled_from("abcd")
AMOUNTS = st.integers(0, 2 * LIMIT)


class BudgetMachine(RuleBasedStateMachine):
    """Accounts that claim and use series in any order; a poll may fail in between, data may become stale."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = SeriesBudget(LIMIT)
        self.granted: dict[str, int] = {}
        self.used: dict[str, int] = {}

    @rule(account=ACCOUNTS, wanted=AMOUNTS)
    def claim(self, account: str, wanted: int) -> None:
        self.granted[account] = self.budget.claim(account, wanted)
        assert 0 <= self.granted[account] <= wanted

    @rule(account=ACCOUNTS, unused=st.integers(0, LIMIT))
    def use(self, account: str, unused: int) -> None:
        if account in self.granted:
            self.used[account] = max(0, self.granted.pop(account) - unused)
            self.budget.use(account, self.used[account])

    @rule(account=ACCOUNTS)
    def withdraw(self, account: str) -> None:
        self.used.pop(account, None)
        self.budget.withdraw(account)

    @rule(account=ACCOUNTS)
    def leave(self, account: str) -> None:
        self.granted.pop(account, None)
        self.used.pop(account, None)
        self.budget.leave(account)

    @invariant()
    def the_used_series_are_within_the_limit(self) -> None:
        assert sum(self.used.values()) <= LIMIT

    @invariant()
    def the_used_and_granted_series_are_within_the_limit(self) -> None:
        assert sum((self.used | self.granted).values()) <= LIMIT


TestBudgetMachine = BudgetMachine.TestCase


def steady_state(limit: int, demands: dict[str, int]) -> dict[str, int]:
    """Return the series of each account after enough polls."""
    budget = SeriesBudget(limit)
    for _ in range(len(demands) + 1):
        granted = {account: budget.claim(account, wanted) for account, wanted in demands.items()}
        for account, series in granted.items():
            budget.use(account, series)
    return granted


DEMANDS = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=2), AMOUNTS, min_size=1, max_size=8)


@given(DEMANDS)
def test_unused_series_go_to_the_accounts_that_need_more(demands: dict[str, int]) -> None:
    granted = steady_state(LIMIT, demands)
    assert sum(granted.values()) >= min(sum(demands.values()), LIMIT - len(demands) + 1)


@given(DEMANDS)
def test_an_account_gets_at_least_an_equal_share_if_it_needs_it(demands: dict[str, int]) -> None:
    granted = steady_state(LIMIT, demands)
    assert all(granted[account] >= min(wanted, LIMIT // len(demands)) for account, wanted in demands.items())


def test_claimed_series_that_are_not_used_are_available_to_other_accounts() -> None:
    budget = SeriesBudget(LIMIT)
    assert budget.claim("a", 60) == 60
    budget.use("a", 30)
    assert budget.claim("b", 90) == 70


def test_the_series_of_an_account_with_stale_data_are_available_to_other_accounts() -> None:
    budget = SeriesBudget(LIMIT)
    budget.use("a", budget.claim("a", 80))
    budget.withdraw("a")
    assert budget.claim("b", LIMIT) == LIMIT


def test_an_account_releases_the_series_above_its_share_at_its_next_poll() -> None:
    budget = SeriesBudget(LIMIT)
    budget.use("a", budget.claim("a", LIMIT))
    assert budget.claim("b", LIMIT) == 0
    budget.use("a", budget.claim("a", LIMIT))
    assert budget.claim("b", LIMIT) == LIMIT // 2
