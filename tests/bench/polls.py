"""P3, and the CPU of P9: a whole poll and one scrape in which every session has changed, without the network.

Each program has a process of its own, as it has in life, and polls when it is told to: the processes take turns.
"""

import argparse
import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import httpx

from tests.bench.contestants import BY_NAME, OBVIOUS, Contestant, Tape, scrape
from tests.bench.processes import end, environ
from tests.bench.report import OURS, Figure, Findings, Verdict
from tests.bench.upstream import Herd, studio

POLL = "CPU of a poll and a scrape"
GOAL = 1 / 25
_NAMES = {"ours": OURS, "obvious": OBVIOUS}


def compare(sessions: int, rounds: int) -> Findings:
    """This program and the obvious one in turns."""
    ours, obvious = figures = _measure((("ours", sessions), ("obvious", sessions)), rounds)
    text = f"{POLL}, to that of the obvious program, {sessions:,} sessions"
    return Findings(figures, (Verdict("P3", text, GOAL).of(ours.to(obvious)),))


def alone(sizes: Sequence[int], rounds: int) -> tuple[Figure, ...]:
    """This program with several numbers of sessions, without a rival, where that one would take minutes."""
    return _measure([("ours", sessions) for sessions in sizes], rounds)


def _measure(who: Sequence[tuple[str, int]], rounds: int) -> tuple[Figure, ...]:
    """What a poll costs each of them, a program and its number of sessions; they take turns."""
    with ExitStack() as stack:
        turns = [stack.enter_context(_turns(name, sessions, rounds)) for name, sessions in who]
        costs = list(zip(*turns, strict=True))
    return tuple(
        Figure(POLL, _NAMES[name], sessions, "ms", tuple(cost[place] for cost in costs))
        for place, (name, sessions) in enumerate(who)
    )


@contextmanager
def _turns(name: str, sessions: int, rounds: int) -> Iterator[Iterator[float]]:
    """A process that polls whenever the next value is asked for: milliseconds of CPU."""
    command = [sys.executable, "-m", "tests.bench.polls", name, "--sessions", str(sessions), "--rounds", str(rounds)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environ()
    )
    try:
        yield _asked(process, rounds)
    finally:
        end(process)


def _asked(process: "subprocess.Popen[str]", rounds: int) -> Iterator[float]:
    assert process.stdin is not None
    assert process.stdout is not None
    for _ in range(rounds):
        process.stdin.write("\n")
        yield float(process.stdout.readline())


async def _poll_when_told(who: str, sessions: int, rounds: int) -> None:
    now = time.time()
    herd = Herd(sessions, now)
    tape = Tape(studio(herd, now))
    async with httpx.AsyncClient(transport=tape) as client:
        contestant = BY_NAME[who](client)
        for _ in range(rounds):
            await contestant.rehearse()
            herd.change(1.0)
            tape.next_reel()
        await contestant.rehearse()
        # The sessions of the upstream are many objects; nobody's garbage collection shall have to look at them.
        tape.cut()
        del herd
        gc.collect()
        gc.set_threshold(*contestant.collector)
        tape.play(0)
        await contestant.poll()
        for reel in range(1, rounds + 1):
            tape.play(reel)
            sys.stdin.readline()
            print(await _cost(contestant) * 1000, flush=True)


async def _cost(contestant: Contestant) -> float:
    began = time.process_time()
    await contestant.poll()
    await scrape(contestant)
    return time.process_time() - began


def main() -> None:
    """Poll once for every line of the input, and print what it cost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("who", choices=BY_NAME)
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    options = parser.parse_args()
    asyncio.run(_poll_when_told(options.who, options.sessions, options.rounds))


if __name__ == "__main__":
    main()
