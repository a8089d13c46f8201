"""Lengths of time as Prometheus writes them: `1500ms`, `30s`, `5m`, `1h30m`, `1d`, `1w`, `1y`, or bare seconds."""

import re
from decimal import Decimal
from typing import Final

LONGEST: Final = 2**63 // 10**9
"""Seconds. Prometheus counts nanoseconds in a signed 64-bit integer, about 292 years."""

_UNITS: Final = {  # milliseconds in one of each, from long to short, as they must be written
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_WRITTEN = re.compile("".join(rf"(?:(?P<{unit}>[0-9]{{1,20}}){unit})?" for unit in _UNITS))
_BARE = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,400})?")


def parse_duration(text: str) -> float:
    """Return the seconds that `text` stands for.

    Prometheus's rule: whole numbers, each unit at most once, long units before short ones; a year has 365 days,
    a day 24 hours. A number without a unit is seconds and may have decimals, which is our addition.

    Raises:
        ValueError: `text` is not a duration, or longer than `LONGEST`. The message does not repeat `text`.
    """
    if _BARE.fullmatch(text):
        seconds = float(text)
    elif text and (match := _WRITTEN.fullmatch(text)):
        seconds = sum(int(count) * _UNITS[unit] for unit, count in match.groupdict("0").items()) / 1000
    else:
        raise ValueError("not a duration such as 30s, 1500ms or 1h30m")
    if seconds > LONGEST:
        raise ValueError("a longer duration than Prometheus can express")
    return seconds


def format_duration(seconds: float) -> str:
    """Write `seconds` so that `parse_duration` reads the same number again.

    Whole milliseconds are written with units, as Prometheus would: years and weeks only where nothing is left
    over (`8d`, not `1w1d`). Finer values are written as bare seconds.

    Raises:
        ValueError: `seconds` is negative, not a number, or longer than `LONGEST`.
    """
    if not 0 <= seconds <= LONGEST:
        raise ValueError("a duration is neither negative nor endless")
    if seconds == 0:
        return "0s"
    exact = Decimal(repr(float(seconds)))
    rest, fraction = divmod(exact * 1000, 1)
    if fraction:
        return f"{exact:f}"
    left, parts = int(rest), []
    for unit, size in _UNITS.items():
        if unit in ("y", "w") and left % size:
            continue
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
