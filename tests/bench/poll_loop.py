"""The exporter as a separate process that polls without pauses, with a scrape before every poll.

Prints its port. When it ends, it prints a JSON object with the resident memory after each poll, and the longest time in
each poll for which the event loop was blocked. Without the scrapes, a poll would build no page.
"""

import argparse
import asyncio
import gc
import json
import os
import signal
import time
from dataclasses import asdict, dataclass, field
from typing import Final

from exporter.config import Address
from exporter.livepeer.transport import create_http_client, create_ssl_context
from exporter.server.listener import Listener
from tests.bench.candidates import ExporterCandidate, scrape
from tests.bench.processes import Server

_HEARTBEAT: Final = 0.001
"""Seconds between two wake-ups of the task that measures blocks of the event loop."""


@dataclass(slots=True)
class PollRecords:
    """One value for each poll.

    Attributes:
        memory: resident bytes after the poll.
        blocked: seconds of the longest interval between two heartbeats.
        blocked_cpu: the same in seconds of CPU time, without the time that the system gave to other processes.
    """

    memory: list[int] = field(default_factory=list)
    blocked: list[float] = field(default_factory=list)
    blocked_cpu: list[float] = field(default_factory=list)


@dataclass(slots=True)
class LongestInterval:
    """The longest interval between two heartbeats since the last reset, in seconds of wall-clock and of CPU time."""

    seconds: float = 0.0
    cpu: float = 0.0

    def reset(self) -> None:
        """Forget all intervals."""
        self.seconds = self.cpu = 0.0


async def _run(options: argparse.Namespace) -> PollRecords:
    records = PollRecords()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with create_http_client(
        create_ssl_context(ca_file=None, trust_env=False), trust_env=False, connections=4
    ) as client:
        exporter = ExporterCandidate(client.kept, f"{options.url}/api", recording_interval=options.recording_interval)
        listener = Listener(exporter.app, Address("127.0.0.1", 0))
        await listener.start()
        gc.freeze()  # as the daemon does
        gc.set_threshold(*exporter.gc_thresholds)
        await exporter.poll()
        print(listener.port, flush=True)
        server = Server(os.getpid(), listener.port)
        longest = LongestInterval()
        heartbeat = asyncio.create_task(_measure_intervals(longest))
        while not stop.is_set() and (options.polls is None or len(records.memory) < options.polls):
            if options.idle:
                await stop.wait()
                break
            if options.change:
                await client.kept.post(f"{options.url}{options.change}")
            await scrape(exporter)
            await asyncio.sleep(2 * _HEARTBEAT)  # the end of the scrape is not part of the measurement
            longest.reset()
            await exporter.poll()
            await asyncio.sleep(2 * _HEARTBEAT)  # the end of the poll is
            records.blocked.append(longest.seconds)
            records.blocked_cpu.append(longest.cpu)
            records.memory.append(server.memory())
        if options.polls is None:
            await stop.wait()
        heartbeat.cancel()
        await listener.stop(grace=0.1)
    return records


async def _measure_intervals(longest: LongestInterval) -> None:
    last, last_cpu = time.perf_counter(), time.thread_time()
    while True:
        await asyncio.sleep(_HEARTBEAT)
        now, cpu = time.perf_counter(), time.thread_time()
        longest.seconds, longest.cpu = max(longest.seconds, now - last), max(longest.cpu, cpu - last_cpu)
        last, last_cpu = now, cpu


def main() -> None:
    """Poll until SIGTERM, or a given number of times."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True, help="of the upstream")
    parser.add_argument("--polls", type=int, help="end after this number of polls")
    parser.add_argument("--change", help="path of a POST request to the upstream before each poll")
    parser.add_argument("--recording-interval", type=float, default=300.0, help="the setting, in seconds")
    parser.add_argument("--idle", action="store_true", help="poll once only")
    print(json.dumps(asdict(asyncio.run(_run(parser.parse_args())))))


if __name__ == "__main__":
    main()
