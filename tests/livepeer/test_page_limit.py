"""The number of sessions per page."""

import pytest

from exporter.livepeer.page_limit import PageLimit


def reduced(maximum: int, *failed: int) -> PageLimit:
    """Return a limit after failed requests of a poll that has received a page."""
    limit = PageLimit(maximum)
    limit.start_poll()
    limit.on_page()
    for each in failed:
        limit.reduce(each)
    return limit


@pytest.mark.parametrize(
    ("maximum", "failed", "expected"),
    [
        (1000, [1000], 500),
        (1000, [1000, 500, 250], 125),
        (1000, [1000, 500, 250, 125], 100),
        (1000, [1000, 500, 250, 125, 100], 100),
        (150, [150], 100),
        (80, [80], 80),
    ],
)
def test_V08_each_failure_halves_the_limit_down_to_100_or_less(maximum: int, failed: list[int], expected: int) -> None:
    assert reduced(maximum, *failed).current == expected


def test_V08_requests_that_fail_together_halve_the_limit_once() -> None:
    limit = reduced(1000)
    assert [limit.reduce(1000), limit.reduce(1000)] == [True, True]
    assert limit.current == 500


def test_V08_at_the_minimum_a_request_is_not_sent_with_a_lower_limit() -> None:
    assert not reduced(1000, 1000, 500, 250, 125).reduce(100)


def test_V08_before_the_first_page_of_a_poll_a_failure_does_not_change_the_limit() -> None:
    limit = PageLimit(1000)
    limit.on_page()
    limit.start_poll()
    assert not limit.reduce(1000)
    assert limit.current == 1000


def test_V08_the_limit_doubles_after_each_poll_in_which_it_was_not_reduced() -> None:
    limit = reduced(1000, 1000, 500, 250, 125)
    found = []
    for _ in range(6):
        limit.on_success()
        found.append(limit.current)
        limit.start_poll()
    assert found == [100, 200, 400, 800, 1000, 1000]
