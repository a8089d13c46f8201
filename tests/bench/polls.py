"""P3, and the CPU of P9: a whole poll and one scrape in which every session has changed, without the network."""

import gc
import time

import httpx

from tests.bench.contestants import BASE_URL, OBVIOUS, Contestant, Ours, Tape, Theirs, scrape
from tests.bench.report import OURS, Figure, Findings, Verdict
from tests.bench.upstream import Herd, studio

POLL = "CPU of a poll and a scrape"
GOAL = 1 / 25


async def compare(sessions: int, rounds: int) -> Findings:
    """This program and the obvious one in turns."""
    found = await _measure(sessions, rounds, with_obvious=True)
    ratio = found[OURS].median / found[OBVIOUS].median
    verdict = Verdict("P3", f"{POLL}, to that of the obvious program, {sessions:,} sessions", GOAL).of(ratio)
    return Findings(tuple(found.values()), (verdict,))


async def alone(sessions: int, rounds: int) -> Figure:
    """This program without a rival, where that one would take minutes."""
    return (await _measure(sessions, rounds, with_obvious=False))[OURS]


async def _measure(sessions: int, rounds: int, *, with_obvious: bool) -> dict[str, Figure]:
    now = time.time()
    herd = Herd(sessions, now)
    tape = Tape(studio(herd, now))
    async with httpx.AsyncClient(transport=tape) as client:
        contestants: list[Contestant] = [Ours(client)]
        if with_obvious:
            contestants.append(Theirs(client, BASE_URL))
        for _ in range(rounds):
            for contestant in contestants:
                await contestant.rehearse()
            herd.change(1.0)
            tape.next_reel()
        for contestant in contestants:
            await contestant.rehearse()
        # The sessions of the upstream are many objects; nobody's garbage collection shall have to look at them.
        tape.cut()
        del herd
        gc.collect()
        tape.play(0)
        for contestant in contestants:
            await contestant.poll()
        seconds: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
        for reel in range(1, rounds + 1):
            tape.play(reel)
            for contestant in contestants:
                gc.set_threshold(*contestant.collector)
                began = time.process_time()
                await contestant.poll()
                await scrape(contestant)
                seconds[contestant.name].append((time.process_time() - began) * 1000)
    return {name: Figure(POLL, name, sessions, "ms", tuple(values)) for name, values in seconds.items()}
