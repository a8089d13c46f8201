"""The wait after a failed poll."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.livepeer.errors import (
    ForbiddenError,
    MissingKeyError,
    PollError,
    RateLimitError,
    ServerError,
    UnauthorizedError,
)
from exporter.polling.backoff import MAX_BACKOFF, MIN_REJECTED_PAUSE, backoff


@pytest.mark.parametrize(
    ("error", "failures", "interval", "jitter", "wait"),
    [
        (ServerError(500), 1, 30, 0.0, 30),
        (ServerError(500), 1, 30, 0.5, 45),
        (ServerError(500), 1, 30, 1.0, 60),
        (ServerError(500), 2, 30, 1.0, 120),
        (ServerError(500), 3, 30, 1.0, 120),
        (ServerError(500), 50, 30, 1.0, 120),
        (ServerError(500), 1, 300, 1.0, 300),
        (ServerError(503, retry_after=100.0), 1, 30, 0.0, 100),
        (ServerError(503, retry_after=1.0), 1, 30, 0.0, 30),
        (RateLimitError(429, retry_after=900.0), 1, 30, 0.0, 900),
        (UnauthorizedError(401), 1, 1, 0.0, MIN_REJECTED_PAUSE),
        (ForbiddenError(403), 1, 1, 0.0, MIN_REJECTED_PAUSE),
        (ForbiddenError(403), 1, 300, 0.0, 300),
        (MissingKeyError("no API key is set"), 9, 30, 1.0, 30),
        (ZeroDivisionError(), 1, 30, 1.0, 60),
    ],
)
def test_the_wait_is(error: Exception, failures: int, interval: float, jitter: float, wait: float) -> None:
    assert backoff(error, failures, interval, jitter) == wait


@given(
    interval=st.floats(1, 10_000),
    jitter=st.floats(0, 1),
    failures=st.integers(1, 40),
    retry_after=st.none() | st.floats(1, 900),
)
def test_the_wait_is_between_the_interval_and_the_longest_bound(
    interval: float, jitter: float, failures: int, retry_after: float | None
) -> None:
    error: PollError = ServerError(503, retry_after=retry_after)
    wait = backoff(error, failures, interval, jitter)
    assert max(interval, retry_after or 0) <= wait <= max(interval, MAX_BACKOFF, retry_after or 0)
