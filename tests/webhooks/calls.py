"""Calls of a webhook, with signatures."""

import json
from typing import Any, Final

from exporter.webhooks.signature import sign
from tests.support.rows import START, STREAM_KEY

SECRET: Final = "shared-secret-of-the-webhook"  # invented


def body(name: str = "stream.started", number: int = 1, /, **fields: Any) -> bytes:
    """Return the body of an event of a stream, with the secret that it must not pass on."""
    values: dict[str, Any] = {
        "webhookId": "webhook-1",
        "id": f"event-{number}",
        "createdAt": START * 1000,
        "timestamp": START * 1000,
        "event": name,
        "stream": {"id": "parent-1", "streamKey": STREAM_KEY},
        "payload": {},
    }
    return json.dumps(values | fields).encode()


def header(content: bytes, secret: str = SECRET, *, time: float = START) -> str:
    """Return the header that signs a body."""
    return f"t={int(time * 1000)},v1={sign(content, secret)}"
