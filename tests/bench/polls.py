"""P3, and the CPU of P9: a whole poll and one scrape, without the network.

Each program has a process of its own, as it has in life, and polls when it is told to: the processes take turns.
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

import httpx

from tests.bench.contestants import BY_NAME, OBVIOUS, Contestant, Tape, answer
from tests.bench.processes import end, environ
from tests.bench.report import OURS, Figure, Findings, Verdict
from tests.bench.upstream import Herd, studio

POLL = "CPU of a poll and a scrape"
SOME_CHANGED = f"{POLL}, 5 % changed"
SCRAPE = "CPU of a scrape without a socket"
SCRAPES = 9
"""To a round, where scrapes are measured alone."""

GOAL = 1 / 25
_NAMES = {"ours": OURS, "obvious": OBVIOUS}


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of CPU: of a poll and the scrape behind it, and of a scrape alone."""

    both: float
    scrape: float


@dataclass(frozen=True, slots=True)
class Task:
    """What a process has to do.

    Attributes:
        who: the program.
        sessions: how many.
        rounds: of a poll and scrapes.
        changed: which part of the sessions changes between polls.
        scrapes: to a round.
    """

    who: str
    sessions: int
    rounds: int
    changed: float = 1.0
    scrapes: int = 1


def compare(sessions: int, rounds: int) -> Findings:
    """This program and the obvious one in turns; between polls every session changes."""
    tasks = [Task(who, sessions, rounds) for who in ("ours", "obvious")]
    ours, obvious = (
        Figure(POLL, _NAMES[task.who], sessions, "ms", tuple(cost.both for cost in costs))
        for task, costs in zip(tasks, _measure(tasks), strict=True)
    )
    text = f"{POLL}, to that of the obvious program, {sessions:,} sessions"
    return Findings((ours, obvious), (Verdict("P3", text, GOAL).of(ours.to(obvious)),))


def alone(sizes: Sequence[int], rounds: int) -> tuple[tuple[Figure, ...], tuple[Figure, ...]]:
    """This program with several numbers of sessions, of which 5 % change between polls: the polls, and scrapes alone.

    Without a rival, which would take minutes.
    """
    costs = _measure([Task("ours", sessions, rounds, changed=0.05, scrapes=SCRAPES) for sessions in sizes])
    sized = list(zip(sizes, costs, strict=True))
    return (
        tuple(Figure(SOME_CHANGED, OURS, size, "ms", tuple(cost.both for cost in found)) for size, found in sized),
        tuple(Figure(SCRAPE, OURS, size, "ms", tuple(cost.scrape for cost in found)) for size, found in sized),
    )


def _measure(tasks: Sequence[Task]) -> list[tuple[Cost, ...]]:
    """What each round of each task costs; they take turns."""
    with ExitStack() as stack:
        turns = [stack.enter_context(_turns(task)) for task in tasks]
        rounds = list(zip(*turns, strict=True))
    return list(zip(*rounds, strict=True))


@contextmanager
def _turns(task: Task) -> Iterator[Iterator[Cost]]:
    """A process that polls whenever the next value is asked for."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.polls", json.dumps(asdict(task))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env=environ(),
    )
    try:
        yield _asked(process, task.rounds)
    finally:
        end(process)


def _asked(process: "subprocess.Popen[str]", rounds: int) -> Iterator[Cost]:
    assert process.stdin is not None
    assert process.stdout is not None
    for _ in range(rounds):
        process.stdin.write("\n")
        yield Cost(**json.loads(process.stdout.readline()))


async def _poll_when_told(task: Task) -> None:
    now = time.time()
    herd = Herd(task.sessions, now)
    tape = Tape(studio(herd, now))
    async with httpx.AsyncClient(transport=tape) as client:
        contestant = BY_NAME[task.who](client)
        for _ in range(task.rounds):
            await contestant.rehearse()
            herd.change(task.changed)
            tape.next_reel()
        await contestant.rehearse()
        # The sessions of the upstream are many objects; nobody's garbage collection shall have to look at them.
        tape.cut()
        del herd
        gc.collect()
        gc.set_threshold(*contestant.collector)
        tape.play(0)
        await contestant.poll()
        for reel in range(1, task.rounds + 1):
            tape.play(reel)
            sys.stdin.readline()
            print(json.dumps(asdict(await _cost(contestant, task.scrapes))), flush=True)


async def _cost(contestant: Contestant, scrapes: int) -> Cost:
    poll = await _cpu(contestant.poll())
    alone = [await _cpu(answer(contestant)) for _ in range(scrapes)]
    return Cost(poll + alone[0], statistics.median(alone))


async def _cpu(work: Awaitable[object]) -> float:
    began = time.process_time()
    await work
    return (time.process_time() - began) * 1000


def main() -> None:
    """Poll once for every line of the input, and print what it cost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task", type=json.loads, help="as JSON")
    asyncio.run(_poll_when_told(Task(**parser.parse_args().task)))


if __name__ == "__main__":
    main()
