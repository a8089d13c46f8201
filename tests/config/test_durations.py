"""Durations in the notation of Prometheus."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.durations import MAX_DURATION, format_duration, parse_duration

MESSAGES = ("must be a duration such as 30s, 1500ms or 1h30m", "must not be longer than 292 years")
UNITS = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1500ms", 1.5),
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("1d", 86_400.0),
        ("1w", 604_800.0),
        ("1y", 31_536_000.0),
        ("90m", 5400.0),
        ("0", 0.0),
        ("0s", 0.0),
        ("30", 30.0),
        ("0.5", 0.5),
    ],
)
def test_a_duration_is_parsed_as_in_prometheus(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "5x",
        "30m1h",
        "1s1s",
        "1.5h",
        "-5s",
        "-1",
        "1e3",
        "nan",
        "inf",
        ".5",
        "5.",
        "1h 30m",
        "\u0663s",
        "5S",
        "s",
    ],
)
def test_text_that_is_not_a_duration_of_prometheus_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration such as"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["293y", "9" * 20, "9" * 20 + "ms"])
def test_a_duration_longer_than_the_maximum_of_prometheus_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="must not be longer"):
        parse_duration(text)


def test_thousands_of_digits_are_rejected() -> None:
    with pytest.raises(ValueError, match="must be a duration such as"):
        parse_duration("9" * 10_000 + "s")


@given(st.text())
def test_any_text_is_parsed_or_rejected_without_being_repeated(text: str) -> None:
    outcome: float | str
    try:
        outcome = parse_duration(text)
    except ValueError as error:
        outcome = str(error)
    if isinstance(outcome, str):
        assert outcome in MESSAGES
    else:
        assert 0 <= outcome <= MAX_DURATION


@given(st.floats(min_value=0, max_value=MAX_DURATION, allow_subnormal=False))
def test_a_formatted_duration_is_parsed_to_the_same_number(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.integers(min_value=0, max_value=10**12))
def test_whole_milliseconds_are_formatted_with_units(milliseconds: int) -> None:
    text = format_duration(milliseconds / 1000)
    assert re.fullmatch(r"([0-9]+(y|w|d|h|ms|m|s))+", text)
    assert parse_duration(text) == milliseconds / 1000


@given(st.fixed_dictionaries({}, optional={unit: st.integers(0, 99) for unit in UNITS}).filter(bool))
def test_units_in_descending_order_are_added(counts: dict[str, int]) -> None:
    text = "".join(f"{counts[unit]}{unit}" for unit in UNITS if unit in counts)
    assert parse_duration(text) == pytest.approx(sum(count * UNITS[unit] for unit, count in counts.items()))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (90, "1m30s"), (604_800, "1w"), (691_200, "8d"), (0.0005, "0.0005"), (1.25, "1s250ms")],
)
def test_a_duration_is_formatted_as_in_prometheus(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_a_number_that_is_not_a_duration_is_not_formatted(seconds: float) -> None:
    with pytest.raises(ValueError, match="must be between 0 and 292 years"):
        format_duration(seconds)
