"""Times and rates as text for the status page."""

from datetime import UTC, datetime

from exporter.config.durations import format_duration


def span(seconds: float) -> str:
    """Return a duration in whole seconds, such as ``1m10s``; negative ones are ``0s``."""
    return format_duration(max(0, round(seconds)))


def moment(when: float) -> str:
    """Return a time from Unix seconds, in UTC."""
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M:%S} UTC"


def bit_rate(bytes_per_second: float) -> str:
    """Return a rate in bits per second with three digits, such as ``4 Mbit/s``."""
    bits = bytes_per_second * 8
    for unit in ("bit/s", "kbit/s", "Mbit/s", "Gbit/s"):
        if bits < 1000:
            return f"{bits:.3g} {unit}"
        bits /= 1000
    return f"{bits:.3g} Tbit/s"
