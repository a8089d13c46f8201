"""Random histories of sessions and polls, whose lifecycle metrics are compared with a plain model."""

import time
from collections import Counter
from dataclasses import dataclass, field

from tests.sessions.lifecycle_history import compare


@dataclass
class LifecycleResults:
    """What was compared, and what differed.

    Attributes:
        histories: the number of histories.
        polls: good polls in all of them.
        comparisons: values that were compared.
        events: what happened, by kind.
        problems: the differences, each with the seed of its history.
        seconds: the duration.
    """

    histories: int = 0
    polls: int = 0
    comparisons: int = 0
    events: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


def fuzz_lifecycles(count: int, seed: int) -> LifecycleResults:
    """Compare random histories."""
    began = time.perf_counter()
    results = LifecycleResults(histories=count)
    for each in range(seed, seed + count):
        found = compare(each)
        results.polls += found.polls
        results.comparisons += found.comparisons
        results.events += found.events
        results.problems += [f"seed {each}: {difference}" for difference in found.differences]
    results.seconds = time.perf_counter() - began
    return results
