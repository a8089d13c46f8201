"""P6 and P9, the memory: what one program keeps after a poll and a scrape, in a process of its own."""

import argparse
import asyncio
import gc
import gzip
import json
import subprocess
import sys
import time
import tracemalloc

import httpx

from tests.bench.contestants import BY_NAME, OBVIOUS, Tape, scrape
from tests.bench.processes import environ
from tests.bench.report import OURS, Figure, Findings, Verdict
from tests.bench.upstream import Herd, studio

KEPT = "memory kept"
SAMPLE = "memory kept per sample"


def compare(sessions: int) -> Findings:
    """This program and the obvious one."""
    kept, samples = _ask("ours", sessions)
    theirs, _ = _ask("obvious", sessions)
    return Findings(
        (
            Figure(KEPT, OURS, sessions, "MB", (kept / 1e6,)),
            Figure(KEPT, OBVIOUS, sessions, "MB", (theirs / 1e6,)),
            Figure(SAMPLE, OURS, sessions, "B", (kept / samples,)),
            Figure(SAMPLE, OBVIOUS, sessions, "B", (theirs / samples,)),
        ),
        (Verdict("P6", f"memory kept per sample, {sessions:,} sessions", 200, "B").of(kept / samples),),
    )


def alone(sessions: int) -> Figure:
    """This program without a rival."""
    return Figure(KEPT, OURS, sessions, "MB", (_ask("ours", sessions)[0] / 1e6,))


def _ask(who: str, sessions: int) -> tuple[int, int]:
    command = [sys.executable, "-m", "tests.bench.retained", who, "--sessions", str(sessions)]
    answer = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environ()).stdout)
    return answer["bytes"], answer["samples"]


async def _measure(who: str, sessions: int) -> dict[str, int]:
    now = time.time()
    tape = Tape(studio(Herd(sessions, now), now))
    async with httpx.AsyncClient(transport=tape) as client:
        contestant = BY_NAME[who](client)
        await contestant.rehearse()
        tape.cut()
        gc.collect()
        tracemalloc.start()
        await contestant.poll()
        page = await scrape(contestant)
        samples = sum(line.startswith(b"livepeer_studio_session_") for line in gzip.decompress(page).splitlines())
        del page
        gc.collect()
        return {"bytes": tracemalloc.get_traced_memory()[0], "samples": samples}


def main() -> None:
    """Print what one of them keeps, and how many samples about sessions it shows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("who", choices=BY_NAME)
    parser.add_argument("--sessions", type=int, required=True)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(_measure(options.who, options.sessions))))


if __name__ == "__main__":
    main()
