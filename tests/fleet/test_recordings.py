"""Recordings before the session window: requested at their own interval, with counters that stay exact."""

from pathlib import Path
from typing import Any, Final

import pytest

from exporter.metrics.catalogue import PREFIX
from tests.fleet.manual import Fleet, fleet
from tests.fleet.shards import Account
from tests.support.canary import KEY
from tests.support.loop import in_loop
from tests.support.rows import START, Row, ident, row

HOUR = 3600.0
SETTINGS: Final[dict[str, Any]] = {"poll_interval": 30.0, "recording_interval": 300.0}


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.write_text(KEY)
    return str(path)


def ended(number: int, seconds: float, **fields: Any) -> Row:
    """Return a session that was last seen some seconds before ``START``."""
    created, seen = (START - seconds - 600) * 1000, (START - seconds) * 1000
    return row(number, **({"createdAt": created, "lastSeen": seen, "recordingStatus": "waiting"} | fields))


def requests(running: Fleet) -> float:
    return running.scrape().value("exporter_api_requests_total", code="200") or 0.0


def sessions(running: Fleet) -> set[str]:
    return running.scrape().sessions()


def age(running: Fleet) -> float:
    began = running.scrape().value("recordings_snapshot_timestamp_seconds")
    assert began is not None
    return running.scheduler.clock.now() - began


@in_loop
async def test_recordings_are_requested_every_recording_interval_and_kept_in_between(key_file: str) -> None:
    account = Account([ended(1, 2 * HOUR), row(2, lastSeen=(START + HOUR) * 1000)])
    async with fleet({"anna": account}, "anna", key_file=key_file, **SETTINGS) as running:
        await running.scheduler.run_for(1)
        assert (requests(running), age(running)) == (3, 1)
        account.current_rows = [ended(1, 2 * HOUR, name="changed"), row(2, lastSeen=(START + HOUR) * 1000)]
        await running.scheduler.run_for(270)  # nine polls
        assert (requests(running), age(running)) == (3 + 9 * 2, 271)
        assert sessions(running) == {ident(1), ident(2)}
        assert "changed" not in running.scrape().text
        await running.scheduler.run_for(30)
        assert (requests(running), age(running)) == (3 + 9 * 2 + 3, 1)
        assert "changed" in running.scrape().text


@pytest.mark.untraced
@in_loop
async def test_a_recording_that_leaves_the_window_keeps_its_series_until_the_next_request(key_file: str) -> None:
    account = Account([ended(1, HOUR - 45), ended(2, HOUR - 45, record=False)])
    async with fleet({"anna": account}, "anna", key_file=key_file, **SETTINGS) as running:
        await running.scheduler.run_for(31)
        assert sessions(running) == {ident(1), ident(2)}
        for _ in range(8):  # up to 271 s
            await running.scheduler.run_for(30)
            assert sessions(running) == {ident(1)}
        account.current_rows = [ended(1, HOUR - 45, recordingStatus="ready")]
        assert running.scrape().value("recordings_finished_total", result="ready") == 0
        await running.scheduler.run_for(30)
        assert sessions(running) == set()
        assert running.scrape().value("recordings_finished_total", result="ready") == 1
        await running.scheduler.run_for(2 * HOUR)
        assert running.scrape().value("recordings_finished_total", result="ready") == 1


@in_loop
async def test_a_kept_recording_is_replaced_when_it_is_seen_again_and_counts_its_growth_once(key_file: str) -> None:
    account = Account([ended(1, 2 * HOUR, sourceBytes=1000), ended(2, 2 * HOUR, sourceBytes=1000)])
    async with fleet({"anna": account}, "anna", key_file=key_file, **SETTINGS) as running:
        await running.scheduler.run_for(1)
        # A value that falls is not read three times, although its series is shown for ten polls (D04).
        account.current_rows = [
            row(1, lastSeen=(START + 50) * 1000, sourceBytes=1500, recordingStatus="waiting"),
            ended(2, 2 * HOUR, sourceBytes=400),
        ]
        await running.scheduler.run_for(60)
        page = running.scrape()
        assert page.value("source_bytes_total") == 500
        assert page.value("session_active", session_id=ident(1)) == 1
        await running.scheduler.run_for(540)
        account.current_rows = [account.current_rows[0], ended(2, 2 * HOUR, sourceBytes=1000)]
        await running.scheduler.run_for(300)
        assert running.scrape().value("source_bytes_total") == 500


@in_loop
async def test_a_session_that_is_deleted_in_the_window_disappears_with_the_next_poll(key_file: str) -> None:
    account = Account([ended(1, HOUR - 200)])
    async with fleet({"anna": account}, "anna", key_file=key_file, **SETTINGS) as running:
        await running.scheduler.run_for(1)
        assert sessions(running) == {ident(1)}
        account.current_rows = []
        await running.scheduler.run_for(30)
        assert sessions(running) == set()


@pytest.mark.parametrize("change", [{"recording_window": 2 * HOUR}, {"recording_interval": 400.0}])
@in_loop
async def test_a_reload_of_the_recordings_settings_requests_them_at_once(
    key_file: str, change: dict[str, float]
) -> None:
    account = Account([ended(1, 3 * HOUR), ended(2, 1.5 * HOUR)])
    async with fleet({"anna": account}, "anna", key_file=key_file, **SETTINGS) as running:
        await running.scheduler.run_for(1)
        assert sessions(running) == {ident(1), ident(2)}
        await running.apply("anna", **change)
        await running.scheduler.run_for(31)
        assert age(running) <= 31
        assert sessions(running) == {ident(2)} | ({ident(1)} if "recording_interval" in change else set())


@in_loop
async def test_without_a_longer_recording_window_there_is_no_time_of_recordings(key_file: str) -> None:
    async with fleet({"anna": Account([row(1)])}, "anna", key_file=key_file, **SETTINGS) as running:
        await running.scheduler.run_for(1)
        assert age(running) == 1
        await running.apply("anna", recording_window=HOUR)
        await running.scheduler.run_for(31)
        assert f"{PREFIX}recordings_snapshot_timestamp_seconds{{" not in running.scrape().text
