"""Decode random pages, paginate in random schedules, send random requests, replay random histories; count the outcomes.

``python -m tests.fuzz --pages 100000 --schedules 10000 --requests 20000 --lifecycles 100000``: no page may break the
decoder, the poll or the exposition, no schedule of changes may hide a session, no request may break the server, and the
lifecycle metrics of every history equal those of a plain model. The exit code is 0 if there are no problems.
"""

import argparse
import random
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from tests.fuzz.lifecycle_fuzzer import LifecycleResults, fuzz_lifecycles
from tests.fuzz.page_fuzzer import PageResults, fuzz_pages
from tests.fuzz.request_fuzzer import RequestResults, fuzz_requests
from tests.fuzz.schedule_fuzzer import ScheduleResults, fuzz_schedules

MAX_STEP: Final = 0.1
"""Seconds of CPU that a step of decoding may take; V02 of the fault matrix."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all of them, and print the counts."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Random pages, schedules and requests.")
    parser.add_argument("--pages", type=int, default=100_000, help="pages to decode (default: 100000)")
    parser.add_argument("--every", type=int, default=50, help="one of this many pages is polled too (default: 50)")
    parser.add_argument("--schedules", type=int, default=10_000, help="schedules of changes (default: 10000)")
    parser.add_argument("--requests", type=int, default=20_000, help="requests to the server (default: 20000)")
    parser.add_argument("--lifecycles", type=int, default=100_000, help="histories of sessions (default: 100000)")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of all random data")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    pages = fuzz_pages(options.pages, options.every, options.seed, MAX_STEP)
    _print_page_results(pages)
    schedules = fuzz_schedules(options.schedules, options.seed)
    _print_schedule_results(schedules)
    requests = fuzz_requests(options.requests, options.seed)
    _print_request_results(requests)
    lifecycles = fuzz_lifecycles(options.lifecycles, options.seed)
    _print_lifecycle_results(lifecycles)
    return 1 if pages.problems or schedules.problems or requests.problems or lifecycles.problems else 0


def _print_page_results(results: PageResults) -> None:
    print(f"{results.pages.total():,} pages in {results.seconds:.0f} s: {_counts(results.pages)}")
    dropped = f"{results.dropped:,} invalid values and sessions dropped"
    print(f"  of them {_counts(results.outcomes)}; {results.sessions:,} sessions, {dropped}")
    print(f"  the longest step of decoding took {results.longest_step * 1000:.0f} ms of CPU")
    print(f"  the longest block of the event loop by a large page took {results.longest_block * 1000:.0f} ms of CPU")
    print(f"  {results.polls.total():,} polled, then scraped and parsed unless large: {_counts(results.polls)}")
    _print_problems(results.problems)


def _print_schedule_results(results: ScheduleResults) -> None:
    print(f"{results.schedules.total():,} schedules in {results.seconds:.0f} s: {_counts(results.schedules)}")
    counts = f"{results.requests:,} requests, {results.sessions:,} sessions"
    print(f"  {counts}; {results.refused:,} polls failed because too much changed")
    _print_problems(results.problems)


def _print_request_results(results: RequestResults) -> None:
    print(f"{results.requests.total():,} requests in {results.seconds:.0f} s: {_counts(results.requests)}")
    print(f"  status {_counts(results.statuses)}; {results.parsed:,} metrics pages parsed")
    _print_problems(results.problems)


def _print_lifecycle_results(results: LifecycleResults) -> None:
    print(f"{results.histories:,} histories in {results.seconds:.0f} s: {results.polls:,} good polls")
    print(f"  {_counts(results.events)}; {results.comparisons:,} comparisons")
    _print_problems(results.problems)


def _print_problems(problems: Sequence[str]) -> None:
    print(f"  {len(problems):,} problems", flush=True)
    for problem in problems[:20]:
        print(f"    {problem}")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))


if __name__ == "__main__":
    sys.exit(main())
