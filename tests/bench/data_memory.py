"""P6 and P9: the memory that a candidate holds after two polls and scrapes, in a process of its own.

Two polls, since the state that is kept of the previous poll counts as well; 5 % of the sessions change between them.
"""

import argparse
import asyncio
import gc
import gzip
import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import httpx

from tests.bench.candidates import CANDIDATES, scrape_parts
from tests.bench.processes import environment
from tests.bench.recorded_api import RecordedApi
from tests.bench.reference import REFERENCE
from tests.bench.report import EXPORTER, GoalResult, Measurement, Results
from tests.bench.upstream import ChangingSource, create_api

MEMORY: Final = "memory of the data"
PER_SAMPLE: Final = "memory per sample"
RUNS: Final = 3
"""Runs of the exporter. The reference program has one, since it takes long and uses several times as much."""


@dataclass(frozen=True, slots=True)
class HeldMemory:
    """The memory that a candidate holds, in bytes, and the number of its samples for sessions."""

    bytes: int
    samples: int


def compare(sessions: int) -> Results:
    """Compare the exporter with the reference program."""
    memory, per_sample = _measure(EXPORTER, sessions, RUNS)
    reference_memory, reference_per_sample = _measure(REFERENCE, sessions, 1)
    description = f"{PER_SAMPLE}, {sessions:,} sessions"
    return Results(
        (memory, reference_memory, per_sample, reference_per_sample),
        (GoalResult("P6", description, per_sample.median, goal=200, unit="B"),),
    )


def exporter_alone(sessions: int) -> Measurement:
    """Measure the memory of the exporter's data."""
    return _measure(EXPORTER, sessions, RUNS)[0]


def _measure(candidate: str, sessions: int, runs: int) -> tuple[Measurement, Measurement]:
    held: Sequence[HeldMemory] = [_run_process(candidate, sessions) for _ in range(runs)]
    return (
        Measurement(MEMORY, candidate, sessions, "MB", tuple(each.bytes / 1e6 for each in held)),
        Measurement(PER_SAMPLE, candidate, sessions, "B", tuple(each.bytes / each.samples for each in held)),
    )


def _run_process(candidate: str, sessions: int) -> HeldMemory:
    command = [sys.executable, "-m", "tests.bench.data_memory", candidate, "--sessions", str(sessions)]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment())
    return HeldMemory(**json.loads(run.stdout))


async def _poll_and_measure(name: str, sessions: int) -> HeldMemory:
    now = time.time()
    source = ChangingSource(sessions, now)
    api = RecordedApi(create_api(source, now))
    async with httpx.AsyncClient(transport=api) as client:
        candidate = CANDIDATES[name](client)
        await candidate.fetch()
        source.change(0.05)
        api.next_generation()
        await candidate.fetch()
        api.stop_recording()
        del source
        gc.collect()
        tracemalloc.start()
        for generation in range(2):
            api.replay(generation)
            await candidate.poll()
            parts = await scrape_parts(candidate)
        page = b"".join(parts)
        samples = sum(line.startswith(b"livepeer_studio_session_") for line in gzip.decompress(page).splitlines())
        # tracemalloc does not trace the anonymous map that holds a large page.
        mapped = sum(len(part) for part in parts if isinstance(part, memoryview))
        del page, parts
        gc.collect()
        return HeldMemory(tracemalloc.get_traced_memory()[0] + mapped, samples)


def main() -> None:
    """Print the memory that a candidate holds and the number of its samples, as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("candidate", choices=CANDIDATES)
    parser.add_argument("--sessions", type=int, required=True)
    options = parser.parse_args()
    print(json.dumps(asdict(asyncio.run(_poll_and_measure(options.candidate, options.sessions)))))


if __name__ == "__main__":
    main()
