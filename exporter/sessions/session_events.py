"""What the comparison of two polls has found for each session: the events behind the numbers of the counters."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from exporter.sessions.session import Session

STREAM_AMOUNTS: Final = (
    "source_bytes",
    "transcoded_bytes",
    "source_segments_duration",
    "transcoded_segments_duration",
)
"""The cumulative fields of a session whose growth is counted per stream too."""


class SessionEvents(msgspec.Struct, frozen=True):
    """What has happened to sessions between two polls.

    Attributes:
        is_baseline: whether there is no poll to compare with; nothing has happened then.
        started: the sessions that count as started.
        finished: sessions whose recording has finished, each with its result, one of ``FINISHED``.
        grown: by ``parentId`` the growth of the sessions that have changed, per field of ``STREAM_AMOUNTS``.
    """

    is_baseline: bool = True
    started: Sequence[Session] = ()
    finished: Sequence[tuple[Session, str]] = ()
    grown: Mapping[str | None, Sequence[float]] = msgspec.field(default_factory=dict)
