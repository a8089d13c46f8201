"""The simulator's API as a separate process, with a latency and with sessions that change on request.

``POST /change?share=0.05`` changes a random part of the sessions, ``POST /turnover`` replaces all of them. The clock of
the API does not advance, so that the same sessions are active however long a benchmark takes.
"""

import argparse
import asyncio
import random
import socket
import time
from collections.abc import Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.simulator.api import Row, create_app
from exporter.simulator.bulk import bulk_rows
from tests.bench.processes import KEY


class ChangingSource:
    """The sessions of an account, which change on request only.

    Args:
        count: the number of sessions.
        now: the time of the API in Unix seconds.
    """

    def __init__(self, count: int, now: float) -> None:
        self._count = count
        self._now = now
        self._random = random.Random(count)
        self._generation = 0
        self._rows: list[Row] = []
        self.replace_all()

    def rows(self, _now: float) -> Sequence[Row]:
        """Return all sessions."""
        return self._rows

    def change(self, share: float) -> None:
        """Increase the counters and rates of a random part of the sessions."""
        self._rows = [_increased(row) if self._random.random() < share else row for row in self._rows]

    def replace_all(self) -> None:
        """Replace all sessions by new ones."""
        self._generation += 1
        self._rows = bulk_rows(self._count, self._generation, self._now)


def _increased(row: Row) -> Row:
    return row | {
        "lastSeen": row["lastSeen"] + 1,
        "sourceSegments": row["sourceSegments"] + 10,
        "transcodedSegments": row["transcodedSegments"] + 40,
        "sourceSegmentsDuration": row["sourceSegmentsDuration"] + 20.02,
        "transcodedSegmentsDuration": row["transcodedSegmentsDuration"] + 80.08,
        "sourceBytes": row["sourceBytes"] + 10_000_019,
        "transcodedBytes": row["transcodedBytes"] + 20_000_023,
        "ingestRate": row["ingestRate"] * 1.01,
        "outgoingRate": row["outgoingRate"] * 1.01,
    }


def create_api(source: ChangingSource, now: float) -> ASGIApp:
    """Return the API of an account."""
    return create_app(source, key=KEY, now=lambda: now)


def create_upstream(source: ChangingSource, now: float, latency: float) -> Starlette:
    """Return the API with a latency in seconds, and with the two requests that change its sessions."""
    api = create_api(source, now)

    async def delayed(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(latency)
        await api(scope, receive, send)

    async def change(request: Request) -> Response:
        source.change(float(request.query_params["share"]))
        return Response()

    async def turnover(_request: Request) -> Response:
        source.replace_all()
        return Response()

    # The API routes by the whole path, so it is mounted without a prefix.
    routes = [Route("/change", change, methods=["POST"]), Route("/turnover", turnover, methods=["POST"])]
    return Starlette(routes=[*routes, Mount("/", delayed)])


def serve(app: ASGIApp) -> None:
    """Print a free port, and serve on it until a signal."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        config = uvicorn.Config(app, log_config=None, access_log=False, date_header=False, timeout_keep_alive=30)
        print(server.getsockname()[1], flush=True)
        uvicorn.Server(config).run(sockets=[server])


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    options = parser.parse_args()
    now = time.time()
    serve(create_upstream(ChangingSource(options.sessions, now), now, options.latency))


if __name__ == "__main__":
    main()
