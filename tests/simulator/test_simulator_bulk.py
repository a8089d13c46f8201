"""Many sessions at once look like real ones and go on living."""

import re
from uuid import UUID

import msgspec
import pytest

from exporter.simulator.bulk import Crowd, dense_rows

NOW = 1_800_000_000.0


def test_there_are_as_many_sessions_as_asked_for_each_with_a_random_uuid() -> None:
    ids = [row["id"] for row in dense_rows(500, 1, NOW)]
    assert len(set(ids)) == 500
    assert {UUID(session_id).version for session_id in ids} == {4}


def test_no_sessions_are_no_rows() -> None:
    assert dense_rows(0, 1, NOW) == []


def test_the_same_arguments_give_the_same_sessions() -> None:
    assert dense_rows(50, 7, NOW) == dense_rows(50, 7, NOW)
    assert dense_rows(50, 7, NOW) != dense_rows(50, 8, NOW)


def test_a_seed_has_the_same_ids_at_any_time() -> None:
    assert [row["id"] for row in dense_rows(50, 7, NOW)] == [row["id"] for row in dense_rows(50, 7, NOW + 999)]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_shares_of_live_and_recorded_sessions_are_kept(share: float) -> None:
    rows = dense_rows(1000, 1, NOW, recorded_share=share, live_share=share)
    live = sum(row["lastSeen"] >= (NOW - 52) * 1000 for row in rows)
    assert live / 1000 == pytest.approx(share, abs=0.08)
    assert sum(row["record"] for row in rows) / 1000 == pytest.approx(share, abs=0.08)


def test_every_session_is_within_the_last_hour() -> None:
    assert all(NOW - 3600 < row["lastSeen"] / 1000 <= NOW for row in dense_rows(1000, 1, NOW))


def test_rows_have_about_the_real_size() -> None:
    rows = dense_rows(1000, 1, NOW)
    assert 1_300 < len(msgspec.json.encode(rows)) / 1000 < 2_000


def test_a_crowd_shows_one_unchanged_sequence_between_two_steps() -> None:
    crowd = Crowd(dense_rows(20, 1, NOW), NOW)
    assert crowd.rows(NOW) is crowd.rows(NOW + 49)


def test_the_live_ones_of_a_crowd_take_steps_and_the_others_stay_ended() -> None:
    crowd = Crowd(dense_rows(200, 1, NOW), NOW)
    before, after = crowd.rows(NOW), crowd.rows(NOW + 100)
    assert [row["id"] for row in before] == [row["id"] for row in after]
    for old, new in zip(before, after, strict=True):
        if old["isHealthy"] is None:
            assert new == old
        else:
            assert new["lastSeen"] - old["lastSeen"] == 100_000
            assert new["sourceSegmentsDuration"] - old["sourceSegmentsDuration"] == pytest.approx(100, abs=2)
            assert new["transcodedSegments"] == new["sourceSegments"] * len(new["profiles"])


def test_stream_keys_are_random_text() -> None:
    keys = {row["parentStream"]["streamKey"] for row in dense_rows(100, 1, NOW)}
    assert all(re.fullmatch(r"([0-9a-f]{4}-){3}[0-9a-f]{4}", key) for key in keys)
