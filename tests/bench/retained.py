"""P6 and P9, the memory: what one program keeps after two polls and scrapes, in a process of its own.

Two, since what is remembered of the poll before counts too; 5 % of the sessions have changed between them.
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

import httpx

from tests.bench.contestants import BY_NAME, OBVIOUS, Tape, answer
from tests.bench.processes import environ
from tests.bench.report import OURS, Figure, Findings, Verdict
from tests.bench.upstream import Herd, studio

KEPT = "memory kept"
SAMPLE = "memory kept per sample"
RUNS = 3
"""Of this program; the obvious one has one, since it takes long and is no close call."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What one program keeps, and how many samples about sessions it shows."""

    bytes: int
    samples: int


def compare(sessions: int) -> Findings:
    """This program and the obvious one."""
    kept, sample = _figures(OURS, sessions, [_ask("ours", sessions) for _ in range(RUNS)])
    their_kept, their_sample = _figures(OBVIOUS, sessions, [_ask("obvious", sessions)])
    verdict = Verdict("P6", f"{SAMPLE}, {sessions:,} sessions", 200, "B").of(sample.median)
    return Findings((kept, their_kept, sample, their_sample), (verdict,))


def alone(sessions: int) -> Figure:
    """This program without a rival."""
    return _figures(OURS, sessions, [_ask("ours", sessions) for _ in range(RUNS)])[0]


def _figures(who: str, sessions: int, runs: Sequence[Kept]) -> tuple[Figure, Figure]:
    return (
        Figure(KEPT, who, sessions, "MB", tuple(run.bytes / 1e6 for run in runs)),
        Figure(SAMPLE, who, sessions, "B", tuple(run.bytes / run.samples for run in runs)),
    )


def _ask(who: str, sessions: int) -> Kept:
    command = [sys.executable, "-m", "tests.bench.retained", who, "--sessions", str(sessions)]
    return Kept(**json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environ()).stdout))


async def _measure(who: str, sessions: int) -> Kept:
    now = time.time()
    herd = Herd(sessions, now)
    tape = Tape(studio(herd, now))
    async with httpx.AsyncClient(transport=tape) as client:
        contestant = BY_NAME[who](client)
        await contestant.rehearse()
        herd.change(0.05)
        tape.next_reel()
        await contestant.rehearse()
        tape.cut()
        del herd
        gc.collect()
        tracemalloc.start()
        for reel in range(2):
            tape.play(reel)
            await contestant.poll()
            parts = await answer(contestant)
        page = b"".join(parts)
        samples = sum(line.startswith(b"livepeer_studio_session_") for line in gzip.decompress(page).splitlines())
        # tracemalloc does not see what has memory of its own: the part of the page that is kept.
        mapped = sum(len(part) for part in parts if isinstance(part, memoryview))
        del page, parts
        gc.collect()
        return Kept(tracemalloc.get_traced_memory()[0] + mapped, samples)


def main() -> None:
    """Print what one of them keeps, and how many samples about sessions it shows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("who", choices=BY_NAME)
    parser.add_argument("--sessions", type=int, required=True)
    options = parser.parse_args()
    print(json.dumps(asdict(asyncio.run(_measure(options.who, options.sessions)))))


if __name__ == "__main__":
    main()
