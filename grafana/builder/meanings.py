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
NONE_LIVE: Final = "No live stream"
