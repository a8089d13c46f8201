"""``make bench``: compare the exporter with other programs, and print the ratios as a table."""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.bench import (
    data_memory,
    decoding,
    pagination,
    polls,
    resident_memory,
    scrapes,
    scrapes_during_polls,
    startup,
)
from tests.bench.report import GoalResult, Results, document, machine, tables

SIZES: Final = (100, 1000, 10_000)
GOAL_SIZE: Final = 10_000
"""The number of sessions for which most goals are set."""


def main() -> None:
    """Run the benchmarks, print the tables, and write all measurements as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        epilog="Without --quick it takes several minutes, since P9 has 100,000 sessions.",
    )
    parser.add_argument("--quick", action="store_true", help="1,000 sessions only, in less than a minute")
    parser.add_argument(
        "--sessions", type=int, nargs="+", default=[], help="additional numbers of sessions, to 100, 1,000 and 10,000"
    )
    parser.add_argument(
        "--json", type=Path, help="file for all measurements (default: bench-results.json or bench-quick.json)"
    )
    options = parser.parse_args()
    results = Results()
    for part in quick() if options.quick else full(sorted({*SIZES, *options.sessions})):
        results += part
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    on = machine()
    print(f"{on.processor}, {on.cores} cores, {on.system}, Python {on.python}\n")
    print(tables(results))
    path = options.json or Path("bench-quick.json" if options.quick else "bench-results.json")
    path.write_text(json.dumps(document(results), indent=1))


def quick() -> Iterator[Results]:
    """Run the benchmarks that fit into a minute, to compare the code before and after a change."""
    yield compare(1000, rounds=5)
    yield polls.compare_lifecycle(1000, rounds=9).with_goals(binding=False)
    yield scrapes_during_polls.compare(1, 500, sessions=1000).with_goals(binding=False)
    yield startup.compare(2)


def full(sizes: list[int]) -> Iterator[Results]:
    """Run all benchmarks."""
    for sessions in sizes:
        yield compare(sessions, rounds=5 if sessions <= GOAL_SIZE else 2)
    yield polls.compare_lifecycle(GOAL_SIZE, rounds=15)
    yield scrapes_during_polls.compare(3, 1000, sessions=GOAL_SIZE)
    yield resident_memory.daemon(GOAL_SIZE)
    yield resident_memory.turnovers(GOAL_SIZE, 50)
    yield asyncio.run(pagination.compare(3, pages=100, limit=100))
    yield startup.compare(7)
    yield compare_sizes(GOAL_SIZE, 10 * GOAL_SIZE)


def compare(sessions: int, rounds: int) -> Results:
    """Run the comparisons that are made for several numbers of sessions."""
    results = scrapes.compare(sessions, rounds) + polls.compare(sessions, rounds)
    results += decoding.compare(sessions, rounds=3 * rounds) + data_memory.compare(sessions)
    return results.with_goals(binding=sessions == GOAL_SIZE)


def compare_sizes(few: int, many: int) -> Results:
    """Compare the costs of the exporter for two numbers of sessions (P9)."""
    poll, scrape = polls.exporter_alone((few, many), rounds=9)
    memory = [data_memory.exporter_alone(sessions) for sessions in (few, many)]
    sizes = f"{many:,} compared with {few:,}"
    return Results(
        (*poll, *scrape, *memory),
        (
            GoalResult("P9", f"{polls.POLL_OF_CHANGES}, {sizes}", poll[1].ratio_to(poll[0]), goal=11),
            GoalResult("P9", f"CPU of a scrape, {sizes}", scrape[1].ratio_to(scrape[0]), goal=11),
            GoalResult("P9", f"{data_memory.MEMORY}, {sizes}", memory[1].median / memory[0].median, goal=11),
        ),
    )


if __name__ == "__main__":
    main()
