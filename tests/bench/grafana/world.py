"""A simulated account in which many sessions of each stream are live at once, for the benchmark of Prometheus."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from exporter.simulator.lifecycle import Lifecycle, Pace, make_lifecycle, make_slots
from exporter.simulator.query import Row
from exporter.simulator.streams import Behavior, make_stream
from exporter.simulator.world import make_row

_EXPORTED_AFTER_END: Final = 3700.0
"""Seconds for which ended sessions are listed: the default session window, and the delay until an end is noticed."""

_LONGEST_RECORDING: Final = 4 * 3600.0
"""Seconds after which no recording is unfinished."""

_LISTED_PER_LANE: Final = 2.0
"""Sessions that a lane lists on average, live and ended ones; a test compares the total with the number that is asked
for."""

_STEADY_SHARE: Final = 0.8
"""Share of the lanes without trouble; the other ones have each other behavior equally often."""


class DenseWorld:
    """The sessions of an account with several lanes per stream, each with one session after the other.

    Args:
        seed: worlds of the same seed are equal.
        sessions: number of sessions that are listed at a time, about half of them live.
        streams: number of parent streams.
        start: Unix seconds, to which the behaviors relate.
    """

    def __init__(self, seed: int, sessions: int, streams: int, start: float) -> None:
        rng = random.Random(f"dense:{seed}")
        others = [behavior for behavior in Behavior if behavior is not Behavior.STEADY]
        parents = [make_stream(seed, number) for number in range(streams)]
        self._seed = seed
        self._pace = Pace(start, 1.0)
        self._lanes = [
            replace(
                parents[number % streams],
                behavior=Behavior.STEADY if rng.random() < _STEADY_SHARE else rng.choice(others),
            )
            for number in range(max(1, round(sessions / _LISTED_PER_LANE)))
        ]
        self._slots = [make_slots(seed, number, lane.behavior, start) for number, lane in enumerate(self._lanes)]
        self._lifecycle = lru_cache(10 * len(self._lanes))(self._make_lifecycle)

    def rows(self, now: float) -> Sequence[Row]:
        """Return the sessions at a time, in Unix seconds: live ones, recently ended ones and unfinished recordings."""
        return [make_row(session, self._pace, now) for session in self._sessions(now)]

    def _sessions(self, now: float) -> Iterator[Lifecycle]:
        for number, slots in enumerate(self._slots):
            for slot in slots.between(now - _LONGEST_RECORDING, now):
                session = self._lifecycle(number, slot)
                if session.created <= now and self._is_listed(session, now):
                    yield session

    @staticmethod
    def _is_listed(session: Lifecycle, now: float) -> bool:
        is_recording = session.stream.is_recorded is True and now < session.recording_finished
        return is_recording or now < session.ended + _EXPORTED_AFTER_END

    def _make_lifecycle(self, number: int, slot: int) -> Lifecycle:
        return make_lifecycle(self._seed, number, self._lanes[number], self._slots[number], slot)
