"""The resources of the exporter's process: memory, file descriptors, threads, tasks."""

import signal
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from tests.support.running import Exporter

MAX_RATIO: Final = {"rss": 1.1, "descriptors": 1.0, "threads": 1.0, "tasks": 1.0}
"""The maximum ratio of the last quarter to the first."""

MAX_INCREASE: Final = {"rss": 4096, "descriptors": 8, "threads": 0, "tasks": 8}
"""The allowed increase beyond the ratio: the number of connections varies, and an allocator's arena has 4096 kB."""


@dataclass(frozen=True, slots=True)
class ProcessStats:
    """The resources of the process at a moment; ``rss`` in kB."""

    rss: int
    descriptors: int
    threads: int
    tasks: int

    @classmethod
    def median(cls, stats: Sequence["ProcessStats"]) -> "ProcessStats":
        """Return the median of each resource, which ignores short peaks."""
        return cls(*(int(statistics.median(getattr(each, one.name) for each in stats)) for one in fields(cls)))

    @classmethod
    def maximum(cls, stats: Sequence["ProcessStats"]) -> "ProcessStats":
        """Return the maximum of each resource."""
        return cls(*(max(getattr(each, one.name) for each in stats) for one in fields(cls)))


def trend(values: Sequence[float]) -> float:
    """Return by how much evenly spaced values rise from the first to the last, by linear regression."""
    if len(values) < 2:
        return 0.0
    slope, _ = statistics.linear_regression(range(len(values)), values)
    return slope * (len(values) - 1)


def measure(exporter: Exporter) -> ProcessStats:
    """Measure the process now; it has to run under `tests.soak.with_task_count`."""
    count = len(exporter.events("tasks"))
    exporter.send_signal(signal.SIGUSR1)
    tasks = exporter.wait_for_event("tasks", count + 1)["tasks"]
    descriptors = len(list(Path(f"/proc/{exporter.process.pid}/fd").iterdir()))
    return ProcessStats(exporter.process_status("VmRSS"), descriptors, exporter.process_status("Threads"), tasks)


def grown_resources(first: ProcessStats, last: ProcessStats) -> list[str]:
    """Return the names of the resources that have grown beyond the allowed increase."""
    return [
        name for name in MAX_RATIO if getattr(last, name) > getattr(first, name) * MAX_RATIO[name] + MAX_INCREASE[name]
    ]


def is_rising(first: ProcessStats, rss_trend: float) -> bool:
    """Return whether the trend of the resident memory, in kB, exceeds the allowed increase."""
    return rss_trend > first.rss * (MAX_RATIO["rss"] - 1) + MAX_INCREASE["rss"]
