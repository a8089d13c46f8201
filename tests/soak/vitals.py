"""What the exporter's process weighs: memory, descriptors, threads, tasks."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median

from tests.support.running import Exporter

SLACK = {"rss": 1.1, "descriptors": 1.0, "threads": 1.0, "tasks": 1.0}
"""What the end may have of the first minute, as a factor."""

CRUMBS = {"rss": 4096, "descriptors": 8, "threads": 0, "tasks": 8}
"""What may come on top: connections come and go, and the allocator's arenas are of this size (kB)."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look at the process; ``rss`` in kB."""

    rss: int
    descriptors: int
    threads: int
    tasks: int

    @classmethod
    def typical(cls, looks: Sequence["Vitals"]) -> "Vitals":
        """The median of each, so that a look in the middle of a storm does not count."""
        return cls(*(int(median(getattr(each, one.name) for each in looks)) for one in fields(cls)))

    @classmethod
    def most(cls, looks: Sequence["Vitals"]) -> "Vitals":
        """The most of each."""
        return cls(*(max(getattr(each, one.name) for each in looks) for one in fields(cls)))


def look(exporter: Exporter) -> Vitals:
    """Look at the process now."""
    told = len(exporter.events("tasks"))
    exporter.send_signal(signal.SIGUSR1)
    tasks = exporter.wait_for_event("tasks", told + 1)["tasks"]
    descriptors = len(list(Path(f"/proc/{exporter.process.pid}/fd").iterdir()))
    return Vitals(exporter.process_status("VmRSS"), descriptors, exporter.process_status("Threads"), tasks)


def grown(first: Vitals, last: Vitals) -> list[str]:
    """The names of those that are not flat."""
    return [name for name in SLACK if getattr(last, name) > getattr(first, name) * SLACK[name] + CRUMBS[name]]
