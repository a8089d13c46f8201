"""An account on the status page: whether its polls succeed, and how old its data is."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from exporter.metrics.page_store import AccountData
from exporter.pages.html import BREAK, Html, Node, join, tag
from exporter.pages.units import bit_rate, moment, span
from exporter.polling.plan import Plan, Status
from exporter.sessions.attention import Problems
from exporter.sessions.snapshot import HEALTH, STATES

COLUMNS: Final = (
    *(("Account", "text"), ("State", "text"), ("Data age", ""), ("Sessions", ""), ("Active sessions by health", "")),
    *(("Rates", ""), ("Poll interval", "")),
)
"""The columns of the table of accounts: name and class of the cells."""

_KEY_HINT: Final = join(
    (
        "Set ",
        tag("code", "LIVEPEER_API_KEY"),
        " or ",
        tag("code", "--api-key-file"),
        " to a key that may read sessions; ",
        tag("code", "livepeer-session-exporter check"),
        " tests it.",
    )
)


class AccountStatus(msgspec.Struct, frozen=True):
    """An account at the time of the page.

    Attributes:
        plan: how it is polled.
        status: the state of its polling.
        data: what it shows; None if there is none, or if it is stale.
        now: Unix seconds of our clock.
    """

    plan: Plan
    status: Status
    data: AccountData | None
    now: float

    @property
    def failing(self) -> bool:
        """Return whether the last poll failed."""
        return self.status.failure is not None

    @property
    def current(self) -> bool:
        """Return whether there is data, and it is from the last poll."""
        return self.data is not None and not self.failing

    def problems(self) -> Problems:
        """Return the sessions to list, with their ages at the time of the page."""
        return self.data.problems.aged(self._age(self.data)) if self.data else Problems()

    @property
    def absent_streams(self) -> tuple[str, ...]:
        """Return the ids of the configured streams without sessions; empty if there is no data."""
        return self.data.absent_streams if self.data else ()

    def cells(self) -> list[Node]:
        """Return the row of the account, see ``COLUMNS``."""
        totals = self.data.totals if self.data else None
        text, style = self._state()
        return [
            self.plan.account,
            join((tag("span", text, class_=style), self._failure())),
            self._data_age(),
            _counts(totals.sessions, STATES) if totals else None,
            _counts(totals.health, HEALTH) if totals else None,
            join((f"{bit_rate(totals.ingest_rate)} in", f"{bit_rate(totals.outgoing_rate)} out"), BREAK)
            if totals
            else None,
            span(self.plan.interval),
        ]

    def _age(self, data: AccountData) -> float:
        return max(0.0, self.now - data.began)

    def _state(self) -> tuple[str, str]:
        if self.failing:
            return ("failing, last data shown", "bad") if self.data else ("failing", "bad")
        if self.data:
            return "up", "good"
        return ("starting", "dim") if self.status.succeeded is None else ("no recent poll", "bad")

    def _data_age(self) -> str:
        if self.data:
            return f"{span(self._age(self.data))} ago"
        if self.status.succeeded is None:
            return "no data yet"
        return f"stale: older than {span(self.plan.max_staleness)}"

    def _failure(self) -> Html | None:
        failure, last = self.status.failure, self.status.succeeded
        if failure is None:
            return None
        polls = "poll" if self.status.failures == 1 else "polls in a row"
        success = "never succeeded" if last is None else f"last success {span(self.now - last)} ago, {moment(last)}"
        wait = span((self.status.next_poll or self.now) - self.now)
        history = f"{self.status.failures} failed {polls}, {success}; next poll in {wait}"
        hint = _KEY_HINT if failure.kind == "auth" else None
        return join((BREAK, tag("small", join((f"{failure.kind}: {failure.text}", hint, history), BREAK))))


def _counts(counts: Mapping[str, int], names: Sequence[str]) -> Html:
    return join((f"{counts[name]} {name}" for name in names), BREAK)
