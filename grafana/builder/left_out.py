"""Metrics that stand on no panel, each with its reason; a test holds this list against the catalogue."""

from collections.abc import Mapping
from typing import Final

LEFT_OUT: Final[Mapping[str, str]] = {
    "livepeer_studio_exporter_poll_duration_seconds": "a histogram is shown by its buckets, sum and count",
    "livepeer_studio_exporter_api_request_duration_seconds": "the same",
}
