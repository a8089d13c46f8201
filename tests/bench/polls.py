"""P3, P10, and the CPU time of P9: a whole poll and one scrape, without the network.

Each candidate runs in a process of its own and polls on request, so that the candidates poll by turns.
"""

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Final

import httpx

from tests.bench.candidates import CANDIDATES, Candidate, scrape_parts
from tests.bench.processes import environment, terminate
from tests.bench.recorded_api import RecordedApi
from tests.bench.reference import REFERENCE
from tests.bench.report import EXPORTER, GoalResult, Measurement, Results
from tests.bench.upstream import ChangingSource, create_api
from tests.bench.without_lifecycle import WITHOUT_LIFECYCLE, WithoutLifecycle

POLL: Final = "CPU of a poll and a scrape"
POLL_OF_CHANGES: Final = f"{POLL}, 5 % of the sessions changed"
POLL_WITH_LIFECYCLE: Final = f"{POLL}, with and without the lifecycle"
SCRAPE: Final = "CPU of a scrape without a socket"
SCRAPES: Final = 9
"""Scrapes in each round, if scrapes are measured alone."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of CPU time for a poll and the scrape after it, and for a scrape alone."""

    poll_and_scrape: float
    scrape: float


@dataclass(frozen=True, slots=True)
class Task:
    """The polls of one process.

    Attributes:
        candidate: the name of the program.
        sessions: the number of sessions.
        rounds: the number of polls.
        changed: the part of the sessions that changes between two polls.
        scrapes: after each poll.
    """

    candidate: str
    sessions: int
    rounds: int
    changed: float = 1.0
    scrapes: int = 1


def compare(sessions: int, rounds: int) -> Results:
    """Compare the exporter with the reference program; all sessions change between two polls."""
    exporter, reference = _measure_polls(POLL, (EXPORTER, REFERENCE), sessions, rounds)
    description = f"{POLL}, compared with the reference program's, {sessions:,} sessions"
    goal = GoalResult("P3", description, exporter.ratio_to(reference), goal=1 / 25)
    return Results((exporter, reference), (goal,))


def compare_lifecycle(sessions: int, rounds: int) -> Results:
    """Compare the exporter with and without the lifecycle metrics; all sessions change between two polls."""
    exporter, without = _measure_polls(POLL_WITH_LIFECYCLE, (EXPORTER, WITHOUT_LIFECYCLE), sessions, rounds)
    description = f"{POLL}, compared with polls without the lifecycle metrics, {sessions:,} sessions"
    goal = GoalResult("P10", description, exporter.ratio_to(without), goal=1.1)
    return Results((exporter, without), (goal,))


def _measure_polls(quantity: str, candidates: Sequence[str], sessions: int, rounds: int) -> list[Measurement]:
    tasks = [Task(candidate, sessions, rounds) for candidate in candidates]
    return [
        Measurement(quantity, task.candidate, sessions, "ms", tuple(cost.poll_and_scrape for cost in costs))
        for task, costs in zip(tasks, _measure(tasks), strict=True)
    ]


def exporter_alone(sizes: Sequence[int], rounds: int) -> tuple[tuple[Measurement, ...], tuple[Measurement, ...]]:
    """Measure polls and scrapes of the exporter with several numbers of sessions, of which 5 % change between polls.

    The reference program is left out, since it would take minutes.

    Returns:
        The measurements of polls with a scrape, and those of scrapes alone, in the order of the sizes.
    """
    costs = _measure([Task(EXPORTER, sessions, rounds, changed=0.05, scrapes=SCRAPES) for sessions in sizes])
    polls, scrapes = [], []
    for size, found in zip(sizes, costs, strict=True):
        values = tuple(cost.poll_and_scrape for cost in found)
        polls.append(Measurement(POLL_OF_CHANGES, EXPORTER, size, "ms", values))
        scrapes.append(Measurement(SCRAPE, EXPORTER, size, "ms", tuple(cost.scrape for cost in found)))
    return tuple(polls), tuple(scrapes)


def _measure(tasks: Sequence[Task]) -> list[tuple[Cost, ...]]:
    """Run the tasks by turns, and return the costs of each task by round."""
    with ExitStack() as stack:
        processes = [stack.enter_context(_running(task)) for task in tasks]
        rounds = list(zip(*processes, strict=True))
    return list(zip(*rounds, strict=True))


@contextmanager
def _running(task: Task) -> Iterator[Iterator[Cost]]:
    """Run a task in a process that polls when the next cost is requested."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.polls", json.dumps(asdict(task))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env=environment(),
    )
    try:
        yield _costs(process, task.rounds)
    finally:
        terminate(process)


def _costs(process: "subprocess.Popen[str]", rounds: int) -> Iterator[Cost]:
    assert process.stdin is not None
    assert process.stdout is not None
    for _ in range(rounds):
        process.stdin.write("\n")
        yield Cost(**json.loads(process.stdout.readline()))


async def _poll_on_request(task: Task) -> None:
    now = time.time()
    source = ChangingSource(task.sessions, now)
    api = RecordedApi(create_api(source, now))
    async with httpx.AsyncClient(transport=api) as client:
        candidate = {**CANDIDATES, WITHOUT_LIFECYCLE: WithoutLifecycle}[task.candidate](client)
        for _ in range(task.rounds):
            await candidate.fetch()
            source.change(task.changed)
            api.next_generation()
        await candidate.fetch()
        # Releases the many objects of the source, which would slow down the candidate's garbage collection.
        api.stop_recording()
        del source
        gc.collect()
        gc.set_threshold(*candidate.gc_thresholds)
        api.replay(0)
        await candidate.poll()
        for generation in range(1, task.rounds + 1):
            api.replay(generation)
            sys.stdin.readline()
            print(json.dumps(asdict(await _cost(candidate, task.scrapes))), flush=True)


async def _cost(candidate: Candidate, scrapes: int) -> Cost:
    poll = await _cpu_milliseconds(candidate.poll())
    scrape = [await _cpu_milliseconds(scrape_parts(candidate)) for _ in range(scrapes)]
    return Cost(poll + scrape[0], statistics.median(scrape))


async def _cpu_milliseconds(work: Awaitable[object]) -> float:
    began = time.process_time()
    await work
    return (time.process_time() - began) * 1000


def main() -> None:
    """Poll once for every line of the input, and print its cost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task", type=json.loads, help="as JSON")
    asyncio.run(_poll_on_request(Task(**parser.parse_args().task)))


if __name__ == "__main__":
    main()
