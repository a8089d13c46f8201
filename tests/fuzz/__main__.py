"""Feed the program with pages and requests that nobody would think of, and count what becomes of them.

``python -m tests.fuzz --pages 100000 --requests 20000``: no page may break the reader, the poll or the exposition, and
no request the server. The exit code is 0 if nothing broke.
"""

import argparse
import random
import sys
from collections.abc import Mapping, Sequence

from tests.fuzz.asking import Answers, ask
from tests.fuzz.reading import Readings, read_pages


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the counts."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Pages and requests made up at random.")
    parser.add_argument("--pages", type=int, default=100_000, help="pages to read (default: 100000)")
    parser.add_argument("--every", type=int, default=50, help="one of so many goes through a poll (default: 50)")
    parser.add_argument("--requests", type=int, default=20_000, help="requests to the server (default: 20000)")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of what happens by chance")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    readings = read_pages(options.pages, options.every, options.seed)
    _print_readings(readings)
    answers = ask(options.requests, options.seed)
    _print_answers(answers)
    return 1 if readings.problems or answers.problems else 0


def _print_readings(found: Readings) -> None:
    print(f"{found.pages.total():,} pages in {found.seconds:.0f} s: {_counts(found.pages)}")
    print(f"  of them {_counts(found.outcomes)}; {found.sessions:,} sessions, {found.left_out:,} values left out")
    print(f"  {found.polls.total():,} through poll, exposition and both parsers: {_counts(found.polls)}")
    _print_problems(found.problems)


def _print_answers(found: Answers) -> None:
    print(f"{found.requests.total():,} requests in {found.seconds:.0f} s: {_counts(found.requests)}")
    print(f"  answered {_counts(found.statuses)}; {found.parsed:,} pages of metrics parsed")
    _print_problems(found.problems)


def _print_problems(problems: Sequence[str]) -> None:
    print(f"  {len(problems):,} problems", flush=True)
    for problem in problems[:20]:
        print(f"    {problem}")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))


if __name__ == "__main__":
    sys.exit(main())
