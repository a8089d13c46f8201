"""The wait after a failed poll."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.livepeer.errors import (
    ConnectError,
    DecodeError,
    DNSError,
    ForbiddenError,
    KeptConnectionError,
    MissingKeyError,
    PollError,
    PollTimeoutError,
    RateLimitError,
    RetryDeadlineExceededError,
    ServerError,
    TLSError,
    UnauthorizedError,
)
from exporter.polling.backoff import MAX_BACKOFF, MIN_OUTAGE_BACKOFF, MIN_REJECTED_PAUSE, backoff

OUTAGES = [
    ServerError(500),
    RetryDeadlineExceededError(503),
    ConnectError("closed"),
    KeptConnectionError("closed"),
    DNSError("no such host"),
    PollTimeoutError("late"),
]
"""An error of each kind of outage."""


@pytest.mark.parametrize(
    ("error", "failures", "interval", "jitter", "wait"),
    [
        (DecodeError("not JSON"), 1, 30, 0.0, 30),
        (DecodeError("not JSON"), 1, 30, 0.5, 45),
        (DecodeError("not JSON"), 1, 30, 1.0, 60),
        (DecodeError("not JSON"), 2, 30, 1.0, 120),
        (DecodeError("not JSON"), 50, 30, 1.0, 120),
        (DecodeError("not JSON"), 1, 300, 1.0, 300),
        (TLSError("not trusted"), 50, 5, 1.0, 120),
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


@pytest.mark.parametrize("error", OUTAGES, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize(
    ("failures", "interval", "longest"),
    [(1, 5, 10), (2, 5, 20), (3, 5, 30), (50, 5, 30), (1, 30, 60), (50, 30, 60), (1, 300, 600), (50, 300, 600)],
)
def test_V09_after_an_outage_the_bound_ends_at_twice_the_interval_or_30_s(
    error: Exception, failures: int, interval: float, longest: float
) -> None:
    assert backoff(error, failures, interval, 1.0) == longest
    assert backoff(error, failures, interval, 0.0) == interval


def test_V09_a_rejected_key_and_a_requested_wait_keep_their_pace() -> None:
    assert backoff(UnauthorizedError(401), 50, 5, 1.0) == MAX_BACKOFF
    assert backoff(ServerError(503, retry_after=600.0), 50, 5, 1.0) == 600


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
    assert max(interval, retry_after or 0) <= wait <= max(2 * interval, MIN_OUTAGE_BACKOFF, retry_after or 0)
