"""What the API's answers tell about time: the server's clock, and how long it asks us to wait."""

from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

SHORTEST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 900.0
"""Seconds between which a ``Retry-After`` is believed; U05 of the fault matrix."""


class ServerClock:
    """The server's time, learnt from the ``Date`` of its answers and carried on by our monotonic clock.

    A wall clock that steps on this machine therefore never changes which sessions count as active.

    Args:
        now: our wall clock, Unix seconds; believed until the server has told its own time.
        monotonic: our monotonic clock, seconds.
    """

    def __init__(self, now: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._now = now
        self.monotonic = monotonic
        self._offset: float | None = None
        self.skew: float | None = None
        """Seconds that the server's clock is ahead of ours; None before the server has told its time."""

    def now(self) -> float:
        """The server's Unix seconds."""
        return self._now() if self._offset is None else self._offset + self.monotonic()

    def update(self, date: str | None) -> None:
        """Take in a ``Date`` header; whole seconds, so half a second is added on average."""
        told = parse_http_date(date)
        if told is not None:
            self._offset = told + 0.5 - self.monotonic()
            self.skew = told + 0.5 - self._now()


def parse_http_date(text: str | None) -> float | None:
    """Unix seconds of an HTTP date; None if it is none."""
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def parse_retry_after(text: str | None, date: str | None) -> float | None:
    """Seconds that an answer asks us to wait, between 1 s and 15 min; None where it asks for nothing that we know.

    Args:
        text: the header ``Retry-After``: seconds or a date.
        date: the answer's own ``Date``, against which a date is read.
    """
    text = (text or "").strip()
    if text.isascii() and text.isdecimal():
        wait = float(text[:12])
    else:
        until, since = parse_http_date(text), parse_http_date(date)
        if until is None or since is None:
            return None
        wait = until - since
    return min(max(wait, SHORTEST_WAIT), LONGEST_WAIT)
