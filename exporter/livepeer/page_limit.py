"""How many sessions a page may have: fewer while the API cannot deliver full pages."""

from typing import Final

MIN_LIMIT: Final = 100
"""Sessions per page below which smaller pages do not help, unless fewer are configured."""


class PageLimit:
    """The maximum number of sessions per page; V08 of the fault matrix.

    Args:
        maximum: the configured limit.

    Attributes:
        current: the limit of the next request.
    """

    def __init__(self, maximum: int) -> None:
        self.current = maximum
        self._maximum = maximum
        self._minimum = min(MIN_LIMIT, maximum)
        self._received = False
        self._reduced = False

    def start_poll(self) -> None:
        """Forget what the last poll has shown, except for the limit itself."""
        self._received = self._reduced = False

    def on_page(self) -> None:
        """Note that the API has delivered a page in this poll."""
        self._received = True

    def reduce(self, failed: int) -> bool:
        """Halve the limit after a request failed, unless the API has delivered no page in this poll.

        Args:
            failed: the limit of the request.

        Returns:
            Whether the limit is now lower than that of the request, which can then be sent again.
        """
        if self._received and failed <= self.current:
            self.current = max(self._minimum, failed // 2)
            self._reduced = True
        return self.current < failed

    def on_success(self) -> None:
        """Double the limit after a successful poll in which it was not reduced."""
        if not self._reduced:
            self.current = min(self._maximum, 2 * self.current)
