"""This program with polls back to back instead of on a clock, in a process of its own.

Between two polls it is scraped, since a poll puts together only a page that is asked for. Prints its port; and when it
ends, as one JSON object, how much memory was resident after each poll, and the longest time in it for which the event
loop served nobody else.
"""

import argparse
import asyncio
import gc
import json
import os
import signal
import time
from dataclasses import asdict, dataclass, field

from exporter.config import Address
from exporter.livepeer.transport import create_http_client, create_ssl_context
from exporter.server.listener import Listener
from tests.bench.contestants import Ours, scrape
from tests.bench.processes import Running

_BEAT = 0.001


@dataclass(slots=True)
class Diary:
    """What happened.

    Attributes:
        memory: resident bytes after each poll.
        gaps: per poll the longest time between two beats of the loop that were to be a millisecond apart, seconds.
        work: the same in CPU time, that is, without what the system gave to others meanwhile.
    """

    memory: list[int] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Longest:
    """The longest gap since somebody looked, seconds of the wall clock and of CPU."""

    gap: float = 0.0
    work: float = 0.0


async def _run(options: argparse.Namespace) -> Diary:
    diary = Diary()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with create_http_client(
        create_ssl_context(ca_file=None, trust_env=False), trust_env=False, connections=4
    ) as client:
        ours = Ours(client.kept, f"{options.url}/api")
        listener = Listener(ours.app, Address("127.0.0.1", 0))
        await listener.start()
        gc.freeze()  # as the daemon does
        gc.set_threshold(*ours.collector)
        await ours.poll()
        print(listener.port, flush=True)
        running = Running(os.getpid(), listener.port)
        longest = Longest()
        beating = asyncio.create_task(_beat(longest))
        while not stop.is_set() and (options.polls is None or len(diary.memory) < options.polls):
            if options.idle:
                await stop.wait()
                break
            if options.change:
                await client.kept.post(f"{options.url}{options.change}")
            await scrape(ours)
            await asyncio.sleep(2 * _BEAT)  # so that the end of the scrape is not seen
            longest.gap = longest.work = 0.0
            await ours.poll()
            await asyncio.sleep(2 * _BEAT)  # so that the end of the poll is seen
            diary.gaps.append(longest.gap)
            diary.work.append(longest.work)
            diary.memory.append(running.memory())
        if options.polls is None:
            await stop.wait()
        beating.cancel()
        await listener.stop(grace=0.1)
    return diary


async def _beat(longest: Longest) -> None:
    last, work = time.perf_counter(), time.thread_time()
    while True:
        await asyncio.sleep(_BEAT)
        now, done = time.perf_counter(), time.thread_time()
        longest.gap, longest.work = max(longest.gap, now - last), max(longest.work, done - work)
        last, work = now, done


def main() -> None:
    """Poll until a signal says stop, or until so many polls are done."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True, help="of the upstream")
    parser.add_argument("--polls", type=int)
    parser.add_argument("--change", help="path that is posted to before each poll")
    parser.add_argument("--idle", action="store_true", help="poll once only")
    print(json.dumps(asdict(asyncio.run(_run(parser.parse_args())))))


if __name__ == "__main__":
    main()
