"""Accounts are added, changed and removed by reload while the program runs."""

from pathlib import Path

import pytest

from exporter.simulator.world import World
from tests.fleet.manual import Fleet, fleet
from tests.fleet.shards import Account
from tests.support.canary import KEY
from tests.support.loop import in_loop
from tests.support.rows import START, row

SOURCES = {name: World(index, 7, start=START) for index, name in enumerate(("anna", "bert", "cleo", "dora"))}


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.write_text(KEY)
    return str(path)


@in_loop
async def test_first_polls_are_spread_over_the_interval(key_file: str) -> None:
    async with fleet(SOURCES, *SOURCES, key_file=key_file) as running:
        assert list(running.scheduler.first_delays.values()) == [0.0, 7.5, 15.0, 22.5]


@in_loop
async def test_an_added_account_is_on_the_page_at_once_and_has_data_after_its_first_poll(key_file: str) -> None:
    async with fleet(SOURCES, "anna", key_file=key_file) as running:
        await running.scheduler.run_for(60)
        await running.apply("anna", "bert")
        assert running.accounts() == {"anna", "bert"}
        assert running.scrape().value("up", account="bert") == 0
        await running.scheduler.run_for(1)
        assert running.scrape().value("up", account="bert") == 1
        assert running.scrape().all("session_active", account="bert")


@in_loop
async def test_a_removed_account_is_no_longer_on_any_page_and_no_longer_polled(key_file: str) -> None:
    async with fleet(SOURCES, "anna", "bert", key_file=key_file) as running:
        await running.scheduler.run_for(60)
        assert running.scrape().all("session_active", account="bert")
        await running.apply("anna")
        assert 'account="bert"' not in running.scrape().text
        assert ">bert<" not in running.app.render_status_page()
        last_polls = dict(running.scheduler.last_runs)
        await running.scheduler.run_for(60)
        assert running.scheduler.last_runs["bert"] == last_polls["bert"]
        assert running.scheduler.last_runs["anna"] > last_polls["anna"]


@in_loop
async def test_a_reload_does_not_change_the_samples_of_unchanged_accounts(key_file: str) -> None:
    async with fleet(SOURCES, "anna", key_file=key_file) as running:
        await running.scheduler.run_for(60)
        before = running.scrape()
        await running.apply("anna", "bert")
        await running.apply("anna")
        assert running.scrape().samples == before.samples


@in_loop
async def test_a_changed_account_keeps_its_data_and_counters(key_file: str) -> None:
    account = Account([row(1)])
    async with fleet({"anna": account}, "anna", key_file=key_file) as running:
        await running.scheduler.run_for(1)
        account.current_rows = [row(1, sourceBytes=1_000_500)]
        await running.apply({"name": "anna", "poll_interval": "60s"})
        assert running.scrape().sessions()
        await running.scheduler.run_for(1)
        account.current_rows = [row(1, sourceBytes=1_000_700)]
        await running.scheduler.run_for(60)
        page = running.scrape()
        assert page.value("source_bytes_total") == 700
        assert page.value("exporter_polls_total") == 2
        assert page.value("exporter_poll_interval_seconds") == 60


@in_loop
async def test_a_coarser_detail_leaves_more_series_for_the_other_accounts(key_file: str) -> None:
    accounts = {name: Account([row(number) for number in range(40)]) for name in ("anna", "bert")}
    async with fleet(accounts, "anna", "bert", key_file=key_file, max_series=2000) as running:
        await running.scheduler.run_for(120)
        both = exported_sessions(running)
        assert 0 < both["anna"] == both["bert"] < 40
        await running.apply({"name": "anna", "detail": "account"}, "bert")
        await running.scheduler.run_for(120)
        assert exported_sessions(running) == {"anna": 0, "bert": 40}


def exported_sessions(running: Fleet) -> dict[str, float]:
    """Return the number of exported sessions by account."""
    return {labels["account"]: count for labels, count in running.scrape().all("exporter_sessions_exported")}


@in_loop
async def test_a_setting_that_needs_a_restart_has_no_effect_before(key_file: str) -> None:
    async with fleet(SOURCES, "anna", key_file=key_file) as running:
        await running.scheduler.run_for(1)
        sessions = running.scrape().sessions()
        pending = await running.app.apply(
            running.settings({"name": "anna", "poll_interval": "20s"}, shard_count=4, shard_index=3)
        )
        assert set(pending) == {"shard_count", "shard_index"}
        await running.scheduler.run_for(20)
        assert running.scrape().sessions() == sessions
