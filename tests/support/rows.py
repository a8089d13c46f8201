"""Sessions as the API would send them, all of them made up."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

START = 1_760_000_000.0
"""Unix seconds at which the clocks of tests start, ours and the server's."""

Row = dict[str, Any]


def ident(number: int) -> str:
    """An id that looks like a UUID; ids of rising numbers rise."""
    return f"{number:08x}-0000-4000-8000-000000000000"


def row(number: int = 1, /, **fields: Any) -> Row:
    """A live, healthy, recorded session with every field that is read, and the secrets that must not be.

    Args:
        number: tells sessions apart; their ids rise with it.
        fields: what is different about this one, by wire name. ``...`` takes a field away.
    """
    whole = {
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
        "parentStream": {
            "streamKey": "stream-key-that-stays-secret",
            "creatorId": {"value": "someone@example.invalid"},
        },
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not ...}


def page(*rows: Mapping[str, Any]) -> bytes:
    """Rows as the body of an answer; NaN and Infinity are written as JavaScript never would."""
    return encoded(rows)


def encoded(value: Sequence[Any] | Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode()
