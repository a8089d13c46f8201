"""Sessions as the API returns them, with invented values."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from exporter.sessions.session import Amount, Session

START = 1_760_000_000.0
"""Unix seconds at which the clocks of tests start, both the exporter's and the server's."""

STREAM_KEY = "secret-stream-key"
"""The ingest credential that the API embeds in each session; it must never leave the exporter."""

Row = dict[str, Any]

NUMBERS = [each.encode_name for each in msgspec.structs.fields(Session) if each.type == Amount | None]
"""The numeric fields, so that a new one has a value without a change here."""


def ident(number: int) -> str:
    """Return an id in the form of a UUID; ids are in the order of their numbers."""
    return f"{number:08x}-0000-4000-8000-000000000000"


def row(number: int = 1, /, **fields: Any) -> Row:
    """Return an active, healthy and recorded session with all fields that are read, and secrets that must not be.

    Args:
        number: determines the id and the other identifiers.
        fields: values that replace the defaults, by API name; ``...`` removes a field.
    """
    fields = {
        **dict.fromkeys(NUMBERS, 1),
        "id": ident(number),
        "name": f"stream {number}",
        "parentId": f"parent-{number}",
        "createdAt": (START - 600) * 1000,
        "lastSeen": (START - 10) * 1000,
        "sourceSegments": 100,
        "transcodedSegments": 400,
        "sourceSegmentsDuration": 200.5,
        "transcodedSegmentsDuration": 802.0,
        "sourceBytes": 1_000_000,
        "transcodedBytes": 3_000_000,
        "ingestRate": 5_000.0,
        "outgoingRate": 15_000.0,
        "isHealthy": True,
        "issues": [],
        "record": True,
        "recordingStatus": "waiting",
        "recordingUrl": "https://example.invalid/recording",
        "mp4Url": "https://example.invalid/mp4",
        "profiles": [{"name": "720p", "width": 1280, "height": 720, "bitrate": 3_000_000, "fps": 30, "gop": "2.0"}],
        "playbackId": f"playback-{number}",
        "projectId": f"project-{number}",
        "userId": "user-1",
        "parentStream": {
            "streamKey": STREAM_KEY,
            "creatorId": {"value": "someone@example.invalid"},
        },
        **fields,
    }
    return {name: value for name, value in fields.items() if value is not ...}


def page(*rows: Mapping[str, Any]) -> bytes:
    """Return the body of a response with these sessions. NaN and Infinity are encoded as Python does."""
    return encoded(rows)


def encoded(value: Sequence[Any] | Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode()
