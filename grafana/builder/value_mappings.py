"""Numbers that stand for words, the words, and their colours."""

from typing import Final

from grafana.builder.panels import BLUE, GREEN, GREY, ORANGE, RED

HEALTH: Final = {"0": ("Unhealthy", RED), "1": ("Healthy", GREEN)}
HEALTH_ORDER: Final = {"0": ("Unhealthy", RED), "1": ("Unknown", GREY), "2": ("Healthy", GREEN)}
"""As ``queries.health_or_unknown`` counts."""

RECORDING: Final = {
    "0": ("Unknown", GREY),
    "1": ("Waiting", BLUE),
    "2": ("Ready", GREEN),
    "3": ("Failed", RED),
    "4": ("None", ORANGE),
    "5": ("Deleted", GREY),
}
AS_SOURCE: Final = {"0": ("as the source", GREY)}
NONE_LIVE: Final = "No live stream"

PAINTED: Final = {
    "active": BLUE,
    "pending": ORANGE,
    "ended": GREY,
    "healthy (active)": GREEN,
    "unhealthy (active)": RED,
    "unknown (active)": "purple",
    "ready": GREEN,
    "failed": RED,
    "waiting": BLUE,
    "none": ORANGE,
    "deleted": GREY,
    "unknown": "purple",
    "limit": RED,
}
"""Colours of series whose name is a state."""
