"""The least that a program with our dependencies can be: it imports what we use of them, and starts uvicorn."""

import sys
from importlib import import_module

import pydantic
import pydantic_settings
import uvicorn
from starlette.types import Receive, Scope, Send

USED = (
    "apscheduler.schedulers.asyncio",
    "bcrypt",
    "httptools",
    "httpcore",  # which httpx loads with its first client
    "httpx",
    "isal.isal_zlib",
    "msgspec",
    "prometheus_client.openmetrics.exposition",
    "starlette.applications",
    "yaml",
)
"""Beside pydantic, pydantic-settings and uvicorn: the libraries of ``pyproject.toml``."""


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer everything with nothing."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    for name in USED:
        import_module(name)
    # pydantic loads its parts when they are asked for by name.
    _ = pydantic.BaseModel, pydantic_settings.BaseSettings
    uvicorn.run(app, port=int(sys.argv[1]), log_config=None, lifespan="off")
