"""Run the exporter with a faulty upstream and demanding scrapers for a while, and check that nothing degrades.

``python -m tests.soak --minutes 15``: thousands of sessions start and end, faults of the reliability matrix occur in
random order, and scrapers parse every page. Meanwhile the settings are reloaded, and crowds of clients arrive. The
measurement begins after each of these has occurred once, and when the exporter remembers as many absent sessions as it
ever does. At the end, the process must use no more resources in the last quarter of it than in the first one, its
memory must have no rising trend, every scrape must have succeeded, the log must be bounded, and the counters must equal
the true values.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Sequence
from typing import Final

from exporter.sessions.counters import MIN_REMEMBERED
from tests.soak.faults import FAULTS, Fault
from tests.soak.run import SoakRun, run_soak
from tests.soak.turnover import Turnover
from tests.soak.upstream import Upstream, serving

TICK: Final = 0.25
"""Seconds between two changes of the sessions."""

REQUESTS_BETWEEN_FAULTS: Final = 10
"""Valid responses between two faults: those of two polls."""

PAUSE_INTERVAL: Final = 120.0
"""Minimum seconds between two faults after which the exporter pauses its polls for a minute."""


WARM_UP_RATE: Final = 6.0
"""How many times more sessions start in the warm-up."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak and print its report; the exit code is 0 if all checks passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="A soak test of the real program.")
    parser.add_argument("--minutes", type=float, default=15.0, help="duration after the warm-up (default: 15)")
    parser.add_argument("--rate", type=float, default=4.0, help="sessions started per second (default: 4)")
    parser.add_argument("--scrapers", type=int, default=2, help="scraping processes (default: 2)")
    parser.add_argument(
        "--faults",
        type=lambda text: text.split(","),
        default=sorted({fault.id for fault in FAULTS}),
        help="ids of the faults of the upstream, separated by commas (default: all)",
    )
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of all random numbers")
    return asyncio.run(_soak(parser.parse_args(arguments)))


async def _soak(options: argparse.Namespace) -> int:
    rng = random.Random(options.seed)
    run = SoakRun(minutes=options.minutes, scrapers=options.scrapers, seed=options.seed)
    turnover = Turnover(rng, options.rate, retention=run.retention, now=time.time())
    async with serving(Upstream(turnover, random.Random(rng.random()))) as upstream:
        tasks = [
            asyncio.create_task(_advance_sessions(run, turnover)),
            asyncio.create_task(
                _inject_faults(run, upstream, rng, [fault for fault in FAULTS if fault.id in options.faults])
            ),
        ]
        try:
            report = await asyncio.to_thread(run_soak, run, upstream)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    print(report.table())
    return 0 if report.passed else 1


async def _advance_sessions(run: SoakRun, turnover: Turnover) -> None:
    """Change the sessions, at first with more starts, until the exporter remembers as many absent ones as it ever does.

    Until then its memory grows, as it should.
    """
    rate = turnover.rate
    turnover.rate = rate * WARM_UP_RATE
    while True:
        await asyncio.sleep(TICK)
        if run.sessions_change.is_set():
            turnover.advance(time.time())
        if turnover.truth["sessions_started_total"] > MIN_REMEMBERED and not run.memory_is_full.is_set():
            turnover.rate = rate
            run.memory_is_full.set()


async def _inject_faults(run: SoakRun, upstream: Upstream, rng: random.Random, faults: Sequence[Fault]) -> None:
    """Set the faults in random order, each for a few polls, with successful polls between them.

    Without those, the delay between polls would grow until sessions start and end unseen, and no exporter could count
    them.
    """
    while not run.faults_occur.is_set():  # noqa: ASYNC110 - another thread sets it
        await asyncio.sleep(TICK)
    last_pause = time.monotonic()
    while True:
        for fault in rng.sample(faults, len(faults)):
            await _wait_for_valid_responses(upstream, REQUESTS_BETWEEN_FAULTS)
            if not run.faults_occur.is_set():
                return
            if fault.pauses_polls and time.monotonic() - last_pause < PAUSE_INTERVAL:
                continue
            if fault.pauses_polls:
                last_pause = time.monotonic()
            await _inject(upstream, fault, rng.uniform(2, 6))
        run.all_faults_occurred.set()


async def _inject(upstream: Upstream, fault: Fault, seconds: float) -> None:
    """Set a fault for some seconds, and at least until it has affected a request."""
    before = upstream.faulty_requests.total()
    upstream.fault = fault
    await asyncio.sleep(seconds)
    while upstream.faulty_requests.total() == before:  # noqa: ASYNC110 - a counter is simpler than a condition here
        await asyncio.sleep(TICK)
    upstream.fault = None


async def _wait_for_valid_responses(upstream: Upstream, count: int) -> None:
    target = upstream.valid_responses + count
    while upstream.valid_responses < target:  # noqa: ASYNC110 - a counter is simpler than a condition here
        await asyncio.sleep(TICK)


if __name__ == "__main__":
    sys.exit(main())
