"""Calls of a webhook at a constant rate, from a process of their own: valid, replayed, forged, broken, large, slow."""

import asyncio
import json
import random
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from typing import Final

from exporter.webhooks.signature import sign

SHARES: Final = {"valid": 0.5, "replayed": 0.25, "forged": 0.15, "broken": 0.05, "large": 0.05}
"""The share of each kind of call."""

STATUSES: Final = {"valid": 204, "replayed": 204, "forged": 401, "broken": 400, "large": 413, "slow": 408}
"""The status of each kind of call."""

EVENTS: Final = ("stream.started", "recording.ready", "stream.idle", "multistream.error")
STREAMS: Final = 200
"""Streams that the events are about."""

CONNECTIONS: Final = 16
"""Connections that are kept, each with one call at a time."""

REPLAYED: Final = 5000
"""Last valid calls that are sent again; the exporter remembers twice as many."""

SLOW: Final = 10
"""Connections whose bodies arrive a byte a second."""

MAX_BODY: Final = 64 * 1024
PADDING: Final = "x" * 1000
"""So that a body is about as large as that of Livepeer."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent.

    Attributes:
        port: of the webhooks.
        secret: signs the calls.
        stream_key: part of each body.
        rate: calls a second.
        seconds: the duration.
        seed: of the order of the calls.
    """

    port: int
    secret: str
    stream_key: str
    rate: float
    seconds: float
    seed: int


@dataclass(slots=True)
class LoadResult:
    """What became of the calls.

    Attributes:
        sent: number of answered calls by kind.
        wrong: number of calls by kind and status, of those with another status than expected; 0 without a response.
        seconds: from the first call to the last response.
        late: seconds by which the latest call was sent after its time.
    """

    sent: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    late: float = 0.0

    @property
    def rate(self) -> float:
        """Calls a second, without the slow ones."""
        return sum(count for kind, count in self.sent.items() if kind != "slow") / self.seconds


def send_load(load: Load, results: "Queue[LoadResult]") -> None:
    """Send the calls, and put the result into a queue."""
    results.put(asyncio.run(_Sender(load).run()))


class _Sender:
    def __init__(self, load: Load) -> None:
        self._load = load
        self._rng = random.Random(load.seed)
        self._numbers = 0
        self._valid: deque[bytes] = deque(maxlen=REPLAYED)
        self._result = LoadResult()

    async def run(self) -> LoadResult:
        kinds = self._rng.choices(list(SHARES), list(SHARES.values()), k=int(self._load.rate * self._load.seconds))
        began = asyncio.get_running_loop().time()
        slow = [asyncio.create_task(self._send_slowly(began + self._load.seconds)) for _ in range(SLOW)]
        await asyncio.gather(*(self._send_each(kinds, number, began) for number in range(CONNECTIONS)))
        self._result.seconds = asyncio.get_running_loop().time() - began
        await asyncio.gather(*slow)
        return self._result

    async def _send_each(self, kinds: Sequence[str], first: int, began: float) -> None:
        """Send every so many calls over one connection, each at its time or as soon as the previous one is answered."""
        loop, connection = asyncio.get_running_loop(), _Connection(self._load.port)
        for number in range(first, len(kinds), CONNECTIONS):
            due = began + number / self._load.rate
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            self._result.late = max(self._result.late, loop.time() - due)
            kind = kinds[number]
            self._count(kind, await connection.call(self._request(kind)))
        connection.close()

    async def _send_slowly(self, end: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() + 12 < end:
            connection = _Connection(self._load.port)
            self._count("slow", await connection.call(_request(b"{" * 1000, "", body=b"{"), trickle=True))
            connection.close()

    def _count(self, kind: str, status: int) -> None:
        # The response to a slow body is lost if a byte of it arrives after the exporter has closed the connection.
        if status == STATUSES[kind] or (kind == "slow" and status == 0):
            self._result.sent[kind] += 1
        else:
            self._result.wrong[f"{kind} {status}"] += 1

    def _request(self, kind: str) -> bytes:
        if kind == "large":
            return _request(b" " * (MAX_BODY + 1), "", body=b"")
        if kind == "replayed" and self._valid:
            return self._rng.choice(self._valid)
        body = b"{" if kind == "broken" else self._body()
        signature = sign(body, "another secret" if kind == "forged" else self._load.secret)
        request = _request(body, f"t={int(time.time() * 1000)},v1={signature}", body=body)
        if kind == "valid":
            self._valid.append(request)
        return request

    def _body(self) -> bytes:
        self._numbers += 1
        milliseconds = int(time.time() * 1000)
        stream = {"id": f"parent-{self._rng.randrange(STREAMS)}", "streamKey": self._load.stream_key, "name": PADDING}
        fields: Mapping[str, object] = {
            "id": f"flood-{self._numbers}",
            "event": self._rng.choice(EVENTS),
            "createdAt": milliseconds,
            "timestamp": milliseconds,
            "stream": stream,
        }
        return json.dumps(fields).encode()


def _request(content: bytes, signature: str, *, body: bytes) -> bytes:
    """Return a request that announces a content, with the bytes of the body that are sent."""
    return (
        f"POST /webhook/default HTTP/1.1\r\nHost: a\r\nContent-Length: {len(content)}\r\n"
        f"Livepeer-Signature: {signature}\r\n\r\n"
    ).encode() + body


class _Connection:
    """A connection, which is opened again after a response that closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None

    async def call(self, request: bytes, *, trickle: bool = False) -> int:
        """Return the status of the response, 0 without one."""
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(request)
            head = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
            while trickle and not (await asyncio.wait({head}, timeout=1))[0]:
                writer.write(b"{")
            lines = (await head).lower().split(b"\r\n")
            fields = dict(line.partition(b": ")[::2] for line in lines[1:])
            await reader.readexactly(int(fields.get(b"content-length", b"0")))
            if fields.get(b"connection") == b"close":
                self.close()
            return int(lines[0].split()[1])
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return 0
