"""Durations in the notation of Prometheus (`1500ms`, `30s`, `5m`, `1h30m`, `1d`, `1w`, `1y`), or plain seconds."""

import re
from decimal import Decimal
from typing import Final

MAX_DURATION: Final = 2**63 // 10**9
"""Seconds, about 292 years: Prometheus counts nanoseconds in a signed 64-bit integer."""

_UNITS: Final = {  # milliseconds per unit, in the order in which units are written
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_WITH_UNITS = re.compile("".join(rf"(?:(?P<{unit}>[0-9]{{1,20}}){unit})?" for unit in _UNITS))
_SECONDS = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,400})?")


def parse_duration(text: str) -> float:
    """Return a duration in seconds.

    With units, the rules of Prometheus apply: integers, each unit at most once, longer units first; a year has 365
    days, a day 24 hours. A number without a unit is seconds and may have decimals, which Prometheus does not allow.

    Raises:
        ValueError: `text` is not a duration, or longer than `MAX_DURATION`. The message does not contain `text`.
    """
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    elif text and (match := _WITH_UNITS.fullmatch(text)):
        seconds = sum(int(count) * _UNITS[unit] for unit, count in match.groupdict("0").items()) / 1000
    else:
        raise ValueError("must be a duration such as 30s, 1500ms or 1h30m")
    if seconds > MAX_DURATION:
        raise ValueError("must not be longer than 292 years")
    return seconds


def format_duration(seconds: float) -> str:
    """Format a duration so that `parse_duration` returns the same number.

    Whole milliseconds are formatted with units, as in Prometheus: years and weeks only without a remainder (`8d`, not
    `1w1d`). Other values are formatted as plain seconds.

    Raises:
        ValueError: `seconds` is negative, not a number, or longer than `MAX_DURATION`.
    """
    if not 0 <= seconds <= MAX_DURATION:
        raise ValueError("a duration must be between 0 and 292 years")
    if seconds == 0:
        return "0s"
    exact = Decimal(repr(float(seconds)))
    milliseconds, fraction = divmod(exact * 1000, 1)
    if fraction:
        return f"{exact:f}"
    remainder, parts = int(milliseconds), []
    for unit, size in _UNITS.items():
        if unit in ("y", "w") and remainder % size:
            continue
        count, remainder = divmod(remainder, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
