"""Times in the headers of responses: the server's clock, and the wait requested by `Retry-After`."""

from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from exporter.livepeer.errors import ClockError

MIN_RETRY_AFTER: Final = 1.0
MAX_RETRY_AFTER: Final = 900.0
"""Bounds in seconds to which a `Retry-After` is clamped; U05 of the fault matrix."""

MAX_STEP: Final = 60.0
"""Seconds by which a `Date` header may differ from the estimate; the clocks of a load balancer's servers may differ."""

_HALF_SECOND: Final = 0.5
"""Average error of a `Date` header, which is truncated to seconds."""


class ServerClock:
    """The server's clock, estimated from `Date` headers and the local monotonic clock.

    Steps of the local wall clock therefore never change which sessions count as active. A single wrong `Date` does
    not either: one that differs by more than `MAX_STEP` from the estimate is refused, and adopted only if the next
    poll sees it again (D01 of the fault matrix).

    Args:
        now: the local wall clock in Unix seconds; used until the first `Date` header.
        monotonic: the local monotonic clock in seconds.

    Attributes:
        monotonic: the local monotonic clock in seconds.
        skew: seconds by which the server's clock is ahead of the local wall clock; None before the first `Date` header.
    """

    def __init__(self, now: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self.monotonic = monotonic
        self.skew: float | None = None
        self._now = now
        self._offset: float | None = None
        self._refused: float | None = None
        self._candidate: float | None = None

    def now(self) -> float:
        """Return the server's time in Unix seconds."""
        return self._now() if self._offset is None else self._offset + self.monotonic()

    def start_poll(self) -> None:
        """Begin a poll: a time that the previous poll refused may be adopted in this one."""
        self._candidate, self._refused = self._refused, None

    def update(self, date: str | None) -> None:
        """Set the clock by a `Date` header. A missing or invalid one is ignored.

        Raises:
            ClockError: the time differs from the estimate by more than `MAX_STEP`, and was not refused before.
        """
        server_time = parse_http_date(date)
        if server_time is None:
            return
        offset = server_time + _HALF_SECOND - self.monotonic()
        expected = [known for known in (self._offset, self._candidate) if known is not None]
        if self._offset is not None and all(abs(offset - known) > MAX_STEP for known in expected):
            self._refused = offset
            raise ClockError(f"the API's clock stepped by {offset - self._offset:+.0f} s")
        self._offset = offset
        self.skew = server_time + _HALF_SECOND - self._now()


def parse_http_date(text: str | None) -> float | None:
    """Return the Unix seconds of an HTTP date, or None if it is missing or invalid."""
    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, IndexError, OverflowError):
        return None
    return date.replace(tzinfo=date.tzinfo or UTC).timestamp()


def parse_retry_after(text: str | None, date: str | None) -> float | None:
    """Return the seconds to wait, from `MIN_RETRY_AFTER` to `MAX_RETRY_AFTER`, or None if there is no valid wait.

    Args:
        text: the `Retry-After` header: seconds or an HTTP date.
        date: the `Date` header of the same response, from which a wait until a date is computed.
    """
    text = (text or "").strip()
    if text.isascii() and text.isdecimal():
        wait = float(text[:12])
    else:
        until, since = parse_http_date(text), parse_http_date(date)
        if until is None or since is None:
            return None
        wait = until - since
    return min(max(wait, MIN_RETRY_AFTER), MAX_RETRY_AFTER)
