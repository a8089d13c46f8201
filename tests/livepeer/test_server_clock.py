"""Times in the headers of responses."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.livepeer.errors import ClockError
from exporter.livepeer.server_clock import ServerClock, parse_http_date, parse_retry_after
from tests.support.clock import ManualClock
from tests.support.rows import START


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
        ("Sun Nov  6 08:49:37 1994", 784_111_777),
        ("", None),
        (None, None),
        ("0", None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 +99999999", None),
    ],
)
def test_dates_are_parsed_in_all_formats_of_http(text: str | None, seconds: float | None) -> None:
    assert parse_http_date(text) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ (Jan|Feb|Dec) \d+ \d+:\d+:\d+ ([+-]\d+|GMT)", fullmatch=True))
def test_any_text_is_a_date_or_none(text: str) -> None:
    found = parse_http_date(text)
    assert found is None or isinstance(found, float)


@given(st.text() | st.integers().map(str), st.none() | st.text())
def test_any_retry_after_is_between_1_second_and_15_minutes_or_none(text: str, date: str | None) -> None:
    wait = parse_retry_after(text, date)
    assert wait is None or 1 <= wait <= 900


def test_without_a_valid_date_the_local_clock_is_used() -> None:
    clocks = ManualClock()
    clock = ServerClock(clocks.now, clocks.monotonic)
    clock.update(None)
    clock.update("yesterday")
    assert (clock.now(), clock.skew) == (START, None)


def test_a_step_of_the_local_wall_clock_does_not_move_the_servers_clock() -> None:
    clocks = ManualClock()
    wall_clock = [START]
    clock = ServerClock(lambda: wall_clock[0], clocks.monotonic)
    clock.update(formatdate(START, usegmt=True))
    wall_clock[0] += 3600
    clocks.advance(10)
    assert clock.now() == START + 10.5


def clock_after(*errors: float) -> tuple[ServerClock, list[bool]]:
    """Return a clock after polls whose `Date` is wrong by some seconds, and whether each was accepted."""
    clocks = ManualClock()
    clock, accepted = ServerClock(clocks.now, clocks.monotonic), []
    for error in errors:
        clocks.advance(30)
        clock.start_poll()
        try:
            clock.update(formatdate(clocks.now() + error, usegmt=True))
        except ClockError:
            accepted.append(False)
        else:
            accepted.append(True)
    return clock, accepted


@pytest.mark.parametrize(
    ("errors", "accepted"),
    [
        ([7200], [True]),
        ([0, 59, 0], [True, True, True]),
        ([0, 7200, 0, 0], [True, False, True, True]),
        ([0, 7200, 7200], [True, False, True]),
        ([0, 7200, 7250, 7200], [True, False, True, True]),
        ([0, 7200, -7200, 7200], [True, False, False, False]),
        ([7200, 0, 0], [True, False, True]),
    ],
)
def test_D01_a_date_that_steps_is_refused_once_and_adopted_if_the_next_poll_confirms_it(
    errors: list[float], accepted: list[bool]
) -> None:
    assert clock_after(*errors)[1] == accepted


def test_D01_a_refused_date_does_not_move_the_clock() -> None:
    before, _ = clock_after(0, 0)
    after, _ = clock_after(0, 7200)
    assert abs(after.now() - before.now()) < 2


def test_D01_a_second_response_of_the_same_poll_does_not_confirm_a_date() -> None:
    clocks = ManualClock()
    clock = ServerClock(clocks.now, clocks.monotonic)
    clock.update(formatdate(START, usegmt=True))
    clock.start_poll()
    for _ in range(2):
        with pytest.raises(ClockError, match="stepped by"):
            clock.update(formatdate(START + 7200, usegmt=True))
