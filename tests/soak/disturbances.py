"""Faults beside the upstream: reloads and crowds of clients, one after the other in random order."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.soak.crowds import guess_passwords, read_slowly, scrape_together
from tests.soak.reloads import SettingsFile
from tests.support.running import Exporter

PAUSE: Final = (4.0, 12.0)
"""The minimum and maximum seconds between two disturbances."""

MAX_PROBLEMS: Final = 100

RELOADS: Final[Mapping[str, Callable[[SettingsFile, Exporter], None]]] = {
    "D02 scope": SettingsFile.change_scope,
    "D05 empty file": SettingsFile.empty,
    "V04 CA file": SettingsFile.name_pipe_as_ca_file,
    "V04 settings file": SettingsFile.become_pipe,
}
CROWDS: Final[Mapping[str, Callable[[int, random.Random], None]]] = {
    "V01 slow readers": read_slowly,
    "V03 passwords": guess_passwords,
    "V18 parallel": scrape_together,
}


@dataclass
class Disturbances:
    """Disturbs an exporter until it is stopped.

    Attributes:
        exporter: the running exporter.
        settings: its settings file.
        rng: a source of random numbers.
        all_occurred: set after each has occurred once.
        stop: ends the run after the current one.
        counts: the number of each.
        problems: descriptions of unexpected reactions.
    """

    exporter: Exporter
    settings: SettingsFile
    rng: random.Random
    all_occurred: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Run all of them in random order, again and again."""
        while not self.stop.is_set():
            names = [*RELOADS, *CROWDS]
            for name in self.rng.sample(names, len(names)):
                if self.stop.wait(self.rng.uniform(*PAUSE)):
                    return
                self._run_one(name)
            self.all_occurred.set()

    def _run_one(self, name: str) -> None:
        self.counts[name] += 1
        try:
            if name in RELOADS:
                RELOADS[name](self.settings, self.exporter)
            else:
                CROWDS[name](self.exporter.port, self.rng)
        except Exception as error:  # noqa: BLE001 - any exception is a finding
            if len(self.problems) < MAX_PROBLEMS:
                self.problems.append(f"{name}: {type(error).__name__}: {error}"[:200])
