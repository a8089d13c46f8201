"""Value mappings (number to text and color) and the colors of series that are named by a state."""

from collections.abc import Mapping
from typing import Final

from grafana.builder.panels import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, ValueMapping

HEALTH: Final[ValueMapping] = {"0": ("Unhealthy", RED), "1": ("Healthy", GREEN)}

HEALTH_RANK: Final[ValueMapping] = {"0": ("Unhealthy", RED), "1": ("Unknown", GREY), "2": ("Healthy", GREEN)}
"""For the values of ``queries.health_rank``."""

RECORDING_STATUS: Final[ValueMapping] = {
    "0": ("Unknown", GREY),
    "1": ("Waiting", BLUE),
    "2": ("Ready", GREEN),
    "3": ("Failed", RED),
    "4": ("None", ORANGE),
    "5": ("Deleted", GREY),
}

SAME_AS_SOURCE: Final[ValueMapping] = {"0": ("same as source", GREY)}
"""For profile dimensions, where 0 means that the source's value is used."""

STATE_COLORS: Final[Mapping[str, str]] = {
    "active": BLUE,
    "pending": ORANGE,
    "ended": GREY,
    "healthy (active)": GREEN,
    "unhealthy (active)": RED,
    "unknown (active)": PURPLE,
    "ready": GREEN,
    "failed": RED,
    "waiting": BLUE,
    "none": ORANGE,
    "deleted": GREY,
    "unknown": PURPLE,
    "limit": RED,
}
"""Series colors by legend."""
