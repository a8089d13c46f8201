"""How long to wait after a failed poll."""

from typing import Final

from exporter.livepeer.errors import (
    ConnectError,
    ForbiddenError,
    MissingKeyError,
    PollTimeoutError,
    ServerError,
    StatusError,
    TLSError,
    UnauthorizedError,
)

MAX_BACKOFF: Final = 120.0
"""Seconds between polls of a failing account at most, unless its interval or the API's ``Retry-After`` is longer."""

MIN_OUTAGE_BACKOFF: Final = 30.0
"""The bound after several outages of the API is twice the interval, but at least these seconds (V09)."""

MIN_REJECTED_PAUSE: Final = 60.0
"""Seconds between polls at least while the API rejects the key."""


def ends_with_another_key(error: Exception) -> bool:
    """Return whether another key ends the backoff: the API rejected the key, and requested no wait."""
    return isinstance(error, UnauthorizedError | ForbiddenError) and error.retry_after is None


def backoff(error: Exception, failures: int, interval: float, jitter: float) -> float:
    """Return the seconds until the next poll after a failure.

    A random time between the interval and a bound that doubles with every failure ("full jitter"). The bound ends at
    `MAX_BACKOFF`; after an outage (classes ``server``, ``connect``, ``dns`` and ``timeout``) it ends earlier, so that
    the data is back soon after the API is. A missing key costs the API nothing, so it is looked for at every interval.

    Args:
        error: why the poll failed.
        failures: failed polls in a row, this one included.
        interval: the poll interval in seconds, the minimum.
        jitter: a random number between 0 and 1.
    """
    if isinstance(error, MissingKeyError):
        return interval
    longest = max(2 * interval, MIN_OUTAGE_BACKOFF) if _is_outage(error) else max(interval, MAX_BACKOFF)
    bound = min(interval * 2.0 ** min(failures, 16), longest)
    wait = interval + jitter * (bound - interval)
    if isinstance(error, UnauthorizedError | ForbiddenError):
        wait = max(wait, MIN_REJECTED_PAUSE)
    if isinstance(error, StatusError) and error.retry_after is not None:
        wait = max(wait, error.retry_after)
    return wait


def _is_outage(error: Exception) -> bool:
    return isinstance(error, ServerError | ConnectError | PollTimeoutError) and not isinstance(error, TLSError)
