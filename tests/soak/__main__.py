"""Leave the real program alone with a moody upstream and greedy scrapers for a while, and see what is left of it.

``python -m tests.soak --minutes 15``: sessions start and end by the thousand, faults of the matrix come and go at
random, scrapers read everything they get. At the end the process must weigh what it weighed in the first minute after
every fault was there once, every scrape must have been answered and parsed, and the counters must equal what the
upstream knows to be true.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Sequence

from tests.soak.conduct import Play, conduct
from tests.soak.faults import FAULTS
from tests.soak.turnover import Turnover
from tests.soak.upstream import Upstream, listening

TICK = 0.25
"""Seconds between two moves of the crowd."""

CALM = 6
"""Requests that are answered well between two faults: two polls."""

REST_ONCE_IN = 120.0
"""Seconds at least between two faults that make the exporter pause for a minute."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table; the exit code is 0 if everything held."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="A soak of the real program.")
    parser.add_argument("--minutes", type=float, default=15.0, help="how long after every fault was there once (15)")
    parser.add_argument("--rate", type=float, default=4.0, help="sessions that start in a second (default: 4)")
    parser.add_argument("--scrapers", type=int, default=2, help="processes that scrape (default: 2)")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of what happens by chance")
    return asyncio.run(_soak(parser.parse_args(arguments)))


async def _soak(options: argparse.Namespace) -> int:
    rng = random.Random(options.seed)
    play = Play(minutes=options.minutes, scrapers=options.scrapers, seed=options.seed)
    crowd = Turnover(rng, options.rate, memory=play.memory, now=time.time())
    async with listening(Upstream(crowd, random.Random(rng.random()))) as upstream:
        hands = [asyncio.create_task(_turn(play, crowd)), asyncio.create_task(_storm(play, upstream, rng))]
        try:
            report = await asyncio.to_thread(conduct, play, upstream)
        finally:
            for hand in hands:
                hand.cancel()
            await asyncio.gather(*hands, return_exceptions=True)
    print(report.table())
    return 0 if report.good else 1


async def _turn(play: Play, crowd: Turnover) -> None:
    """Move the crowd while it may move."""
    while True:
        await asyncio.sleep(TICK)
        if play.moving.is_set():
            crowd.advance(time.time())


async def _storm(play: Play, upstream: Upstream, rng: random.Random) -> None:
    """Let the faults come one after the other in any order, each for a few polls, and some good polls between them.

    Without those the pauses between polls would grow until sessions came and went unseen, which no exporter can count.
    """
    while not play.stormy.is_set():  # noqa: ASYNC110 - another thread sets it
        await asyncio.sleep(TICK)
    rested = time.monotonic()
    while True:
        for fault in rng.sample(FAULTS, len(FAULTS)):
            await _requests(upstream, CALM)
            if not play.stormy.is_set():
                return
            if fault.rest and time.monotonic() - rested < REST_ONCE_IN:
                continue
            if fault.rest:
                rested = time.monotonic()
            upstream.fault = fault
            await asyncio.sleep(rng.uniform(2, 6))
            upstream.fault = None
        play.paraded.set()


async def _requests(upstream: Upstream, count: int) -> None:
    """Wait until so many more requests were answered as they should be."""
    enough = upstream.clean + count
    while upstream.clean < enough:  # noqa: ASYNC110 - it counts in the same loop, for nobody else
        await asyncio.sleep(TICK)


if __name__ == "__main__":
    sys.exit(main())
