"""Sends signed webhooks about what happens in a world, as the real API does."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Protocol
from urllib.parse import urlsplit

from exporter.simulator.events import Event, EventKind
from exporter.simulator.query import Row

EVENTS: Final[Mapping[EventKind, tuple[str, ...]]] = {
    EventKind.CREATED: ("stream.started", "recording.started", "multistream.connected"),
    EventKind.ENDED: ("stream.idle", "recording.waiting", "multistream.disconnected"),
    EventKind.RECORDING_READY: ("recording.ready",),
}
"""The webhooks of each event; for all others there are none. Those of recordings are only sent for recorded streams."""

FAILING_TARGETS: Final = 8
"""The multistream target of one in this many sessions cannot be connected."""

INTERVAL: Final = 0.25
"""Seconds between two looks at the world."""

RETRY_DELAYS: Final = (1.0, 2.0, 4.0)
"""Seconds before a call is repeated that was not answered, or with a status of 500 and above."""

CALL_TIMEOUT: Final = 5.0
"""Seconds that a call may take."""


class EventSource(Protocol):
    """Anything in which something happens; a `World`."""

    def events(self, since: float, until: float) -> list[Event]:
        """Return what happens after a time of the server and until another one."""

    def stream(self, stream_id: str) -> Row:
        """Return the document of a stream, which contains its key."""


def names_of(event: Event, stream: Row) -> list[str]:
    """Return the names of the webhooks about an event."""
    names = [name for name in EVENTS.get(event.kind, ()) if stream.get("record") or not name.startswith("recording.")]
    if hashlib.sha256(event.session_id.encode()).digest()[0] % FAILING_TARGETS == 0:
        replaced = {"multistream.connected": ["multistream.error"], "multistream.disconnected": []}
        names = [other for name in names for other in replaced.get(name, [name])]
    return names


def body_of(event: Event, name: str, stream: Row, sent: float) -> bytes:
    """Return the body of the webhook about an event; repeated calls differ in the time when they were sent."""
    identity = hashlib.sha256(f"{event.session_id} {name}".encode()).hexdigest()[:32]
    fields = {
        "webhookId": "simulated",
        "id": identity,
        "createdAt": int(event.time * 1000),
        "timestamp": int(sent * 1000),
        "event": name,
        "stream": {**stream, "id": event.stream_id},
        "payload": {},
    }
    return json.dumps(fields).encode()


def signature_header(body: bytes, secret: str, now: float) -> str:
    """Return the value of ``Livepeer-Signature``; the time is not signed."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return f"t={int(now * 1000)},v1={digest}"


class WebhookSender:
    """Sends the webhooks of a world to one URL.

    Args:
        source: the world.
        url: of the receiver, plain http.
        secret: signs the bodies.
        now: the server's clock in Unix seconds.
        sleep: waits for some seconds.
    """

    def __init__(
        self,
        source: EventSource,
        url: str,
        secret: str,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        parts = urlsplit(url)
        self._source = source
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._path = parts.path or "/"
        self._secret = secret
        self._now = now
        self._sleep = sleep

    async def run(self) -> None:
        """Send what happens from now on, until this is cancelled."""
        since = self._now()
        async with asyncio.TaskGroup() as calls:
            while True:
                await self._sleep(INTERVAL)
                until = self._now()
                for event in self._source.events(since, until):
                    stream = self._source.stream(event.stream_id)
                    for name in names_of(event, stream):
                        calls.create_task(self.deliver(partial(body_of, event, name, stream)))
                since = until

    async def deliver(self, body_at: Callable[[float], bytes]) -> bool:
        """Send a call until it is answered with a status below 500; return whether that was 2xx.

        Args:
            body_at: returns the body of a call by the time when it is sent.
        """
        for delay in (*RETRY_DELAYS, None):
            sent = self._now()
            status = await self._call(body_at(sent), sent)
            if 200 <= status < 500:
                return status < 300
            if delay is not None:
                await self._sleep(delay)
        return False

    async def _call(self, body: bytes, sent: float) -> int:
        """Return the status of a call, 0 without a response."""
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"Livepeer-Signature: {signature_header(body, self._secret, sent)}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(CALL_TIMEOUT):
                reader, writer = await asyncio.open_connection(self._host, self._port)
                try:
                    writer.write(head.encode() + body)
                    status = (await reader.readline()).split()[1:2]
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return 0
        return int(status[0]) if status and status[0].isdigit() else 0
