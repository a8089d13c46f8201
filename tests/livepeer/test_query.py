"""The filters of `GET /session` that select a scope's sessions."""

import json

from exporter.livepeer.query import MAX_PARENT_QUERIES, Filters, Scope, request_parameters
from tests.support.rows import START

NOW = START * 1000
HOUR = 3_600_000

SEEN = {"id": "lastSeen", "value": {"gte": NOW - HOUR}}
PENDING: Filters = [{"id": "createdAt", "value": {"gte": NOW - HOUR}}, {"id": "lastSeen", "value": 0}]
RECORDED: Filters = [
    {"id": "record", "value": True},
    {"id": "lastSeen", "value": {"gte": NOW - 4 * HOUR}},
    {"id": "lastSeen", "value": {"lt": NOW - HOUR}},
]


def test_pending_recorded_and_recently_seen_sessions_are_selected() -> None:
    scope = Scope(session_window=3600, recording_window=14_400)
    assert scope.queries(START) == ([PENDING, RECORDED], [[SEEN]])


def test_recorded_sessions_before_the_session_window_are_not_part_of_every_poll() -> None:
    scope = Scope(session_window=3600, recording_window=14_400)
    assert scope.queries(START, recordings=False) == ([PENDING], [[SEEN]])


def test_recorded_sessions_need_no_query_if_the_session_window_includes_them() -> None:
    scope = Scope(session_window=3600, recording_window=3600)
    assert scope.queries(START) == ([PENDING], [[SEEN]])


def test_few_parent_streams_have_queries_of_their_own() -> None:
    scope = Scope(session_window=3600, recording_window=3600, stream_ids=frozenset({"b", "a"}))
    streams = [{"id": "parentId", "value": "a"}, {"id": "parentId", "value": "b"}]
    assert scope.queries(START) == ([[*PENDING, each] for each in streams], [[SEEN, each] for each in streams])


def test_many_parent_streams_are_not_part_of_the_query() -> None:
    many = frozenset(str(number) for number in range(MAX_PARENT_QUERIES + 1))
    scope = Scope(session_window=3600, recording_window=3600, stream_ids=many)
    assert scope.queries(START) == ([PENDING], [[SEEN]])


def test_filters_are_sent_as_compact_json() -> None:
    parameters = request_parameters(PENDING)
    assert parameters.keys() == {"order", "filters"}
    assert parameters["order"] == "id-false"
    assert json.loads(parameters["filters"]) == PENDING
    assert " " not in parameters["filters"]


def test_without_filters_there_is_no_parameter_for_them() -> None:
    assert request_parameters([]) == {"order": "id-false"}


def test_a_cursor_and_the_count_are_requested_as_needed() -> None:
    assert request_parameters([], "a\ud800", count=True) == {"order": "id-false", "cursor": "a?", "count": "1"}
