"""Runs an ASGI application on its own socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

import uvicorn
from starlette.types import ASGIApp

_SHUTDOWN_GRACE = 1  # seconds for requests in flight


class _Server(uvicorn.Server):
    """A server that reports when it listens and leaves the signal handlers of the process unchanged."""

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
    """Serve an application as long as the context lasts; yields the base URL of the API.

    Args:
        app: the application.
        host: IPv4 address to listen on.
        port: port to listen on; 0 for any free port.

    Raises:
        OSError: the address cannot be listened on.
    """
    # With the protocol given; otherwise asyncio does not set TCP_NODELAY, and responses wait for acknowledgements.
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
                date_header=False,  # the clock of the simulator may differ from that of the machine
                server_header=False,
                timeout_graceful_shutdown=_SHUTDOWN_GRACE,
            )
        )
        running = asyncio.create_task(server.serve(sockets=[listener]))
        listening = asyncio.create_task(server.listening.wait())
        try:
            await asyncio.wait((running, listening), return_when=asyncio.FIRST_COMPLETED)
            if running.done():  # it has failed; raise its error
                await running
            bound_host, bound_port = listener.getsockname()
            yield f"http://{bound_host}:{bound_port}/api"
        finally:
            listening.cancel()
            server.should_exit = True
            await running
