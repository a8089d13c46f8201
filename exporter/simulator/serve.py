"""Runs an ASGI application on a loopback socket of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

import uvicorn
from starlette.types import ASGIApp

_GRACE_SECONDS = 1  # for requests still being answered when the end comes


class _Server(uvicorn.Server):
    """A server inside somebody else's process: it says when it listens and leaves the signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


@asynccontextmanager
async def serving(app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve an application as long as the context lasts; gives the API's base URL.

    Port 0 lets the system choose. Idle connections are closed at the end.

    Raises:
        OSError: the address cannot be listened on.
    """
    # With its protocol named, or asyncio leaves TCP_NODELAY off and answers wait for acknowledgements.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        server = _Server(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                date_header=False,  # the simulator's clock may differ from this machine's
                server_header=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        running = asyncio.create_task(server.serve(sockets=[listener]))
        listening = asyncio.create_task(server.listening.wait())
        try:
            await asyncio.wait((running, listening), return_when=asyncio.FIRST_COMPLETED)
            if running.done():  # it failed before it listened: show why
                await running
            bound_host, bound_port = listener.getsockname()
            yield f"http://{bound_host}:{bound_port}/api"
        finally:
            listening.cancel()
            server.should_exit = True
            await running
