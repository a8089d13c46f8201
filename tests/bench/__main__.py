"""``make bench``: this program beside others, as ratios; prints tables and writes them down as JSON."""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench import decoding, memory, polls, retained, scrapes, starting, waiting, walking
from tests.bench.report import Findings, Verdict, document, machine, table

SIZES = (100, 1000, 10_000)
MANY = 10_000
"""Sessions at which the goals hold."""


def main() -> None:
    """Run the benchmarks that the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        epilog="Without --quick it takes several minutes, since it goes up to 100,000 sessions for P9.",
    )
    parser.add_argument("--quick", action="store_true", help="at 1,000 sessions alone, in less than a minute")
    parser.add_argument(
        "--sessions", type=int, nargs="+", default=[], help="compare at these sizes too, beside 100, 1,000 and 10,000"
    )
    parser.add_argument(
        "--json", type=Path, help="where to write every measurement; bench-results.json, or bench-quick.json"
    )
    options = parser.parse_args()
    findings = Findings()
    for found in quick() if options.quick else full(sorted({*SIZES, *options.sessions})):
        findings += found
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    about = machine()
    print(f"{about.processor}, {about.cores} cores, {about.system}, Python {about.python}\n")
    print(table(findings))
    path = options.json or Path("bench-quick.json" if options.quick else "bench-results.json")
    path.write_text(json.dumps(document(findings), indent=1))


def quick() -> Iterator[Findings]:
    """The ratios at 1,000 sessions, to hold a change against by hand; the goals are about more of them."""
    yield compare(1000, rounds=5)
    yield waiting.compare(1, 500, crowd=1000).judged(binding=False)
    yield starting.compare(2)


def full(sizes: list[int]) -> Iterator[Findings]:
    """Everything; what is not compared at several sizes is measured where its goal is."""
    for sessions in sizes:
        yield compare(sessions, rounds=5 if sessions <= MANY else 2)
    yield waiting.compare(3, 1000, crowd=MANY)
    yield memory.daemon(MANY)
    yield memory.turnovers(MANY, 50)
    yield asyncio.run(walking.compare(3, pages=100, limit=100))
    yield starting.compare(7)
    yield increments(MANY, 10 * MANY)


def compare(sessions: int, rounds: int) -> Findings:
    """The contestants side by side."""
    found = scrapes.compare(sessions, rounds) + polls.compare(sessions, rounds)
    found += decoding.compare(sessions, rounds=3 * rounds) + retained.compare(sessions)
    return found.judged(binding=sessions == MANY)


def increments(few: int, many: int) -> Findings:
    """P9: what ten times the sessions cost."""
    both, scrape = polls.alone((few, many), rounds=9)
    kept = [retained.alone(sessions) for sessions in (few, many)]
    sizes = f"{many:,} to {few:,}"
    return Findings(
        (*both, *scrape, *kept),
        (
            Verdict("P9", f"{polls.SOME_CHANGED}, {sizes}", 11).of(both[1].to(both[0])),
            Verdict("P9", f"CPU of a scrape, {sizes}", 11).of(scrape[1].to(scrape[0])),
            Verdict("P9", f"{retained.KEPT}, {sizes}", 11).of(kept[1].median / kept[0].median),
        ),
    )


if __name__ == "__main__":
    main()
