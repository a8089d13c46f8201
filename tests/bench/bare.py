"""The least that a program with our dependencies can be: it imports them, and starts uvicorn."""

import sys

import apscheduler  # noqa: F401
import bcrypt  # noqa: F401
import httptools  # noqa: F401
import httpx  # noqa: F401
import isal  # noqa: F401
import msgspec  # noqa: F401
import prometheus_client  # noqa: F401
import pydantic  # noqa: F401
import pydantic_settings  # noqa: F401
import starlette  # noqa: F401
import uvicorn
import yaml  # noqa: F401
from starlette.types import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer everything with nothing."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_config=None, lifespan="off")
