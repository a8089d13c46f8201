"""Which sessions are read, and the filters of `GET /session` that select them."""

import json
from typing import Any, Final

import msgspec

from exporter.livepeer.id_range import ALL_IDS, IdRange

MAX_PARENT_QUERIES: Final = 20
"""Parent streams up to which each is queried on its own. For more, all sessions are read and filtered here."""

Filters = list[dict[str, Any]]
"""Conditions of one query, all of which must hold."""


class Scope(msgspec.Struct, frozen=True):
    """The sessions that a poll reads.

    Attributes:
        session_window: seconds; includes sessions last seen within it, and sessions created within it and never seen.
        recording_window: seconds; includes recorded sessions last seen within it.
        stream_ids: ids of the parent streams to include; empty for all.
        ids: session ids to include.
    """

    session_window: float
    recording_window: float
    stream_ids: frozenset[str] = frozenset()
    ids: IdRange = ALL_IDS

    @property
    def has_recordings(self) -> bool:
        """Whether recorded sessions are included for longer than others."""
        return self.recording_window > self.session_window

    def queries(self, now: float, *, recordings: bool = True) -> tuple[list[Filters], list[Filters]]:
        """Return the queries that select the scope's sessions, as two groups to be run one after the other.

        The recently seen sessions are the second group: a session that leaves one of the other queries during the poll
        (a pending one is seen, or an old one resumes) is then found by the second group.

        Args:
            now: the server's time in Unix seconds.
            recordings: whether recorded sessions before the session window are included.
        """
        seen_since, recorded_since = ((now - window) * 1000 for window in (self.session_window, self.recording_window))
        recently_seen = [_at_least("lastSeen", seen_since)]
        pending = [_at_least("createdAt", seen_since), _equals("lastSeen", 0)]
        recorded = [_equals("record", True), _at_least("lastSeen", recorded_since), _below("lastSeen", seen_since)]
        earlier = [pending, recorded] if recordings and self.has_recordings else [pending]
        return self._for_streams(earlier), self._for_streams([recently_seen])

    def _for_streams(self, queries: list[Filters]) -> list[Filters]:
        if not self.stream_ids or len(self.stream_ids) > MAX_PARENT_QUERIES:
            return queries
        return [[*query, _equals("parentId", each)] for query in queries for each in sorted(self.stream_ids)]


def request_parameters(filters: Filters, cursor: str | None = None, *, count: bool = False) -> dict[str, str]:
    """Return the query parameters of `GET /session` for a page of a query, except for its limit.

    The sessions are ordered by ascending id.

    Args:
        filters: the conditions of the query.
        cursor: the cursor of the page; None for the first one.
        count: whether the total is requested.
    """
    parameters = {"order": "id-false"}
    if filters:
        parameters["filters"] = json.dumps(filters, separators=(",", ":"))
    if count:
        parameters["count"] = "1"
    if cursor is not None:
        parameters["cursor"] = cursor.encode("utf-8", "replace").decode()
    return parameters


def _equals(field: str, value: object) -> dict[str, Any]:
    return {"id": field, "value": value}


def _at_least(field: str, milliseconds: float) -> dict[str, Any]:
    return {"id": field, "value": {"gte": int(milliseconds)}}


def _below(field: str, milliseconds: float) -> dict[str, Any]:
    return {"id": field, "value": {"lt": int(milliseconds)}}
