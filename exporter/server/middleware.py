"""ASGI middleware for applications that send large responses and are cancelled on shutdown."""

import asyncio
import contextlib
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CHUNK_SIZE: Final = 512 * 1024
"""Bytes of a body passed to the transport at once, which copies what it cannot send. Smaller chunks were slower, larger
ones hardly faster."""


def ignore_cancellation(app: ASGIApp) -> ASGIApp:
    """Return `app` with cancellation as a normal end; uvicorn would log it as an error with a traceback."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.CancelledError):
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
