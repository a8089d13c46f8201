"""Bulk sessions are realistic, and the live ones are updated over time."""

import re
from uuid import UUID

import msgspec
import pytest

from exporter.simulator.bulk import BulkSource, bulk_rows

NOW = 1_800_000_000.0


def test_the_requested_number_of_sessions_have_unique_random_uuids() -> None:
    ids = [row["id"] for row in bulk_rows(500, 1, NOW)]
    assert len(set(ids)) == 500
    assert {UUID(session_id).version for session_id in ids} == {4}


def test_zero_sessions_are_no_rows() -> None:
    assert bulk_rows(0, 1, NOW) == []


def test_the_same_arguments_produce_the_same_sessions() -> None:
    assert bulk_rows(50, 7, NOW) == bulk_rows(50, 7, NOW)
    assert bulk_rows(50, 7, NOW) != bulk_rows(50, 8, NOW)


def test_the_same_seed_produces_the_same_ids_at_any_time() -> None:
    assert [row["id"] for row in bulk_rows(50, 7, NOW)] == [row["id"] for row in bulk_rows(50, 7, NOW + 999)]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_shares_of_live_and_recorded_sessions_are_as_requested(share: float) -> None:
    rows = bulk_rows(1000, 1, NOW, recorded_share=share, live_share=share)
    live = sum(row["lastSeen"] >= (NOW - 52) * 1000 for row in rows)
    assert live / 1000 == pytest.approx(share, abs=0.08)
    assert sum(row["record"] for row in rows) / 1000 == pytest.approx(share, abs=0.08)


def test_every_session_was_seen_within_the_last_hour() -> None:
    assert all(NOW - 3600 < row["lastSeen"] / 1000 <= NOW for row in bulk_rows(1000, 1, NOW))


def test_rows_have_a_realistic_size() -> None:
    rows = bulk_rows(1000, 1, NOW)
    assert 1_300 < len(msgspec.json.encode(rows)) / 1000 < 2_000


def test_rows_are_one_unchanged_sequence_between_two_updates() -> None:
    source = BulkSource(bulk_rows(20, 1, NOW), NOW)
    assert source.rows(NOW) is source.rows(NOW + 49)


def test_live_sessions_are_updated_and_the_others_stay_ended() -> None:
    source = BulkSource(bulk_rows(200, 1, NOW), NOW)
    before, after = source.rows(NOW), source.rows(NOW + 100)
    assert [row["id"] for row in before] == [row["id"] for row in after]
    for old, new in zip(before, after, strict=True):
        if old["isHealthy"] is None:
            assert new == old
        else:
            assert new["lastSeen"] - old["lastSeen"] == 100_000
            assert new["sourceSegmentsDuration"] - old["sourceSegmentsDuration"] == pytest.approx(100, abs=2)
            assert new["transcodedSegments"] == new["sourceSegments"] * len(new["profiles"])


def test_stream_keys_are_random_text() -> None:
    keys = {row["parentStream"]["streamKey"] for row in bulk_rows(100, 1, NOW)}
    assert all(re.fullmatch(r"([0-9a-f]{4}-){3}[0-9a-f]{4}", key) for key in keys)
