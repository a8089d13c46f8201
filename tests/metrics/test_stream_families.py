"""The metrics of a stream, derived from those of its sessions, by example."""

from typing import Any

import pytest

from exporter.metrics.catalogue import EVERY_OPTION, PREFIX, stream_families
from exporter.metrics.catalogue.family import Combine, Sample, SessionFamily, StreamFamily
from exporter.metrics.catalogue.streams import stream_family
from exporter.sessions.session import INVALID_TIME, Profile, Session
from exporter.sessions.snapshot import SessionState, State
from exporter.sessions.streams import Stream


def family(name: str) -> StreamFamily:
    # Derived in each test, so that `make mutants` changes the functions that the tests call.
    return {each.name.removeprefix(f"{PREFIX}stream_"): each for each in stream_families(EVERY_OPTION)}[name]


def session(state: State = "active", **fields: Any) -> SessionState:
    return Session(id="1", **fields), state


def samples(name: str, *sessions: SessionState) -> list[Sample]:
    stream = Stream("1", sessions)
    return list(family(name).samples(stream, stream.state))


def value(name: str, *sessions: SessionState) -> float | None:
    found = samples(name, *sessions)
    return found[0][1] if found else None


@pytest.mark.parametrize(
    ("health", "worst"),
    [((True, False, True), 0), ((True, None), 1), ((None, False), 0), ((None, None), None), ((True,), 1)],
)
def test_the_health_of_a_stream_is_the_worst_of_its_active_sessions(health: Any, worst: float | None) -> None:
    assert value("healthy", *[session(is_healthy=each) for each in health]) == worst


def test_the_health_of_an_ended_session_does_not_count() -> None:
    assert value("healthy", session(is_healthy=True), session("ended", is_healthy=False)) == 1


def test_cumulative_values_are_summed_over_all_sessions() -> None:
    sessions = session(source_bytes=10.0), session("ended", source_bytes=5.0), session(source_bytes=None)
    assert value("source_bytes", *sessions) == 15


def test_a_value_that_no_session_has_is_omitted() -> None:
    assert value("source_bytes", session(), session("ended")) is None


def test_rates_are_summed_over_active_sessions() -> None:
    sessions = session(ingest_rate=10.0), session("ended", ingest_rate=99.0), session(ingest_rate=1.0)
    assert value("ingest_rate_bytes_per_second", *sessions) == 11


def test_the_transcoding_lag_of_a_stream_is_the_largest_of_its_sessions_that_have_not_ended() -> None:
    states: tuple[State, ...] = ("active", "active", "ended", "pending")
    sessions = [
        session(state, source_segments_duration=lag, transcoded_segments_duration=0.0, profiles=(Profile(),))
        for state, lag in zip(states, (4.0, 7.0, 99.0, 0.0), strict=True)
    ]
    assert value("transcoding_lag_seconds", *sessions) == 7
    assert value("transcoding_lag_seconds", *sessions[2:]) == 0
    assert value("transcoding_lag_seconds", sessions[2]) is None


@pytest.mark.parametrize(("states", "active"), [(("ended", "active"), 1), (("ended", "pending"), 0)])
def test_a_stream_is_active_if_any_session_is(states: Any, active: float) -> None:
    assert value("active", *[session(state) for state in states]) == active


def test_times_are_the_latest_in_seconds() -> None:
    sessions = session(last_seen=3000.0, created_at=1000.0), session(last_seen=2000.0, created_at=2000.0)
    assert value("last_seen_timestamp_seconds", *sessions) == 3
    assert value("created_timestamp_seconds", *sessions) == 2


def test_D06_an_invalid_last_seen_has_no_sample() -> None:
    invalid = session("ended", last_seen=INVALID_TIME)
    assert value("last_seen_timestamp_seconds", invalid) is None
    assert value("last_seen_timestamp_seconds", invalid, session(last_seen=3000.0)) == 3


def test_the_name_and_the_profiles_are_those_of_the_latest_session() -> None:
    old = session(created_at=1.0, name="old", profiles=(Profile(name="a"), Profile(name="b")))
    new = session(created_at=2.0, name="new", profiles=(Profile(name="c", bitrate=80.0),))
    assert samples("info", old, new) == [(("new", "", ""), 1.0)]
    assert value("profiles", old, new) == 1
    assert samples("profile_bitrate_bytes_per_second", old, new) == [(("c",), 10.0)]


def test_recording_statuses_are_numbers_of_recorded_sessions() -> None:
    recorded = [session(record=True, recording_status=each) for each in ("ready", "ready", "failed", "unheard of")]
    found = dict(samples("recording_status", *recorded, session(recording_status="ready")))
    assert {status for (status,), count in found.items() if count} == {"ready", "failed", "unknown"}
    assert (found["ready",], found["failed",], found["waiting",]) == (2, 1, 0)
    assert value("recording_enabled", *recorded, session()) == 4


def test_a_stream_without_recordings_has_no_recording_status() -> None:
    assert samples("recording_status", session()) == samples("recording_available", session()) == []


def test_recordings_are_counted_by_format() -> None:
    sessions = session(record=True, recording_url="u"), session(record=True, recording_url="u", mp4_url="m")
    assert dict(samples("recording_available", *sessions)) == {("hls",): 2, ("mp4",): 1}


def test_issues_are_the_distinct_ones_of_active_sessions_up_to_the_limit() -> None:
    sessions = session(issues=("a", "b")), session(issues=("b", "c")), session("ended", issues=("d",))
    assert samples("issue_info", *sessions) == [(("a",), 1.0), (("b",), 1.0), (("c",), 1.0)]
    assert value("issues", *sessions) == 4
    many = [session(issues=(str(number), str(-number))) for number in range(1, 9)]
    assert len(samples("issue_info", *many)) == 5


def test_sessions_are_counted_by_state() -> None:
    found = samples("sessions", session(), session("ended"), session("ended"))
    assert found == [(("pending",), 0.0), (("active",), 1.0), (("ended",), 2.0)]


def of_session(**changes: Any) -> SessionFamily:
    """A declaration of a family of sessions."""
    usual: dict[str, Any] = {"name": f"{PREFIX}session_x", "help": "Text.", "combine": Combine.SUM}
    return SessionFamily(**(usual | changes))


def test_only_the_first_word_session_of_a_name_is_replaced() -> None:
    assert stream_family(of_session(name=f"{PREFIX}session_session_x")).name == f"{PREFIX}stream_session_x"


def test_the_family_of_a_stream_has_the_labels_and_the_limit_of_that_of_its_sessions() -> None:
    derived = stream_family(of_session(labels=("a",), label_values=(("x", "y"),), max_series=7))
    assert (derived.labels, derived.label_values, derived.max_series) == (("a",), (("x", "y"),), 7)


def test_the_reason_why_no_panel_shows_a_family_is_kept() -> None:
    assert stream_family(of_session(off_dashboards="because")).off_dashboards == "because"
    assert stream_family(of_session()).off_dashboards == "the dashboards show it for each session"
