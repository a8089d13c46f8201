"""The smallest program with given dependencies: imports the modules of its command line and starts uvicorn."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:  # Starlette is loaded only if the command line has it
    from starlette.types import Receive, Scope, Send


async def app(scope: "Scope", receive: "Receive", send: "Send") -> None:
    """Respond to every request with an empty body."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    port, *names = sys.argv[1:]
    for name in names:
        import_module(name)
    uvicorn.run(app, port=int(port), log_config=None, lifespan="off")
