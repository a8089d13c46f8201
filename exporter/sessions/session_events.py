"""What the comparison of two polls has found for each session: the events behind the numbers of the counters."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from exporter.sessions.session import Session

STREAM_AMOUNTS: Final = (
    "source_bytes",
    "transcoded_bytes",
    "source_segments_duration",
    "transcoded_segments_duration",
)
"""The cumulative fields of a session whose growth is counted per stream too."""

_ZEROS: Final = (0.0,) * len(STREAM_AMOUNTS)


@dataclass(frozen=True, slots=True)
class SessionEvents:
    """What has happened to sessions between two polls.

    Attributes:
        is_baseline: whether there is no poll to compare with; nothing has happened then.
        started: the sessions that count as started.
        finished: sessions whose recording has finished, each with its result, one of ``FINISHED``.
        growth: by ``parentId`` the growth of all sessions, in the order of ``STREAM_AMOUNTS``.
    """

    is_baseline: bool = True
    started: Sequence[Session] = ()
    finished: Sequence[tuple[Session, str]] = ()
    growth: Mapping[str | None, Sequence[float]] = field(default_factory=dict)


class EventLog:
    """Collects events.

    Attributes:
        started, finished: as in `SessionEvents`.
    """

    def __init__(self) -> None:
        self.started: list[Session] = []
        self.finished: list[tuple[Session, str]] = []
        self._growth: dict[str | None, Sequence[float]] = {}

    def add_growth(self, sessions: Sequence[Session], growth: Mapping[str, Sequence[float]]) -> None:
        """Add the growth of sessions to their streams; ``growth`` has a value of each session per field."""
        by_stream: defaultdict[str | None, list[Sequence[float]]] = defaultdict(list)
        rows = zip(*(growth[name] for name in STREAM_AMOUNTS), strict=True)
        for session, row in zip(sessions, rows, strict=True):
            by_stream[session.parent_id].append(row)
        for stream, amounts in by_stream.items():
            earlier = self._growth.get(stream, _ZEROS)
            self._growth[stream] = [*map(sum, zip(earlier, *amounts, strict=True))]

    def events(self, *, is_baseline: bool) -> SessionEvents:
        """Return what was collected."""
        return SessionEvents(is_baseline, self.started, self.finished, self._growth)
