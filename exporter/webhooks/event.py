"""The event of a webhook, from the body of a call."""

import re
from typing import Final

import msgspec

from exporter.metrics.catalogue.webhooks import WEBHOOK_EVENTS

OTHER: Final = "other"
"""The label of the events that concern no stream, and of unknown ones."""

OF_RECORDINGS: Final = frozenset({"recording.started", "recording.waiting", "recording.ready"})
"""The events of a recording, whose session may have left the session window."""

CONCERNING_SESSIONS: Final = OF_RECORDINGS | {"stream.started"}
"""The events after which the sessions of a stream have changed.

Not ``stream.idle``: a session is active until 90 s after its last media. Nor those of multistream targets, which the
API's sessions do not show.
"""

TARGET_RESULTS: Final = {
    "multistream.connected": "connected",
    "multistream.disconnected": "disconnected",
    "multistream.error": "error",
}
"""The result for a multistream target, by event."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


class Event(msgspec.Struct, frozen=True):
    """An event. Nothing else of a body is kept, since it contains the key of the stream.

    Attributes:
        id: of the event; repeated calls for an event have the same.
        name: one of ``WEBHOOK_EVENTS``.
        time: when it happened, Unix seconds of the API's clock; None if the body has none.
        sent: when the call was sent, by the same clock; None if the body has no such time.
        stream_id: of the parent stream; None if the body names none.
    """

    id: str
    name: str
    time: float | None
    sent: float | None
    stream_id: str | None


class _Stream(msgspec.Struct, rename="camel", gc=False):
    id: object = None
    parent_id: object = None


class _Body(msgspec.Struct, rename="camel", gc=False):
    id: str
    event: str
    created_at: object = None
    timestamp: object = None
    stream: _Stream | None = None


_DECODER: Final = msgspec.json.Decoder(_Body)


def parse_event(body: bytes) -> Event | None:
    """Return the event of a body, or None if it is not one."""
    try:
        read = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if not _ID.fullmatch(read.id):
        return None
    name = read.event if read.event in WEBHOOK_EVENTS else OTHER
    happened, sent = _seconds(read.created_at), _seconds(read.timestamp)
    return Event(read.id, name, sent if happened is None else happened, sent, _stream_id(read.stream))


def _seconds(milliseconds: object) -> float | None:
    # bool is a subclass of int.
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float) or not 0 < milliseconds < 1e15:
        return None
    return milliseconds / 1000


def _stream_id(stream: _Stream | None) -> str | None:
    for value in (stream.parent_id, stream.id) if stream else ():
        if isinstance(value, str) and _ID.fullmatch(value):
            return value
    return None
