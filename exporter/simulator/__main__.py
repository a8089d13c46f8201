"""Runs the simulator by itself: `python -m exporter.simulator --port 8080 --key KEY`."""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence

from exporter.simulator.api import Rows, create_app
from exporter.simulator.bulk import Crowd, dense_rows
from exporter.simulator.serve import serving
from exporter.simulator.world import DEMO_SPEED, DEMO_STREAMS, World


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the exit code is 0 then, and 1 when the port cannot be listened on."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_serve(options))
    except OSError as error:
        sys.stderr.write(f"cannot listen on {options.host}:{options.port}: {error.strerror}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m exporter.simulator",
        description="A Livepeer Studio of our own, with made-up sessions.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: any free one)")
    parser.add_argument("--key", default="simulated-key", help="the API key let in (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another world (default: 1)")
    parser.add_argument("--streams", type=int, default=DEMO_STREAMS, help="parent streams (default: %(default)s)")
    parser.add_argument(
        "--speed", type=float, default=DEMO_SPEED, help="how much faster than life (default: %(default)s)"
    )
    parser.add_argument("--sessions", type=int, help="this many sessions that stay, instead of a living world")
    return parser


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(
        create_app(_source(options, time.time()), key=options.key, now=time.time), options.host, options.port
    ) as base_url:
        sys.stdout.write(f"{base_url}\n")
        sys.stdout.flush()
        await stop.wait()


def _source(options: argparse.Namespace, start: float) -> Rows:
    if options.sessions is not None:
        return Crowd(dense_rows(options.sessions, options.seed, start), start)
    return World(options.seed, options.streams, start=start, speed=options.speed)


if __name__ == "__main__":
    sys.exit(main())
