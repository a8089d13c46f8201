"""The simulator's webhooks: signed, repeated while the receiver fails, and accepted by the exporter."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exporter.simulator.events import Event, EventKind
from exporter.simulator.query import Row
from exporter.simulator.serve import serving
from exporter.simulator.webhooks import RETRY_DELAYS, WebhookSender, body_of, names_of
from exporter.simulator.world import World
from exporter.webhooks.event import parse_event
from exporter.webhooks.signature import parse_signature
from tests.support.clock import ManualClock
from tests.support.loop import in_loop
from tests.support.rows import START

EVENT = Event(START, EventKind.CREATED, "parent-1", "session-1")


def body_at(sent: float) -> bytes:
    return body_of(EVENT, "stream.started", {}, sent)


class OneEvent:
    """A world in which one stream starts."""

    def events(self, since: float, until: float) -> list[Event]:
        return [EVENT] if since < START + 1 <= until else []

    def stream(self, stream_id: str) -> Row:
        return {"streamKey": "a key", "name": stream_id}


class Receiver:
    """Records calls and answers them with the next status."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.calls: list[tuple[str, bytes, str]] = []

    async def receive(self, request: Request) -> Response:
        self.calls.append((request.url.path, await request.body(), request.headers["Livepeer-Signature"]))
        return Response(status_code=self.statuses.pop(0) if self.statuses else 204)


@asynccontextmanager
async def sender_to(receiver: Receiver, clock: ManualClock) -> AsyncIterator[WebhookSender]:
    app = Starlette(routes=[Route("/{path:path}", receiver.receive, methods=["POST"])])
    async with serving(app) as base_url:
        url = base_url.removesuffix("/api") + "/webhook/default"
        yield WebhookSender(OneEvent(), url, "secret", now=clock.now, sleep=clock.sleep)


@in_loop
async def test_a_call_is_signed_and_is_an_event_of_the_stream() -> None:
    receiver, clock = Receiver(), ManualClock()
    async with sender_to(receiver, clock) as sender:
        running = asyncio.create_task(sender.run())
        while len(receiver.calls) < 2:  # noqa: ASYNC110  # the clock is advanced by the sender
            await asyncio.sleep(0.001)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    for path, body, header in receiver.calls:
        signature, event = parse_signature(header), parse_event(body)
        assert path == "/webhook/default"
        assert signature is not None
        assert signature.matches(body, ["secret"])
        assert event is not None
        assert (event.time, event.stream_id) == (START, "parent-1")
        assert event.sent is not None
        assert event.sent == signature.time / 1000 >= START + 1
    assert {json.loads(body)["event"] for _, body, _ in receiver.calls} == {"stream.started", "multistream.connected"}
    assert len({json.loads(body)["id"] for _, body, _ in receiver.calls}) == 2


@in_loop
async def test_a_call_is_repeated_with_a_new_time_while_the_receiver_fails() -> None:
    receiver, clock = Receiver(500, 503, 204), ManualClock()
    async with sender_to(receiver, clock) as sender:
        assert await sender.deliver(body_at)
        assert [body for _, body, _ in receiver.calls] == [body_at(START + waited) for waited in (0, 1, 3)]
        assert clock.slept == list(RETRY_DELAYS[:2])
        receiver.statuses = [500] * 10
        assert not await sender.deliver(body_at)
        assert len(receiver.calls) == 3 + 1 + len(RETRY_DELAYS)


@in_loop
async def test_a_call_that_is_refused_is_not_repeated() -> None:
    receiver = Receiver(401)
    async with sender_to(receiver, ManualClock()) as sender:
        assert not await sender.deliver(body_at)
    assert len(receiver.calls) == 1


@in_loop
async def test_without_a_receiver_the_call_is_given_up() -> None:
    clock = ManualClock()
    sender = WebhookSender(OneEvent(), "http://127.0.0.1:1/webhook/a", "secret", now=clock.now, sleep=clock.sleep)
    assert not await sender.deliver(body_at)


def names(kind: EventKind, session_id: str, *, record: bool = False) -> list[str]:
    return names_of(Event(START, kind, "parent-1", session_id), {"record": record})


def test_a_recorded_stream_has_events_of_its_recording() -> None:
    assert names(EventKind.CREATED, "session-1") == ["stream.started", "multistream.connected"]
    recorded = names(EventKind.CREATED, "session-1", record=True)
    assert recorded == ["stream.started", "recording.started", "multistream.connected"]
    recorded = names(EventKind.ENDED, "session-1", record=True)
    assert recorded == ["stream.idle", "recording.waiting", "multistream.disconnected"]
    assert names(EventKind.RECORDING_READY, "session-1", record=True) == ["recording.ready"]
    assert names(EventKind.UNHEALTHY, "session-1") == []


def test_the_targets_of_some_sessions_cannot_be_connected() -> None:
    ids = [f"session-{number}" for number in range(400)]
    failing = [name for name in ids if names(EventKind.CREATED, name) == ["stream.started", "multistream.error"]]
    assert 25 <= len(failing) <= 75
    assert {tuple(names(EventKind.ENDED, name)) for name in failing} == {("stream.idle",)}


def test_a_world_has_the_document_of_each_stream_of_its_events() -> None:
    world = World(1, 12, start=START, speed=15.0)
    events = world.events(START, START + 120)
    assert {EventKind.CREATED, EventKind.ENDED} <= {event.kind for event in events}
    for event in events:
        assert world.stream(event.stream_id)["streamKey"]
