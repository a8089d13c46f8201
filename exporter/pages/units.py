"""Times and rates for the status page."""

from datetime import UTC, datetime

from exporter.config.durations import format_duration
from exporter.pages.html import Html, tag


def span(seconds: float) -> str:
    """Return a duration in whole seconds, such as ``1m10s``; negative ones are ``0s``."""
    return format_duration(max(0, round(seconds)))


def moment(when: float) -> str:
    """Return a time from Unix seconds, in UTC."""
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock_time(when: float, ago: float) -> Html:
    """Return a time of the day in UTC, preceded by the date if that is not today's.

    Args:
        when: Unix seconds.
        ago: seconds from then until now.
    """
    then, now = datetime.fromtimestamp(when, UTC), datetime.fromtimestamp(when + ago, UTC)
    text = f"{then:%H:%M}" if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M}"
    return tag("time", text, datetime=f"{then:%Y-%m-%dT%H:%M:%SZ}")


def bit_rate(bytes_per_second: float) -> str:
    """Return a rate in bits per second with three digits, such as ``4 Mbit/s``."""
    bits = bytes_per_second * 8
    for unit in ("bit/s", "kbit/s", "Mbit/s", "Gbit/s"):
        if bits < 1000:
            return f"{bits:.3g} {unit}"
        bits /= 1000
    return f"{bits:.3g} Tbit/s"
