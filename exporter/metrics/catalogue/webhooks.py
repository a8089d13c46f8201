"""The families of each account with a webhook: calls, and what they cause."""

from typing import Final

from msgspec.structs import replace

from exporter.metrics.catalogue.family import Family, counter, histogram
from exporter.metrics.catalogue.outcomes import HINT_RESULTS, TARGET_RESULTS, WEBHOOK_RESULTS

WEBHOOK_EVENTS: Final = (
    "stream.started",
    "stream.idle",
    "recording.started",
    "recording.waiting",
    "recording.ready",
    "multistream.connected",
    "multistream.error",
    "multistream.disconnected",
)
"""The events of Livepeer's webhooks that concern streams."""

WITHOUT_WEBHOOK: Final = "the account has no webhook"
"""Why a family of webhooks has no samples."""


def _counter(name: str, text: str, *labels: tuple[str, tuple[str, ...]]) -> Family:
    return replace(counter(name, text, *labels), absent_when=WITHOUT_WEBHOOK)


WEBHOOKS: Final = _counter(
    "webhooks",
    "Calls of the webhook by event and result; none for the event of a call that was refused.",
    ("event", (*WEBHOOK_EVENTS, "other", "none")),
    ("result", WEBHOOK_RESULTS),
)
MULTISTREAM_EVENTS: Final = _counter(
    "multistream_events",
    "Events of multistream targets by result, each event once. From webhooks; the API's sessions do not show them.",
    ("result", TARGET_RESULTS),
)
WEBHOOK_LAG: Final = histogram(
    "webhook_lag_seconds",
    "Time in seconds from an event, by the API's clock, to the publication of a poll that shows it.",
    (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
    absent_when=WITHOUT_WEBHOOK,
)
HINTED_POLLS: Final = _counter(
    "exporter_hinted_polls", "Polls of a single stream after a webhook, by result.", ("result", HINT_RESULTS)
)
HINTS_SAVED: Final = _counter(
    "exporter_hints_saved",
    "Events without a poll of their own: one of their stream was due already, or one of the account has shown them.",
)

WEBHOOK_FAMILIES: Final = (WEBHOOKS, MULTISTREAM_EVENTS, WEBHOOK_LAG, HINTED_POLLS, HINTS_SAVED)
