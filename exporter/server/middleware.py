"""ASGI middleware for applications that send large responses and are cancelled on shutdown, and parts of others."""

import asyncio
import contextlib
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CHUNK_SIZE: Final = 64 * 1024
"""Bytes of a body passed to the transport at once, which copies what it cannot send: the memory of a slow client."""


class ClientDisconnectedError(OSError):
    """The client has disconnected, so the rest of the response is not needed."""


def ignore_cancellation(app: ASGIApp) -> ASGIApp:
    """Return `app` with a cancellation, and a disconnected client, as a normal end.

    uvicorn would log both as errors with a traceback.
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.CancelledError, ClientDisconnectedError):
            await app(scope, receive, send)

    return wrapped


def chunk_bodies(app: ASGIApp) -> ASGIApp:
    """Return `app` with large response bodies sent in chunks.

    asyncio copies everything that the socket does not accept at once. With a large body sent whole, that is one copy
    per slow client; with chunks, a client that does not read holds one chunk.
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_chunks(message: Message) -> None:
            body: Any = message.get("body", b"")
            if message["type"] != "http.response.body" or len(body) <= CHUNK_SIZE:
                await send(message)
                return
            view = memoryview(body)
            for start in range(0, len(view), CHUNK_SIZE):
                more = message.get("more_body", False) or start + CHUNK_SIZE < len(view)
                await send({"type": "http.response.body", "body": view[start : start + CHUNK_SIZE], "more_body": more})

        await app(scope, receive, send_chunks)

    return wrapped


def with_headers(send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> Send:
    """Return `send` with headers added to each response; they replace those of the same name."""
    names = {name for name, _ in headers}

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            # Configured headers override those of the application.
            kept = [header for header in message.get("headers", ()) if header[0].lower() not in names]
            message = {**message, "headers": [*kept, *headers]}
        await send(message)

    return send_with_headers


async def respond(send: Send, status: int, body: bytes, header: tuple[bytes, bytes]) -> None:
    """Send a response of plain text that must not be cached, with one more header."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        header,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
