"""The budget: however accounts come, ask, show and go, the limit holds, and nothing is given away that nobody wants."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from exporter.metrics.series_limit import SeriesBudget

LIMIT = 100
ACCOUNTS = st.sampled_from("abcd")
AMOUNTS = st.integers(0, 2 * LIMIT)


class Sharing(RuleBasedStateMachine):
    """Pollers that claim, render for a while, and show; some fail in between, some are too old, some are removed."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = SeriesBudget(LIMIT)
        self.granted: dict[str, int] = {}
        self.shown: dict[str, int] = {}

    @rule(account=ACCOUNTS, wanted=AMOUNTS)
    def claim(self, account: str, wanted: int) -> None:
        self.granted[account] = self.budget.claim(account, wanted)
        assert 0 <= self.granted[account] <= wanted

    @rule(account=ACCOUNTS, spare=st.integers(0, LIMIT))
    def use(self, account: str, spare: int) -> None:
        if account in self.granted:
            self.shown[account] = max(0, self.granted.pop(account) - spare)
            self.budget.use(account, self.shown[account])

    @rule(account=ACCOUNTS)
    def withdraw(self, account: str) -> None:
        self.shown.pop(account, None)
        self.budget.withdraw(account)

    @rule(account=ACCOUNTS)
    def leave(self, account: str) -> None:
        self.granted.pop(account, None)
        self.shown.pop(account, None)
        self.budget.leave(account)

    @invariant()
    def the_page_never_has_more_than_the_limit(self) -> None:
        assert sum(self.shown.values()) <= LIMIT

    @invariant()
    def nor_would_it_if_all_that_was_granted_were_shown_now(self) -> None:
        assert sum((self.shown | self.granted).values()) <= LIMIT


TestSharing = Sharing.TestCase


def settled(limit: int, wants: dict[str, int]) -> dict[str, int]:
    """What each account shows once all have polled often enough."""
    budget = SeriesBudget(limit)
    for _ in range(len(wants) + 1):
        shown = {account: budget.claim(account, wanted) for account, wanted in wants.items()}
        for account, series in shown.items():
            budget.use(account, series)
    return shown


WANTS = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=2), AMOUNTS, min_size=1, max_size=8)


@given(WANTS)
def test_what_is_left_over_goes_to_those_who_ask_for_more(wants: dict[str, int]) -> None:
    shown = settled(LIMIT, wants)
    assert sum(shown.values()) >= min(sum(wants.values()), LIMIT - len(wants) + 1)


@given(WANTS)
def test_nobody_who_wants_more_gets_less_than_an_equal_part(wants: dict[str, int]) -> None:
    shown = settled(LIMIT, wants)
    assert all(shown[account] >= min(wanted, LIMIT // len(wants)) for account, wanted in wants.items())


def test_a_guess_from_above_takes_nothing_from_the_others() -> None:
    budget = SeriesBudget(LIMIT)
    assert budget.claim("a", 60) == 60
    budget.use("a", 30)
    assert budget.claim("b", 90) == 70


def test_an_account_whose_data_is_too_old_gives_its_series_back() -> None:
    budget = SeriesBudget(LIMIT)
    budget.use("a", budget.claim("a", 80))
    budget.withdraw("a")
    assert budget.claim("b", LIMIT) == LIMIT


def test_an_account_that_came_first_gives_way_at_its_next_poll() -> None:
    budget = SeriesBudget(LIMIT)
    budget.use("a", budget.claim("a", LIMIT))
    assert budget.claim("b", LIMIT) == 0
    budget.use("a", budget.claim("a", LIMIT))
    assert budget.claim("b", LIMIT) == LIMIT // 2
