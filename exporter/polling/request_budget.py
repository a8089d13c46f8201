"""How many requests webhooks may cause."""

from collections import deque
from collections.abc import Callable
from typing import Final

MINUTE: Final = 60.0
"""Seconds."""


class BudgetSpentError(Exception):
    """No request is left in this minute."""


class RequestBudget:
    """At most a number of requests in any 60 s.

    Args:
        limit: the number; it may be changed.
        monotonic: seconds.
    """

    def __init__(self, limit: int, monotonic: Callable[[], float]) -> None:
        self.limit = limit
        self._monotonic = monotonic
        self._sent: deque[float] = deque()

    @property
    def is_unspent(self) -> bool:
        """Whether no request was sent in the last minute."""
        return self.wait_for(self.limit) == 0

    def spend(self) -> None:
        """Take a request from the budget.

        Raises:
            BudgetSpentError: none is left.
        """
        if self.wait_for(1) > 0:
            raise BudgetSpentError("webhooks have caused the maximum number of API requests in this minute")
        self._sent.append(self._monotonic())

    def wait_for(self, requests: int) -> float:
        """Return the seconds until a number of requests, at most the limit, is left."""
        now = self._monotonic()
        while self._sent and now - self._sent[0] >= MINUTE:
            self._sent.popleft()
        missing = len(self._sent) + requests - self.limit
        return 0.0 if missing <= 0 else self._sent[missing - 1] + MINUTE - now
