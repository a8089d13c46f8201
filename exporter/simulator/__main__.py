"""Runs the simulator alone: `python -m exporter.simulator --port 8080 --key KEY`."""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence

from exporter.simulator.api import Keys, SessionSource, create_app
from exporter.simulator.bulk import BulkSource, bulk_rows
from exporter.simulator.collation import COLLATIONS
from exporter.simulator.pool import ConnectionPool
from exporter.simulator.serve import serving
from exporter.simulator.streams import USER_ID
from exporter.simulator.webhooks import WebhookSender
from exporter.simulator.world import DEMO_SPEED, DEMO_STREAMS, World


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT.

    Args:
        arguments: the command line; defaults to that of the process.

    Returns:
        The exit code: 0 after a signal, 1 if the address cannot be listened on.
    """
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
        description="Serve a simulated Livepeer Studio API with made-up sessions, and print its base URL.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: any free port)")
    parser.add_argument("--key", default="simulated-key", help="the accepted API key (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random data (default: %(default)s)")
    parser.add_argument(
        "--streams", type=int, default=DEMO_STREAMS, help="number of parent streams (default: %(default)s)"
    )
    parser.add_argument(
        "--speed", type=float, default=DEMO_SPEED, help="factor by which streams change faster (default: %(default)s)"
    )
    parser.add_argument(
        "--sessions", type=int, help="serve this many sessions that never start or end, instead of changing streams"
    )
    parser.add_argument("--admin-key", help="an API key that lists the sessions of all users")
    parser.add_argument(
        "--users", type=int, default=1, help="number of users; --key belongs to the first (default: %(default)s)"
    )
    parser.add_argument(
        "--collation", choices=COLLATIONS, default="C", help="order of ids in the database (default: %(default)s)"
    )
    parser.add_argument(
        "--statement-time",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="duration of an SQL statement, of which each recorded session needs one (default: %(default)s)",
    )
    parser.add_argument("--webhook-url", help="send webhooks about what happens to the streams to this http URL")
    parser.add_argument(
        "--webhook-secret", default="simulated-secret", help="signs the webhooks (default: %(default)s)"
    )
    return parser


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    source = _source(options, time.time())
    app = create_app(
        source,
        key=Keys(options.key, admin=options.admin_key),
        now=time.time,
        collation=COLLATIONS[options.collation],
        pool=ConnectionPool(options.statement_time),
        user_id=USER_ID if options.users > 1 else None,
    )
    async with serving(app, options.host, options.port) as base_url:
        sys.stdout.write(f"{base_url}\n")
        sys.stdout.flush()
        sending = _send_webhooks(options, source)
        await stop.wait()
        if sending is not None:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


def _send_webhooks(options: argparse.Namespace, source: SessionSource) -> asyncio.Task[None] | None:
    if options.webhook_url is None or not isinstance(source, World):  # in a bulk of sessions nothing happens
        return None
    sender = WebhookSender(source, options.webhook_url, options.webhook_secret, now=time.time)
    return asyncio.create_task(sender.run(), name="webhooks")


def _source(options: argparse.Namespace, start: float) -> SessionSource:
    if options.sessions is not None:
        return BulkSource(bulk_rows(options.sessions, options.seed, start, users=options.users), start)
    return World(options.seed, options.streams, start=start, speed=options.speed, users=options.users)


if __name__ == "__main__":
    sys.exit(main())
