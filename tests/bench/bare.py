"""The least that a program with our dependencies can be: it imports what it is told to, and starts uvicorn."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:  # whether it is loaded is the caller's to say
    from starlette.types import Receive, Scope, Send


async def app(scope: "Scope", receive: "Receive", send: "Send") -> None:
    """Answer everything with nothing."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    port, *names = sys.argv[1:]
    for name in names:
        import_module(name)
    uvicorn.run(app, port=int(port), log_config=None, lifespan="off")
