"""How long to wait after a failed poll."""

from typing import Final

from exporter.livepeer.errors import ForbiddenError, MissingKeyError, StatusError, UnauthorizedError

MAX_BACKOFF: Final = 120.0
"""Seconds between polls of a failing account at most, unless its interval or the API's ``Retry-After`` is longer."""

MIN_REJECTED_PAUSE: Final = 60.0
"""Seconds between polls at least while the API rejects the key."""


def backoff(error: Exception, failures: int, interval: float, jitter: float) -> float:
    """Return the seconds until the next poll after a failure.

    A random time between the interval and a bound that doubles with every failure ("full jitter"). A missing key costs
    the API nothing, so it is looked for at every interval.

    Args:
        error: why the poll failed.
        failures: failed polls in a row, this one included.
        interval: the poll interval in seconds, the minimum.
        jitter: a random number between 0 and 1.
    """
    if isinstance(error, MissingKeyError):
        return interval
    bound = max(interval, min(interval * 2.0 ** min(failures, 16), MAX_BACKOFF))
    wait = interval + jitter * (bound - interval)
    if isinstance(error, UnauthorizedError | ForbiddenError):
        wait = max(wait, MIN_REJECTED_PAUSE)
    if isinstance(error, StatusError) and error.retry_after is not None:
        wait = max(wait, error.retry_after)
    return wait
