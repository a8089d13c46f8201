"""Keeps places free while many clients do not read their responses, and returns the memory that those have needed."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from exporter.logs import event
from exporter.server.connection_table import ConnectionTable
from exporter.server.memory import release_free_memory

logger = logging.getLogger(__name__)

CHECK_DELAY: Final = 0.1
"""Seconds between the moment when too many clients may be slow and the check, in which a fast client has read on."""

MANY_SLOW_CLIENTS: Final = 32
"""Number of connections whose clients are slow from which their memory is worth returning: more than 1 MiB."""

RELEASE_DELAYS: Final = (0.0, 20.0, 40.0)
"""Seconds after they have gone when free memory is returned. What else was allocated meanwhile, such as a page, keeps
some of it until it is replaced."""

WARNING_INTERVAL: Final = 60.0
"""Seconds between two warnings."""


class SendingLimit:
    """Closes connections whose clients do not read, if they take too many places.

    Args:
        table: the connections.
        release_memory: returns free memory to the system.
    """

    def __init__(self, table: ConnectionTable, release_memory: Callable[[], None] = release_free_memory) -> None:
        self._table = table
        self._release_memory = release_memory
        self._check: asyncio.TimerHandle | None = None
        self._closed = 0  # since the last warning
        self._next_warning = 0.0  # in the loop's time, as the next one
        self._releases: list[float] = []
        self._has_many = False

    def request_check(self) -> None:
        """Check after a short delay whether too many clients do not read."""
        if self._check is None and self._table.may_exceed_sending:
            self._check = asyncio.get_running_loop().call_later(CHECK_DELAY, self._close_excess)

    def update(self, now: float) -> None:
        """Log what was closed, and return memory to the system; called about once a second."""
        self._warn(now)
        if self._table.count_sending() >= MANY_SLOW_CLIENTS:
            self._has_many = True
            self._releases.clear()
        elif self._has_many:
            self._has_many = False
            self._releases = [now + delay for delay in RELEASE_DELAYS]
        if self._releases and self._releases[0] <= now:
            del self._releases[0]
            self._release_memory()

    def stop(self) -> None:
        """Cancel a pending check."""
        if self._check is not None:
            self._check.cancel()
            self._check = None

    def _close_excess(self) -> None:
        self._check = None
        now = asyncio.get_running_loop().time()
        closed = self._table.close_slowest(now)
        self._closed += closed
        self._has_many |= closed > 0
        self._warn(now)

    def _warn(self, now: float) -> None:
        if self._closed and now >= self._next_warning:
            self._next_warning = now + WARNING_INTERVAL
            message = "closed the slowest connections, since too many clients do not read their responses"
            event(logger, logging.WARNING, message, closed=self._closed, limit=self._table.max_sending)
            self._closed = 0
