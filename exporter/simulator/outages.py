"""An API that fails at regular times."""

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.simulator.api import SessionSource
from exporter.simulator.query import Row, SqlError


@dataclass(frozen=True, slots=True)
class Outages:
    """When the API fails, in seconds.

    Attributes:
        first: start of the first outage, in Unix seconds.
        every: from the start of an outage to that of the next.
        duration: of an outage.
    """

    first: float
    every: float
    duration: float

    def include(self, now: float) -> bool:
        """Return whether the API fails at a time of the server, in Unix seconds."""
        return now >= self.first and (now - self.first) % self.every < self.duration


@dataclass(frozen=True, slots=True)
class FailingSource:
    """The sessions of another source, which cannot be read during outages.

    Attributes:
        source: has the sessions.
        outages: when every request fails, as if the database was unavailable.
    """

    source: SessionSource
    outages: Outages

    def rows(self, now: float) -> Sequence[Row]:
        """Return all sessions at a time of the server, in Unix seconds.

        Raises:
            SqlError: there is an outage.
        """
        if self.outages.include(now):
            raise SqlError
        return self.source.rows(now)
