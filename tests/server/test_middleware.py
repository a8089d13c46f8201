"""Middleware around an application: chunked bodies, and cancellation."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from exporter.server.middleware import CHUNK_SIZE, chunk_bodies, ignore_cancellation
from tests.server.raw_client import run, static_app


async def receive() -> Message:
    return {"type": "http.disconnect"}


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE])
def test_S08_a_body_is_sent_in_chunks_of_limited_size(size: int) -> None:
    async def scenario() -> None:
        body = bytes(range(256)) * (size // 256) + bytes(size % 256)
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await chunk_bodies(static_app(body))({"type": "http"}, receive, send)
        start, *chunks = sent
        assert start["type"] == "http.response.start"
        assert b"".join(chunk["body"] for chunk in chunks) == body
        assert all(len(chunk["body"]) <= CHUNK_SIZE for chunk in chunks)
        assert [chunk.get("more_body", False) for chunk in chunks] == [True] * (len(chunks) - 1) + [False]

    run(scenario)


def test_a_body_that_an_application_sends_in_parts_ends_with_the_last_part() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.body", "body": bytes(CHUNK_SIZE + 1), "more_body": True})
        await send({"type": "http.response.body", "body": bytes(CHUNK_SIZE + 1)})

    async def scenario() -> None:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await chunk_bodies(app)({"type": "http"}, receive, send)
        assert [message["more_body"] for message in sent] == [True, True, True, False]

    run(scenario)


def test_R03_cancellation_is_a_normal_end_of_an_application() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise asyncio.CancelledError

    async def send(_message: Message) -> None:
        raise AssertionError("unexpected response")

    async def scenario() -> None:
        await ignore_cancellation(app)({"type": "http"}, receive, send)

    run(scenario)
