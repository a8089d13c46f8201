"""Cooperative computations without an event loop."""

from typing import TypeVar

from exporter.cooperative import Cooperative

T = TypeVar("T")


def run_to_end(computation: Cooperative[T]) -> T:
    """Run a computation without pauses and return its result."""
    while True:
        try:
            next(computation)
        except StopIteration as finished:
            result: T = finished.value
            return result


def count_steps(computation: Cooperative[object]) -> int:
    """Run a computation without pauses and return the number of its steps."""
    return 1 + sum(1 for _ in computation)
