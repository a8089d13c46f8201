"""A Livepeer Studio for the benchmarks, in a process of its own: the simulator, as slow and as lively as asked for.

``POST /change?share=0.05`` lets that part of the sessions go on, ``POST /turnover`` replaces all of them. The server's
clock stands still, so that however long a benchmark takes the same sessions are active.
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


class Herd:
    """The sessions of an account, which change when they are told to.

    Args:
        count: how many.
        now: the server's Unix seconds.
    """

    def __init__(self, count: int, now: float) -> None:
        self._count = count
        self._now = now
        self._random = random.Random(count)
        self._generation = 0
        self._rows: list[Row] = []
        self.turn_over()

    def rows(self, _now: float) -> Sequence[Row]:
        """All of them."""
        return self._rows

    def change(self, share: float) -> None:
        """Let a part of the sessions go on."""
        self._rows = [_later(row) if self._random.random() < share else row for row in self._rows]

    def turn_over(self) -> None:
        """Replace every session by a new one."""
        self._generation += 1
        self._rows = bulk_rows(self._count, self._generation, self._now)


def _later(row: Row) -> Row:
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


def studio(herd: Herd, now: float) -> ASGIApp:
    """The API of an account."""
    return create_app(herd, key=KEY, now=lambda: now)


def remote(herd: Herd, now: float, latency: float) -> Starlette:
    """The API as a server of its own has it: every answer takes so many seconds longer."""
    api = studio(herd, now)

    async def delayed(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(latency)
        await api(scope, receive, send)

    async def change(request: Request) -> Response:
        herd.change(float(request.query_params["share"]))
        return Response()

    async def turnover(_request: Request) -> Response:
        herd.turn_over()
        return Response()

    # The API looks at the whole path, so nothing of it may be cut off.
    routes = [Route("/change", change, methods=["POST"]), Route("/turnover", turnover, methods=["POST"])]
    return Starlette(routes=[*routes, Mount("/", delayed)])


def serve(app: ASGIApp) -> None:
    """Serve on any free port, and print which one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, log_config=None, access_log=False, date_header=False, timeout_keep_alive=30)
        print(listening.getsockname()[1], flush=True)
        uvicorn.Server(config).run(sockets=[listening])


def main() -> None:
    """Serve until a signal says stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    options = parser.parse_args()
    now = time.time()
    serve(remote(Herd(options.sessions, now), now, options.latency))


if __name__ == "__main__":
    main()
