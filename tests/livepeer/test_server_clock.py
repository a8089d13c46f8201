"""Times in the headers of responses."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.livepeer.server_clock import ServerClock, parse_http_date, parse_retry_after
from tests.support.harness import Time
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
    clocks = Time()
    clock = ServerClock(clocks.now, clocks.monotonic)
    clock.update(None)
    clock.update("yesterday")
    assert (clock.now(), clock.skew) == (START, None)


def test_a_step_of_the_local_wall_clock_does_not_move_the_servers_clock() -> None:
    clocks = Time()
    wall_clock = [START]
    clock = ServerClock(lambda: wall_clock[0], clocks.monotonic)
    clock.update(formatdate(START, usegmt=True))
    wall_clock[0] += 3600
    clocks.advance(10)
    assert clock.now() == START + 10.5
